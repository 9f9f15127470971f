"""Merge the segments of a long video into one outcome.

Rows of segments are staged beside the tables (`SEGMENTS`), since face tracks are numbered over
the whole video and a video has one extraction. Pure functions; no Spark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from framejury.errors import ReconcileError
from framejury.examine.messages import (
    SEGMENT_BOX_COLUMN,
    SEGMENT_COLUMN,
    SEGMENT_TABLE_COLUMN,
    TABLE_COLUMN,
    Segment,
)
from framejury.faces.tracks import assign_persons
from framejury.records import Box
from framejury.schemas.notes import VideoNote, from_text, to_text
from framejury.schemas.statuses import Note, Status
from framejury.schemas.tables import EXTRACTIONS

SEGMENTS = "segments"
"""The staging table: rows of all tables, before they are merged."""

_SUMMED = ("frames_decoded", "frames_sampled", "faces_found", "faces_kept", "wall_s", "cpu_s")
WELL = (Status.EXTRACTED.value, Status.NO_FACE.value)
"""Statuses of videos whose sampled frames were decoded."""

Row = Mapping[str, Any]


def staged(row: Row, segment: Segment, box: Box | None = None) -> dict[str, Any]:
    """Address a row of a segment to the staging table; `box` is its face's `track_box`."""
    return dict(row) | {
        TABLE_COLUMN: SEGMENTS,
        SEGMENT_TABLE_COLUMN: row[TABLE_COLUMN],
        SEGMENT_COLUMN: segment.number,
        SEGMENT_BOX_COLUMN: None if box is None else asdict(box),
    }


def merge_extractions(video_id: str, parts: Sequence[Row], count: int) -> dict[str, Any]:
    """Merge the rows of `extractions` of all segments into the row of the video.

    If a segment failed, the video failed: the first failure is its status, and its faces do not
    count. Counts and times are summed; peak memory is the maximum.

    Args:
        video_id: the video.
        parts: its staged rows of `extractions`, in any order.
        count: number of segments.

    Raises:
        ReconcileError: a segment is missing or occurs twice.
    """
    parts = sorted(parts, key=lambda part: int(part[SEGMENT_COLUMN]))
    if [part[SEGMENT_COLUMN] for part in parts] != list(range(count)):
        numbers = ", ".join(str(part[SEGMENT_COLUMN]) for part in parts) or "none"
        raise ReconcileError(
            f"video {video_id} was cut into segments 0 to {count - 1}, but the rows are of "
            f"segments {numbers}"
        )
    whole = {name: _last(parts, name) for name in EXTRACTIONS.names}
    whole |= {name: _sum(parts, name) for name in _SUMMED}
    whole["scoring"] = _scoring(parts)
    whole["peak_memory_bytes"] = _most(parts, "peak_memory_bytes")
    whole["sampled_s"] = [time for part in parts for time in part["sampled_s"] or ()]
    whole["notes"] = to_text(_notes(parts))
    failed = [part for part in parts if part["status"] not in WELL]
    if failed:
        whole |= {"status": failed[0]["status"], "error": _named(failed[:1], count)}
    elif whole["frames_sampled"] == 0:
        # One segment without a frame is noted as damage; a video without a frame has failed.
        whole |= {"status": Status.UNREADABLE.value, "error": _named(parts, count)}
    else:
        status = Status.EXTRACTED if whole["faces_kept"] else Status.NO_FACE
        whole |= {"status": status.value, "error": _named(parts, count)}
    if whole["status"] not in WELL:
        whole |= {"faces_found": 0, "faces_kept": 0}
    return whole


def number_persons(faces: Sequence[Row]) -> list[int]:
    """Number the face tracks of one video, as `examine` numbers those of a whole video.

    Args:
        faces: rows with `frame_index` and `segment_box`, by frame and face index.
    """
    frames = [
        [Box(**face[SEGMENT_BOX_COLUMN]) for face in group]
        for _, group in groupby(faces, key=lambda face: int(face["frame_index"]))
    ]
    return [number for numbers in assign_persons(frames) for number in numbers]


def _notes(parts: Sequence[Row]) -> list[VideoNote]:
    """Return the notes of all segments, one of each kind."""
    notes = {note.code: note for part in parts for note in from_text(part["notes"])}
    sizes = {(part["width_px"], part["height_px"]) for part in parts if part["frames_sampled"]}
    if len(sizes) > 1:
        notes.setdefault(Note.SIZE_CHANGED, VideoNote(Note.SIZE_CHANGED))
    return list(notes.values())


def _last(parts: Sequence[Row], name: str) -> Any:
    """Return a value that all segments share, from the last segment that has it."""
    return next((part[name] for part in reversed(parts) if part[name] is not None), None)


def _most(parts: Sequence[Row], name: str) -> Any:
    return max((part[name] for part in parts if part[name] is not None), default=None)


def _sum(parts: Sequence[Row], name: str) -> Any:
    values = [part[name] for part in parts if part[name] is not None]
    return sum(values) if values else None


def _scoring(parts: Sequence[Row]) -> list[dict[str, Any]] | None:
    seconds: Counter[str] = Counter()
    for one in (one for part in parts for one in part["scoring"] or ()):
        seconds[one["model_id"]] += one["seconds"]
    return [{"model_id": name, "seconds": s} for name, s in seconds.items()] or None


def _named(parts: Sequence[Row], count: int) -> str | None:
    """Return what went wrong in which segments; None: nothing."""
    noted = [part for part in parts if part["error"] is not None]
    texts = {part["error"] for part in noted}
    if len(noted) == count and len(texts) == 1:
        return str(noted[0]["error"])  # about the file as a whole, such as being cut short
    lines = [f"segment {part[SEGMENT_COLUMN] + 1} of {count}: {part['error']}" for part in noted]
    return "; ".join(lines) or None
