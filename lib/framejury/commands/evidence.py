"""evidence: write evidence pages of named videos, which show what a verdict is based on.

The command nightly writes pages for mistakes and high scores (report.evidence_pages); this command
writes any page, and replaces existing ones. It reads the warehouse and opens no video.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from framejury.cli.options import add_warehouse, make_parser, run_command
from framejury.clock import now
from framejury.errors import UsageError
from framejury.night.evidence_pages import page_place
from framejury.night.publish import Publisher
from framejury.redaction import printable
from framejury.settings import ReportSettings, SparkSettings
from framejury.storage import locate
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.warehouse import Warehouse


def parser() -> argparse.ArgumentParser:
    options = make_parser("evidence", __doc__)
    options.add_argument(
        "videos",
        metavar="VIDEO",
        nargs="+",
        help="path below the archive, as reports show it, or video_id",
    )
    add_warehouse(options)
    options.add_argument(
        "--output",
        metavar="DIR",
        help="folder below which evidence/ is written (default: the warehouse)",
    )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    warehouse = Warehouse.open(args.warehouse)
    commits = warehouse.require("verdicts")
    ids = find_videos(warehouse.read_snapshot("videos"), args.videos)
    folder = None if args.output is None else locate(args.output)
    with spark_session("evidence") as spark:
        store = Store(spark, warehouse, SparkSettings().row_group_bytes)
        videos = store.snapshot("videos")
        publisher = Publisher(
            store, warehouse, commits[-1], videos, ReportSettings(), now(), folder
        )
        chosen = publisher.write_evidence(store.latest("verdicts"), ids)
    root = warehouse.location if folder is None else folder
    for row in chosen.to_pylist():
        print(page_place(root, row["run_id"], row["video_id"]).uri)
    return 0


def find_videos(videos: pa.Table, names: Sequence[str]) -> list[str]:
    """Return ids of the videos with these names, each once.

    Args:
        videos: the snapshot; columns `video_id`, `path`.
        names: paths or ids.

    Raises:
        UsageError: an unknown name; the message suggests similar ones.
    """
    found: dict[str, None] = {}
    for name in names:
        named = pc.or_(pc.equal(videos["path"], name), pc.equal(videos["video_id"], name))
        ids = videos.filter(named)["video_id"].to_pylist()
        if not ids:
            near = difflib.get_close_matches(name, videos["path"].to_pylist(), n=3, cutoff=0.3)
            hint = f"; did you mean {', '.join(map(printable, near))}?" if near else ""
            raise UsageError(f"no video {printable(name)} in this warehouse{hint}")
        found |= dict.fromkeys(ids)
    return list(found)


if __name__ == "__main__":
    sys.exit(main())
