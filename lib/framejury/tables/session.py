"""The Spark session of a job: settings of `spark-submit`, and defaults for the rest."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from framejury.errors import SetupError
from framejury.settings.loading import find_conf_dir
from framejury.tables.spark_faults import one_line_faults

_DEFAULTS = {
    "spark.master": "local[*]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",  # the jobs print their own
    "spark.sql.session.timeZone": "UTC",
    # Rows hold crops, and maxRecordsPerBatch counts rows, not bytes.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "64",
    # One pass yields rows of four tables; write them side by side instead of sorting crops.
    "spark.sql.maxConcurrentOutputFileWriters": "8",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.adaptive.enabled": "true",
    "spark.python.worker.reuse": "true",
    "spark.scheduler.mode": "FIFO",
}


@contextmanager
def spark_session(app: str) -> Iterator[SparkSession]:
    """Start a session named `app`; settings of spark-submit and spark-defaults override ours.

    Raises:
        SetupError: Java is missing or cannot start.
        SparkFaultError: work in Spark failed in the body.
    """
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise SetupError(
            "no Java found; Spark needs Java 17 or newer (framejury doctor explains how)"
        )
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        # spark-submit's JVM is running already; SparkConf sees its settings once connected.
        SparkContext._ensure_initialized()
    given = SparkConf()
    builder = SparkSession.builder.appName(app)
    # Only effective if this process starts the JVM; under spark-submit it is running already.
    quiet = f"-Dlog4j2.configurationFile=file:{find_conf_dir() / 'spark' / 'log4j2.properties'}"
    for key, value in {**_DEFAULTS, "spark.driver.extraJavaOptions": quiet}.items():
        if not given.contains(key):
            builder = builder.config(key, value)
    try:
        spark = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise SetupError(
            f"Spark did not start: {error}; framejury doctor checks the installation"
        ) from error
    spark.sparkContext.setLogLevel(os.environ.get("FRAMEJURY_SPARK_LOG_LEVEL", "ERROR"))
    try:
        with one_line_faults():
            yield spark
    finally:
        # If the JVM is gone, the earlier error matters. And a signal in the middle of a call leaves
        # half an answer in the connection, which py4j turns into a KeyError or any other error.
        with suppress(Exception):
            spark.stop()
