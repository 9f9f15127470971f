"""Labelled face crops streamed from Parquet, without TensorFlow or Spark.

Crops stay encoded, and only a bounded number of them is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSystem

from framejury.archive.assignment import FaceCut, FaceDraw
from framejury.errors import WarehouseError
from framejury.faces.crop import cut_of_row, decode_crop, further_crops, landmarks_in_crop
from framejury.faces.header import crop_size
from framejury.records import CroppedFace, Image, Point
from framejury.schemas.statuses import Side
from framejury.schemas.tables import FACES

SHUFFLE_BYTES = 256 * 2**20
_COLUMNS = (
    *("video_id", "run_id", "frame_index", "pts_s", "face_index", "person"),
    *("landmarks", "crop_region", "crop"),
)
_LATER_COLUMNS = ("next_crop", "clip_crops", "alignment")
"""Missing in files written before they existed; null there."""
_ROWS_AT_ONCE = 64
_READ_BYTES = 2**20
# Files often hold one video or one class after another; reading several at a time mixes them.
_INTERLEAVED = 8

RowGroup = tuple[str, int]


@dataclass(frozen=True, slots=True)
class VideoTruth:
    """Label and split of one video.

    Attributes:
        run_id: the run whose rows count; rows of other runs are superseded.
        label: 1 for FAKE, 0 for REAL.
        side: its split.
        still: whether it is a photograph, which a network sees only together with its self-blend,
            never as a plain real.
        dataset: its data set, the first folder in the archive.
        method: manipulation method of a fake; None where the data set does not name it.
        draw: assigns a split to each face of a `mixed` video; None for all others.
        only: the split whose faces count in a `mixed` video; None: all of them.
        cut: leaves out single faces of a fake to balance the classes; None: all of them count.
        family: name shared by videos of one source, such as an original and its fakes; empty: the
            video is one of its own.
    """

    run_id: str
    label: Literal[0, 1]
    side: Side
    still: bool = False
    dataset: str = ""
    draw: FaceDraw | None = None
    only: Side | None = None
    method: str | None = None
    cut: FaceCut | None = None
    family: str = ""

    def __post_init__(self) -> None:
        if (self.draw is None) is (self.side is Side.MIXED):
            raise ValueError(f"a draw belongs to split mixed only, got {self}")

    def side_of(self, video_id: str, frame_index: int, face_index: int) -> Side | None:
        """Return the split of one face of this video; None: the face does not count."""
        if self.cut is not None and not self.cut.keeps(video_id, frame_index, face_index):
            return None
        if self.draw is None:
            return self.side
        side = self.draw.side_of(video_id, frame_index, face_index)
        return side if self.only in (None, side) else None


@dataclass(frozen=True)
class FaceSource:
    """Faces on disk, with labels and splits of their videos.

    Attributes:
        files: Parquet files of the table `faces`, as paths for `filesystem`.
        filesystem: the file system of `files`.
        videos: video_id -> truth; a row counts only if its video is here with its run.
        frame_labels: (video_id, frame_index) -> 1 for FAKE, 0 for REAL, set by hand; they override
            the label of the video.
        only_labelled: whether faces of fakes count only in frames labelled by hand.
        leak: a sentence for every report on what lets one source, person or video appear in two
            splits; None: nothing does.
    """

    files: tuple[str, ...]
    filesystem: FileSystem
    videos: Mapping[str, VideoTruth]
    frame_labels: Mapping[tuple[str, int], Literal[0, 1]] = field(default_factory=dict)
    leak: str | None = None
    only_labelled: bool = False

    def counts(self, video_id: str, frame_index: int) -> bool:
        """Return whether the faces of one frame count (`only_labelled`)."""
        is_fake = self.videos[video_id].label == 1
        return not (self.only_labelled and is_fake) or (video_id, frame_index) in self.frame_labels

    def label_of(self, video_id: str, frame_index: int) -> Literal[0, 1]:
        """Return the label of the faces in one frame."""
        return self.frame_labels.get((video_id, frame_index), self.videos[video_id].label)


@dataclass(frozen=True, slots=True)
class FaceRow:
    """One row of `faces`, with its crop as an encoded picture.

    Attributes:
        label: 1 for FAKE, 0 for REAL.
        crop: bytes of a JPEG or PNG.
        repeat: from 0, the repetition of the face within one epoch.
        landmarks: float32 (5, 2), x before y, in pixels of `crop` as stored, in the order of
            `schemas.statuses.LANDMARK_NAMES`; may lie outside the crop. None for Haar.
        still: whether its video is a photograph.
        further: the same face in the further frames of its sample, as `crop`: one with pairs of
            frames, several with clips.
    """

    video_id: str
    frame_index: int
    pts_s: float
    face_index: int
    person: int
    label: Literal[0, 1]
    crop: bytes
    repeat: int = 0
    # Arrays do not compare to one truth value.
    landmarks: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    still: bool = False
    further: tuple[bytes, ...] = ()

    def cropped(self) -> CroppedFace:
        """Return the decoded face with everything that signals are made from.

        Raises:
            WarehouseError: a crop is damaged; the message names video and frame.
        """
        return CroppedFace(self.decoded(), self.landmarks, tuple(map(self._picture, self.further)))

    def decoded(self) -> Image:
        """Return the crop as uint8 (height, width, 3) RGB.

        Raises:
            WarehouseError: the crop is damaged; the message names video and frame.
        """
        return self._picture(self.crop)

    def _picture(self, data: bytes) -> Image:
        try:
            return decode_crop(data)
        except ValueError as error:
            raise _damaged(self.video_id, self.frame_index, self.face_index, error) from error


def iter_faces(
    source: FaceSource, side: Side | None = None, rng: np.random.Generator | None = None
) -> Iterator[FaceRow]:
    """Stream the faces of a source.

    Args:
        source: labelled faces.
        side: split to read; every face of the source when None.
        rng: None keeps the order of files and rows. Otherwise row groups come in random order,
            several at a time; pass the stream through `shuffled` to mix rows.

    Raises:
        WarehouseError: a file cannot be read, or a row that counts has no crop.
    """
    if rng is None:
        for unit in _row_groups(source):
            yield from _rows_of(source, unit, side)
        return
    units = _row_groups(source)
    order = [units[i] for i in rng.permutation(len(units))]
    yield from _interleave([_rows_thunk(source, unit, side) for unit in order])


def shuffled(
    faces: Iterable[FaceRow], rng: np.random.Generator, budget_bytes: int = SHUFFLE_BYTES
) -> Iterator[FaceRow]:
    """Shuffle a stream through a buffer of at most about `budget_bytes` of encoded crops.

    Every face comes out exactly once. The order depends only on `rng` and the order of the input.
    """
    pool: list[FaceRow] = []
    held_bytes = 0
    for face in faces:
        pool.append(face)
        held_bytes += _bytes_of(face)
        while held_bytes > budget_bytes and len(pool) > 1:
            drawn = _draw(pool, rng)
            held_bytes -= _bytes_of(drawn)
            yield drawn
    while pool:
        yield _draw(pool, rng)


def _bytes_of(face: FaceRow) -> int:
    return len(face.crop) + sum(map(len, face.further))


def _draw(pool: list[FaceRow], rng: np.random.Generator) -> FaceRow:
    at = int(rng.integers(len(pool)))
    pool[at], pool[-1] = pool[-1], pool[at]
    return pool.pop()


def read_batches(
    source: FaceSource,
    path: str,
    columns: Sequence[str],
    row_groups: Sequence[int] | None = None,
    rows: int = 65_536,
) -> Iterator[pa.RecordBatch]:
    """Yield batches of one file, read through a small buffer instead of whole column chunks.

    Args:
        columns: columns to read; PyArrow skips those that the file lacks.
        row_groups: row groups to read; all when None.
        rows: maximum number of rows per batch.

    Raises:
        WarehouseError: the file is missing, damaged, not Parquet, or lacks a column.
    """
    with open_faces(source, path) as file:
        yield from file.iter_batches(rows, row_groups=row_groups, columns=list(columns))


@contextmanager
def open_faces(source: FaceSource, path: str) -> Iterator[pq.ParquetFile]:
    try:
        with source.filesystem.open_input_file(path) as handle:
            file = pq.ParquetFile(handle, buffer_size=_READ_BYTES, pre_buffer=False)
            missing = [name for name in _COLUMNS if name not in file.schema_arrow.names]
            if missing:
                raise WarehouseError(
                    f"{path} lacks {', '.join(missing)}; table faces has {', '.join(FACES.names)}"
                )
            yield file
    except (OSError, pa.ArrowException) as error:
        raise WarehouseError(f"cannot read the faces in {path}: {error}") from error


def _row_groups(source: FaceSource) -> list[RowGroup]:
    units: list[RowGroup] = []
    for path in source.files:
        with open_faces(source, path) as file:
            units += [(path, group) for group in range(file.num_row_groups)]
    return units


def _rows_thunk(
    source: FaceSource, unit: RowGroup, side: Side | None
) -> Callable[[], Iterator[FaceRow]]:
    return lambda: _rows_of(source, unit, side)


def _rows_of(source: FaceSource, unit: RowGroup, side: Side | None) -> Iterator[FaceRow]:
    path, group = unit
    columns = (*_COLUMNS, *_LATER_COLUMNS)
    for batch in read_batches(source, path, columns, [group], _ROWS_AT_ONCE):
        for row in batch.to_pylist():
            truth = source.videos.get(row["video_id"])
            if truth is None or truth.run_id != row.pop("run_id"):
                continue
            own = truth.side_of(row["video_id"], row["frame_index"], row["face_index"])
            counts = source.counts(row["video_id"], row["frame_index"])
            if counts and own is not None and side in (None, own):
                label = source.label_of(row["video_id"], row["frame_index"])
                yield _face_row(row, label, truth.still, path)


def _face_row(row: dict[str, Any], label: Literal[0, 1], still: bool, path: str) -> FaceRow:
    crop, landmarks = row["crop"], row.pop("landmarks")
    cut, further = cut_of_row(row), tuple(further_crops(row))
    for name in ("crop_region", *_LATER_COLUMNS):
        row.pop(name, None)
    if crop is None:
        raise WarehouseError(
            f"video {row['video_id']}, frame {row['frame_index']} in {path} was extracted without "
            "its crop. Extract it with `framejury extract`"
        )
    points = None
    if landmarks is not None:
        try:
            stored = crop_size(crop)
        except ValueError as error:
            raise _damaged(row["video_id"], row["frame_index"], row["face_index"], error) from error
        full_frame = [Point(**point) for point in landmarks]
        points = landmarks_in_crop(full_frame, cut, stored)
    return FaceRow(label=label, landmarks=points, still=still, further=further, **row)


def _damaged(video_id: str, frame_index: int, face_index: int, error: ValueError) -> WarehouseError:
    return WarehouseError(
        f"the crop of video {video_id}, frame {frame_index}, face {face_index} is damaged "
        f"({error}). Extract this video again"
    )


def _interleave(streams: Sequence[Callable[[], Iterator[FaceRow]]]) -> Iterator[FaceRow]:
    """Take one row of each open stream in turn; the next stream replaces a finished one."""
    waiting = iter(streams)
    active = [start() for start in islice(waiting, _INTERLEAVED)]
    while active:
        still_open: list[Iterator[FaceRow]] = []
        for stream in active:
            face = next(stream, None)
            if face is not None:
                yield face
                still_open.append(stream)
            elif (start := next(waiting, None)) is not None:
                still_open.append(start())
        active = still_open
