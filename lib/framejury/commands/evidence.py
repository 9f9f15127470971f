"""evidence: write evidence pages of named videos, which show what a verdict is based on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from framejury.cli.options import run_command
from framejury.cli.outputs import check_warehouse_written
from framejury.clock import now
from framejury.errors import UsageError
from framejury.night.publish import Publisher
from framejury.parsers.evidence import parser
from framejury.redaction import printable
from framejury.settings import ReportSettings, SparkSettings
from framejury.storage import locate
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.warehouse import Warehouse
from framejury.warehouse.page_places import page_place
from framejury.warehouse.reader import find_videos


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    check_warehouse_written(args)
    warehouse = Warehouse.open(args.warehouse)
    commits = warehouse.require("verdicts")
    ids = find_videos(warehouse.read_snapshot("videos"), args.videos)
    for stone in warehouse.forgotten().values():
        if stone.video_id in ids:
            raise UsageError(
                f"{printable(stone.path)} was forgotten on {stone.at:%Y-%m-%d} by {stone.by}, so "
                "there is no evidence; its tombstone is in the table forgotten"
            )
    folder = None if args.output is None else locate(args.output)
    with spark_session("evidence") as spark:
        store = Store(spark, warehouse, SparkSettings().row_group_bytes)
        videos = store.snapshot("videos")
        publisher = Publisher(
            store, warehouse, commits[-1], videos, ReportSettings(), now(), folder
        )
        chosen = publisher.write_evidence(store.standing_verdicts(videos), ids)
    root = warehouse.location if folder is None else folder
    for row in chosen.to_pylist():
        print(page_place(root, row["run_id"], row["video_id"]).uri)
    return 0


if __name__ == "__main__":
    sys.exit(main())
