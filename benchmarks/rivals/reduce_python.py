"""(f) The reduce as published projects do it: Python over each row, `reduceByKey` to a mean.

It computes the mean only: no persons, no frames, no interval, no verdict.
"""

from __future__ import annotations

from pathlib import Path

from pyspark import RDD
from pyspark.sql import SparkSession


class PythonReduce:
    """An RDD of (video, score); `run` counts the means, `result` hands them out.

    Args:
        spark: the session that framejury's own reduce runs in.
        folder: Parquet files of `face_scores`.
    """

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self._spark, self._uri = spark, folder.as_uri()

    def run(self) -> None:
        self._means().count()

    def result(self) -> dict[str, float]:
        return dict(self._means().collect())

    def _means(self) -> RDD[tuple[str, float]]:
        """Made anew each time: Spark would keep the shuffled rows of the last one."""
        scores = self._spark.read.parquet(self._uri).select("video_id", "score")
        return (
            scores.rdd.map(lambda row: (row["video_id"], row["score"]))
            .mapValues(lambda score: (score, 1))
            .reduceByKey(lambda left, right: (left[0] + right[0], left[1] + right[1]))
            .mapValues(lambda pair: pair[0] / pair[1])
        )
