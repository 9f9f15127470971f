"""What went wrong in Spark, in one line instead of two hundred."""

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
    """Turn a failure of Spark's work into one line; its own log has the rest.

    Raises:
        SparkFaultError: tasks failed too often, a write failed, the cluster is gone.
    """
    try:
        yield
    except (AnalysisException, ParseException):
        raise  # a mistake of ours: the place in our code is what helps
    except (Py4JError, PySparkException) as error:
        raise SparkFaultError(
            f"Spark gave up: {cause_in(str(error))} (its log above has the whole story; nothing "
            "of this run was lost that had been committed: mend it and run again)"
        ) from error


def cause_in(text: str) -> str:
    """The innermost reason in the text of Spark's exception, Java's or Python's.

    Args:
        text: with Java's stack, and in it the traceback of a Python worker.
    """
    # A worker's traceback ends with what it raised; what Java says around it comes before.
    found = _RAISED.findall(text) if "Traceback (most recent call last)" in text else []
    found = found or _CAUSED_BY.findall(text) or _RAISED.findall(text)
    what = found[-1] if found else next((line for line in text.splitlines() if line.strip()), "")
    return " ".join(what.split())[:_LONGEST]
