"""A nightly run: work in batches, publish each by one commit, report. Shared with `retry`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from framejury import logs
from framejury.cli.judging_options import Judging
from framejury.cli.live_line import pass_by, say_some
from framejury.clock import now
from framejury.examine.messages import ExaminePlan
from framejury.night.decisions_file import TakenIn
from framejury.night.phases import JUDGING, REPORT, Phases
from framejury.night.plan import REASON, NightPlan
from framejury.night.publish import Publisher
from framejury.publishing.publish_tables import publish_to, targets_of
from framejury.publishing.target import Published, Target
from framejury.runs.drift import ScoreHistograms, drift_of, histogram, summed
from framejury.runs.provenance import bundle_facts, remember_bundle, versions
from framejury.runs.run_metrics import RunCounts
from framejury.schemas.statuses import FAILURE_STATUSES, Reason
from framejury.storage import Location
from framejury.tables.extract import IN_ONE_ROUND, write_examined
from framejury.tables.merge import merge_runs
from framejury.tables.reduce import VerdictRules, reconcile, reduce_verdicts
from framejury.tables.resources import ship_bundle
from framejury.tables.store import Store
from framejury.tables.tallies import count_by, sentence, spent_on, total
from framejury.verdict.rule import rule_facts
from framejury.warehouse import MERGED_TABLES, Warehouse
from framejury.warehouse.commits import (
    BatchFacts,
    Commit,
    CommitFacts,
    CostFacts,
    CountFacts,
    Run,
)


@dataclass
class NightlyRun:
    """Inputs of one nightly run, and its progress so far.

    Attributes:
        job: such as `nightly` or `retry`.
        archive: the archive of the videos.
        judging: bundle, settings and rule.
        warehouse: the warehouse.
        keep_crops: whether crops of faces are kept.
        spark: the session; set when it has started.
        phases: its clock.
        left_out: files of the archive left out by their names, as `ArchiveIndex.left_out`; None if
            it was not listed.
        commits: commits of this nightly run, in order.
        began: id of the run begun last; None before the first.
        report: URI of the report that holds at the end; None before.
        is_idle: whether there was nothing to do (`night.idle`).
        warned_of: gaps of the sandbox that were reported, by machine, in words.
        decisions: read from a file of decisions; its problems are shown by the report.
        targets: tables outside the warehouse that are brought up to date (`publish.*`).
        published: how that ended, by target.
    """

    job: str
    archive: str
    judging: Judging
    warehouse: Warehouse
    keep_crops: bool = False
    spark: SparkSession = field(init=False)
    phases: Phases = field(default_factory=Phases)
    left_out: dict[str, int] | None = None
    commits: list[Commit] = field(default_factory=list)
    began: str | None = None
    report: str | None = None
    is_idle: bool = False
    warned_of: set[str] = field(default_factory=set)
    decisions: TakenIn = field(default_factory=TakenIn)
    targets: list[Target] = field(init=False)
    published: tuple[Published, ...] = ()

    def __post_init__(self) -> None:
        # Before any work: a package that is missing would still be missing in the morning.
        self.targets = targets_of(self.judging.settings.publish)

    @property
    def store(self) -> Store:
        """Reads and writes the warehouse's tables."""
        return Store(self.spark, self.warehouse, self.judging.settings.spark.row_group_bytes)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase; phases of the same name are added up."""
        before_s = self.phases.seconds.get(name, 0.0)
        logs.event("phase_started", phase=name)
        pass_by(f"[{name}]")
        with self.phases.phase(name):
            yield
        took_s = self.phases.seconds.get(name, before_s) - before_s
        logs.event("phase_ended", phase=name, seconds=round(took_s, 3))


def judge(night: NightlyRun, plan: NightPlan, snapshot: pa.Table | None = None) -> None:
    """Extract, score and reduce the planned videos; publish each batch by one commit.

    Args:
        night: the nightly run; its `commits` and `phases` grow.
        plan: from `make_plan`.
        snapshot: rows of `videos` that the first commit publishes; None: they are committed.
    """
    count = max(int(plan.batches.max()) + 1 if len(plan.batches) else 0, int(snapshot is not None))
    shipped = _shipped(night) if plan.videos.num_rows else _Shipped()
    for number in range(count):
        chosen = plan.batches == number
        batch = replace(
            plan,
            videos=plan.videos.filter(pa.array(chosen)),
            costs_s=plan.costs_s[chosen],
            batches=plan.batches[chosen],
        )
        if count > 1:
            pass_by(f"  batch {number + 1} of {count}: {batch.videos.num_rows:,} videos")
        with begun(night) as run:
            if snapshot is not None and number == 0:
                night.warehouse.write(run, "videos", stamped(snapshot, run))
            facts = _work(night, run, batch, shipped, snapshot)
            commit_batch(night, run, facts, number + 1, count)


@contextmanager
def begun(night: NightlyRun) -> Iterator[Run]:
    """Begin one of the runs of a nightly run."""
    with night.warehouse.running(night.job, now()) as run, logs.bound(run_id=run.run_id):
        night.began = run.run_id
        remember_bundle(night.warehouse, night.judging.bundle)
        yield run


def commit_batch(night: NightlyRun, run: Run, facts: CommitFacts, number: int, of: int) -> None:
    """Publish what a run wrote as one of the batches of a nightly run."""
    first = night.commits[0].run_id if night.commits else run.run_id
    batch = BatchFacts(night=first, number=number, of=of)
    commit = night.warehouse.commit(
        run,
        now(),
        archive=night.archive,
        model_id=night.judging.bundle.model_id,
        settings=night.judging.settings.model_dump(mode="json"),
        facts=facts.model_copy(update={"batch": batch}),
    )
    night.commits.append(commit)
    logs.event("committed", sequence=commit.sequence, tables=commit.tables)
    pass_by(f"  run {commit.run_id} committed to {night.warehouse.location.uri}")


def stamped(videos: pa.Table, run: Run) -> pa.Table:
    """Return rows of `videos` with this run's id."""
    place = videos.schema.get_field_index("run_id")
    run_ids = pa.array([run.run_id] * videos.num_rows, pa.string())
    return videos.set_column(place, videos.schema.field(place), run_ids)


