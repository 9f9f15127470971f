"""Errors of Spark in one line instead of two hundred."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import AnalysisException, ParseException, PySparkException

from framejury.errors import SparkFaultError

_CAUSED_BY = re.compile(r"^\s*Caused by: (?P<what>.+)$", re.MULTILINE)
_RAISED = re.compile(r"^(?::\s*)?(?P<what>[A-Za-z_][\w.]*(?:Error|Exception)\b: .+)$", re.MULTILINE)
_LONGEST = 500


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
        raise SparkFaultError(
            f"Spark failed: {cause_in(str(error))} (Spark's log above has the details; what was "
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
