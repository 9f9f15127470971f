"""The MapReduce step: aggregate face scores to one verdict per video, with DataFrames.

It follows the same rules as `framejury.verdict.judge`, in SQL. Scores are summed as whole
millionths, which is exact: a rerun with other partitions gives the same bits.

No face row is shuffled. Each task first sums its rows by video, track and second; only these sums,
the moments, are shuffled. There are two exchanges, by all of these columns and then by video,
because Spark cannot pre-aggregate by more columns than it exchanges by. Aggregations that need
every score (`Reducer.ordered`) carry them along in the moments. Bootstrap and
stretches are the reference's NumPy functions, called with the moments of a batch of videos.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_type

from framejury.errors import ReconcileError
from framejury.schemas.statuses import Status, Verdict
from framejury.schemas.tables import MEMBERS
from framejury.settings import VerdictSettings
from framejury.tables.rule_columns import (
    bootstrap,
    calibrated,
    highest_track,
    interval_clusters,
    reduced,
    student_shift,
    suspicious_stretches,
)
from framejury.tables.sound_columns import with_sound
from framejury.verdict.calibration import UNITS
from framejury.verdict.interval import UNKNOWN
from framejury.verdict.judge import face_threshold
from framejury.verdict.members import MemberRule
from framejury.verdict.rule import Rule
from framejury.verdict.stretches import Moments

PERSONS_MAX = 2**23
"""Upper bound of track numbers; with a mean in units of 1e-12 (40 bits), one fills a long."""


@dataclass(frozen=True)
class VerdictRules:
    """Rules for the verdicts of a run.

    Attributes:
        run_id: written into every row.
        model_id: the bundle that scored.
        rule: aggregation, calibration and threshold in use (`rule_in_use`).
        settings: minimum number of faces, kind and level of the interval.
        members: of an ensemble.
    """

    run_id: str
    model_id: str
    rule: Rule
    settings: VerdictSettings
    members: tuple[MemberRule, ...] = ()


def reduce_verdicts(
    videos: DataFrame,
    extractions: DataFrame,
    scores: DataFrame,
    rules: VerdictRules,
    sounds: DataFrame | None = None,
) -> DataFrame:
    """Return exactly one row of `verdicts` per row of `videos`.

    Args:
        videos: rows with `video_id` and `missing_since`.
        extractions: at most one row per video, with `video_id`, `status`, `error`, `notes`.
        scores: rows of `face_scores` by `rules.model_id`, and by its members if it has any.
        rules: the rules.
        sounds: at most one row of `sounds` per video; None: sound was not judged.
    """
    if sounds is not None:
        gone = videos.where(F.col("missing_since").isNotNull()).select("video_id")
        sounds = sounds.join(gone, on="video_id", how="left_anti")
    outcome = extractions.select("video_id", F.col("status").alias("extracted"), "error", "notes")
    rows = (
        videos.select("video_id", "missing_since")
        .join(outcome, on="video_id", how="left")
        .join(_judged(scores, rules), on="video_id", how="left")
    )
    return (
        rows.transform(_missing_last)
        .transform(_with_status)
        .withColumns(
            {
                "run_id": F.lit(rules.run_id),
                "model_id": F.lit(rules.model_id),
                "threshold": F.lit(rules.rule.threshold),
                "reducer": F.lit(rules.rule.reducer.name),
                "verdict": F.coalesce(F.col("verdict"), F.lit(Verdict.INCONCLUSIVE.value)),
                **{
                    name: F.coalesce(F.col(name), F.lit(0))
                    for name in ("faces_scored", "frames_scored", "persons")
                },
            }
        )
        .transform(with_sound, sounds)
    )


def _judged(scores: DataFrame, rules: VerdictRules) -> DataFrame:
    """Return the rows of `judge_scored`, with the column `members`."""
    if not rules.members:
        none = F.lit(None).cast(from_arrow_type(MEMBERS))
        return judge_scored(scores, rules).withColumn("members", none)
    own = judge_scored(scores.where(F.col("model_id") == rules.model_id), rules)
    plain = rules.settings.model_copy(update={"confidence_level": None})
    names = [f"member_{number}" for number in range(len(rules.members))]
    for name, member in zip(names, rules.members, strict=True):
        by_member = replace(rules, rule=member.rule, settings=plain, members=())
        p_fake = F.col("p_fake")
        said = F.struct(
            F.lit(member.model_id).alias("model_id"),
            p_fake.alias("score"),
            (p_fake >= F.lit(member.rule.threshold)).alias("fake"),
        )
        theirs = judge_scored(scores.where(F.col("model_id") == member.model_id), by_member)
        own = own.join(theirs.select("video_id", said.alias(name)), on="video_id", how="inner")
    return own.withColumn("members", F.array(*names)).drop(*names)


def judge_scored(scores: DataFrame, rules: VerdictRules) -> DataFrame:
    """Return one row per video that has scores, partitioned by `video_id`.

    Args:
        scores: rows of `face_scores`, all by `rules.model_id`. Only the columns `video_id`,
            `pts_s`, `person`, `face_index` and `score` are read.
        rules: the rules.

    Returns:
        `video_id`; `faces_scored`, `frames_scored`, `persons`, `worst_person`: int;
        `worst_person_score`, `p_fake`, `p_fake_low`, `p_fake_high`: double, 0 to 1;
        `total`, `squares`: long, sums of the scores in millionths and of their squares;
        `verdict`: string; `stretches`: array of structs, as in `verdicts`.
    """
    return (
        _sum_scores(scores, rules)
        .transform(_with_shifts, rules)
        .transform(_with_scores, rules)
        .transform(_with_verdict, rules)
        .drop("moments", "ordered", "faces", "weighed", "weights", "low_shift", "high_shift")
    )


def reconcile(videos: DataFrame, verdicts: DataFrame) -> int:
    """Check that verdicts and videos are one to one; return their number.

    Raises:
        ReconcileError: they are not one to one; the message names up to ten ids.
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