def report(night: NightlyRun, videos: DataFrame) -> Location:
    """Report on every video of the archive, not only on those judged in this nightly run."""
    with logs.bound(run_id=night.commits[-1].run_id), night.phase(REPORT):
        verdicts = night.store.latest("verdicts").cache()
        last = night.commits[-1]
        whole = {"statuses": dict(statuses(night))}
        folder = Publisher(
            night.store,
            night.warehouse,
            replace(last, facts=last.facts.model_copy(update=whole)),
            videos,
            night.judging.settings.report,
            now(),
            seconds=night.phases.stop,
            decision_problems=night.decisions.problems,
        ).publish(verdicts)
    night.report = folder.child("report.html").uri
    return folder


def publish_tables(night: NightlyRun) -> None:
    """Bring the tables of `publish.*` up to date, after the report; its time is not the night's."""
    with logs.bound(run_id=night.commits[-1].run_id):
        night.published = publish_to(night.targets, night.warehouse)


def statuses(night: NightlyRun) -> Counter[str]:
    """Return videos by status."""
    return sum((Counter(commit.facts.statuses) for commit in night.commits), Counter())


def counts_of(night: NightlyRun, in_archive: int | None) -> RunCounts:
    """Add up the counts of all batches, and compute the drift."""
    rows = [commit.facts.counts for commit in night.commits if commit.facts.counts is not None]
    scores = [ScoreHistograms.of_commit(commit) for commit in night.commits]
    drift = drift_of(
        summed([one for one in scores if one is not None]),
        [c for c in night.warehouse.commits() if c.sequence < night.commits[0].sequence],
        night.judging.bundle.model_id,
        rule_facts(night.judging.rule),
        night.commits[0].settings.get("sampling"),
    )

    def added(counts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        return dict(sum(map(Counter, counts), Counter()))

    return RunCounts(
        videos_in_archive=in_archive,
        left_out=night.left_out,
        planned=added(row.planned for row in rows),
        statuses=added(row.statuses for row in rows),
        failed_again=sum(row.failed_again for row in rows),
        verdicts=added(row.verdicts for row in rows),
        faces_found=sum(row.faces_found for row in rows),
        faces_scored=sum(row.faces_scored for row in rows),
        videos_cpu_s=sum(row.videos_cpu_s for row in rows),
        videos_wall_s=sum(row.videos_wall_s for row in rows),
        read_bytes=sum(row.read_bytes for row in rows),
        scoring_s=added(row.scoring_s for row in rows),
        drift=drift,
    )


def merge_small_files(night: NightlyRun) -> None:
    """Merge the small files of many runs, once there are enough of them."""
    least = night.judging.settings.run.merge_runs
    if all(len(night.warehouse.with_table(table)) < least for table in MERGED_TABLES):
        return
    with night.warehouse.running("merge", now()) as run:
        done = merge_runs(night.store, night.warehouse, run, least)
        if not done:
            run.location.filesystem.delete_dir(run.location.path)
            return
        with night.phase("merge"):
            night.warehouse.commit(run, now(), facts=CommitFacts(merged=done))
    pass_by(f"  small files merged: {sentence(done)}")


@dataclass(frozen=True)
class _Shipped:
    """Names of the bundle and of the sound model on the executors; None: not there."""

    bundle: str | None = None
    sound: str | None = None


def _shipped(night: NightlyRun) -> _Shipped:
    """Send the models to the executors."""
    bundle, sound = night.judging.bundle, night.judging.sound
    return _Shipped(
        ship_bundle(night.spark, bundle.directory, bundle.model_id),
        None if sound is None else ship_bundle(night.spark, sound.directory, sound.model_id),
    )


def _work(
    night: NightlyRun,
    run: Run,
    plan: NightPlan,
    shipped: _Shipped,
    snapshot: pa.Table | None,
) -> CommitFacts:
    """Examine and reduce one batch; return the facts for its commit."""
    store, bundle = night.store, night.judging.bundle
    planned = night.spark.createDataFrame(plan.videos).cache()
    lacking: list[str] = []
    there = planned.where(F.col(REASON) != Reason.MISSING.value)
    if there.count():
        with night.phase(JUDGING):
            work = ExaminePlan(
                run.run_id,
                night.judging.settings.model_dump(mode="json"),
                None,
                keep_crops=night.keep_crops,
                sound_dir=shipped.sound,
            )
            # A video that failed in a later round can succeed in one.
            there = there.withColumn(IN_ONE_ROUND, F.col(REASON) == Reason.RETRIED.value)
            lacking = write_examined(store, run, there, work, shipped.bundle)
            _warn_of_gaps(night, lacking)
    with night.phase("reduce"):
        rules = VerdictRules(
            *(run.run_id, bundle.model_id, night.judging.rule),
            night.judging.settings.verdict,
            bundle.member_rules,
        )
        extractions = store.of_run(run, "extractions")
        scores = store.of_run(run, "face_scores")
        sounds = None if night.judging.sound is None else store.of_run(run, "sounds")
        rows = reduce_verdicts(planned, extractions, scores, rules, sounds)
        store.write(rows, run, "verdicts")
        written = store.of_run(run, "verdicts").cache()
        reconcile(planned, written)
        outcome = count_by(written, "status")
        pass_by(f"  {sentence(outcome)}")
        spent = spent_on(extractions)
        counts = RunCounts(
            videos_in_archive=None if snapshot is None else snapshot.num_rows,
            planned=plan.reasons,
            statuses=outcome,
            failed_again=_failed_again(planned, written),
            verdicts=count_by(written, "verdict"),
            faces_scored=total(written, "faces_scored"),
            **spent,
        )
        own = scores.where(F.col("model_id") == bundle.model_id)
        p_fake = written.where("p_fake is not null").select("p_fake").toArrow()["p_fake"]
        histograms = ScoreHistograms(histogram(p_fake.to_numpy()), _face_histogram(own))
    planned.unpersist()
    written.unpersist()
    return CommitFacts(
        keeps_crops=night.keep_crops,
        left_out=None if snapshot is None else night.left_out,
        bundle=bundle_facts(bundle),
        rule=rule_facts(night.judging.rule),
        statuses=outcome,
        seconds=night.phases.seconds,
        versions=versions(),
        jail_lacking=tuple(lacking),
        scores=histograms.to_facts(),
        cost=CostFacts(estimated_s=float(plan.costs_s.sum()), measured_s=spent["videos_wall_s"]),
        counts=CountFacts(**counts.to_plain()),
    )


def _warn_of_gaps(night: NightlyRun, lacking: Sequence[str]) -> None:
    """Warn once per nightly run and machine that parts of the sandbox are not in force."""
    new = [line for line in lacking if line not in night.warned_of]
    night.warned_of.update(new)
    text = "  warning: the sandbox of the decoder is incomplete on {}"
    say_some([text.format(line) for line in new], logging.WARNING)


def _failed_again(planned: DataFrame, verdicts: DataFrame) -> int:
    tried = planned.where(F.col(REASON) == Reason.RETRIED.value).select("video_id")
    failed = verdicts.where(F.col("status").isin([status.value for status in FAILURE_STATUSES]))
    return tried.join(failed, on="video_id", how="left_semi").count()


def _face_histogram(scores: DataFrame) -> tuple[int, ...]:
    """Compute `histogram` of the faces' scores on the executors."""
    bins = len(histogram([]))
    place = F.least(F.floor(F.col("score").cast("double") * bins), F.lit(bins - 1))
    counts = {row[0]: row[1] for row in scores.groupBy(place).count().collect()}
    return tuple(counts.get(number, 0) for number in range(bins))
