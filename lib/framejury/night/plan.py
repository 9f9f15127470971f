"""Which videos a run works on and why, in which batches, and how long that may take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from framejury.examine.costs import Counts, Seconds, deal_batches, estimate_costs_s
from framejury.schemas.statuses import REASON_MEANING, RETRYABLE_STATUSES, Reason, Status
from framejury.settings import Settings
from framejury.tables.resources import slots
from framejury.warehouse.commits import Commit
from framejury.warehouse.reader import SEQUENCE

REASON = "reason"
"""A column of planned videos: one of `schemas.statuses.Reason`."""

_MEASURED_RUNS = 7
"""Latest runs whose measured cost scales the estimate, count."""

# The same file; tries of a changed file are counted from the start.
_SAME_FILE = ["video_id", "bytes", "modified_at"]


@dataclass(frozen=True)
class PlanRules:
    """Which videos a nightly run works on.

    Attributes:
        tries: how often a video with a retryable status is tried in all.
        model_id: the bundle of this run.
        settings_id: digest of the settings that shape an extraction.
        sound_model_id: the sound model of this run; None: sound is not judged.
        rescore: also judge videos that another model or other settings judged.
        everything: judge every video that is there.
        since: only videos changed at this time or later; None: all.
    """

    tries: int
    model_id: str
    settings_id: str
    sound_model_id: str | None = None
    rescore: bool = False
    everything: bool = False
    since: datetime | None = None


def plan_night(
    videos: DataFrame, extractions: DataFrame, verdicts: DataFrame, rules: PlanRules
) -> DataFrame:
    """Return rows of `videos` without a committed verdict on the current file, with `REASON`.

    Args:
        videos: the current snapshot.
        extractions: every committed row of `extractions`, with `SEQUENCE`.
        verdicts: every committed row of `verdicts`, with `SEQUENCE`.
        rules: rules of this run.
    """
    judged = (
        verdicts.where(F.col("status") != Status.NOT_SCORED.value)
        .groupBy("video_id")
        .agg(
            F.max(SEQUENCE).alias("_judged_in"),
            F.max_by("status", SEQUENCE).alias("_verdict"),
            F.max_by("model_id", SEQUENCE).alias("_model_id"),
            F.max_by("sound_model_id", SEQUENCE).alias("_sound_model_id"),
        )
    )
    # A verdict covers extractions that were committed with it or before it.
    done = extractions.join(judged, on="video_id", how="inner").where(
        F.col(SEQUENCE) <= F.col("_judged_in")
    )
    file = F.struct("bytes", "modified_at", "settings_id")
    last = done.groupBy("video_id").agg(F.max_by(file, SEQUENCE).alias("_file"))
    return (
        videos.join(judged, on="video_id", how="left")
        .join(last, on="video_id", how="left")
        .join(_failures(done), on=_SAME_FILE, how="left")
        .withColumn(REASON, _reason(rules))
        .where(F.col(REASON).isNotNull())
        .select(*videos.columns, REASON)
    )


def plan_selected(videos: DataFrame, verdicts: DataFrame, statuses: Sequence[str]) -> DataFrame:
    """Return rows of `videos` whose latest verdict has one of these statuses, with `REASON`.

    Args:
        videos: the current snapshot.
        verdicts: the latest verdict of each video.
        statuses: the requested statuses.
    """
    asked = verdicts.where(F.col("status").isin(list(statuses))).select("video_id")
    there = videos.where(F.col("missing_since").isNull())
    return there.join(asked, on="video_id", how="left_semi").select(
        *videos.columns, F.lit(Reason.SELECTED.value).alias(REASON)
    )


def videos_to_extract(
    videos: DataFrame,
    history: DataFrame,
    settings_id: str,
    tries: int,
    *,
    everything: bool = False,
) -> DataFrame:
    """Return rows of `videos` without a committed extraction under these settings.

    Args:
        videos: the current snapshot.
        history: committed rows of `extractions` that kept crops, with `SEQUENCE`.
        settings_id: digest of the settings that shape an extraction.
        tries: how often a video with a retryable status is tried in all.
        everything: plan every video that is there.
    """
    there = videos.where(F.col("missing_since").isNull())
    if everything:
        return there
    done = history.where(F.col("settings_id") == settings_id)
    last = done.groupBy(*_SAME_FILE).agg(F.max_by("status", SEQUENCE).alias("_status"))
    outcomes = last.join(_failures(done), on=_SAME_FILE, how="left")
    again = (F.col("_status") == Status.MISSING.value) | _worth_a_try("_status", tries)
    finished = outcomes.where(~again).select(*_SAME_FILE)
    return there.join(finished, on=_SAME_FILE, how="left_anti").select(*videos.columns)


def _failures(done: DataFrame) -> DataFrame:
    """Return `_failures`: how often each file ended with a retryable status."""
    failed = done.where(F.col("status").isin([status.value for status in RETRYABLE_STATUSES]))
    return failed.groupBy(*_SAME_FILE).agg(F.count("*").alias("_failures"))


def _worth_a_try(status: str, tries: int) -> Column:
    retryable = F.col(status).isin([status.value for status in RETRYABLE_STATUSES])
    return retryable & (F.coalesce("_failures", F.lit(0)) < tries)


def _reason(rules: PlanRules) -> Column:
    """Return the reason; null for a video that needs no work."""
    gone = F.col("missing_since").isNotNull()
    was_missing = F.col("_verdict") == Status.MISSING.value
    same_file = F.col("bytes").eqNullSafe(F.col("_file.bytes")) & F.col("modified_at").eqNullSafe(
        F.col("_file.modified_at")
    )
    known_missing = was_missing & F.col("_file").isNull()
    there = F.when(F.lit(rules.everything), Reason.SELECTED.value).when(
        F.col("_verdict").isNull() | (F.col("_file").isNull() & ~known_missing), Reason.NEW.value
    )
    there = there.when(was_missing, Reason.RETURNED.value)
    there = there.when(~same_file, Reason.CHANGED.value)
    there = there.when(_worth_a_try("_verdict", rules.tries), Reason.RETRIED.value)
    if rules.rescore:
        other = (F.col("_model_id") != rules.model_id) | (
            F.col("_file.settings_id") != rules.settings_id
        )
        # A video that failed has no sound row from any run.
        opened = F.col("_verdict").isin(Status.SCORED.value, Status.NO_FACE.value)
        sound_model_id = F.lit(rules.sound_model_id).cast("string")
        other = other | (opened & ~F.col("_sound_model_id").eqNullSafe(sound_model_id))
        there = there.when(other, Reason.RESCORED.value)
    if rules.since is not None:
        there = F.when(F.col("modified_at") >= F.lit(rules.since), there)
    unknown = F.col("_verdict").isNull() | ~was_missing
    return F.when(gone, F.when(unknown, Reason.MISSING.value)).otherwise(there)


@dataclass(frozen=True)
class NightPlan:
    """The videos of a nightly run, in batches.

    Attributes:
        videos: rows of `videos` with `REASON`, in the order of the work.
        costs_s: float64 (n,), estimated seconds on one core; 0 for videos that are not opened.
        batches: int64 (n,), batch of each video.
        slots: tasks that run at the same time, count.
        scale: measured time of earlier runs as a multiple of the estimate; None without any.
        besides_s: estimated time of a run besides judging, seconds (`phases.besides_judging_s`).
        networks_s: of an ensemble, the estimated seconds per video of each network by model_id.
    """

    videos: pa.Table
    costs_s: Seconds
    batches: Counts
    slots: int
    scale: float | None
    besides_s: float = 0.0
    networks_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def reasons(self) -> dict[str, int]:
        """Videos by `Reason`; reasons that do not occur are left out."""
        return dict(Counter(self.videos[REASON].to_pylist()))

    @property
    def core_s(self) -> float:
        """Estimated time on one core, seconds."""
        return float(self.costs_s.sum()) * (1.0 if self.scale is None else self.scale)

    def lines(self, known: int) -> list[str]:
        """Return the plan in words; `known` is the number of videos in the archive."""
        opened = self.videos.filter(pc.not_equal(self.videos[REASON], Reason.MISSING.value))
        size_bytes = pc.sum(opened["bytes"]).as_py() or 0
        count = int(self.batches.max()) + 1 if len(self.batches) else 0
        unsure = "" if self.scale is not None else " (rough: no earlier run)"
        lines = [f"  {self.videos.num_rows:,} of {known:,} videos to process"]
        lines += [
            f"    {self.reasons[reason]:>9,} {reason:<9} {REASON_MEANING[reason]}"
            for reason in Reason
            if reason in self.reasons
        ]
        if self.networks_s:
            each = ", ".join(f"{s:.2f} s {name}" for name, s in self.networks_s.items())
            lines.append(
                f"  {len(self.networks_s)} networks score each face, about "
                f"{sum(self.networks_s.values()):.2f} s per video on one core: {each}"
            )
        return [
            *lines,
            f"  {size_bytes / 1e9:,.2f} GB to read, {count} commit{'s' * (count != 1)}",
            f"  about {_hours(self.core_s)} on one core, "
            f"{_hours(self.core_s / self.slots)} on {self.slots} at once{unsure}",
            f"  about {_hours(self.core_s / self.slots + self.besides_s)} in all, of which "
            f"{_hours(self.besides_s)} to start, list, reduce and report",
        ]


def make_plan(
    planned: DataFrame,
    settings: Settings,
    commits: Sequence[Commit],
    besides_s: float = 0.0,
    face_s: Mapping[str, float] | None = None,
) -> NightPlan:
    """Collect the planned videos (one row each) and divide them into batches.

    Args:
        planned: from `plan_night` or `plan_selected`.
        settings: settings of the run.
        commits: every committed run; their measured times scale the estimate.
        besides_s: estimated time besides judging, seconds.
        face_s: of an ensemble, the seconds per face of each network (`model.scoring_cost`).
    """
    each_s = dict(face_s or {})
    videos = planned.orderBy("path").toArrow()
    costs_s = estimate_costs_s(
        *(videos["bytes"].to_numpy(), settings.sampling, settings.detection.detector),
        further_s=sum(each_s.values()) - max(each_s.values(), default=0.0),
    )
    costs_s[pc.equal(videos[REASON], Reason.MISSING.value).to_numpy()] = 0.0
    scale = _measured_scale(commits)
    at_once = slots(planned.sparkSession)
    commit_s = settings.run.commit_s / (1.0 if scale is None else scale)
    batches = deal_batches(costs_s, at_once, commit_s)
    networks_s = {name: s * settings.sampling.counts[0] for name, s in each_s.items()}
    return NightPlan(videos, costs_s, batches, at_once, scale, besides_s, networks_s)


def _measured_scale(commits: Sequence[Commit]) -> float | None:
    """Return measured over estimated core seconds of the latest runs; None without any."""
    costs = [commit.facts.cost for commit in commits if commit.facts.cost is not None]
    estimated_s = sum(cost.estimated_s for cost in costs[-_MEASURED_RUNS:])
    measured_s = sum(cost.measured_s for cost in costs[-_MEASURED_RUNS:])
    return measured_s / estimated_s if estimated_s > 0 and measured_s > 0 else None


def _hours(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"