def _sum_scores(scores: DataFrame, rules: VerdictRules) -> DataFrame:
    """Sum scores by video, in units: with tracks, and what aggregation and interval need.

    `moments`: array of (person, second, first_s, last_s, total, faces), with `units` of each face
    or `weighed` and `weights` where the aggregation needs them; `ordered`: sorted units; `weighed`,
    `weights`: long, sums for confidence_weighted.
    """
    persons = _sum_persons(scores, rules)
    reducer = rules.rule.reducer
    # The highest score wins, and ties take the lowest number: both are in one integer, because
    # Spark sorts to find the maximum of anything else.
    mean = F.expr(f"(total * {UNITS}) div faces")
    ranked = F.max(mean * F.lit(PERSONS_MAX) + (PERSONS_MAX - 1 - F.col("person"))).alias("worst")
    if reducer.per_person:  # a track's score depends on the whole video's
        ranked = F.collect_list(F.struct("person", "faces", "total")).alias("tracks")
    summed = [name for name in ("weighed", "weights") if name in persons.columns]
    videos = persons.groupBy("video_id").agg(
        *[F.sum(name).alias(name) for name in ("faces", "frames", "total", "squares", *summed)],
        F.count("*").alias("persons"),
        ranked,
        F.flatten(F.collect_list("moments")).alias("moments"),
    )
    if reducer.ordered:
        videos = videos.withColumn("ordered", F.sort_array(F.flatten("moments.units")))
    if reducer.per_person:
        videos = videos.withColumn("worst", highest_track(reducer, PERSONS_MAX))
    return videos.select(
        "video_id",
        "faces",
        F.col("faces").cast("int").alias("faces_scored"),
        F.col("frames").cast("int").alias("frames_scored"),
        F.col("persons").cast("int").alias("persons"),
        "total",
        "squares",
        (PERSONS_MAX - 1 - F.col("worst") % PERSONS_MAX).cast("int").alias("worst_person"),
        (F.expr(f"worst div {PERSONS_MAX}") / F.lit(UNITS**2)).alias("worst_person_score"),
        *summed,
        *["ordered"] * reducer.ordered,
        "moments",
    )


def _sum_persons(scores: DataFrame, rules: VerdictRules) -> DataFrame:
    """Sum scores by video and track; partitioned by `video_id`."""
    units = F.floor(F.col("score").cast("double") * UNITS + 0.5)
    keys = ["video_id", "person", "second"]
    second = F.floor("pts_s").alias("second")
    faces = scores.select("video_id", "person", second, "pts_s", "face_index", units.alias("units"))
    unit = F.col("units")
    weight = F.expr(f"abs(2 * units - {UNITS}) div 1000 + 100")
    reducer = rules.rule.reducer
    weighed = reducer.name == "confidence_weighted"
    sums = faces.groupBy(*keys).agg(
        F.count("*").alias("faces"),
        # Every frame with faces has one of rank 0; counting distinct frames would need a set.
        F.count_if(F.col("face_index") == 0).alias("frames"),
        F.min("pts_s").alias("first_s"),
        F.max("pts_s").alias("last_s"),
        F.sum("units").alias("total"),
        F.sum(unit * unit).alias("squares"),
        *([F.sum(weight * unit).alias("weighed"), F.sum(weight).alias("weights")] * weighed),
        *[F.collect_list(unit.cast("int")).alias("units")] * reducer.ordered,
    )
    # Repartitioned by hand: Spark would first sum again, and few videos have several tracks.
    placed = sums.repartition("video_id")
    plain = [name for name in sums.columns if name not in (*keys, "first_s", "last_s", "units")]
    needed = ["units"] * reducer.ordered + ["weighed", "weights"] * weighed
    moment = F.struct(*(field.name for field in fields(Moments)), *needed)
    return placed.groupBy("video_id", "person").agg(
        *[F.sum(name).alias(name) for name in plain],
        F.collect_list(moment).alias("moments"),
    )


