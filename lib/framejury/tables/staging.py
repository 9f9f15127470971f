"""From rows that five tables share to files that hold the columns of one table.

One pass over a video yields rows of `extractions`, `faces`, `face_scores`, `pictures` and `sounds`.
They leave the executors together, with the columns of all five (schema `messages.ROWS`), because
Spark fans a stage out to one output only. `Store.stage` writes them below the run's `staging`
folder, one subfolder per table; `write_staged` then reads each subfolder with the columns of its
table and writes the files that readers see, a few large ones in place of one per task.

Each row is written exactly once although tasks are retried, killed or run twice by speculation:

* Both writes go through Spark's own commit protocol. The driver lets one attempt per task commit,
  and files of other attempts stay in `_temporary`, which the end of the job removes.
* The second write reads files, not tasks. A lost executor repeats the reading of a few files; no
  video is decoded again, and the tables cannot come from different passes over a video.
* Nothing of a run counts before its commit record exists. A driver that dies between the two
  writes leaves an abandoned folder, and the next run removes it.

Crops are streamed one row group at a time. See docs/decisions/0019-one-table-per-file.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_schema

from framejury.errors import ReconcileError
from framejury.examine.messages import (
    SEGMENT_BOX_COLUMN,
    SEGMENT_COLUMN,
    SEGMENT_TABLE_COLUMN,
)
from framejury.examine.segments import SEGMENTS, WELL, merge_extractions, number_persons
from framejury.schemas.statuses import Status
from framejury.schemas.tables import EXTRACTIONS, FACE_SCORES
from framejury.settings import EvidenceSettings
from framejury.tables.evidence_pictures import extremes
from framejury.tables.merge import files_aimed_at
from framejury.tables.store import Store
from framejury.warehouse.commits import Run
from framejury.warehouse.reader import count_rows, file_sizes

STAGED_TABLES = ("extractions", "faces", "face_scores", "pictures", "sounds")
_FACE = ("video_id", "frame_index", "face_index")
_PERSONS = pa.schema([FACE_SCORES.field(name) for name in (*_FACE, "person")])
_MOST_BROADCAST = 2_000_000
"""Up to this many faces, their track numbers are broadcast (some 100 MB); beyond, crops are
shuffled."""


def write_staged(store: Store, run: Run) -> None:
    """Write the staged rows of each table as that table's files; the staged files stay.

    Raises:
        ReconcileError: a table did not get as many rows as were staged for it.
    """
    for table in STAGED_TABLES:
        place = run.staging_location(table)
        sizes = file_sizes(place)
        if not sizes:
            continue
        rows = store.staged(run, table)
        store.write(rows.coalesce(files_aimed_at(sizes)), run, table)
        staged, written = count_rows(place), count_rows(run.table_location(table))
        if staged != written:
            raise ReconcileError(
                f"run {run.run_id} staged {staged:,} rows of {table} and wrote {written:,}; "
                "nothing is committed, run it again"
            )


def settle_segments(
    spark: SparkSession,
    store: Store,
    run: Run,
    counts: Mapping[str, int],
    evidence: EvidenceSettings,
) -> None:
    """Turn the run's staged rows of segments into rows of whole videos.

    Except for the times, they are the rows that the same videos give in one piece.

    Args:
        spark: the session.
        store: of the warehouse.
        run: the run under way, with rows in its staging table `SEGMENTS`.
        counts: number of segments of each video that was cut.
        evidence: how many faces and clips to keep; each segment kept as many faces.

    Raises:
        ReconcileError: a segment of a video is missing or occurs twice.
    """
    staged = store.staged(run, SEGMENTS)
    extractions = _merged(staged, counts)
    rows = pa.Table.from_pylist(extractions, schema=EXTRACTIONS)
    store.write(spark.createDataFrame(rows).coalesce(1), run, "extractions")
    well = [row["video_id"] for row in extractions if row["status"] in WELL]
    sounds = _of_table(staged, "sounds").where(F.col("video_id").isin(well))
    if not sounds.isEmpty():
        store.write(sounds.coalesce(1), run, "sounds")
    found = [row for row in extractions if row["status"] == Status.EXTRACTED.value]
    if found:
        # When one segment of a video failed, none of its faces count: they join no track.
        ids = spark.createDataFrame(pa.table({"video_id": [row["video_id"] for row in found]}))
        tables = {row[0] for row in staged.select(SEGMENT_TABLE_COLUMN).distinct().collect()}
        table = "faces" if "faces" in tables else "face_scores"
        boxes = _of_table(staged, table).select(*_FACE, SEGMENT_BOX_COLUMN)
        boxes = boxes.dropDuplicates(list(_FACE))  # an ensemble has a row per member
        persons = _persons(boxes.join(ids, on="video_id", how="left_semi")).persist()
        few = sum(row["faces_kept"] for row in found) <= _MOST_BROADCAST
        numbers = F.broadcast(persons) if few else persons
        for table in sorted(tables & {"faces", "face_scores"}):
            faces = _of_table(staged, table).drop("person")
            store.write(faces.join(numbers, on=list(_FACE), how="inner"), run, table)
        persons.unpersist()
        kept = _of_table(staged, "pictures").join(F.broadcast(ids), "video_id", "left_semi")
        store.write(extremes(kept, evidence).coalesce(1), run, "pictures")


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
    """Number the face tracks over each whole video, without moving crops."""

    def number(video: pa.Table) -> pa.Table:
        video = video.sort_by([("frame_index", "ascending"), ("face_index", "ascending")])
        numbers = pa.array(number_persons(video.to_pylist()), pa.int32())
        return video.select(_FACE).append_column("person", numbers).cast(_PERSONS)

    return boxes.groupBy("video_id").applyInArrow(number, from_arrow_schema(_PERSONS))
