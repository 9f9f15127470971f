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
from framejury.recipes.export_plan import ARRAY_PX, TRUTH, ExportPlan
from framejury.schemas.statuses import Side
from framejury.storage import Location, is_file, locate, write_whole

if TYPE_CHECKING:
    from pyspark.accumulators import Accumulator

    from framejury.settings import Signal

WRITTEN = pa.schema(
    [("name", pa.string()), ("label", pa.int8()), ("side", pa.string()), ("video_id", pa.string())]
)
"""One row per file: its path below the output, and of a picture its class and its split."""

_FACE_COLUMNS = (
    *("video_id", "frame_index", "face_index", "detector"),
    *("landmarks", "crop_region", "alignment", "crop"),
)
_PAIR_COLUMNS = ("next_crop",)
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
    more = () if plan is None or plan.signal is None else _PAIR_COLUMNS
    # One small row per video is broadcast, so the crops are not shuffled.
    chosen = faces.select(*_FACE_COLUMNS, *more).join(F.broadcast(known), on="video_id")
    if plan is None or plan.form != "optical_fusion":
        return chosen
    in_time = Window.partitionBy("video_id").orderBy("frame_index", "face_index")
    return chosen.withColumn(_NUMBER, F.row_number().over(in_time) - 1)


def write_faces(chosen: DataFrame, plan: ExportPlan, written: Accumulator[int]) -> DataFrame:
    """Return rows `WRITTEN`; computing a row writes its file, whole or not at all.

    Args:
        chosen: from `chosen_faces`.
        plan: how each face is exported.
        written: counts faces as they are written.

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
                rows += _write(face, plan, place)
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


def write_arrays(chosen: DataFrame, plan: ExportPlan, written: Accumulator[int]) -> DataFrame:
    """Return rows `WRITTEN`, one per array; computing the rows of a chunk writes its four files.

    A task holds the crops of one chunk as they are stored.

    Args, raises: as `write_faces`.
    """

    def write_chunk(chunk: pa.Table) -> pa.Table:
        logs.start("export-faces")
        chunk = chunk.sort_by(
            [(name, "ascending") for name in ("rank", "frame_index", "face_index")]
        )
        names = _write_chunk(chunk.to_pylist(), plan, locate(plan.output))
        written.add(chunk.num_rows)
        return pa.Table.from_pylist([{"name": name} for name in names], schema=WRITTEN)

    return chosen.groupBy("chunk").applyInArrow(write_chunk, from_arrow_schema(WRITTEN))


def _write_chunk(faces: list[dict[str, Any]], plan: ExportPlan, output: Location) -> list[str]:
    """Write all faces of a chunk and their labels, then those that balancing kept."""
    import numpy as np

    from framejury.recipes.face_files import array_file, write_pictures

    names = []
    kept = [face for face in faces if plan.keeps(face)]
    for part, pictures, labels in (
        (faces, "train_images", "train_labels"),
        (kept, "tr_faces", "tr_labs"),
    ):
        for name in (pictures, labels):
            own_name = array_file(name, plan.part, faces[0]["chunk"])
            names.append(own_name)
            place = output.child(own_name)
            if plan.resumes and is_file(place):
                continue
            with tempfile.TemporaryFile() as file:
                if name == labels:
                    np.save(file, np.array([plan.label(face) for face in part], np.int64))
                else:
                    write_pictures(file, [face["crop"] for face in part], plan.size_px or ARRAY_PX)
                file.seek(0)
                write_whole(place, file)
    return names


def _write(face: Mapping[str, Any], plan: ExportPlan, output: Location) -> list[dict[str, Any]]:
    """Write a face and return its rows `WRITTEN`; none if the split leaves it out."""
    video_id, frame_index = face["video_id"], face["frame_index"]
    rows = []
    try:
        for name, side, signal in _files_of(face, plan):
            place = output.child(name)
            if not (plan.resumes and is_file(place)):
                write_whole(place, _picture(face, plan, signal))
            rows.append(
                {"name": name, "label": plan.label(face), "side": side, "video_id": video_id}
            )
    except ValueError as error:
        raise ValueError(f"crop of video {video_id}, frame {frame_index}: {error}") from error
    return rows


def _files_of(
    face: Mapping[str, Any], plan: ExportPlan
) -> Iterator[tuple[str, str | None, Signal | None]]:
    """Yield name, split and signal (None: the crop) of each file of a face."""
    from framejury.recipes import face_files as names

    frame_index, face_index = face["frame_index"], face["face_index"]
    if plan.form == "frames":
        only = face["detector"] == "frame"  # the whole frame, so there is no second face
        number = None if only else face_index
        ending = "jpeg" if _is_jpeg(face, plan, plan.signal) else "png"
        yield names.frame_file(face["folder"], frame_index, number, ending), None, plan.signal
        return
    ending = "jpg" if _is_jpeg(face, plan, plan.signal) else "png"
    side = _side(face, plan) if plan.keeps(face) else None
    if plan.form == "sets":
        stem = names.frame_file(face["folder"], frame_index, face_index, "").partition("/")[2]
        plain = "jpg" if _is_jpeg(face, plan, None) else "png"
        yield f"{face['folder']}/{names.FACES}/{stem}{plain}", None, None
        if face["landmarks"] is not None:
            drawn = "jpg" if _is_jpeg(face, plan, "marked") else "png"
            yield f"{face['folder']}/{names.MARKED}/{stem}{drawn}", None, "marked"
        if side is not None:
            kind = "fake" if plan.fake(face) else "real"
            yield f"{names.PREPARED}/{kind}/{stem}{ending}", None, plan.signal
            yield f"{names.SPLIT}/{side}/{kind}/{stem}{ending}", side, plan.signal
    elif side is not None and plan.form == "folders":
        own_name = names.face_file(face["video_id"], frame_index, face_index, ending)
        yield f"{plan.side_folders[side]}/{plan.label(face)}/{own_name}", side, plan.signal
    elif side is not None:
        folder = plan.side_folders[side]
        own_name = names.fusion_file(folder, plan.fake(face), face["folder"], face[_NUMBER])
        yield own_name, side, plan.signal


def _is_jpeg(face: Mapping[str, Any], plan: ExportPlan, signal: Signal | None) -> bool:
    from framejury.recipes.face_files import is_jpeg

    if plan.size_px is None and signal is None:
        return is_jpeg(face["crop"])
    return plan.picture_format == "jpeg"


def _picture(face: Mapping[str, Any], plan: ExportPlan, signal: Signal | None) -> bytes:
    # Imported on the executor, never before the worker forks.
    from framejury.faces.crop import encode_crop
    from framejury.recipes import face_files
    from framejury.signals.network_input import as_jpeg

    if signal is None:
        return face_files.exported_picture(face["crop"], plan.size_px, plan.picture_format)
    picture = face_files.signal_picture(face, signal, plan.size_px)
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
