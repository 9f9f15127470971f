"""The surer "fake" of picture and sound decides: `verdict.with_sound` in SQL."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from framejury.schemas.statuses import DecidedBy, Verdict
from framejury.verdict.with_sound import SOUND_COLUMNS


def with_sound(rows: DataFrame, sounds: DataFrame | None) -> DataFrame:
    """Add `SOUND_COLUMNS` to rows of `verdicts`, and change `verdict` where the sound decides.

    Args:
        rows: with `video_id`, `status`, `verdict`, `p_fake`, `threshold`.
        sounds: at most one row of `sounds` per video; None: sound was not judged.
    """
    kinds = dict.fromkeys(SOUND_COLUMNS, "string")
    kinds |= dict.fromkeys(("sound_p_fake", "sound_threshold"), "double")
    if sounds is None:
        return rows.withColumns({name: F.lit(None).cast(kind) for name, kind in kinds.items()})
    score = F.col("p_fake").cast("double")
    found = sounds.select(
        "video_id",
        F.col("outcome").alias("sound"),
        score.alias("sound_p_fake"),
        F.when(score.isNotNull(), F.col("threshold")).alias("sound_threshold"),
        F.col("model_id").alias("sound_model_id"),
    )
    fake = F.col("verdict") == Verdict.FAKE.value
    surely = _sureness("sound_p_fake", "sound_threshold")
    surer = ~fake | F.col("p_fake").isNull() | (surely > _sureness("p_fake", "threshold"))
    by_sound = F.coalesce((surely >= 0) & surer, F.lit(False))
    decided = (
        F.when(by_sound, DecidedBy.SOUND.value)
        .when(F.col("verdict") != Verdict.INCONCLUSIVE.value, DecidedBy.PICTURE.value)
        .otherwise(F.lit(None))
    )
    return (
        rows.join(found, on="video_id", how="left")
        .withColumn("decided_by", F.when(F.col("sound").isNotNull(), decided))
        .withColumn("verdict", F.when(by_sound, Verdict.FAKE.value).otherwise(F.col("verdict")))
    )


def _sureness(p_fake: str, threshold: str) -> Column:
    score, limit = F.col(p_fake), F.col(threshold)
    at_one = F.when(score >= limit, 0.0).otherwise(-1.0)
    return F.when(limit >= 1, at_one).otherwise((score - limit) / (1 - limit))
