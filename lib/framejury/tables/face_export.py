"""Export of kept faces as picture files by executors, which return one row per picture."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import DataFrame, Window
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
_SIGNAL_COLUMNS = ("next_crop", "landmarks", "crop_region")
_NUMBER = "number"
"""Of a face in its video, in order of time, from 0."""


def chosen_faces(faces: DataFrame, truth: pa.Table, plan: ExportPlan | None = None) -> DataFrame:
    """Join the faces of the videos in `truth` (schema `TRUTH`) to its columns.

    Args:
        faces: rows of `faces`.
        truth: one row per video.
        plan: adds the columns that its signal and its names need.
    """
    known = faces.sparkSession.createDataFrame(truth.cast(TRUTH))
    more = () if plan is None or plan.signal is None else _SIGNAL_COLUMNS
    # One small row per video is broadcast, so the crops are not shuffled.
    chosen = faces.select(*_FACE_COLUMNS, *more).join(F.broadcast(known), on="video_id")
    if plan is None or plan.form != "optical_fusion":
        return chosen
    in_time = Window.partitionBy("video_id").orderBy("frame_index", "face_index")
    return chosen.withColumn(_NUMBER, F.row_number().over(in_time) - 1)


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
    from framejury.recipes import face_files

    video_id, frame_index, face_index = face["video_id"], face["frame_index"], face["face_index"]
    try:
        stored = plan.size_px is None and plan.signal is None
        jpeg = face_files.is_jpeg(face["crop"]) if stored else plan.picture_format == "jpeg"
        fake = plan.frame_labels.get((video_id, frame_index), face["fake"])
        label = fake if plan.fake_is == 1 else 1 - fake
        side = None
        if plan.form == "folders":
            side = _side(face, plan)
            extension = "jpg" if jpeg else "png"
            own_name = face_files.face_file(video_id, frame_index, face_index, extension)
            name = f"{plan.side_folders[side]}/{label}/{own_name}"
        elif plan.form == "optical_fusion":
            side = _side(face, plan)
            folder = plan.side_folders[side]
            name = face_files.fusion_file(folder, fake, face["folder"], face[_NUMBER])
        else:
            only = face["detector"] == "frame"  # the whole frame, so there is no second face
            extension = "jpeg" if jpeg else "png"
            shown = None if only else face_index
            name = face_files.frame_file(face["folder"], frame_index, shown, extension)
        place = output.child(name)
        if not (plan.resumes and is_file(place)):
            write_whole(place, _picture(face, plan))
    except ValueError as error:
        raise ValueError(f"crop of video {video_id}, frame {frame_index}: {error}") from error
    return {"name": name, "label": label, "side": side, "video_id": video_id}


def _picture(face: Mapping[str, Any], plan: ExportPlan) -> bytes:
    from framejury.faces.crop import encode_crop
    from framejury.recipes import face_files
    from framejury.signals.network_input import as_jpeg

    if plan.signal is None:
        return face_files.exported_picture(face["crop"], plan.size_px, plan.picture_format)
    picture = face_files.signal_picture(face, plan.signal, plan.size_px)
    if plan.form == "optical_fusion":
        return as_jpeg(picture, face_files.FUSION_QUALITY)
    return encode_crop(picture, plan.picture_format)


def _side(face: Mapping[str, Any], plan: ExportPlan) -> str:
    if face["side"] != Side.MIXED.value:
        return str(face["side"])
    if plan.draw is None:
        raise ValueError("its video has split mixed, but no split of single faces was given")
    drawn = plan.draw.side_of(face["video_id"], face["frame_index"], face["face_index"])
    return drawn.value
