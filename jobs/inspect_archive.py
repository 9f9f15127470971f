"""inspect an archive as a Spark job; called by `framejury inspect`."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from framejury.archive.video_rows import videos_table
from framejury.cli.options import WAREHOUSE_VARIABLE, run_command, settings_of, stand_in
from framejury.clock import now
from framejury.errors import FramejuryError, UsageError
from framejury.inspection.answer import CONTACT_SHEET
from framejury.inspection.inspected_archive import ArchiveSummary, summary_of
from framejury.jobs.index_videos import describe, index_settings
from framejury.logs import say
from framejury.parsers.inspect import parser
from framejury.redaction import printable
from framejury.settings import Settings
from framejury.storage import Location, check_no_secret, is_local, is_taken, locate
from framejury.tables.index import check_archive, index_archive
from framejury.tables.inspect_videos import inspect_videos
from framejury.tables.session import spark_session
from framejury.warehouse import Warehouse

PLANNED = "planned"


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, run)


def run(args: argparse.Namespace) -> int:
    """Inspect the archive `args.what`.

    Raises:
        UsageError: archive, settings or output cannot be used.
    """
    settings = settings_of(args)
    archive = check_archive(args.what)
    target = _target(args)
    with ExitStack() as stack:
        spark = stack.enter_context(spark_session("inspect"))
        index = index_archive(None if is_local(archive) else spark, archive, index_settings(args))
        describe(index)
        videos = videos_table(index.videos, PLANNED)
        rows, pictures = inspect_videos(spark, videos, settings)
    found = summary_of(rows)
    sheet, listed = _sheet(rows, pictures, settings)
    files = _files(archive, found, sheet, (listed, index.notes), settings)
    _write(target, files, rows)
    say(f"  {found.videos:,} videos, of which {found.failed:,} could not be read")
    say(f"  page: {target.uri}/inspect.html")
    return 0


def _target(args: argparse.Namespace) -> Location:
    """Return the folder to write to, which is empty."""
    if args.output is None:
        args.warehouse = args.warehouse or stand_in(WAREHOUSE_VARIABLE)
    if (args.output is None) == (args.warehouse is None):
        raise UsageError("to inspect an archive, give either --warehouse DIR or --output DIR")
    if args.output is not None:
        target = locate(check_no_secret(args.output))
        if is_taken(target):
            raise UsageError(f"{printable(args.output)} is not empty; give another --output")
        return target
    # Beside the tables: without lock and commit, so no nightly run waits for it.
    place = Warehouse.open_or_plan(args.warehouse).location
    return place.child("inspections", f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}")


def _sheet(
    rows: pa.Table, pictures: Mapping[str, bytes], settings: Settings
) -> tuple[dict[str, bytes], list[str]]:
    """Return the contact sheet and the paths of the videos on it."""
    from framejury.inspection.inspect_client import InspectClient

    shown = [row for row in rows.to_pylist() if row["video_id"] in pictures]
    if not shown:
        return {}, []
    captions = [f"{at}  {row['label'] or '-'}" for at, row in enumerate(shown, start=1)]
    with InspectClient(settings, detectors=False) as client:
        sheet = client.sheet([pictures[row["video_id"]] for row in shown], captions)
    return ({} if sheet is None else {CONTACT_SHEET: sheet}), [row["path"] for row in shown]


def _files(
    archive: str,
    found: ArchiveSummary,
    sheet: Mapping[str, bytes],
    words: tuple[Sequence[str], Sequence[str]],
    settings: Settings,
) -> dict[str, bytes]:
    """Return page and figures by file name; `words` are the paths on the sheet, and notes."""
    from framejury.inspection.charts import archive_charts, files_of
    from framejury.inspection.inspect_page import Parts, archive_page
    from framejury.report.document import plain

    charts = archive_charts(found)
    listed, notes = words
    parts = Parts(archive, sheet, charts, now())
    content: dict[str, Any] = {"schema_version": 1, "archive": archive, **plain(asdict(found))}
    return {
        "inspect.html": archive_page(parts, found, listed, notes, settings),
        "inspect.json": (json.dumps(content, allow_nan=False) + "\n").encode(),
        **files_of(charts),
        **sheet,
    }


def _write(target: Location, files: Mapping[str, bytes], rows: pa.Table) -> None:
    """Write the files, the rows as `videos.parquet`, and the page last, once all else is there."""
    from pyarrow import parquet

    ordered = sorted(files, key=lambda name: name == "inspect.html")
    try:
        target.filesystem.create_dir(target.path, recursive=True)
        parquet.write_table(
            rows,
            target.child("videos.parquet").path,
            filesystem=target.filesystem,
            compression="zstd",
        )
        for name in ordered:
            with target.filesystem.open_output_stream(target.child(name).path) as stream:
                stream.write(files[name])
    except OSError as error:
        raise FramejuryError(f"cannot write to {target.uri}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
