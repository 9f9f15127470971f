"""Rows of the table `videos`, without Spark."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from framejury.archive.groups import group_names
from framejury.archive.layouts import VideoEntry
from framejury.errors import ArchiveError
from framejury.schemas.tables import VIDEOS


def videos_table(entries: Sequence[VideoEntry], run_id: str) -> pa.Table:
    """Return rows of `videos`, sorted by path."""
    groups = group_names([entry.group_keys for entry in entries])
    rows = [
        {
            **vars(entry),
            "video_id": video_id_of(entry.file.path),
            "run_id": run_id,
            "path": entry.file.path,
            "uri": entry.file.uri,
            "bytes": entry.file.size_bytes,
            "modified_at": entry.file.modified_at,
            "missing_since": None,
            "group": group,
        }
        for entry, group in zip(entries, groups, strict=True)
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["path"])), schema=VIDEOS)


def with_missing(rows: pa.Table, before: pa.Table | None, now: datetime) -> pa.Table:
    """Add the videos of the previous snapshot whose files are gone.

    Args:
        rows: `videos` of this run.
        before: the previous snapshot; None if there is none.
        now: when the archive was listed, UTC.

    Returns:
        rows of this run, sorted by path; `missing_since` is set if the file is gone.
    """
    if before is None or rows.num_rows == 0:
        return rows
    gone = before.filter(pc.invert(pc.is_in(before["video_id"], rows["video_id"].combine_chunks())))
    run_id = rows["run_id"][0].as_py()
    known = [
        row | {"run_id": run_id, "missing_since": row["missing_since"] or now}
        for row in gone.to_pylist()
    ]
    table = pa.concat_tables([rows, pa.Table.from_pylist(known, schema=VIDEOS)])
    return table.sort_by("path")


def check_share_missing(rows: pa.Table, before: pa.Table | None, limit_ratio: float) -> None:
    """Raise if much of the archive is suddenly gone, as it may not be mounted.

    Args:
        rows: `videos`, from `with_missing`.
        before: the previous snapshot; None if there is none.
        limit_ratio: largest share of the previous videos that may be gone at once, 0 to 1.

    Raises:
        ArchiveError: more are gone.
    """
    if before is None:
        return
    there = before.filter(before["missing_since"].is_null())["video_id"].combine_chunks()
    missing = rows.filter(rows["missing_since"].is_valid())
    gone = missing.filter(pc.is_in(missing["video_id"], there))
    if len(there) and gone.num_rows > limit_ratio * len(there):
        raise ArchiveError(
            f"{gone.num_rows:,} of {len(there):,} known videos are gone, such as "
            f"{gone['path'][0].as_py()}; check that the whole archive is mounted. If they were "
            "removed on purpose: --set index.missing_ratio=1"
        )


def video_id_of(path: str) -> str:
    """Return the id of the video at an archive-relative path."""
    return hashlib.sha256(path.encode()).hexdigest()[:20]
