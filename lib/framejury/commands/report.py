"""report: write the report of the latest verdicts again, and missing evidence pages."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress

from framejury.cli.options import run_command, settings_of
from framejury.cli.outputs import check_warehouse_written, is_zip, new_folder, new_zip
from framejury.clock import now
from framejury.errors import LockError, WarehouseError
from framejury.logs import say
from framejury.night.publish import Publisher
from framejury.parsers.report import parser
from framejury.runs.details import metrics_of
from framejury.runs.history import find_run, past_runs
from framejury.settings import Settings, SparkSettings
from framejury.storage import Location, local_path, locate
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.warehouse import Warehouse
from framejury.warehouse.lock import read_lock


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args, judging=True)
    check_warehouse_written(args)
    if is_zip(args.output):
        from framejury.report.package import pack  # loads what draws the figures

        with new_zip(args.output) as (folder, draft):
            _write(args, settings, locate(str(folder)))
            pack(folder, draft)
        say(f"  report: {local_path(args.output)}")
        return 0
    place = None if args.output is None else locate(str(new_folder(args.output)))
    written = _write(args, settings, place)
    say(f"  report: {written.child('report.html').uri}")
    return 0


def _write(args: argparse.Namespace, settings: Settings, folder: Location | None) -> Location:
    """Write report and evidence pages; return the report's folder."""
    warehouse = Warehouse.open(args.warehouse)
    commits = warehouse.require("verdicts")
    # The commit of a night was made before its report, and lacks the time of that.
    run = find_run(past_runs(warehouse), commits[-1].run_id)
    metrics = metrics_of(run, warehouse)
    seconds = None if metrics is None else lambda: dict(metrics["phase_s"])
    lock = read_lock(warehouse.location)
    if lock is None or not lock.is_held:  # a run in progress does it itself
        # Under the lock, so that no older state replaces one that a run just wrote.
        with suppress(LockError, WarehouseError), warehouse.locked("report", now()):
            warehouse.refresh_current()
    with spark_session("report") as spark:
        store = Store(spark, warehouse, SparkSettings().row_group_bytes)
        videos = store.snapshot("videos").cache()
        publisher = Publisher(
            store, warehouse, commits[-1], videos, settings.report, now(), folder, seconds
        )
        return publisher.publish(store.latest("verdicts").cache())


if __name__ == "__main__":
    sys.exit(main())
