"""What a cluster gives: tasks at a time, and the GPU of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark import TaskContext
from pyspark.resource import ResourceInformation
from pyspark.sql import SparkSession


def slots(spark: SparkSession) -> int:
    """Tasks that run at the same time, once all executors are there."""
    context = spark.sparkContext
    conf = context.getConf()
    if conf.get("spark.dynamicAllocation.enabled", "false") != "true":
        return context.defaultParallelism
    executors = int(conf.get("spark.dynamicAllocation.maxExecutors", "0"))  # unset: no bound
    cores = int(conf.get("spark.executor.cores", "1")) // int(conf.get("spark.task.cpus", "1"))
    return max(context.defaultParallelism, executors * cores)


def task_gpu() -> str | None:
    """The GPU that Spark assigned to this task (`spark.task.resource.gpu.amount`), or None."""
    context = TaskContext.get()
    return None if context is None else first_gpu(context.resources())


def first_gpu(resources: Mapping[str, ResourceInformation]) -> str | None:
    """Address of the GPU among a task's resources; one network uses one."""
    gpu = resources.get("gpu")
    addresses: Sequence[str] = [] if gpu is None else gpu.addresses
    return addresses[0] if addresses else None