def _is_bootstrap(settings: VerdictSettings) -> bool:
    return settings.confidence_level is not None and settings.interval == "bootstrap"


def _with_shifts(rows: DataFrame, rules: VerdictRules) -> DataFrame:
    """Add `stretches`, and as `low_shift` and `high_shift` how far the interval's ends are."""
    stretches = suspicious_stretches(face_threshold(rules.rule))(F.col("moments"))
    level = rules.settings.confidence_level
    if level is None:
        zero = F.lit(0.0)
        return rows.withColumns({"stretches": stretches, "low_shift": zero, "high_shift": zero})
    if not _is_bootstrap(rules.settings):
        rows = rows.withColumns({"stretches": stretches, "high_shift": student_shift(level)})
        return rows.withColumn("low_shift", -F.col("high_shift"))
    reducer = rules.rule.reducer
    shifts = bootstrap(reducer, level)(interval_clusters(reducer))
    # Added together, so that Python is asked once.
    ends = rows.withColumns({"stretches": stretches, "shifts": shifts})
    return ends.withColumns(
        {"low_shift": F.col("shifts.low"), "high_shift": F.col("shifts.high")}
    ).drop("shifts")


def _with_scores(rows: DataFrame, rules: VerdictRules) -> DataFrame:
    """Add `p_fake` and the ends of its interval, aggregated and calibrated."""
    rule = rules.rule
    ends = {"p_fake": F.lit(0.0), "p_fake_low": F.col("low_shift")}
    ends["p_fake_high"] = F.col("high_shift")
    rows = rows.withColumns({name: reduced(rule.reducer, by) for name, by in ends.items()})
    rows = rows.withColumns({name: calibrated(F.col(name), rule.calibration) for name in ends})
    unknown = (F.col("low_shift") == UNKNOWN[0]) & (F.col("high_shift") == UNKNOWN[1])
    return rows.withColumns(
        {
            "p_fake_low": F.when(unknown, F.lit(0.0)).otherwise(F.col("p_fake_low")),
            "p_fake_high": F.when(unknown, F.lit(1.0)).otherwise(F.col("p_fake_high")),
        }
    )


def _missing_last(rows: DataFrame) -> DataFrame:
    """Clear everything found before of files that are gone, and give them status `missing`."""
    gone = F.col("missing_since").isNotNull()
    found = [name for name in rows.columns if name not in ("video_id", "missing_since")]
    since = F.date_format("missing_since", "yyyy-MM-dd HH:mm")
    return rows.withColumns(
        {
            **{name: F.when(~gone, F.col(name)) for name in found},
            "extracted": F.when(gone, Status.MISSING.value).otherwise(F.col("extracted")),
            "error": F.when(
                gone, F.concat(F.lit("not in the archive since "), since, F.lit(" UTC"))
            ).otherwise(F.col("error")),
        }
    ).drop("missing_since")


def _with_status(rows: DataFrame) -> DataFrame:
    """Add `status`: `scored` with scores, `not_scored` before scoring, else as extraction ended."""
    waiting = F.col("extracted").isNull() | (F.col("extracted") == Status.EXTRACTED.value)
    status = (
        F.when(F.col("p_fake").isNotNull(), Status.SCORED.value)
        .when(waiting, Status.NOT_SCORED.value)
        .otherwise(F.col("extracted"))
    )
    return rows.withColumn("status", status)


def _with_verdict(rows: DataFrame, rules: VerdictRules) -> DataFrame:
    score, threshold = F.col("p_fake"), F.lit(rules.rule.threshold)
    undecided = F.col("faces_scored") < rules.settings.min_faces
    if rules.settings.confidence_level is not None:
        crosses = (F.col("p_fake_low") < threshold) & (threshold <= F.col("p_fake_high"))
        undecided = undecided | crosses
    verdict = (
        F.when(undecided, Verdict.INCONCLUSIVE.value)
        .when(score >= threshold, Verdict.FAKE.value)
        .otherwise(Verdict.REAL.value)
    )
    return rows.withColumn("verdict", verdict)
