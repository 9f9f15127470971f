"""Inspect an archive on executors, which return one row per video."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from framejury import logs
from framejury.errors import MediaError
from framejury.examine.costs import FRAME_S, Seconds, estimate_costs_s, pack
from framejury.inspection.answer import THUMBNAIL, Pictures
from framejury.inspection.inspected_archive import ROWS, chosen_for_sheet, failed_row, row_of
from framejury.settings import Settings
from framejury.tables.inspectors import client_for
from framejury.tables.resources import slots
from framejury.tables.spark_schema import spark_schema
from framejury.tables.task_progress import COST, Done

if TYPE_CHECKING:
    from framejury.inspection.inspect_client import InspectClient

_THUMBNAIL, _ON_SHEET, _TASK = "thumbnail", "on_sheet", "task"
_ASKED = pa.schema(list(ROWS)[: ROWS.get_field_index("bytes") + 1])
_FOUND = pa.schema([*ROWS, (_THUMBNAIL, pa.binary())])
_HAAR_COSTS = 5.0
"""Cost of both detectors on a frame, as a multiple of a nightly run's cost per frame."""


def inspect_videos(
    spark: SparkSession, videos: pa.Table, settings: Settings
) -> tuple[pa.Table, dict[str, bytes]]:
    """Run both detectors on frames spread over each video.

    The driver gets one bounded row per video, and small pictures of at most
    `inspect.sheet_pictures` videos.

    Args:
        spark: the session.
        videos: columns of the table `videos`, by path.
        settings: `sampling`, `detection`, `inspect`, `limits`, `scoring.threads`, `spark`.

    Returns:
        rows `inspected_archive.ROWS` by path, and JPEG files by `video_id`. A video that cannot be
        read has a row with its status.
    """
    asked = videos.select(_ASKED.names).cast(_ASKED)
    chosen = set(chosen_for_sheet(asked["label"].to_pylist(), settings.inspect.sheet_pictures))
    on_sheet = pa.array([at in chosen for at in range(asked.num_rows)], pa.bool_())
    costs_s = _costs_s(asked["bytes"].to_numpy(), settings)
    tasks = pack(costs_s, slots(spark), settings.spark.task_s, settings.spark.max_tasks)
    dealt = (
        asked.append_column(_ON_SHEET, on_sheet)
        .append_column(_TASK, pa.array(tasks, pa.int32()))
        .append_column(COST, pa.array(costs_s, pa.float64()))
    )
    done = Done.of(spark)
    count = int(tasks.max()) + 1 if len(tasks) else 1
    frame = spark.createDataFrame(dealt).repartitionById(count, _TASK).drop(_TASK)
    with done.shown("videos", asked.num_rows, float(costs_s.sum())):
        work = _partition_function(settings, done)
        found = frame.mapInArrow(work, spark_schema(_FOUND)).toArrow().cast(_FOUND)
    found = found.sort_by("path")
    pictures = {
        video_id: picture
        for video_id, picture in zip(
            found["video_id"].to_pylist(), found[_THUMBNAIL].to_pylist(), strict=True
        )
        if picture is not None
    }
    return found.select(ROWS.names), pictures


def _costs_s(size_bytes: Any, settings: Settings) -> Seconds:
    estimated_s = estimate_costs_s(size_bytes, settings.sampling)
    frames = 1 if settings.sampling.mode in ("all", "every_s") else settings.sampling.frames
    return np.asarray(estimated_s + _HAAR_COSTS * FRAME_S * frames, np.float64)


def _partition_function(
    settings: Settings, done: Done
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def inspect_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        logs.start("inspect")
        client = client_for(settings, detectors=True)
        done.add_lockdown(client.lockdown())
        for batch in batches:
            for video in batch.to_pylist():
                with logs.bound(video_id=video["video_id"]):
                    row = _inspected(client, video)
                yield pa.RecordBatch.from_pylist([row], schema=_FOUND)
                done.add(video)

    return inspect_partition


def _inspected(client: InspectClient, video: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a video, also if it cannot be read."""
    started_s = time.perf_counter()
    pictures: dict[str, bytes] = {}
    try:
        kind: Pictures = "thumbnail" if video[_ON_SHEET] else "none"
        found, pictures = client.inspect(video["uri"], kind, video["video_id"])
        row = row_of(video, found, time.perf_counter() - started_s)
    except MediaError as error:
        row = failed_row(video, error, time.perf_counter() - started_s)
    logs.event("video_inspected", uri=video["uri"], status=row["status"], wall_s=row["wall_s"])
    return row | {_THUMBNAIL: pictures.get(THUMBNAIL)}
