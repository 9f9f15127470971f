"""Face sets: Parquet files with one picture of one face per row, read and checked.

There are two kinds, distinguished by their columns:

- paired frames: one picture per video, reals and fakes of the same originals (`video`, `label`,
  `original`, `part`, `image`; other columns are ignored). A part is a folder of the Deepfake
  Detection Challenge; its actors mostly stay within it, so its videos share a group.
- stills: photographs of real people (`id`, `source`, `image`), layout `still`. Each is used only
  together with a self-blend of itself: beside frames of fake videos, a network would learn
  "photograph = real".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from framejury.archive.layouts import VideoEntry
from framejury.archive.listing import ArchiveFile
from framejury.errors import ArchiveError
from framejury.schemas.statuses import Label

PAIRED_LAYOUT = "face_set"
STILL_LAYOUT = "still"
"""`videos.layout` of stills."""

_IMAGE = "image"
_PAIRED_COLUMNS = ("video", "label", "original", "part")
_STILL_COLUMNS = ("id", "source")


@dataclass(frozen=True, slots=True)
class FaceSetRow:
    """One picture of a face set, without its bytes.

    Attributes:
        entry: as for videos of an archive; path `FOLDER/FILE/VIDEO` for paired frames,
            `FOLDER/SOURCE/ID` for stills.
        file: the Parquet file.
        row: its rank in that file, from 0.
    """

    entry: VideoEntry
    file: Path
    row: int

    @property
    def place(self) -> str:
        """File and row, for messages."""
        return f"{self.file} row {self.row}"


def read_face_sets(root: Path) -> list[FaceSetRow]:
    """Describe every picture below `root`, in order of files and rows, without reading it.

    Raises:
        ArchiveError: no such folder, no face set in it, a file that is not one, a row without
            name or label, a repeated name, or contradictory labels. The message names file and
            row.
    """
    if not root.is_dir():
        raise ArchiveError(f"no folder at {root}; name one with face sets (*.parquet)")
    files = sorted(root.rglob("*.parquet"))
    if not files:
        raise ArchiveError(f"no face set (*.parquet) below {root}")
    rows = [row for file in files for row in _rows_of(root, file)]
    _check(rows)
    return rows


def pictures_of(file: Path, rows_at_once: int = 64) -> Iterator[bytes | None]:
    """Yield the bytes of a file's pictures in order of rows; None for a row without one.

    Raises:
        ArchiveError: the file cannot be read.
    """
    try:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(rows_at_once, columns=[_IMAGE]):
                for picture in batch.column(0):
                    yield picture.as_py()
    except (OSError, pa.ArrowException) as error:
        raise ArchiveError(f"cannot read the pictures in {file}: {error}") from error


def _rows_of(root: Path, file: Path) -> Iterator[FaceSetRow]:
    try:
        names = pq.read_schema(file).names
        known = [kind for kind in _DESCRIBE if {*kind, _IMAGE} <= set(names)]
        if len(known) != 1:
            raise ArchiveError(
                f"{file} is not a face set; it has the columns {', '.join(names)} and needs "
                + " or ".join(", ".join((*kind, _IMAGE)) for kind in _DESCRIBE)
            )
        columns = known[0]
        rows = pq.read_table(file, columns=list(columns)).to_pylist()
        sizes = [len(picture or b"") for picture in pictures_of(file)]
        modified_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except (OSError, pa.ArrowException) as error:
        raise ArchiveError(f"cannot read {file}: {error}") from error
    within = PurePosixPath(file.relative_to(root).as_posix())
    for rank, (row, size_bytes) in enumerate(zip(rows, sizes, strict=True)):
        missing = [name for name in columns if row[name] in (None, "")]
        if missing:
            raise ArchiveError(f"{file} row {rank} has no {' and no '.join(missing)}")
        place = ArchiveFile("", f"{file.absolute()}#row={rank}", size_bytes, modified_at)
        try:
            entry = _DESCRIBE[columns](within, row, place)
        except ValueError as error:
            raise ArchiveError(f"{file} row {rank}: {error}") from error
        yield FaceSetRow(entry, file, rank)


def _paired(within: PurePosixPath, row: Mapping[str, Any], place: ArchiveFile) -> VideoEntry:
    video, original = str(row["video"]), str(row["original"])
    if row["label"] not in list(Label):
        raise ValueError(f"label must be {' or '.join(Label)}, got {row['label']!r}")
    label = Label(row["label"])
    if (label is Label.REAL) is not (video == original):
        raise ValueError(
            f"{video} is {label.value} and its original is {original}; only a real video is its "
            "own original"
        )
    # Named as in `layouts`, so that DFDC videos of different archives share groups.
    originals = dict.fromkeys((f"dfdc:{video}", f"dfdc:{original}"))
    return VideoEntry(
        replace(place, path=f"{within.with_suffix('')}/{video}"),
        PAIRED_LAYOUT,
        label,
        original=None if label is Label.REAL else original,
        group_keys=(f"part:dfdc:{int(row['part']):02d}", *originals),
    )


def _still(within: PurePosixPath, row: Mapping[str, Any], place: ArchiveFile) -> VideoEntry:
    path = f"{within.parent / row['source'] / row['id']}"
    return VideoEntry(
        replace(place, path=path), STILL_LAYOUT, Label.REAL, group_keys=(f"still:{path}",)
    )


_DESCRIBE: dict[
    tuple[str, ...], Callable[[PurePosixPath, Mapping[str, Any], ArchiveFile], VideoEntry]
] = {_PAIRED_COLUMNS: _paired, _STILL_COLUMNS: _still}


def _check(rows: Sequence[FaceSetRow]) -> None:
    """Raise if a picture occurs twice or a fake was made from a fake."""
    seen: dict[str, FaceSetRow] = {}
    for row in rows:
        name = _name_of(row.entry)
        if name in seen:
            raise ArchiveError(f"{row.place}: {name} is already in {seen[name].place}")
        seen[name] = row
    for row in rows:
        if row.entry.original is not None:
            source = seen.get(f"video {row.entry.original}")
            if source is not None and source.entry.label is Label.FAKE:
                raise ArchiveError(
                    f"{row.place}: its original {row.entry.original} is FAKE in {source.place}"
                )


def _name_of(entry: VideoEntry) -> str:
    """Return what must be unique: the video of a paired frame, the path of a still."""
    path = PurePosixPath(entry.file.path)
    return f"video {path.name}" if entry.layout == PAIRED_LAYOUT else f"still {path}"
