"""Videos fanned out to executors: one pass over each, rows of three tables back."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from framejury.settings import SparkSettings
from framejury.tables.schema import spark_schema

if TYPE_CHECKING:
    from pyspark.accumulators import Accumulator

    from framejury.examiner import Examiner
    from framejury.rows import ExaminePlan

_JOB_COLUMNS = ("video_id", "uri", "bytes", "modified_at")


@dataclass(frozen=True)
class ShippedBundle:
    """A bundle that every executor can reach.

    Attributes:
        name: of the folder below `SparkFiles`' root on each machine.
    """

    name: str

    def local_dir(self) -> str:
        """Where it lies on this machine; ask on an executor."""
        return SparkFiles.get(self.name)


def ship_bundle(spark: SparkSession, directory: Path, model_id: str) -> ShippedBundle:
    """Send the bundle to the executors with the job (once a machine, unpacked there)."""
    name = f"bundle-{model_id}"
    packed = shutil.make_archive(
        str(Path(tempfile.mkdtemp(prefix="framejury-")) / name), "zip", str(directory)
    )
    spark.sparkContext.addArchive(f"{packed}#{name}")
    return ShippedBundle(name)


def task_count(videos: int, settings: SparkSettings) -> int:
    """How many tasks the videos are divided into, at least one."""
    return max(1, min(math.ceil(videos / settings.videos_per_task), settings.max_tasks))


def examine_videos(
    videos: DataFrame,
    plan: ExaminePlan,
    tasks: int,
    bundle: ShippedBundle | None = None,
    done: Accumulator[int] | None = None,
) -> DataFrame:
    """Rows of `extractions`, `faces` and `face_scores` (schema `rows.ROWS`).

    Args:
        videos: rows with `video_id`, `uri`, `bytes`, `modified_at`.
        plan: what to do with each; its `bundle_dir` is filled in on the executor.
        tasks: how many tasks.
        bundle: scores faces with it; None only extracts.
        done: counts finished videos, for progress.
    """
    from framejury.rows import ROWS

    # Dealt out by size, so that no task gets all the large files.
    dealt = videos.select(*_JOB_COLUMNS).orderBy(F.col("bytes").desc()).repartition(tasks)
    return dealt.mapInArrow(_partition_function(plan, bundle, done), spark_schema(ROWS))


def _partition_function(
    plan: ExaminePlan, bundle: ShippedBundle | None, done: Accumulator[int] | None
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def examine_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        # Imported on the executor: OpenCV and ONNX Runtime must not load on the driver's
        # behalf, and never before the worker forks.
        from framejury.rows import VideoJob

        local = plan if bundle is None else replace(plan, bundle_dir=bundle.local_dir())
        examiner = _examiner(local)
        for batch in batches:
            for row in batch.to_pylist():
                job = VideoJob(row["video_id"], row["uri"], row["bytes"], row["modified_at"])
                yield examiner.examine(job)
                if done is not None:
                    done.add(1)

    return examine_partition


_examiners: dict[str, Examiner] = {}


def _examiner(plan: ExaminePlan) -> Examiner:
    """This worker's examiner for the plan; kept between tasks, so models load once."""
    from framejury.examiner import Examiner

    key = repr(plan)
    if key not in _examiners:
        for old in _examiners.values():
            old.close()
        _examiners.clear()
        _examiners[key] = Examiner(plan)
    return _examiners[key]
