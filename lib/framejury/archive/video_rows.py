"""Described videos as the table `videos`. No Spark."""

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
    """Rows of `videos`, sorted by path."""
    groups = group_names([entry.group_keys for entry in entries])
    rows = [
        {
            "video_id": video_id_of(entry.file.path),
            "run_id": run_id,
            "path": entry.file.path,
            "uri": entry.file.uri,
            "bytes": entry.file.size_bytes,
            "modified_at": entry.file.modified_at,
            "missing_since": None,
            "layout": entry.layout,
            "label": entry.label,
            "original": entry.original,
            "donor": entry.donor,
            "method": entry.method,
            "subject": entry.subject,
            "group_keys": list(entry.group_keys),
            "group": group,
        }
        for entry, group in zip(entries, groups, strict=True)
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["path"])), schema=VIDEOS)


def with_missing(rows: pa.Table, before: pa.Table | None, now: datetime) -> pa.Table:
    """Rows of `videos`, and those of the snapshot before whose files are gone.

    Args:
        rows: what is there now, of one run.
        before: the snapshot before; None when this is the first.
        now: when the archive was listed, UTC.

    Returns:
        rows of `rows`' run, sorted by path; `missing_since` is set where a file is gone.
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
    """Refuse a listing in which much of the archive is suddenly gone: it may not be mounted.

    Args:
        rows: of `videos`, from `with_missing`.
        before: the snapshot before; None when this is the first.
        limit_ratio: largest share of the videos that were there which may go at once.

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
            f"{gone['path'][0].as_py()}; is the whole archive mounted? If they were removed on "
            "purpose: --set index.missing_ratio=1"
        )


def video_id_of(path: str) -> str:
    """The id of the video at `path` below the archive."""
    return hashlib.sha256(path.encode()).hexdigest()[:20]
