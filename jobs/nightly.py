"""nightly: index an archive, then extract, score and judge what is new, and report.

A video is opened once and decoded once; only scores leave the executors. Running it again
judges new and changed files, and tries failed ones again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from framejury.archive.entries import videos_table
from framejury.commandline import (
    add_bundle,
    add_warehouse,
    bundle_dir_of,
    make_parser,
    now,
    run_command,
    say,
    say_remark,
    settings_of,
    warn_of_demo,
)
from framejury.facts import bundle_facts, versions
from framejury.jobs.index_videos import add_archive, describe, index_settings
from framejury.model.bundle import framed_for, load_bundle
from framejury.model.manifest import Bundle
from framejury.rows import ExaminePlan
from framejury.rule import Rule, rule_facts, rule_in_use
from framejury.settings import Settings
from framejury.tables.extract import ship_bundle, write_examined
from framejury.tables.index import check_archive, check_same_archive, index_archive
from framejury.tables.plan import videos_to_judge
from framejury.tables.reduce import Court, reconcile, reduce_verdicts
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.tables.summary import count_by, sentence
from framejury.tables.verdicts import make_report, write_report
from framejury.warehouse import KEEPS_CROPS, Commit, Run, Warehouse

_SECTIONS = ["index", "sampling", "detection", "crops", "limits", "scoring", "verdict", "spark"]


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("nightly", __doc__, _SECTIONS)
    add_archive(parser)
    add_warehouse(parser)
    add_bundle(parser)
    parser.add_argument(
        "--rescore",
        action="store_true",
        help="judge every video again (default: new and changed ones, and retries)",
    )
    parser.add_argument(
        "--keep-crops",
        action="store_true",
        help="also keep the faces' crops, for training (default: scores only)",
    )
    return run_command(parser, argv, _run)


@dataclass
class Night:
    """What one nightly run works with."""

    args: argparse.Namespace
    settings: Settings
    bundle: Bundle
    rule: Rule
    warehouse: Warehouse
    spark: SparkSession
    store: Store
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase of the run."""
        started_s = time.monotonic()
        say(f"[{name}]")
        yield
        self.seconds[name] = round(time.monotonic() - started_s, 3)


def _run(args: argparse.Namespace) -> int:
    archive = check_archive(args.archive)
    bundle = load_bundle(bundle_dir_of(args))
    warn_of_demo(bundle)
    settings = framed_for(bundle, settings_of(args))
    rule = rule_in_use(bundle.rule, settings.verdict)
    say_remark(rule)
    indexing = index_settings(args)
    warehouse = Warehouse.open_or_plan(args.warehouse)
    check_same_archive(warehouse, archive, moved=args.moved)
    with spark_session("nightly") as spark:
        store = Store(spark, warehouse, settings.spark.row_group_bytes)
        night = Night(args, settings, bundle, rule, warehouse, spark, store)
        with night.phase("index"):
            entries, notes = index_archive(spark, archive, indexing)
            describe(entries, notes)
        with warehouse.running("nightly", now()) as run:
            rows = videos_table(entries, run.run_id)
            commit = _judge(night, run, rows, archive)
        _report(night, commit, spark.createDataFrame(rows))
    return 0


def _judge(night: Night, run: Run, rows: pa.Table, archive: str) -> Commit:
    """Extract, score and reduce what is new; one commit publishes all of it."""
    store, settings, bundle = night.store, night.settings, night.bundle
    night.warehouse.write(run, "videos", rows)
    videos = night.spark.createDataFrame(rows)
    planned = videos_to_judge(
        videos,
        store.history("extractions"),
        store.history("verdicts"),
        settings.limits.tries,
        everything=night.args.rescore,
    ).cache()
    count = planned.count()
    with night.phase("extract and score"):
        say(f"  {count:,} of {videos.count():,} videos are new, changed or tried again")
        if count:
            _examine(night, run, planned)
    with night.phase("reduce"):
        court = Court(run.run_id, bundle.model_id, night.rule, settings.verdict)
        extractions = store.of_run(run, "extractions")
        verdicts = reduce_verdicts(planned, extractions, store.of_run(run, "face_scores"), court)
        store.write(verdicts, run, "verdicts")
        written = store.of_run(run, "verdicts")
        reconcile(planned, written)
        statuses = count_by(written, "status")
        say(f"  {sentence(statuses)}")
    return night.warehouse.commit(
        run,
        now(),
        archive=archive,
        model_id=bundle.model_id,
        settings=settings.model_dump(mode="json"),
        facts={
            KEEPS_CROPS: night.args.keep_crops,
            "bundle": bundle_facts(bundle),
            "rule": rule_facts(night.rule),
            "statuses": statuses,
            "seconds": night.seconds,
            "versions": versions(),
        },
    )


def _examine(night: Night, run: Run, planned: DataFrame) -> None:
    settings, bundle = night.settings, night.bundle
    plan = ExaminePlan(
        run.run_id, settings.model_dump(mode="json"), None, keep_crops=night.args.keep_crops
    )
    shipped = ship_bundle(night.spark, bundle.directory, bundle.model_id)
    write_examined(night.store, run, planned, plan, shipped)


def _report(night: Night, commit: Commit, videos: DataFrame) -> None:
    """Report on every video of the archive, not only on those judged this night."""
    with night.phase("report"):
        verdicts = night.store.latest("verdicts").cache()
        scores = night.store.scores_behind(verdicts)
        report = make_report(
            night.warehouse, commit, verdicts=verdicts, scores=scores, videos=videos, now=now()
        )
        folder = write_report(night.warehouse, report)
        counts = count_by(verdicts.join(videos, on="video_id", how="left_semi"), "verdict")
    say(f"  verdicts of the archive: {sentence(counts)}")
    say(f"  run {commit.run_id} committed to {night.warehouse.location.uri}")
    say(f"  report: {folder.child('report.html').uri}")


if __name__ == "__main__":
    sys.exit(main())
