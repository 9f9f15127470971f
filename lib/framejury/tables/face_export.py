"""Kept faces as picture files, written by executors; what was written comes back as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from framejury import logs
from framejury.archive.split_by_face import FaceDraw
from framejury.errors import UsageError
from framejury.logs import say
from framejury.model.source import FaceSource
from framejury.redaction import printable
from framejury.schemas.statuses import Side
from framejury.storage import (
    Location,
    is_file,
    is_local,
    is_taken,
    locate,
    read_json,
    write_json,
    write_whole,
)
from framejury.tables.spark_schema import spark_schema
from framejury.warehouse import Warehouse

if TYPE_CHECKING:
    from pyspark.accumulators import Accumulator

    from framejury.recipes.face_files import PictureFormat

Form = Literal["folders", "frames"]
"""Class folders for Keras' directory loaders, or a folder a video and a table of names."""

WRITTEN = pa.schema(
    [("name", pa.string()), ("label", pa.int8()), ("side", pa.string()), ("video_id", pa.string())]
)
"""One row a picture: its path below the output, its label as written, its side (folders)."""

TRUTH = pa.schema(
    [
        ("video_id", pa.string()),
        ("fake", pa.int8()),
        ("side", pa.string()),
        ("folder", pa.string()),
    ]
)
"""One row a video to export: 1 is FAKE; its side; its folder's name (frames)."""

_FACE_COLUMNS = ("video_id", "frame_index", "face_index", "detector", "crop")


@dataclass(frozen=True)
class ExportPlan:
    """What becomes of each face.

    Attributes:
        output: path or URI that every executor reaches.
        form: how the pictures are laid out.
        fake_is: what is written for FAKE: 1 or 0.
        size_px: side of the square that pictures are resized to, pixels; None: as stored.
        picture_format: of resized pictures.
        side_folders: side -> its folder's name (folders).
        draw: gives faces of videos on side `mixed` a side each.
        frame_labels: (video_id, frame_index) -> 1 for FAKE: what a person has said of a frame.
        resumes: whether some files are there from a run that was killed, and whole.
    """

    output: str
    form: Form
    fake_is: Literal[0, 1] = 1
    size_px: int | None = None
    picture_format: PictureFormat = "png"
    side_folders: Mapping[str, str] = field(default_factory=dict)
    draw: FaceDraw | None = None
    frame_labels: Mapping[tuple[str, int], Literal[0, 1]] = field(default_factory=dict)
    resumes: bool = False


def record_of(plan: ExportPlan, warehouse: Warehouse, source: FaceSource) -> dict[str, Any]:
    """What an export is: for one that was killed to go on, all of this has to be the same."""
    own = asdict(plan)
    del own["resumes"]
    own["frame_labels"] = sorted([*key, label] for key, label in source.frame_labels.items())
    tables = ("videos", "splits", "modalities", "extractions", "faces")
    return {
        "schema_version": 1,
        "warehouse": warehouse.location.uri,
        "runs": {
            table: commits[-1].run_id
            for table in tables
            if (commits := warehouse.with_table(table))
        },
        **own,
    }


def marker_of(output: Location) -> Location:
    """A file beside the output, there as long as the export has not come to its end.

    Raises:
        UsageError: there is no place beside it.
    """
    folder, _, name = output.path.rstrip("/").rpartition("/")
    if not name or not (folder or is_local(output.uri)):
        raise UsageError(f"{printable(output.uri)} is no folder of its own; give one below it")
    marker = f".{name}.export"
    uri_folder = output.uri.rstrip("/").rpartition("/")[0]
    return Location(output.filesystem, f"{folder}/{marker}", f"{uri_folder}/{marker}")


def begun(output: Location, plan: ExportPlan, record: dict[str, Any], name: str) -> ExportPlan:
    """The plan, knowing whether it was begun before; `marker_of` says from now on that it was.

    Raises:
        UsageError: the folder holds something else.
    """
    marker = marker_of(output)
    if is_file(marker):
        try:
            found = read_json(marker)
        except ValueError:
            found = {}
        if found != record:
            raise UsageError(
                f"{printable(name)} holds another export, which was not finished ({marker.uri} "
                "says so); give another --output, or remove both"
            )
        say("  goes on with an export that was not finished")
        return replace(plan, resumes=True)
    if is_taken(output):
        raise UsageError(f"{printable(name)} is not an empty folder; give another --output")
    output.filesystem.create_dir(output.path, recursive=True)
    write_json(marker, record)
    return plan


def chosen_faces(faces: DataFrame, truth: pa.Table) -> DataFrame:
    """The faces of the videos in `truth` (schema `TRUTH`), with its columns."""
    known = faces.sparkSession.createDataFrame(truth.cast(TRUTH))
    # One small row a video: the crops stay where they are.
    return faces.select(*_FACE_COLUMNS).join(F.broadcast(known), on="video_id", how="inner")


def write_faces(chosen: DataFrame, plan: ExportPlan, written: Accumulator[int]) -> DataFrame:
    """Rows `WRITTEN`; each picture is written when its row is asked for, whole or not at all.

    Args:
        chosen: of `chosen_faces`.
        plan: what becomes of them.
        written: counts pictures while that goes on.

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

    return chosen.mapInArrow(write_partition, spark_schema(WRITTEN))


def _write(face: Mapping[str, Any], plan: ExportPlan, output: Location) -> dict[str, Any]:
    # Imported on the executor, never before the worker forks.
    from framejury.recipes.face_files import face_file, frame_file, is_jpeg, picture_of

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
            only = face["detector"] == "frame"  # all of the frame: there is no second one
            extension = "jpeg" if jpeg else "png"
            name = frame_file(face["folder"], frame_index, None if only else face_index, extension)
        place = output.child(name)
        if not (plan.resumes and is_file(place)):
            write_whole(place, picture_of(face["crop"], plan.size_px, plan.picture_format))
    except ValueError as error:
        raise ValueError(f"crop of video {video_id}, frame {frame_index}: {error}") from error
    return {"name": name, "label": label, "side": side, "video_id": video_id}


def _side(face: Mapping[str, Any], plan: ExportPlan) -> str:
    if face["side"] != Side.MIXED.value:
        return str(face["side"])
    if plan.draw is None:
        raise ValueError("its video is on side mixed, and nothing gives faces a side")
    drawn = plan.draw.side_of(face["video_id"], face["frame_index"], face["face_index"])
    return drawn.value
