"""retry: judge videos again whose latest verdict has a given status.

The archive is not listed again, and earlier tries do not count. Fix the cause first, or allow more
time (--set limits.timeout_s=1800) or memory.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from framejury.cli.judging_options import Judging
from framejury.cli.live_line import live_line, pass_by
from framejury.cli.options import (
    add_bundle,
    add_warehouse,
    make_parser,
    run_command,
)
from framejury.clock import now
from framejury.errors import UsageError
from framejury.logs import say
from framejury.night.ending import add_ending, recorded
from framejury.night.night import SECTIONS, NightlyRun, judge, report
from framejury.night.phases import Phases, besides_judging_s
from framejury.night.plan import make_plan, plan_selected
from framejury.schemas.statuses import VERDICT_STATUSES, Status
from framejury.tables.session import spark_session
from framejury.warehouse import Warehouse

_STATUSES = [status.value for status in VERDICT_STATUSES if status is not Status.MISSING]


def parser() -> argparse.ArgumentParser:
    options = make_parser("retry", __doc__, SECTIONS)
    add_warehouse(options)
    add_bundle(options)
    options.add_argument(
        "--status",
        action="append",
        choices=_STATUSES,
        required=True,
        help="judge videos whose latest verdict has this status; may be repeated (required)",
    )
    options.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan and write nothing (default: run)",
    )
    add_ending(options)
    return options


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    judging = Judging.from_args(args)
    warehouse = Warehouse.open(args.warehouse)
    warehouse.require("verdicts")
    if warehouse.archive is None:
        raise UsageError(
            f"{args.warehouse} was not made from an archive, so there is nothing to open again"
        )
    phases = Phases.of_process()
    night = NightlyRun("retry", warehouse.archive, judging, warehouse, phases=phases)
    if args.dry_run:
        with spark_session("retry") as night.spark:
            _retry(night, args.status, dry_run=True)
        return 0
    with (
        live_line(),
        recorded(night, args) as ending,
        warehouse.locked("retry", now(), say),
        spark_session("retry") as night.spark,
    ):
        if not _retry(night, args.status, dry_run=False):
            return 0
        return ending.code(None)


def _retry(night: NightlyRun, statuses: Sequence[str], *, dry_run: bool) -> bool:
    """Judge the videos; return whether any were judged."""
    videos = night.store.snapshot("videos")
    planned = plan_selected(
        night.store.without_forgotten(videos), night.store.latest("verdicts"), statuses
    )
    besides_s = besides_judging_s(night.warehouse)
    plan = make_plan(planned, night.judging.settings, night.warehouse.commits(), besides_s)
    show = pass_by if plan.videos.num_rows else say  # with nothing to do, it is the only message
    show("\n".join(plan.lines(videos.count())))
    if dry_run or not plan.videos.num_rows:
        return False
    judge(night, plan)
    report(night, videos)
    return True


if __name__ == "__main__":
    sys.exit(main())
