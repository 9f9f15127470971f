"""Rows of four tables staged together become files of one table each, every row once."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_schema

from framejury.errors import ReconcileError
from framejury.examine.messages import ROWS, TABLE_COLUMN
from framejury.tables import staging
from framejury.tables.staging import write_staged
from framejury.tables.store import Store
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Run
from tests.builders.parquet_files import assert_files_hold_their_tables_columns

NOW = datetime(2026, 3, 1, tzinfo=UTC)
VIDEOS = 40


def rows_of_videos(spark: SparkSession, run: Run, *, fail_first: bool = False) -> DataFrame:
    """One `extractions` and two `face_scores` rows per video, in a task per two videos.

    Args:
        fail_first: whether the first attempt of every fourth task fails after its last row.
    """

    def examine(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch["id"].to_pylist():
                yield pa.RecordBatch.from_pylist(list(rows(number)), schema=ROWS)
        context = TaskContext.get()
        assert context is not None
        if fail_first and context.partitionId() % 4 == 0 and context.attemptNumber() == 0:
            raise OSError("this attempt is lost, with all that it wrote")

    def rows(number: int) -> Iterator[dict[str, Any]]:
        ids = {"video_id": f"{number:03d}", "run_id": run_id}
        counts = dict.fromkeys(("frames_decoded", "frames_sampled", "faces_found"), 1)
        yield (
            ids
            | counts
            | {TABLE_COLUMN: "extractions", "status": "extracted"}
            | {
                "settings_id": "s",
                "faces_kept": 2,
            }
        )
        for face in range(2):
            place = {"frame_index": 0, "pts_s": 0.0, "face_index": face, "person": face}
            scores = {"model_id": "m", "score": 0.5}
            yield ids | place | scores | {TABLE_COLUMN: "face_scores"}

    run_id = run.run_id
    videos = spark.range(0, VIDEOS, numPartitions=VIDEOS // 2)
    return videos.mapInArrow(examine, from_arrow_schema(ROWS))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.open_or_plan(str(tmp_path / "warehouse"))


def files_in(warehouse: Warehouse, run: Run, table: str) -> list[Path]:
    return sorted(Path(run.table_location(table).path).glob("*.parquet"))


@pytest.mark.parametrize("fail_first", [False, True], ids=["once", "retried"])
def test_every_row_once_in_one_file_per_table(
    spark: SparkSession, warehouse: Warehouse, fail_first: bool
) -> None:
    store = Store(spark, warehouse, 2**24)
    with warehouse.running("extract", NOW) as run:
        store.stage(rows_of_videos(spark, run, fail_first=fail_first), run)
        staged = Path(run.staging_location("face_scores").path)
        assert len(list(staged.glob("*.parquet"))) == VIDEOS // 2
        write_staged(store, run)
        shutil.rmtree(run.staging_location().path)
        commit = warehouse.commit(run, NOW)
    assert commit.tables == {"extractions": VIDEOS, "face_scores": 2 * VIDEOS}
    for table in commit.tables:
        assert len(files_in(warehouse, run, table)) == 1
    assert_files_hold_their_tables_columns(warehouse, commit.tables)
    ids = warehouse.read_run(run.run_id, "extractions")["video_id"].to_pylist()
    assert sorted(ids) == [f"{number:03d}" for number in range(VIDEOS)]
    scores = warehouse.read_run(run.run_id, "face_scores", ["video_id", "face_index"])
    faces = zip(scores["video_id"].to_pylist(), scores["face_index"].to_pylist(), strict=True)
    assert len(set(faces)) == scores.num_rows


def test_large_tables_keep_several_files(
    spark: SparkSession, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "files_aimed_at", lambda sizes: len(sizes) // 5)
    store = Store(spark, warehouse, 2**24)
    with warehouse.running("extract", NOW) as run:
        store.stage(rows_of_videos(spark, run), run)
        write_staged(store, run)
        assert len(files_in(warehouse, run, "extractions")) > 1
        assert warehouse.commit(run, NOW).tables["extractions"] == VIDEOS


def test_a_lost_row_is_noticed(
    spark: SparkSession, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Store.staged

    def lacking(store: Store, run: Run, table: str) -> DataFrame:
        return whole(store, run, table).where(F.col("video_id") != "007")

    monkeypatch.setattr(Store, "staged", lacking)
    store = Store(spark, warehouse, 2**24)
    with (
        pytest.raises(ReconcileError, match="staged 40 rows of extractions and wrote 39"),
        warehouse.running("extract", NOW) as run,
    ):
        store.stage(rows_of_videos(spark, run), run)
        write_staged(store, run)
    assert warehouse.commits() == []
    assert not Path(run.location.path).exists()
