"""nightly: index an archive, judge its new and changed videos, and write a report.

Each video is opened and decoded once; only scores and a few pictures leave the executors. A later
run judges new and changed files and retries failed ones; the verdict on a deleted file becomes
`missing`. A run that was killed can simply be repeated. Exit codes: 0 all judged; 3 all judged, but
more failures than run.failures_ratio; 2 wrong input (a path, a setting, a bundle); 1 an internal
error, run it again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import pyarrow as pa

from framejury.archive.video_rows import check_share_missing, videos_table, with_missing
from framejury.cli.judging_options import Judging
from framejury.cli.options import (
    add_bundle,
    add_warehouse,
    make_parser,
    run_command,
)
from framejury.clock import moment, now
from framejury.examine.messages import settings_id
from framejury.jobs.index_videos import add_archive, describe, index_settings
from framejury.logs import say
from framejury.night.decisions_file import DecisionsFile, take_in
from framejury.night.ending import add_metrics_file, recorded
from framejury.night.night import SECTIONS, NightlyRun, judge, merge_small_files, report
from framejury.night.phases import Phases, besides_judging_s
from framejury.night.plan import NightPlan, PlanRules, make_plan, plan_night
from framejury.tables.index import check_archive, check_same_archive, index_archive
from framejury.tables.session import spark_session
from framejury.warehouse import Warehouse


def parser() -> argparse.ArgumentParser:
    options = make_parser("nightly", __doc__, ["index", *SECTIONS])
    add_archive(options)
    add_warehouse(options)
    add_bundle(options)
    options.add_argument(
        "--since",
        metavar="WHEN",
        type=moment,
        help="only files changed since a date, a time, or an age such as 36h or 7d (default: all)",
    )
    options.add_argument(
        "--rescore",
        action="store_true",
        help="also judge videos again that another model or other settings judged (default: no)",
    )
    options.add_argument(
        "--all",
        action="store_true",
        help="judge every video again (default: new and changed ones, and retries)",
    )
    options.add_argument(
        "--keep-crops",
        action="store_true",
        help="also keep crops of the faces, for training (default: scores and evidence only)",
    )
    options.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan and the estimated time, and write nothing (default: run)",
    )
    options.add_argument(
        "--decisions",
        metavar="FILE",
        help="CSV file,decision,by,note with what people decided (default: decisions.csv in the "
        "archive, if there is one)",
    )
    add_metrics_file(options)
    return options


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    judging = Judging.from_args(args)
    archive = check_archive(args.archive)
    warehouse = Warehouse.open_or_plan(args.warehouse)
    check_same_archive(warehouse, archive, moved=args.moved)
    links = judging.settings.index.links
    file = DecisionsFile.of(archive, args.decisions, follow_out=links == "anywhere")
    phases = Phases.of_process()
    night = NightlyRun("nightly", archive, judging, warehouse, args.keep_crops, phases=phases)
    if args.dry_run:
        with spark_session("nightly") as night.spark:
            _plan(args, night)
        return 0
    with recorded(night, args) as ending, warehouse.locked("nightly", now(), say):
        with spark_session("nightly") as night.spark:
            videos, plan = _plan(args, night)
            if warehouse.with_table("videos"):  # the verdicts are still those that people saw
                take_in(warehouse, file, now(), told=False)
            judge(night, plan, videos)
            night.remarks = take_in(warehouse, file, now())  # with the videos that are new
            merge_small_files(night)
            report(night, night.spark.createDataFrame(videos))
        return ending.code(videos.num_rows)


def _plan(args: argparse.Namespace, night: NightlyRun) -> tuple[pa.Table, NightPlan]:
    """List the archive and plan the run."""
    warehouse, store, settings = night.warehouse, night.store, night.judging.settings
    with night.phase("index"):
        found = index_archive(night.spark, night.archive, index_settings(args))
        describe(found)
        night.left_out = found.left_out
        before = warehouse.read_snapshot("videos") if warehouse.with_table("videos") else None
        rows = with_missing(videos_table(found.videos, "planned"), before, now())
        check_share_missing(rows, before, settings.index.missing_ratio)
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
    plan = make_plan(planned, settings, warehouse.commits(), besides_judging_s(warehouse))
    for line in plan.lines(rows.num_rows):
        say(line)
    return rows, plan


if __name__ == "__main__":
    sys.exit(main())
