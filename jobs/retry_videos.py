"""retry: judge videos again whose latest verdict has a given status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from framejury.cli.live_line import live_line, pass_by
from framejury.cli.options import run_command
from framejury.clock import now
from framejury.errors import UsageError
from framejury.logs import say
from framejury.pages.text_table import counted
from framejury.parsers.retry_videos import STATUSES, parser
from framejury.runs.chosen_verdicts import latest_statuses
from framejury.warehouse import Warehouse

if TYPE_CHECKING:
    from framejury.night.night import NightlyRun
    from framejury.night.notify import Notice


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    warehouse = Warehouse.open(args.warehouse)
    if not args.status:
        raise UsageError(_which_status(warehouse))
    if warehouse.with_table("verdicts") and not _has_work(warehouse, args.status):
        return 0
    # Imported only now, so that a retry without work is answered at once.
    from framejury.night.notify import notifying

    with notifying("retry", args) as notice:
        return _judged(args, warehouse, notice)


def _which_status(warehouse: Warehouse) -> str:
    """Return that `--status` is required, and which there are to choose from."""
    there = latest_statuses(warehouse) if warehouse.with_table("verdicts") else {}
    counts = [f"{there[one]:,} {one}" for one in STATUSES if one in there]
    known = f"videos here: {', '.join(counts)}" if counts else f"one of {', '.join(STATUSES)}"
    return f"say which videos to judge again: --status STATUS,... ({known})"


def _has_work(warehouse: Warehouse, wanted: Sequence[str]) -> bool:
    """Return whether there are videos to judge again; say so if there are none."""
    there = latest_statuses(warehouse)
    if any(status in there for status in wanted):
        return True
    videos = counted(sum(there.values()), "video")
    others = ", ".join(f"{count:,} {status}" for status, count in there.items())
    say(f"  nothing to retry: no video has the status {' or '.join(wanted)}")
    say(f"  {videos} in the archive: {others or 'none judged'}")
    return False


def _judged(args: argparse.Namespace, warehouse: Warehouse, notice: Notice) -> int:
    from framejury.cli.judging_options import Judging
    from framejury.night.ending import recorded
    from framejury.night.night import NightlyRun
    from framejury.night.phases import Phases
    from framejury.tables.session import spark_session

    judging = Judging.from_args(args)
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
        recorded(night, args, notice) as ending,
        warehouse.locked("retry", now(), say),
        spark_session("retry") as night.spark,
    ):
        if not _retry(night, args.status, dry_run=False):
            return 0
        return ending.code(None)


def _retry(night: NightlyRun, statuses: Sequence[str], *, dry_run: bool) -> bool:
    """Judge the videos; return whether any were judged."""
    from framejury.night.night import judge, publish_tables, report
    from framejury.night.phases import besides_judging_s
    from framejury.night.plan import make_plan, plan_selected

    videos = night.store.snapshot("videos")
    planned = plan_selected(
        night.store.without_forgotten(videos), night.store.latest("verdicts"), statuses
    )
    besides_s = besides_judging_s(night.warehouse)
    judging, commits = night.judging, night.warehouse.commits()
    plan = make_plan(planned, judging.settings, commits, besides_s, judging.face_s())
    show = pass_by if plan.videos.num_rows else say  # with nothing to do, it is the only message
    show("\n".join(plan.lines(videos.count())))
    if dry_run or not plan.videos.num_rows:
        return False
    judge(night, plan)
    report(night, videos)
    publish_tables(night)
    return True


if __name__ == "__main__":
    sys.exit(main())
