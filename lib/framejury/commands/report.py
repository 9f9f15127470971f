"""report: write the report of the latest verdicts again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from framejury.commandline import add_warehouse, make_parser, run_command
from framejury.logs import say
from framejury.settings import SparkSettings
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.tables.verdicts import make_report, write_report
from framejury.warehouse import Warehouse
from framejury.when import now


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("report", __doc__)
    add_warehouse(parser)
    return run_command(parser, argv, _run)


def _run(args: argparse.Namespace) -> int:
    warehouse = Warehouse.open(args.warehouse)
    commits = warehouse.require("verdicts")
    with spark_session("report") as spark:
        store = Store(spark, warehouse, SparkSettings().row_group_bytes)
        verdicts = store.latest("verdicts").cache()
        report = make_report(
            warehouse,
            commits[-1],
            verdicts=verdicts,
            scores=store.scores_behind(verdicts),
            videos=store.snapshot("videos"),
            now=now(),
        )
        folder = write_report(warehouse, report)
    say(f"  report: {folder.child('report.html').uri}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
