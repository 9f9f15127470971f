"""The Spark session of a job: settings of `spark-submit`, defaults, errors in one line."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import (
    AnalysisException,
    ParseException,
    PySparkException,
    PySparkRuntimeError,
)
from pyspark.sql import SparkSession

from framejury import logs
from framejury.errors import SetupError, SparkFaultError
from framejury.settings.loading import find_conf_dir
from framejury.tables.jvm import start_jvm

_DEFAULTS = {
    "spark.master": "local[*]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",  # the jobs print their own
    "spark.sql.session.timeZone": "UTC",
    # Rows hold crops, and maxRecordsPerBatch counts rows, not bytes.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "64",
    # One pass yields rows of five tables; write them side by side instead of sorting crops.
    "spark.sql.maxConcurrentOutputFileWriters": "8",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.adaptive.enabled": "true",
    "spark.python.worker.reuse": "true",
    "spark.scheduler.mode": "FIFO",
}
_CAUSED_BY = re.compile(r"^\s*Caused by: (?P<what>.+)$", re.MULTILINE)
_RAISED = re.compile(r"^(?::\s*)?(?P<what>[A-Za-z_][\w.]*(?:Error|Exception)\b: .+)$", re.MULTILINE)
_LONGEST = 500


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
    # Only effective if this process starts the JVM; under spark-submit it is running already.
    quiet = f"-Dlog4j2.configurationFile=file:{find_conf_dir() / 'spark' / 'log4j2.properties'}"
    ours = {**_DEFAULTS, "spark.driver.extraJavaOptions": quiet}
    wanted: dict[str, Any] = {key: value for key, value in ours.items() if not given.contains(key)}
    try:
        start_jvm(SparkConf(loadDefaults=False).setAll(list(wanted.items())))
        spark = SparkSession.builder.appName(app).config(map=wanted).getOrCreate()
    except PySparkRuntimeError as error:
        raise SetupError(
            f"Spark did not start: {error}; framejury doctor checks the installation"
        ) from error
    spark.sparkContext.setLogLevel(_log_level())
    try:
        with one_line_faults():
            yield spark
        if not logs.is_debug():
            # All is done. Tasks that nobody waits for are cut off now, and Spark calls that errors.
            with suppress(Exception):
                spark.sparkContext.setLogLevel("OFF")
    finally:
        # If the JVM is gone, the earlier error matters. And a signal in the middle of a call leaves
        # half an answer in the connection, which py4j turns into a KeyError or any other error.
        with suppress(Exception):
            spark.stop()


def _log_level() -> str:
    """Return the least level of Spark's own messages."""
    return os.environ.get("FRAMEJURY_SPARK_LOG_LEVEL") or ("WARN" if logs.is_debug() else "ERROR")


@contextmanager
def one_line_faults() -> Iterator[None]:
    """Turn a failure in Spark into an error of one line; Spark's log has the rest.

    Raises:
        SparkFaultError: tasks failed too often, a write failed, or the cluster is gone.
    """
    try:
        yield
    except (AnalysisException, ParseException):
        raise  # a bug in framejury, which needs its traceback
    except (Py4JError, PySparkException) as error:
        cause = cause_in(str(error)) or f"{type(error).__name__} without a message"
        raise SparkFaultError(
            f"Spark failed: {cause} (Spark's log above has the details; what was "
            "committed is kept: fix the cause and run this again)"
        ) from error


def cause_in(text: str) -> str:
    """Return the innermost cause in the text of a Spark exception, from Java or Python.

    Args:
        text: Java's stack trace, which may contain the traceback of a Python worker.
    """
    # A worker's traceback ends with the exception; Java's text around it comes before.
    found = _RAISED.findall(text) if "Traceback (most recent call last)" in text else []
    found = found or _CAUSED_BY.findall(text) or _RAISED.findall(text)
    what = found[-1] if found else next((line for line in text.splitlines() if line.strip()), "")
    return " ".join(what.split())[:_LONGEST]
