"""Remove faces and pictures of a video for good, and leave a tombstone. No Spark.

1. *Tombstone*: one commit adds a row to `forgotten`. From then on rows of the video from before do
   not count, and no run judges it.
2. *Erase*: every file below the warehouse that shows the video is replaced by one without it, or
   removed. Each file is replaced in one step, and a file that shows nothing is left alone.

A process that is killed leaves some files of step 2 as they were. Calling `erase` again goes on
with them: it looks for every forgotten video in every file. See docs/decisions/0023-forgetting.md.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs, parquet

from framejury.redaction import printable
from framejury.schemas.tables import FACE_TABLES, FORGOTTEN, TABLES
from framejury.storage import Location, write_whole
from framejury.warehouse.commits import Tombstone
from framejury.warehouse.current import FOLDER as CURRENT_FOLDER
from framejury.warehouse.current import refresh_current
from framejury.warehouse.lock import Owner
from framejury.warehouse.page_places import FOLDER
from framejury.warehouse.warehouse import Warehouse

_PICTURE = re.compile(rb'src="data:image/jpeg;base64,[^"]*"')
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"})
_BLANKED = {"decisions": "note"}
"""Columns by table whose text is removed while the row stays: people wrote it freely."""
_HARMLESS = frozenset(TABLES) - frozenset(FACE_TABLES) - _BLANKED.keys()
"""Tables with one row per video, and no picture. Every other folder of rows is searched."""


@dataclass
class Erased:
    """What was removed.

    Attributes:
        rows: table -> rows.
        pages: evidence pages, and inspections that showed the video.
        reports: pages of reports that lost their pictures of faces.
        size_bytes: by how much the warehouse became smaller.
    """

    rows: Counter[str] = field(default_factory=Counter)
    pages: int = 0
    reports: int = 0
    size_bytes: int = 0


def forget(
    warehouse: Warehouse,
    videos: Sequence[Mapping[str, Any]],
    now: datetime,
    reason: str | None = None,
    say: Callable[[str], None] = lambda message: None,
) -> Erased:
    """Forget videos; those that are forgotten already are only erased again.

    Args:
        warehouse: the warehouse.
        videos: rows of `videos`; `video_id` and `path` are read.
        now: the time of the tombstone.
        reason: why, in words.
        say: reports that another owner's lock is being watched.

    Raises:
        LockError: a run is in progress.
        CommitError, WarehouseError, OSError: the warehouse cannot be written.
    """
    with warehouse.locked("forget", now, say):
        known = warehouse.forgotten()
        _bury(warehouse, [v for v in videos if v["video_id"] not in known], now, reason, True)
        return erase(warehouse)


def allow(
    warehouse: Warehouse,
    videos: Sequence[Mapping[str, Any]],
    now: datetime,
    reason: str | None = None,
    say: Callable[[str], None] = lambda message: None,
) -> Erased:
    """Let runs judge forgotten videos again; what was removed stays removed.

    Arguments and errors are those of `forget`. An interrupted `forget` is finished first.
    """
    with warehouse.locked("forget", now, say):
        known = warehouse.forgotten()
        erased = erase(warehouse)
        _bury(warehouse, [v for v in videos if v["video_id"] in known], now, reason, False)
        return erased


def erase(warehouse: Warehouse) -> Erased:
    """Remove everything that shows a forgotten video; the caller holds the lock.

    Raises:
        OSError: a file cannot be read or written.
    """
    erased = Erased()
    stones = warehouse.forgotten()
    if stones:
        ids = pa.array(list(stones), pa.string())
        _erase_rows(warehouse, ids, erased)
        _erase_pages(warehouse, stones, erased)
        for place, info in _files(warehouse, CURRENT_FOLDER):
            if info.base_name.startswith("."):  # a draft of a process that was killed
                place.filesystem.delete_file(place.path)
        refresh_current(warehouse)
    return erased


def _bury(
    warehouse: Warehouse,
    videos: Sequence[Mapping[str, Any]],
    now: datetime,
    reason: str | None,
    forgotten: bool,
) -> None:
    """Commit the tombstones of videos, if there are any."""
    if not videos:
        return
    owner = Owner.this_process()
    with warehouse.running("forget", now) as run:
        rows = [
            {
                "video_id": video["video_id"],
                "run_id": run.run_id,
                "path": video["path"],
                "forgotten": forgotten,
                "at": now,
                "by": f"{owner.user} on {owner.host}",
                "reason": reason,
            }
            for video in videos
        ]
        warehouse.write(run, "forgotten", pa.Table.from_pylist(rows, schema=FORGOTTEN))
        warehouse.commit(run, now)


def _files(warehouse: Warehouse, folder: str) -> Iterator[tuple[Location, fs.FileInfo]]:
    """Yield the files below a folder of the warehouse, at any depth, by path."""
    place = warehouse.location.child(folder)
    selector = fs.FileSelector(place.path, allow_not_found=True, recursive=True)
    infos = place.filesystem.get_file_info(selector)
    for info in sorted(infos, key=lambda info: str(info.path)):
        if info.type == fs.FileType.File:
            tail = info.path[len(place.path) :].lstrip("/")
            yield place.child(*tail.split("/")), info


def _erase_rows(warehouse: Warehouse, ids: pa.Array, erased: Erased) -> None:
    """Rewrite the files that hold rows of these videos in tables that show faces, or notes."""
    for place, info in _files(warehouse, "runs"):
        table = place.path.rsplit("/", 2)[-2].removeprefix("table=")
        if table in _HARMLESS:
            continue
        if info.base_name.startswith(".") and ".parquet." in info.base_name:
            if info.extension != "crc":  # a draft of a process that was killed
                place.filesystem.delete_file(place.path)
        elif info.extension == "parquet":
            removed = _without(place, ids, _BLANKED.get(table))
            if removed:
                erased.rows[table] += removed
                after = place.filesystem.get_file_info(place.path).size
                erased.size_bytes += info.size - after


def _without(place: Location, ids: pa.Array, blanked: str | None = None) -> int:
    """Replace a Parquet file by one without rows of these videos; return how many it had.

    With `blanked` the rows stay, and lose what stands in that column. One row group is held in
    memory.
    """
    with place.filesystem.open_input_file(place.path) as source:
        file = parquet.ParquetFile(source)
        if "video_id" not in file.schema_arrow.names:
            return 0
        groups = range(file.num_row_groups)
        columns = ["video_id"] if blanked is None else ["video_id", blanked]
        read = [file.read_row_group(group, columns=columns) for group in groups]
        masks = [pc.is_in(rows["video_id"], ids) for rows in read]
        if blanked is not None:
            written = [pc.is_valid(rows[blanked]) for rows in read]
            masks = [pc.and_(*both) for both in zip(masks, written, strict=True)]
        count = sum(pc.sum(mask).as_py() or 0 for mask in masks)
        if not count:
            return 0
        with tempfile.TemporaryFile() as draft:
            with parquet.ParquetWriter(draft, file.schema_arrow, compression="zstd") as writer:
                for group, mask in zip(groups, masks, strict=True):
                    rows = file.read_row_group(group)
                    kept = rows.filter(pc.invert(mask)) if blanked is None else rows
                    if blanked is not None:
                        at = rows.column_names.index(blanked)
                        empty = pc.if_else(mask, pa.scalar(None, pa.string()), rows[blanked])
                        kept = rows.set_column(at, rows.schema.field(blanked), empty)
                    if kept.num_rows:
                        writer.write_table(kept)
            draft.seek(0)
            # Hadoop's checksum of the old file would make Spark refuse the new one.
            folder, _, name = place.path.rpartition("/")
            checksum = f"{folder}/.{name}.crc"
            if place.filesystem.get_file_info(checksum).type == fs.FileType.File:
                place.filesystem.delete_file(checksum)
            write_whole(place, draft)
    return int(count)


def _erase_pages(warehouse: Warehouse, stones: Mapping[str, Tombstone], erased: Erased) -> None:
    """Remove evidence pages and inspections of the videos, and pictures of faces from reports."""
    for place, info in _files(warehouse, FOLDER):
        if not stones.keys().isdisjoint(info.base_name.split(".")):  # drafts, too
            _delete(place, info, erased)
    names = [name for key, stone in stones.items() for name in (key, _written(stone.path))]
    named = re.compile(b"|".join(re.escape(name.encode()) for name in names))
    for place, info in _files(warehouse, "reports"):
        if info.extension != "html":
            continue
        page = _read(place)
        bare = _PICTURE.sub(b'src=""', page) if named.search(page) else page
        if bare != page:
            write_whole(place, bare)
            erased.reports += 1
            erased.size_bytes += len(page) - len(bare)
    shown = [
        place.path.rpartition("/")[0]
        for place, info in _files(warehouse, "inspections")
        if info.extension == "html" and named.search(_read(place))
    ]
    for place, info in _files(warehouse, "inspections"):
        if place.path.rpartition("/")[0] in shown:
            _delete(place, info, erased)


def _written(path: str) -> str:
    """Return a path as a page shows it (`pages.templating.environment`)."""
    return f"<bdi>{printable(path).translate(_ESCAPED)}</bdi>"


def _read(place: Location) -> bytes:
    with place.filesystem.open_input_stream(place.path) as stream:
        content: bytes = stream.read()
    return content


def _delete(place: Location, info: fs.FileInfo, erased: Erased) -> None:
    place.filesystem.delete_file(place.path)
    erased.pages += 1
    erased.size_bytes += info.size
