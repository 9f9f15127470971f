"""nightly: index an archive, judge its new and changed videos, and write a report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack

import pyarrow as pa

from framejury.archive.video_rows import check_share_missing, videos_table, with_missing
from framejury.cli.judging_options import Judging
from framejury.cli.live_line import live_line, pass_by
from framejury.cli.options import run_command
from framejury.clock import now
from framejury.examine.messages import settings_id
from framejury.jobs.index_videos import describe, index_settings
from framejury.logs import say
from framejury.night.decisions_file import DecisionsFile, take_in
from framejury.night.ending import recorded
from framejury.night.idle import commit_idle, report_that_holds, why_again
from framejury.night.night import NightlyRun, judge, merge_small_files, publish_tables, report
from framejury.night.notify import Notice, notifying
from framejury.night.phases import START, Phases, besides_judging_s
from framejury.night.plan import NightPlan, PlanRules, make_plan, plan_night
from framejury.parsers.nightly import parser
from framejury.storage import is_local
from framejury.tables.index import check_archive, check_same_archive, index_archive
from framejury.tables.session import spark_session
from framejury.warehouse import Warehouse


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    with notifying("nightly", args) as notice:
        return _nightly(args, notice)


def _nightly(args: argparse.Namespace, notice: Notice) -> int:
    judging = Judging.from_args(args)
    archive = check_archive(args.archive)
    warehouse = Warehouse.open_or_plan(args.warehouse)
    check_same_archive(warehouse, archive, moved=args.moved)
    links = judging.settings.index.links
    file = DecisionsFile.of(archive, args.decisions, follow_out=links == "anywhere")
    phases = Phases.of_process()
    night = NightlyRun("nightly", archive, judging, warehouse, args.keep_crops, phases=phases)
    if args.dry_run:
        with ExitStack() as stack:
            _plan(args, night, _list(args, night, stack), stack)
        return 0
    with (
        live_line(),
        recorded(night, args, notice) as ending,
        warehouse.locked("nightly", now(), say),
    ):
        with ExitStack() as stack:
            videos = _list(args, night, stack)
            if warehouse.with_table("videos"):  # the verdicts are still those that people saw
                night.decisions = take_in(warehouse, file, now(), told=False)
            if (holds := _report_that_holds(args, night, videos)) is not None:
                _take_in(night, file)  # only to repeat what it could not use
                commit_idle(night, videos, holds)
            else:
                plan = _plan(args, night, videos, stack)
                if not plan.videos.num_rows:
                    say(f"  {why_again(warehouse)}", "report_again")
                judge(night, plan, videos)
                _take_in(night, file)  # with the videos that are new
                merge_small_files(night)
                report(night, night.spark.createDataFrame(videos))
        publish_tables(night)
        return ending.code(videos.num_rows)


def _take_in(night: NightlyRun, file: DecisionsFile) -> None:
    night.decisions = night.decisions.then(take_in(night.warehouse, file, now()))


def _start_spark(night: NightlyRun, stack: ExitStack) -> None:
    with night.phases.phase(START):
        night.spark = stack.enter_context(spark_session("nightly"))


def _list(args: argparse.Namespace, night: NightlyRun, stack: ExitStack) -> pa.Table:
    """List the archive; return rows of `videos`, with the missing ones."""
    warehouse, local = night.warehouse, is_local(night.archive)
    if not local:  # only listing a Hadoop URI needs the JVM
        _start_spark(night, stack)
    with night.phase("index"):
        found = index_archive(None if local else night.spark, night.archive, index_settings(args))
        describe(found)
        night.left_out = found.left_out
        before = warehouse.read_snapshot("videos") if warehouse.with_table("videos") else None
        rows = with_missing(videos_table(found.videos, "planned"), before, now())
        check_share_missing(rows, before, night.judging.settings.index.missing_ratio)
    return rows


def _report_that_holds(args: argparse.Namespace, night: NightlyRun, videos: pa.Table) -> str | None:
    """Return the report of an idle night; None where the night has work, or was given some."""
    if args.all or args.rescore or args.since is not None:
        return None
    return report_that_holds(night, videos)


def _plan(
    args: argparse.Namespace, night: NightlyRun, rows: pa.Table, stack: ExitStack
) -> NightPlan:
    """Plan the run, with Spark."""
    if is_local(night.archive):
        _start_spark(night, stack)
    warehouse, store, settings = night.warehouse, night.store, night.judging.settings
    rules = PlanRules(
        tries=settings.limits.tries,
        model_id=night.judging.bundle.model_id,
        settings_id=settings_id(settings),
        sound_model_id=None if night.judging.sound is None else night.judging.sound.model_id,
        rescore=args.rescore,
        everything=args.all,
        since=args.since,
    )
    videos = store.without_forgotten(night.spark.createDataFrame(rows))
    planned = plan_night(videos, store.history("extractions"), store.history("verdicts"), rules)
    besides_s = besides_judging_s(warehouse)
    plan = make_plan(planned, settings, warehouse.commits(), besides_s, night.judging.face_s())
    pass_by("\n".join(plan.lines(rows.num_rows)))
    return plan


if __name__ == "__main__":
    sys.exit(main())
