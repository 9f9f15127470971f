"""What a job has on the cluster: concurrent tasks, the GPU of a task, the shipped bundle."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pyspark import TaskContext
from pyspark.resource import ResourceInformation
from pyspark.sql import SparkSession


def slots(spark: SparkSession) -> int:
    """Return how many tasks run at the same time once all executors are up."""
    context = spark.sparkContext
    conf = context.getConf()
    if conf.get("spark.dynamicAllocation.enabled", "false") != "true":
        return context.defaultParallelism
    executors = int(conf.get("spark.dynamicAllocation.maxExecutors", "0"))  # unset: unbounded
    cores = int(conf.get("spark.executor.cores", "1")) // int(conf.get("spark.task.cpus", "1"))
    return max(context.defaultParallelism, executors * cores)


def task_gpu() -> str | None:
    """Return the GPU that Spark assigned to this task (`spark.task.resource.gpu.amount`)."""
    context = TaskContext.get()
    return None if context is None else first_gpu(context.resources())


def first_gpu(resources: Mapping[str, ResourceInformation]) -> str | None:
    """Return the address of the first GPU among a task's resources; None if it has none."""
    gpu = resources.get("gpu")
    return gpu.addresses[0] if gpu is not None and gpu.addresses else None


def ship_bundle(spark: SparkSession, directory: Path, model_id: str) -> str:
    """Send a model bundle to the executors; each machine unpacks it once.

    Returns:
        the name of its folder; Spark's `SparkFiles` turns it into a path on an executor.
    """
    name = f"bundle-{model_id}"
    # Keep the file until this process ends: executors that start later fetch it.
    folder = tempfile.mkdtemp(prefix="framejury-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    packed = shutil.make_archive(str(Path(folder) / name), "zip", str(directory))
    spark.sparkContext.addArchive(f"{packed}#{name}")
    return name
