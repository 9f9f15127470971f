"""One real Spark session for all Spark tests: starting one takes some 15 seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from framejury.tables.session import spark_session


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        # A task may fail once, as on a cluster.
        "--master local[2,2] --driver-memory 2g "
        # Test tables are tiny; 200 shuffle partitions would cost more than the work.
        "--conf spark.sql.shuffle.partitions=2 --conf spark.default.parallelism=2 pyspark-shell"
    )
    with spark_session("tests") as session:
        yield session
