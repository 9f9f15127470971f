"""Export of kept faces as picture files by executors, which return one row per picture."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_schema

from framejury import logs
from framejury.recipes.export_plan import TRUTH, ExportPlan
from framejury.schemas.statuses import Side
from framejury.storage import Location, is_file, locate, write_whole

if TYPE_CHECKING:
    from pyspark.accumulators import Accumulator

WRITTEN = pa.schema(
    [("name", pa.string()), ("label", pa.int8()), ("side", pa.string()), ("video_id", pa.string())]
)
"""One row per picture: its path below the output, its class, its split (folders)."""

_FACE_COLUMNS = ("video_id", "frame_index", "face_index", "detector", "crop")


def chosen_faces(faces: DataFrame, truth: pa.Table) -> DataFrame:
    """Join the faces of the videos in `truth` (schema `TRUTH`) to its columns."""
    known = faces.sparkSession.createDataFrame(truth.cast(TRUTH))
    # One small row per video is broadcast, so the crops are not shuffled.
    return faces.select(*_FACE_COLUMNS).join(F.broadcast(known), on="video_id", how="inner")


def write_faces(chosen: DataFrame, plan: ExportPlan, written: Accumulator[int]) -> DataFrame:
    """Return rows `WRITTEN`; computing a row writes its picture, whole or not at all.

    Args:
        chosen: from `chosen_faces`.
        plan: how each face is exported.
        written: counts pictures as they are written.

    Raises (in a task, which fails the job):
        ValueError: a crop is damaged; the message names video and frame.
        OSError: the output cannot be written.
    """

    def write_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        logs.start("export-faces")
        place = locate(plan.output)
        for batch in batches:
            rows = []
            for face in batch.to_pylist():
                rows.append(_write(face, plan, place))
                written.add(1)
            yield pa.RecordBatch.from_pylist(rows, schema=WRITTEN)

    return chosen.mapInArrow(write_partition, from_arrow_schema(WRITTEN))


def write_labels(rows: DataFrame, place: Location) -> None:
    """Write names and labels of rows `WRITTEN` as CSV, by name; one partition at a time is held."""
    with tempfile.TemporaryFile() as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["name", "label"])
        ordered = rows.select("name", "label").orderBy("name")
        table.writerows((row[0], row[1]) for row in ordered.toLocalIterator())
        text.flush()
        file.seek(0)
        write_whole(place, file)
        text.detach()


def _write(face: Mapping[str, Any], plan: ExportPlan, output: Location) -> dict[str, Any]:
    # Imported on the executor, never before the worker forks.
    from framejury.recipes.face_files import exported_picture, face_file, frame_file, is_jpeg

    video_id, frame_index, face_index = face["video_id"], face["frame_index"], face["face_index"]
    try:
        jpeg = is_jpeg(face["crop"]) if plan.size_px is None else plan.picture_format == "jpeg"
        fake = plan.frame_labels.get((video_id, frame_index), face["fake"])
        label = fake if plan.fake_is == 1 else 1 - fake
        side = None
        if plan.form == "folders":
            side = _side(face, plan)
            extension = "jpg" if jpeg else "png"
            own_name = face_file(video_id, frame_index, face_index, extension)
            name = f"{plan.side_folders[side]}/{label}/{own_name}"
        else:
            only = face["detector"] == "frame"  # the whole frame, so there is no second face
            extension = "jpeg" if jpeg else "png"
            name = frame_file(face["folder"], frame_index, None if only else face_index, extension)
        place = output.child(name)
        if not (plan.resumes and is_file(place)):
            write_whole(place, exported_picture(face["crop"], plan.size_px, plan.picture_format))
    except ValueError as error:
        raise ValueError(f"crop of video {video_id}, frame {frame_index}: {error}") from error
    return {"name": name, "label": label, "side": side, "video_id": video_id}


def _side(face: Mapping[str, Any], plan: ExportPlan) -> str:
    if face["side"] != Side.MIXED.value:
        return str(face["side"])
    if plan.draw is None:
        raise ValueError("its video has split mixed, but no split of single faces was given")
    drawn = plan.draw.side_of(face["video_id"], face["frame_index"], face["face_index"])
    return drawn.value
