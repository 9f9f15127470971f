"""retry: judge videos again whose latest verdict has a given status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from framejury.cli.judging_options import Judging
from framejury.cli.options import (
    run_command,
)
from framejury.clock import now
from framejury.errors import UsageError
from framejury.logs import say
from framejury.night.ending import recorded
from framejury.night.night import NightlyRun, judge, report
from framejury.night.phases import Phases, besides_judging_s
from framejury.night.plan import make_plan, plan_selected
from framejury.parsers.retry_videos import parser
from framejury.tables.session import spark_session
from framejury.warehouse import Warehouse


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
    for line in plan.lines(videos.count()):
        say(line)
    if dry_run or not plan.videos.num_rows:
        return False
    judge(night, plan)
    report(night, videos)
    return True


if __name__ == "__main__":
    sys.exit(main())
