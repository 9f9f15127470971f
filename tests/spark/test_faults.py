"""What Spark says when it gives up, in one line that says why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import SparkSession

from framejury.errors import SparkFaultError
from framejury.tables.session import cause_in, one_line_faults


def test_a_worker_that_raises(spark: SparkSession) -> None:
    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        raise OSError(28, "No space left on device", "/scratch/spool")

    with pytest.raises(SparkFaultError) as told, one_line_faults():
        spark.range(3).mapInArrow(work, "id long").collect()
    text = str(told.value)
    assert "OSError: [Errno 28] No space left on device: '/scratch/spool'" in text
    assert "\n" not in text
    assert told.value.exit_code == 1


def test_a_place_that_cannot_be_written(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SparkFaultError) as told, one_line_faults():
        spark.range(3).write.parquet(f"file://{tmp_path}/file/table")
    assert "Parent path is not a directory" in str(told.value)
    assert str(tmp_path / "file") in str(told.value)


def test_a_mistake_in_the_code_keeps_its_place(spark: SparkSession) -> None:
    with pytest.raises(AnalysisException), one_line_faults():
        spark.range(3).select("no such column").collect()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "o1.parquet.\n: org.apache.spark.SparkException: Job aborted.\n\tat a.b(C.scala:1)\n"
            "Caused by: org.apache.spark.SparkException: Task failed\n\tat x\n"
            "Caused by: java.io.IOException: No space left on device\n\tat y\n",
            "java.io.IOException: No space left on device",
        ),
        (
            "Job aborted: org.apache.spark.api.python.PythonException: Traceback (most recent "
            'call last):\n  File "x.py", line 1\nValueError: first\n\nDuring it:\n'
            "RuntimeError: the  last\n\n\tat java.lang.Thread\nCaused by: java.lang.Error: x\n",
            "RuntimeError: the last",
        ),
        ("\n  the connection is gone\n", "the connection is gone"),
        ("", ""),
        ("Caused by: x.Y: " + "z" * 900, "x.Y: " + "z" * 495),
    ],
)
def test_the_innermost_reason(text: str, cause: str) -> None:
    assert cause_in(text) == cause


def test_an_error_without_text_is_named() -> None:
    named = "Spark failed: PySparkException without a message"
    with pytest.raises(SparkFaultError, match=named), one_line_faults():
        raise PySparkException("")
