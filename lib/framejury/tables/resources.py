"""Resources of the cluster: concurrent tasks, and the GPU of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    addresses: Sequence[str] = [] if gpu is None else gpu.addresses
    return addresses[0] if addresses else None
