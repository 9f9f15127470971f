"""Inspect an archive on executors, which return one row per video."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from framejury import logs
from framejury.errors import MediaError
from framejury.examine.costs import FRAME_S, Seconds, estimate_costs_s
from framejury.inspection.answer import THUMBNAIL, Pictures
from framejury.inspection.inspected_archive import ROWS, chosen_for_sheet, failed_row, row_of
from framejury.settings import Settings
from framejury.tables.inspectors import rows_of
from framejury.tables.task_progress import Done, dealt

if TYPE_CHECKING:
    from framejury.inspection.inspect_client import InspectClient

_THUMBNAIL, _ON_SHEET = "thumbnail", "on_sheet"
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
    done = Done.of(spark)
    units = dealt(spark, asked.append_column(_ON_SHEET, on_sheet), costs_s, settings.spark)
    with done.shown("videos", asked.num_rows, float(costs_s.sum())):
        found = rows_of(
            units, _inspected, _FOUND, settings, done, job="inspect", detectors=True
        ).sort_by("path")
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
    frames = 1 if settings.sampling.mode in ("all", "every_s") else settings.sampling.counts[0]
    return np.asarray(estimated_s + _HAAR_COSTS * FRAME_S * frames, np.float64)


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
