"""Described videos as the table `videos`. No Spark."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa

from framejury.archive.groups import group_names
from framejury.archive.layouts import VideoEntry
from framejury.schemas import VIDEOS


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


def video_id_of(path: str) -> str:
    """The id of the video at `path` below the archive."""
    return hashlib.sha256(path.encode()).hexdigest()[:20]
