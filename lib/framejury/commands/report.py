"""report: write the newest report again, and missing evidence pages."""

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
from framejury.runs.details import metrics_of, timed
from framejury.runs.history import find_run, past_runs
from framejury.settings import Settings, SparkSettings
from framejury.storage import Location, is_file, local_path, locate
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit
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
    commit = _reported(warehouse)
    # The commit of a night was made before its report, and lacks the time of that.
    run = timed(find_run(past_runs(warehouse), commit.run_id), warehouse)
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
            *(store, warehouse, commit, videos, settings.report, now(), folder, seconds),
            ended_at=run.ended_at,
        )
        return publisher.publish(store.latest("verdicts").cache())


def _reported(warehouse: Warehouse) -> Commit:
    """Return the run whose report is the newest; the latest with verdicts, if that has none yet.

    A nightly run that judged nothing, but found decisions, has the newest report.
    """
    judged = warehouse.require("verdicts")[-1]
    later = [one for one in warehouse.commits() if one.sequence > judged.sequence]
    places = warehouse.location.child("reports")
    with_report = [one for one in later if is_file(places.child(one.run_id, "report.html"))]
    return with_report[-1] if with_report else judged


if __name__ == "__main__":
    sys.exit(main())
