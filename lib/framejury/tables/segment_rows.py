"""Rows of segments put together to rows of videos, after the pass that staged them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from framejury.examine.messages import (
    ROWS,
    SEGMENT_BOX_COLUMN,
    SEGMENT_COLUMN,
    SEGMENT_TABLE_COLUMN,
    TABLE_COLUMN,
)
from framejury.examine.segments import SEGMENTS, merge_extractions, number_persons
from framejury.schemas.statuses import Status
from framejury.schemas.tables import EXTRACTIONS, FACE_SCORES
from framejury.tables.extremes import extremes
from framejury.tables.spark_schema import spark_schema
from framejury.tables.store import Store, spark_uri
from framejury.warehouse.commits import Run

_FACE = ("video_id", "frame_index", "face_index")
_PERSONS = pa.schema([FACE_SCORES.field(name) for name in (*_FACE, "person")])
_MOST_BROADCAST = 2_000_000
"""Faces whose persons are sent to every executor, count: some 100 MB. Beyond, crops are
shuffled to them."""


def settle_segments(
    spark: SparkSession,
    store: Store,
    run: Run,
    counts: Mapping[str, int],
    *,
    keep_crops: bool,
    pictures: int,
) -> None:
    """Turn the run's staged rows into rows of `extractions`, `faces`, `face_scores`, `pictures`.

    They are then those of videos that were worked on whole, but for the time it took.

    Args:
        spark: the session.
        store: of the warehouse.
        run: under way; its staging table is removed.
        counts: segments of each video that was cut.
        keep_crops: whether there are rows of `faces`.
        pictures: faces kept as evidence at each end, count; each segment has so many.

    Raises:
        ReconcileError: a segment of a video is missing, or there twice.
    """
    staged = _staged(spark, run)
    extractions = _merged(staged, counts)
    rows = pa.Table.from_pylist(extractions, schema=EXTRACTIONS)
    store.write(spark.createDataFrame(rows).coalesce(1), run, "extractions")
    found = [row for row in extractions if row["status"] == Status.EXTRACTED.value]
    if found:
        # Of a video that failed in one segment no face counts: it has no persons to join.
        ids = spark.createDataFrame(pa.table({"video_id": [row["video_id"] for row in found]}))
        table = "faces" if keep_crops else "face_scores"
        boxes = _of_table(staged, table).select(*_FACE, SEGMENT_BOX_COLUMN)
        persons = _persons(boxes.join(ids, on="video_id", how="left_semi")).persist()
        few = sum(row["faces_kept"] for row in found) <= _MOST_BROADCAST
        numbers = F.broadcast(persons) if few else persons
        is_face = F.col(SEGMENT_TABLE_COLUMN).isin("faces", "face_scores")
        faces = staged.where(is_face).drop("person")
        numbered = faces.join(numbers, on=list(_FACE), how="inner")
        addressed = numbered.withColumnRenamed(SEGMENT_TABLE_COLUMN, TABLE_COLUMN)
        store.write_together(addressed.drop(SEGMENT_COLUMN, SEGMENT_BOX_COLUMN), run)
        persons.unpersist()
        kept = _of_table(staged, "pictures").join(F.broadcast(ids), "video_id", "left_semi")
        store.write(extremes(kept, pictures).coalesce(1), run, "pictures")
    place = run.location.child(f"{TABLE_COLUMN}={SEGMENTS}")
    place.filesystem.delete_dir(place.path)


def _staged(spark: SparkSession, run: Run) -> DataFrame:
    schema = spark_schema(ROWS.remove(ROWS.get_field_index(TABLE_COLUMN)))
    return spark.read.schema(schema).parquet(spark_uri(run.table_location(SEGMENTS).uri))


def _of_table(staged: DataFrame, table: str) -> DataFrame:
    return staged.where(F.col(SEGMENT_TABLE_COLUMN) == table)


def _merged(staged: DataFrame, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    columns = [*EXTRACTIONS.names, SEGMENT_COLUMN]
    parts = defaultdict(list)
    for row in _of_table(staged, "extractions").select(*columns).toArrow().to_pylist():
        parts[row["video_id"]].append(row)
    return [
        merge_extractions(video_id, parts[video_id], count) for video_id, count in counts.items()
    ]


def _persons(boxes: DataFrame) -> DataFrame:
    """The person of each face over its whole video; crops stay where they are."""

    def number(video: pa.Table) -> pa.Table:
        video = video.sort_by([("frame_index", "ascending"), ("face_index", "ascending")])
        numbers = pa.array(number_persons(video.to_pylist()), pa.int32())
        return video.select(_FACE).append_column("person", numbers).cast(_PERSONS)

    return boxes.groupBy("video_id").applyInArrow(number, spark_schema(_PERSONS))
