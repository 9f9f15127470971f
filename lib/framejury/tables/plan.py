"""Which videos a run works on: those that are new, changed, or worth another try."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from framejury.schemas import RETRYABLE_STATUSES, Status
from framejury.tables.store import SEQUENCE


def videos_to_extract(
    videos: DataFrame,
    history: DataFrame,
    settings_id: str,
    tries: int,
    *,
    everything: bool = False,
) -> DataFrame:
    """Rows of `videos` without a committed extraction under these settings.

    Args:
        videos: the current snapshot.
        history: committed rows of `extractions` that kept crops, with `SEQUENCE`.
        settings_id: of the settings that shape an extraction.
        tries: how often a retryable status is tried in all.
        everything: plan them all.
    """
    if everything:
        return videos
    return _undone(videos, history.where(F.col("settings_id") == settings_id), tries)


def videos_to_judge(
    videos: DataFrame,
    extractions: DataFrame,
    verdicts: DataFrame,
    tries: int,
    *,
    everything: bool = False,
) -> DataFrame:
    """Rows of `videos` without a committed verdict on the file as it is now.

    Args:
        videos: the current snapshot.
        extractions: every committed row of `extractions`, with `SEQUENCE`.
        verdicts: every committed row of `verdicts`, with `SEQUENCE`.
        tries: how often a retryable status is tried in all.
        everything: plan them all.
    """
    if everything:
        return videos
    # A verdict answers for the extractions that were committed with it or before it.
    judged = (
        verdicts.where(F.col("status") != Status.NOT_SCORED.value)
        .groupBy("video_id")
        .agg(F.max(SEQUENCE).alias("_judged_in"))
    )
    done = extractions.join(judged, on="video_id", how="inner").where(
        F.col(SEQUENCE) <= F.col("_judged_in")
    )
    return _undone(videos, done, tries)


def _undone(videos: DataFrame, history: DataFrame, tries: int) -> DataFrame:
    """Videos whose file, by size and time, has no outcome in `history` that stands."""
    retryable = [status.value for status in RETRYABLE_STATUSES]
    # The same file: a changed one starts counting its tries anew.
    same_file = ["video_id", "bytes", "modified_at"]
    outcomes = history.groupBy(*same_file).agg(
        F.count("*").alias("_tries"), F.max_by("status", SEQUENCE).alias("_status")
    )
    stands = ~F.col("_status").isin(retryable) | (F.col("_tries") >= tries)
    finished = outcomes.where(stands).select(*same_file)
    return videos.join(finished, on=same_file, how="left_anti").select(*videos.columns)
