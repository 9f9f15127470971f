"""Plan of an export of kept faces: which videos, which folders, and whether it can be resumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from framejury.archive.assignment import FaceCut, FaceDraw
from framejury.errors import UsageError
from framejury.logs import say
from framejury.redaction import printable
from framejury.schemas.statuses import Side
from framejury.storage import Location, is_file, is_local, is_taken, read_json, write_json

if TYPE_CHECKING:
    from framejury.labelled.videos import LabelledVideo
    from framejury.recipes.face_files import PictureFormat
    from framejury.settings import Signal
    from framejury.training.source import FaceSource
    from framejury.warehouse import Warehouse

Form = Literal["folders", "frames", "sets", "arrays", "optical_fusion"]
"""folders: class folders for Keras' directory loaders. frames: one folder per video and a table of
labels. sets: the folders of recipe face_frames. arrays: the NumPy files of recipe random_frames.
optical_fusion: the class folders of recipe flow_fusion."""

ARRAY_PX = 252
"""Side of the pictures in arrays, pixels, unless another is asked for."""

SIDES = (Side.TRAIN, Side.VAL, Side.TEST)

FUSION_FOLDERS = {
    Side.TRAIN.value: "optical_fusion/training",
    Side.VAL.value: "optical_fusion/validation",
    Side.TEST.value: "optical_fusion/test",
}
"""Folders of the splits in form `optical_fusion`."""

TRUTH = pa.schema(
    [
        ("video_id", pa.string()),
        ("fake", pa.int8()),
        ("side", pa.string()),
        ("folder", pa.string()),
        ("keep_below", pa.float64()),
        ("rank", pa.int32()),
        ("chunk", pa.int32()),
    ]
)
"""One row per exported video: 1 for FAKE; its split; the name of its pictures or folder (frames,
sets, optical_fusion); which of its faces the split keeps (`splits.keep_below`); its rank by path,
and its chunk (arrays)."""


@dataclass(frozen=True)
class ExportPlan:
    """How each face is exported.

    Attributes:
        output: path or URI that every executor reaches.
        form: layout of the pictures.
        fake_is: class of fakes, 1 or 0.
        size_px: side of the square that pictures are resized to, pixels; None: as stored.
        picture_format: of resized pictures.
        side_folders: split -> name of its folder (not frames).
        signal: what the pictures show; None: the crops.
        draw: assigns the faces of videos with split `mixed`.
        frame_labels: (video_id, frame_index) -> 1 for FAKE: labels set by hand.
        balance_seed: of the draw by which single faces were left out of the split.
        part: number of the archive in the names of arrays.
        resumes: an interrupted run has already written some complete files.
    """

    output: str
    form: Form
    fake_is: Literal[0, 1] = 1
    size_px: int | None = None
    picture_format: PictureFormat = "png"
    side_folders: Mapping[str, str] = field(default_factory=dict)
    draw: FaceDraw | None = None
    frame_labels: Mapping[tuple[str, int], Literal[0, 1]] = field(default_factory=dict)
    balance_seed: int = 0
    part: int = 0
    resumes: bool = False
    signal: Signal | None = None

    def keeps(self, face: Mapping[str, Any]) -> bool:
        """Return whether the split keeps a face: columns of `faces` and of `TRUTH`."""
        if face["side"] == Side.EXCLUDED.value:
            return False
        if face["keep_below"] is None:
            return True
        key = face["video_id"], face["frame_index"], face["face_index"]
        return FaceCut(self.balance_seed, face["keep_below"]).keeps(*key)

    def fake(self, face: Mapping[str, Any]) -> int:
        """Return the label of a face: 1 for FAKE."""
        hand = self.frame_labels.get((face["video_id"], face["frame_index"]))
        return int(face["fake"]) if hand is None else hand

    def label(self, face: Mapping[str, Any]) -> int:
        """Return the class of a face."""
        return self.fake(face) if self.fake_is == 1 else 1 - self.fake(face)


def side_folders(names: str) -> dict[str, str]:
    """Return split -> folder from three names with commas between them.

    Raises:
        UsageError: the names are not three different plain names.
    """
    folders = names.split(",")
    plain = [name for name in folders if name and name[0] != "." and not set(name) & set("/\\\0")]
    if len(plain) != len(SIDES) or len({name.casefold() for name in plain}) != len(SIDES):
        raise UsageError(
            "--side-names needs three different plain names separated by commas, got "
            f"{printable(names)}"
        )
    return {side.value: name for side, name in zip(SIDES, folders, strict=True)}


def exported_videos(
    videos: Sequence[LabelledVideo],
    source: FaceSource,
    form: Form,
    chunk_of: Mapping[str, int] | None = None,
) -> pa.Table:
    """Return the videos to export, rows `TRUTH`.

    Args:
        videos: labelled videos of a warehouse.
        source: their faces and splits. Videos that the split excludes are left out, except from
            the folders per video of sets.
        form: layout of the pictures.
        chunk_of: video_id -> chunk (arrays), also of videos dropped to balance the classes.
    """
    from framejury.recipes.face_files import folder_names

    chunk_of = chunk_of or {}
    wanted = [
        video
        for video in videos
        if (truth := source.videos.get(video.row["video_id"])) is not None
        and (
            video.row["video_id"] in chunk_of
            if form == "arrays"
            else form == "sets" or truth.side is not Side.EXCLUDED
        )
        and not truth.still
        and video.why_not is None
    ]
    paths = {video.row["video_id"]: video.row["path"] for video in wanted}
    names = folder_names(paths) if form in ("frames", "sets", "optical_fusion") else {}
    rows = []
    for rank, video_id in enumerate(sorted(paths, key=paths.__getitem__)):
        truth = source.videos[video_id]
        rows.append(
            {
                "video_id": video_id,
                "fake": truth.label,
                "side": truth.side.value,
                "folder": names.get(video_id),
                "keep_below": None if truth.cut is None else truth.cut.below,
                "rank": rank,
                "chunk": chunk_of.get(video_id),
            }
        )
    return pa.Table.from_pylist(rows, schema=TRUTH)


def export_notes(
    form: Form, warehouse: Warehouse, videos: Sequence[LabelledVideo], source: FaceSource
) -> list[str]:
    """Return which videos are left out and why, and how the split leaks."""
    from framejury.pages.text_table import counted

    notes = [] if source.leak is None else [source.leak]
    unlabelled = warehouse.read_snapshot("videos").num_rows - len(videos)
    if form in ("frames", "sets") and unlabelled:
        notes.append(f"left out: {counted(unlabelled, 'video')} without a label")
    silent = Counter(video.why_not for video in videos if video.why_not is not None)
    notes += [f"left out: {counted(n, 'fake')} ({why})" for why, n in sorted(silent.items())]
    if form != "frames":
        excluded = warehouse.read_snapshot("splits")["side"].to_pylist().count(Side.EXCLUDED.value)
        if excluded:
            notes.append(f"left out: {counted(excluded, 'video')} that the split excludes")
    return notes


def record_of(plan: ExportPlan, warehouse: Warehouse, source: FaceSource) -> dict[str, Any]:
    """Return what identifies an export; it is resumed only if all of this is unchanged."""
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
    """Return the file beside the output that exists while the export is unfinished.

    Raises:
        UsageError: the output has no folder above it.
    """
    folder, _, name = output.path.rstrip("/").rpartition("/")
    if not name or not (folder or is_local(output.uri)):
        raise UsageError(f"--output {printable(output.uri)} is a root; give a folder below it")
    marker = f".{name}.export"
    uri_folder = output.uri.rstrip("/").rpartition("/")[0]
    return Location(output.filesystem, f"{folder}/{marker}", f"{uri_folder}/{marker}")


def begun(output: Location, plan: ExportPlan, record: dict[str, Any], name: str) -> ExportPlan:
    """Create the output and its marker, or return the plan as one that resumes.

    Args:
        output: folder.
        plan: how each face is exported.
        record: from `record_of`.
        name: of the output as the user gave it.

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
                f"{printable(name)} holds another, unfinished export (see {marker.uri}); give "
                "another --output, or remove both"
            )
        say("  resuming an unfinished export")
        return replace(plan, resumes=True)
    if is_taken(output):
        raise UsageError(f"{printable(name)} is not an empty folder; give another --output")
    output.filesystem.create_dir(output.path, recursive=True)
    write_json(marker, record)
    return plan
