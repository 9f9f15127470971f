"""Spark answers the three questions of docs/tables.md on the files of published Delta tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from framejury.publishing.publication import Publication
from framejury.publishing.publish_tables import targets_of
from framejury.schemas.published_tables import PUBLISHED
from framejury.settings import PublishSettings
from tests.builders.three_questions import ANSWERS, asked_warehouse, plain, statements


def test_spark_answers_the_three_questions(spark: SparkSession, tmp_path: Path) -> None:
    (target,) = targets_of(PublishSettings(delta=str(tmp_path / "delta")))
    target.publish(Publication(asked_warehouse(tmp_path / "warehouse")))
    for name in PUBLISHED:
        files = DeltaTable(str(tmp_path / "delta" / name)).file_uris()
        spark.read.parquet(*files).createOrReplaceTempView(name)
    answers = [plain(spark.sql(text).collect()) for text in statements()]
    assert answers == [[pytest.approx(row) for row in rows] for rows in ANSWERS]
