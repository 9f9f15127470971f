"""Counts for terminal output and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812


def count_by(rows: DataFrame, column: str) -> dict[str, int]:
    """Count rows by the value of a column."""
    return {row[0]: row[1] for row in rows.groupBy(column).count().orderBy(column).collect()}


def sentence(counts: Mapping[str, int]) -> str:
    """Return counts in words: `3 extracted, 1 no_face`."""
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "nothing"


def face_counts(scores: DataFrame, videos: DataFrame) -> pa.Table:
    """Return a histogram of face scores that fits into the driver's memory for any archive.

    Returns:
        columns label (null when unknown), method, layout, score (rounded to 4 decimals), faces;
        at most 10,000 rows per label, method and layout.
    """
    truth = videos.select("video_id", "label", "method", "layout")
    counted = (
        scores.select("video_id", F.round(F.col("score").cast("double"), 4).alias("score"))
        .join(truth, on="video_id", how="inner")
        .groupBy("label", "method", "layout", "score")
        .agg(F.count("*").alias("faces"))
    )
    return counted.orderBy("label", "method", "layout", "score").toArrow()


def runs_behind(rows: DataFrame) -> dict[str, int]:
    """Count the videos of rows by the run that made them."""
    return count_by(rows.select("video_id", "run_id").distinct(), "run_id")


def described(verdicts: DataFrame, videos: DataFrame) -> pa.Table:
    """Return verdicts joined with their videos, as reports show them, on the driver."""
    known = videos.select("video_id", "path", "uri", "layout", "label", "method", "group")
    return verdicts.join(known, on="video_id", how="inner").orderBy("path").toArrow()


def spent_on(extractions: DataFrame) -> dict[str, Any]:
    """Return what these videos took: fields of `warehouse.commits.Counts`."""
    return {
        "faces_found": int(total(extractions, "faces_found")),
        "videos_cpu_s": float(total(extractions, "cpu_s")),
        "videos_wall_s": float(total(extractions, "wall_s")),
        "read_bytes": int(total(extractions, "bytes")),
        "scoring_s": _scoring_s(extractions),
    }


def _scoring_s(extractions: DataFrame) -> dict[str, float]:
    """Return the seconds of scoring by network."""
    each = extractions.select(F.explode("scoring").alias("one")).select("one.*")
    rows = each.groupBy("model_id").agg(F.sum("seconds")).collect()
    return {row[0]: row[1] for row in rows}


def total(rows: DataFrame, column: str) -> Any:
    """Return the sum of a column; 0 without rows."""
    (row,) = rows.agg(F.coalesce(F.sum(column), F.lit(0))).collect()
    return row[0]
