"""The MapReduce step: face scores to one verdict a video, as DataFrame aggregation.

The same rules as `framejury.verdict`, in SQL, with no Python per row. Scores are summed as
whole millionths: exact, so a rerun with other partitions gives the same bits.

No face row is ever shuffled: each task first sums what it read by video and person, and only
those sums travel. They do so twice, by person and then by video, because Spark cannot sum
before an exchange by fewer columns than it sums by; the second time it is one row a person.
Reducers that need every score (median, trimmed_mean, top_share) send them along as one array
a person; the others send none.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from framejury.errors import ReconcileError
from framejury.schemas import Status, Verdict
from framejury.settings import VerdictSettings
from framejury.verdict import UNITS

_PI = 3.141592653589793

PERSONS_MAX = 2**23
"""Numbers of persons lie below; a mean in units of 1e-12 (40 bits) beside one fills a long."""

_ORDERED = frozenset({"median", "trimmed_mean", "top_share"})
"""Reducers that look at scores in order, for which sums are not enough."""


@dataclass(frozen=True)
class Court:
    """Under which rules verdicts are given.

    Attributes:
        run_id: written into every row.
        model_id: whose scores these are.
        threshold: `p_fake` from here on means fake.
        settings: reducer, least number of faces, level of the interval.
    """

    run_id: str
    model_id: str
    threshold: float
    settings: VerdictSettings


def reduce_verdicts(
    videos: DataFrame, extractions: DataFrame, scores: DataFrame, court: Court
) -> DataFrame:
    """Exactly one row of `verdicts` for each row of `videos`.

    Args:
        videos: rows with `video_id`.
        extractions: at most one row a video, with `video_id`, `status`, `error`.
        scores: rows of `face_scores`, all by `court.model_id`.
        court: the rules.
    """
    outcome = extractions.select("video_id", F.col("status").alias("extracted"), "error")
    rows = (
        videos.select("video_id")
        .join(outcome, on="video_id", how="left")
        .join(judge_scored(scores, court), on="video_id", how="left")
    )
    return rows.transform(_with_status).withColumns(
        {
            "run_id": F.lit(court.run_id),
            "model_id": F.lit(court.model_id),
            "threshold": F.lit(court.threshold),
            "reducer": F.lit(court.settings.reducer),
            "verdict": F.coalesce(F.col("verdict"), F.lit(Verdict.INCONCLUSIVE.value)),
            **{
                name: F.coalesce(F.col(name), F.lit(0))
                for name in ("faces_scored", "frames_scored", "persons")
            },
        }
    )


def judge_scored(scores: DataFrame, court: Court) -> DataFrame:
    """One row for each video that has scores, placed by `video_id`.

    Args:
        scores: rows of `face_scores`, all by `court.model_id`; of its columns only
            `video_id`, `person`, `face_index` and `p_fake` are read.
        court: the rules.

    Returns:
        `video_id`; `faces_scored`, `frames_scored`, `persons`, `worst_person`: int;
        `worst_person_p_fake`, `p_fake`, `p_fake_low`, `p_fake_high`: double, 0 to 1;
        `total`, `squares`: long, sums of the scores in millionths and of their squares;
        `verdict`: string.
    """
    return (
        _sum_scores(scores, court.settings)
        .transform(_with_interval, court.settings)
        .transform(_with_verdict, court)
    )


def reconcile(videos: DataFrame, verdicts: DataFrame) -> int:
    """Check that verdicts and videos are one to one; returns how many.

    Raises:
        ReconcileError: they are not; the message names up to ten ids.
    """
    expected = videos.groupBy("video_id").agg(F.count("*").alias("planned"))
    judged = verdicts.groupBy("video_id").agg(F.count("*").alias("judged"))
    both = expected.join(judged, on="video_id", how="full").fillna(0, ["planned", "judged"])
    wrong = both.where("planned != 1 or judged != 1")
    examples = wrong.orderBy("video_id").limit(10).collect()
    if examples:
        listed = "; ".join(
            f"{row.video_id}: {row.planned} in videos, {row.judged} in verdicts" for row in examples
        )
        raise ReconcileError(f"{wrong.count()} videos without exactly one verdict: {listed}")
    return both.count()


def _sum_scores(scores: DataFrame, settings: VerdictSettings) -> DataFrame:
    """One row a scored video: sums in units, persons, and the reduced score."""
    units = F.floor(F.col("p_fake").cast("double") * UNITS + 0.5)
    faces = scores.select("video_id", "person", "face_index", units.alias("units"))
    ordered = settings.reducer in _ORDERED
    persons = faces.groupBy("video_id", "person").agg(
        F.count("*").alias("faces"),
        # Every frame with faces has one of rank 0; telling frames apart would cost a set.
        F.count_if(F.col("face_index") == 0).alias("frames"),
        F.sum("units").alias("total"),
        F.sum(F.col("units") * F.col("units")).alias("squares"),
        *([F.collect_list(F.col("units").cast("int")).alias("all_units")] if ordered else []),
    )
    # The highest mean wins, of equals the lowest number: both in one integer, for Spark sorts
    # where a maximum is of anything else.
    mean = F.expr(f"(total * {UNITS}) div faces")
    ranked = mean * F.lit(PERSONS_MAX) + (PERSONS_MAX - 1 - F.col("person"))
    # Placed by hand: Spark would first sum again, and few videos have persons to sum.
    videos = (
        persons.repartition("video_id")
        .groupBy("video_id")
        .agg(
            F.sum("faces").alias("faces"),
            F.sum("frames").alias("frames"),
            F.sum("total").alias("total"),
            F.sum("squares").alias("squares"),
            F.count("*").alias("persons"),
            F.max(ranked).alias("worst"),
            *([F.flatten(F.collect_list("all_units")).alias("all_units")] if ordered else []),
        )
    )
    return videos.select(
        "video_id",
        F.col("faces").cast("int").alias("faces_scored"),
        F.col("frames").cast("int").alias("frames_scored"),
        F.col("persons").cast("int").alias("persons"),
        "total",
        "squares",
        (PERSONS_MAX - 1 - F.col("worst") % PERSONS_MAX).cast("int").alias("worst_person"),
        _worst_mean().alias("worst_person_p_fake"),
        _reduced(settings).alias("p_fake"),
    )


def _worst_mean() -> Column:
    return F.expr(f"worst div {PERSONS_MAX}") / F.lit(UNITS**2)


def _reduced(settings: VerdictSettings) -> Column:
    """`p_fake` of a video by the reducer."""
    faces = F.col("faces")
    if settings.reducer == "mean":
        return F.col("total") / (F.lit(UNITS) * faces)
    if settings.reducer == "worst_person":
        return _worst_mean()
    ordered = F.sort_array("all_units")
    if settings.reducer == "median":
        first = F.floor((faces - 1) / 2)
        last = F.floor(faces / 2)
    elif settings.reducer == "trimmed_mean":
        cut = F.floor(faces * F.lit(settings.trim_ratio) + 1e-9)
        first, last = cut, faces - cut - 1
    else:
        top = F.greatest(F.lit(1), F.ceil(faces * F.lit(settings.top_ratio) - 1e-9))
        first, last = faces - top, faces - 1
    count = (last - first + 1).cast("int")
    chosen = F.slice(ordered, (first + 1).cast("int"), count)
    total = F.aggregate(chosen, F.lit(0).cast("long"), lambda left, right: left + right)
    return total / (F.lit(UNITS) * count)


def _with_interval(rows: DataFrame, settings: VerdictSettings) -> DataFrame:
    score, faces, frames = F.col("p_fake"), F.col("faces_scored"), F.col("frames_scored")
    if settings.confidence_level is None:
        return rows.withColumns({"p_fake_low": score, "p_fake_high": score})
    total, squares = F.col("total").cast("double"), F.col("squares").cast("double")
    variance = F.greatest(squares - total * total / faces, F.lit(0.0))
    variance = variance / (faces - 1) / F.lit(float(UNITS) ** 2)
    half = _student_t(settings.confidence_level, frames - 1) * F.sqrt(variance / frames)
    low = F.when(frames < 2, F.lit(0.0)).otherwise(F.greatest(score - half, F.lit(0.0)))
    high = F.when(frames < 2, F.lit(1.0)).otherwise(F.least(score + half, F.lit(1.0)))
    return rows.withColumns({"p_fake_low": low, "p_fake_high": high})


def _student_t(level: float, freedom: Column) -> Column:
    """As `verdict.student_t`."""
    p = (1 + level) / 2
    z = NormalDist().inv_cdf(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    series = F.lit(z)
    for power, term in enumerate(terms, start=1):
        series = series + F.lit(term) / F.pow(freedom.cast("double"), F.lit(power))
    one = F.tan(F.lit(_PI * (p - 0.5)))
    two = F.lit(2 * (p - 0.5) * (2 / (4 * p * (1 - p))) ** 0.5)
    return F.when(freedom == 1, one).when(freedom == 2, two).otherwise(series)


def _with_status(rows: DataFrame) -> DataFrame:
    """`scored` with scores; `not_scored` when faces wait for it; else as extraction ended."""
    waiting = F.col("extracted").isNull() | (F.col("extracted") == Status.EXTRACTED.value)
    status = (
        F.when(F.col("p_fake").isNotNull(), Status.SCORED.value)
        .when(waiting, Status.NOT_SCORED.value)
        .otherwise(F.col("extracted"))
    )
    return rows.withColumn("status", status)


def _with_verdict(rows: DataFrame, court: Court) -> DataFrame:
    score, threshold = F.col("p_fake"), F.lit(court.threshold)
    undecided = F.col("faces_scored") < court.settings.min_faces
    if court.settings.confidence_level is not None:
        crosses = (F.col("p_fake_low") < threshold) & (threshold <= F.col("p_fake_high"))
        undecided = undecided | crosses
    verdict = (
        F.when(undecided, Verdict.INCONCLUSIVE.value)
        .when(score >= threshold, Verdict.FAKE.value)
        .otherwise(Verdict.REAL.value)
    )
    return rows.withColumn("verdict", verdict)
