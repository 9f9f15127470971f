"""Face sets: Parquet files with one picture of one face per row, read and checked.

There are three kinds, distinguished by their columns:

- paired frames: one picture per video, reals and fakes of the same originals (`video`, `label`,
  `original`, `part`, `image`; other columns are ignored). A part is a folder of the Deepfake
  Detection Challenge; its actors mostly stay within it, so its videos share a group.
- sampled faces: several pictures per video (`video`, `label`, `group`, `dataset`, `image`; if
  present, `method` and `pts_s`; others are ignored). Videos of a group share a source. Groups named
  after videos of FaceForensics++ (`ff_012_026`), Celeb-DF (`celebdf_id0`) and the Challenge
  (`dfdc_aayrffkzxn`) share it with those too.
- stills: photographs of real people (`id`, `source`, `image`), layout `still`. Each is used only
  together with a self-blend of itself: beside frames of fake videos, a network would learn
  "photograph = real".
"""

from __future__ import annotations

import math
import re
from collections import Counter
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
SAMPLED_LAYOUT = "sampled_faces"
STILL_LAYOUT = "still"
"""`videos.layout` of stills."""
FACE_SET_LAYOUTS = (PAIRED_LAYOUT, SAMPLED_LAYOUT, STILL_LAYOUT)
"""`videos.layout` of imported pictures: a few per video, whereas videos are sampled densely."""

_IMAGE = "image"
_PAIRED_COLUMNS = ("video", "label", "original", "part")
_SAMPLED_COLUMNS = ("video", "label", "group", "dataset")
_STILL_COLUMNS = ("id", "source")
_OPTIONAL_COLUMNS = ("method", "pts_s")
_NAMED_SOURCES = (
    (re.compile(r"ff_(\d+)_(\d+)"), "ffpp-youtube:{}"),
    (re.compile(r"celebdf_(id\d+)"), "celebdf:{}"),
    (re.compile(r"dfdc_([a-z]{10})"), "dfdc:{}.mp4"),
)
"""Groups named after videos of a data set, and the group key that `layouts` gives these videos."""
_DFDC_PART = re.compile(r"DFDC train part (\d+)")


@dataclass(frozen=True, slots=True)
class FaceSetRow:
    """One picture of a face set, without its bytes.

    Attributes:
        entry: as for videos of an archive; path `FOLDER/FILE/VIDEO` for paired frames,
            `FOLDER/DATASET/GROUP/VIDEO` for sampled faces, `FOLDER/SOURCE/ID` for stills.
        file: the Parquet file.
        row: its rank in that file, from 0.
        rank: its rank among the pictures of its video, from 0.
        pts_s: its time in the video, seconds; the rank where the file has no times.
    """

    entry: VideoEntry
    file: Path
    row: int
    rank: int = 0
    pts_s: float = 0.0

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
    return _by_video(rows)


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
        optional = [name for name in _OPTIONAL_COLUMNS if name in names]
        rows = pq.read_table(file, columns=[*columns, *optional]).to_pylist()
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
        pts_s = row.get("pts_s")
        yield FaceSetRow(entry, file, rank, pts_s=math.nan if pts_s is None else float(pts_s))


def _by_video(rows: Sequence[FaceSetRow]) -> list[FaceSetRow]:
    """Rank the pictures of each video, and give all of them the entry of the whole video."""
    bytes_of: Counter[str] = Counter()
    for row in rows:
        bytes_of[row.entry.file.path] += row.entry.file.size_bytes or 0
    entries: dict[str, VideoEntry] = {}
    ranks: Counter[str] = Counter()
    ranked = []
    for row in rows:
        path = row.entry.file.path
        whole = replace(row.entry.file, size_bytes=bytes_of[path])
        entry = entries.setdefault(path, replace(row.entry, file=whole))
        rank = ranks[path]
        ranks[path] += 1
        pts_s = float(rank) if math.isnan(row.pts_s) else row.pts_s
        ranked.append(replace(row, entry=entry, rank=rank, pts_s=pts_s))
    return ranked


def _paired(within: PurePosixPath, row: Mapping[str, Any], place: ArchiveFile) -> VideoEntry:
    video, original, label = str(row["video"]), str(row["original"]), _label(row)
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
        group_keys=(_part_key(row["part"]), *originals),
    )


def _sampled(within: PurePosixPath, row: Mapping[str, Any], place: ArchiveFile) -> VideoEntry:
    group, dataset = str(row["group"]), str(row["dataset"])
    names = [name.replace("/", "_") for name in (dataset, group, str(row["video"]))]
    # Without the "." of a file that lies directly in the folder named to `import`.
    folder = within.parent.parts
    keys = [f"faces:{'/'.join((*folder, group))}"]
    for pattern, key in _NAMED_SOURCES:
        if named := pattern.fullmatch(group):
            keys += [key.format(name) for name in named.groups()]
    if part := _DFDC_PART.fullmatch(dataset):
        keys.append(_part_key(part[1]))
    return VideoEntry(
        replace(place, path="/".join((*folder, *names))),
        SAMPLED_LAYOUT,
        _label(row),
        method=row.get("method") or None,
        group_keys=tuple(dict.fromkeys(keys)),
    )


def _label(row: Mapping[str, Any]) -> Label:
    if row["label"] not in list(Label):
        raise ValueError(f"label must be {' or '.join(Label)}, got {row['label']!r}")
    return Label(row["label"])


def _part_key(part: int | str) -> str:
    return f"part:dfdc:{int(part):02d}"


def _still(within: PurePosixPath, row: Mapping[str, Any], place: ArchiveFile) -> VideoEntry:
    path = f"{within.parent / row['source'] / row['id']}"
    return VideoEntry(
        replace(place, path=path), STILL_LAYOUT, Label.REAL, group_keys=(f"still:{path}",)
    )


_DESCRIBE: dict[
    tuple[str, ...], Callable[[PurePosixPath, Mapping[str, Any], ArchiveFile], VideoEntry]
] = {_PAIRED_COLUMNS: _paired, _SAMPLED_COLUMNS: _sampled, _STILL_COLUMNS: _still}


def _check(rows: Sequence[FaceSetRow]) -> None:
    """Raise if a picture occurs twice, a fake was made from a fake, or a video is two things."""
    seen: dict[str, FaceSetRow] = {}
    for row in rows:
        name = _name_of(row.entry)
        first = seen.setdefault(name, row)
        if first is row:
            continue
        if row.entry.layout != SAMPLED_LAYOUT:
            raise ArchiveError(f"{row.place}: {name} is already in {first.place}")
        if first.file != row.file or _facts(first.entry) != _facts(row.entry):
            raise ArchiveError(
                f"{row.place}: {name} is {_facts(row.entry)}, and {_facts(first.entry)} in "
                f"{first.place}; pictures of a video need the same file, label and method"
            )
    for row in rows:
        if row.entry.original is not None:
            source = seen.get(f"video {row.entry.original}")
            if source is not None and source.entry.label is Label.FAKE:
                raise ArchiveError(
                    f"{row.place}: its original {row.entry.original} is FAKE in {source.place}"
                )


def _facts(entry: VideoEntry) -> str:
    return f"{entry.label}{f' ({entry.method})' if entry.method else ''}"


def _name_of(entry: VideoEntry) -> str:
    """Return what must be unique: the video of a paired frame, the path of any other."""
    path = PurePosixPath(entry.file.path)
    if entry.layout == PAIRED_LAYOUT:
        return f"video {path.name}"
    return f"{'still' if entry.layout == STILL_LAYOUT else 'video'} {path}"
