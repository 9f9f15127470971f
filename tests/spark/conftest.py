"""One real Spark session for all Spark tests: starting one takes some 15 seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from pyspark.sql import SparkSession

from framejury.tables.session import spark_session


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        "--driver-memory 2g "
        # Test tables are tiny; 200 shuffle partitions would cost more than the work.
        "--conf spark.sql.shuffle.partitions=2 --conf spark.default.parallelism=2 pyspark-shell"
    )
    # Two tasks at a time, and each may fail once, as on a cluster.
    with (
        patch.dict("framejury.tables.session._DEFAULTS", {"spark.master": "local[2,2]"}),
        spark_session("tests") as session,
    ):
        yield session
