"""Checks of what the decoding process answers.

A hostile file may have taken that process over. It can then misreport its own video, but neither
write rows of other videos nor pass bytes that crash the reader.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.examine.messages import (
    MOST_CLIP_BYTES,
    ROWS,
    SEGMENT_TABLE_COLUMN,
    TABLE_COLUMN,
    Segment,
    VideoJob,
    from_ipc,
)
from framejury.examine.segments import SEGMENTS
from framejury.faces.header import crop_size
from framejury.media.origin import LONGEST_TEXT, ORIGIN_TEXTS
from framejury.schemas.notes import from_text
from framejury.schemas.statuses import EXTRACTION_STATUSES, C2paState, HeatBy, PictureKind, Status
from framejury.schemas.tables import EXTRACTIONS

_GIVEN = ("run_id", "settings_id", "bytes", "modified_at", "content_id")
"""Columns of an extraction that the worker knows."""
_TEXTS = ("error", "container", "codec")
_LONGEST_TEXT = 2000
_MOST_PICTURES = 2 * 50 + 1
_MOST_CLIPS = 10
_MOST_CELLS = 64 * 64
_MOST_NETWORKS = 32
_LONGEST_PX = 4096
"""These limits are the maxima of the settings `evidence.*`."""
_OF_FACES = {"faces", "face_scores", "pictures"}
_WITH_FACES = (Status.EXTRACTED.value,)


class DistrustError(Exception):
    """The answer is invalid; the message gives the reason."""


@dataclass(frozen=True)
class Survey:
    """Where a long video may be cut into segments.

    Attributes:
        content_id: SHA-256 of the file, hex.
        segments: in order of time, at least one.
        costs_s: estimated seconds on one core per segment.
    """

    content_id: str
    segments: tuple[Segment, ...]
    costs_s: tuple[float, ...]


def survey_of(answer: bytes, content_id: str) -> Survey:
    """Parse and check the survey in an answer.

    Raises:
        DistrustError: it is not JSON, leaves a gap between segments, or has an invalid cost.
    """
    try:
        found = json.loads(answer)["segments"]
        segments = tuple(
            Segment(number, int(part["first"]), int(part["stop"]))
            for number, part in enumerate(found)
        )
        costs_s = tuple(float(part["cost_s"]) for part in found)
    except (ValueError, TypeError, LookupError) as error:
        raise DistrustError(str(error)) from None
    edges = [edge for segment in segments for edge in (segment.first, segment.stop)]
    starts = [segment.first for segment in segments[1:]]
    stops = [segment.stop for segment in segments[:-1]]
    if not segments or edges[0] < 0 or edges != sorted(edges) or starts != stops:
        raise DistrustError("segments that are not contiguous")
    if not all(math.isfinite(cost_s) and cost_s >= 0 for cost_s in costs_s):
        raise DistrustError(f"invalid costs: {costs_s}"[:200])
    return Survey(content_id, segments, costs_s)


def checked(
    answer: bytes, given: Mapping[str, Any], job: VideoJob, frames: int = 1
) -> pa.RecordBatch:
    """Decode and check the rows in an answer: the extraction of the video, then its faces.

    Args:
        answer: Arrow IPC.
        given: the extraction as far as the worker knows it (`_GIVEN`).
        job: the request.
        frames: per sample, count: 2 with pairs, several with clips.

    Returns:
        schema `ROWS`.

    Raises:
        DistrustError: the answer contains anything else.
    """
    batch, tables = _rows_of(answer, job, given["run_id"])
    if tables[:1] != ["extractions"] or not set(tables[1:]) <= _OF_FACES:
        raise DistrustError(f"{len(tables)} rows, or rows of other tables")
    first = batch.slice(0, 1).to_pylist()[0]
    wrong = [name for name in _GIVEN if first[name] != given[name]]
    wrong += [
        field.name for field in EXTRACTIONS if not field.nullable and first[field.name] is None
    ]
    wrong += [name for name in _TEXTS if not _is_text(first[name])]
    wrong += [] if _are_notes(first["notes"]) else ["notes"]
    wrong += [] if _is_scoring(first["scoring"]) else ["scoring"]
    wrong += [] if _is_origin(first["origin"]) else ["origin"]
    if wrong or first["status"] not in EXTRACTION_STATUSES:
        raise DistrustError(f"wrong {', '.join(wrong) or 'status'}")
    if batch.num_rows > 1 and first["status"] not in _WITH_FACES:
        raise DistrustError(f"faces for a video of status {first['status']}")
    _check_scores(batch)
    _check_numbers(batch, first)
    _check_crops(_of_table(batch, tables, "faces"), frames)
    _check_pictures(_of_table(batch, tables, "pictures"))
    if batch["clip"].null_count < batch.num_rows:
        raise DistrustError("clips that nobody asked for")
    return batch


def checked_clips(answer: bytes, job: VideoJob, run_id: str) -> pa.RecordBatch:
    """Decode and check the rows in an answer: clips of the video and nothing else, or none.

    Args:
        answer: Arrow IPC.
        job: the request.
        run_id: the run under way.

    Raises:
        DistrustError: the answer contains anything else.
    """
    batch, tables = _rows_of(answer, job, run_id)
    if len(tables) > _MOST_CLIPS:
        raise DistrustError(f"{len(tables)} clips, more than {_MOST_CLIPS}")
    if not set(tables) <= {"pictures"} or _differ(batch["kind"], PictureKind.CLIP):
        raise DistrustError("rows other than clips")
    _check_scores(batch)
    _check_pictures(batch)
    for row in batch.select(["clip", "start_s", "end_s"]).to_pylist():
        start_s, end_s = row["start_s"], row["end_s"]
        if start_s is None or end_s is None or not 0 <= start_s < end_s < math.inf:
            raise DistrustError(f"a clip from {start_s} to {end_s} s")
        if not _is_clip(row["clip"]):
            raise DistrustError("clips of an invalid format or size")
    return batch


def _rows_of(answer: bytes, job: VideoJob, run_id: str) -> tuple[pa.RecordBatch, list[str]]:
    """Return the rows of an answer and the table of each, all of this video and run."""
    try:
        batch = from_ipc(answer)
        batch.validate(full=True)
    except (pa.ArrowException, OSError, StopIteration) as error:
        raise DistrustError(str(error).partition("\n")[0]) from None
    if not batch.schema.equals(ROWS):
        raise DistrustError("another schema than expected")
    if job.segment is not None and _differ(batch[TABLE_COLUMN], SEGMENTS):
        raise DistrustError("rows of a segment addressed to the tables themselves")
    if _differ(batch["video_id"], job.video_id) or _differ(batch["run_id"], run_id):
        raise DistrustError("rows of another video or run")
    column = TABLE_COLUMN if job.segment is None else SEGMENT_TABLE_COLUMN
    return batch, batch[column].to_pylist()


def _of_table(batch: pa.RecordBatch, tables: list[str], name: str) -> pa.RecordBatch:
    return batch.filter(pa.array([table == name for table in tables], pa.bool_()))


def _check_scores(batch: pa.RecordBatch) -> None:
    for column in ("score", "heat_inside"):
        if not all(0 <= one <= 1 for one in batch[column].to_pylist() if one is not None):
            raise DistrustError(f"{column} outside 0 to 1")


def _is_clip(clip: bytes | None) -> bool:
    """Check for WebM by its first bytes, and for its size."""
    return (
        clip is not None
        and len(clip) <= MOST_CLIP_BYTES
        and clip.startswith(b"\x1a\x45\xdf\xa3")
        and b"webm" in clip[:64]
    )


def _check_numbers(batch: pa.RecordBatch, extraction: Mapping[str, Any]) -> None:
    """Check the numbers from which charts are drawn."""
    columns = [batch[name] for name in ("pts_s", "confidence", "ssim")]
    columns += [pc.struct_field(batch["box"], name) for name in ("x", "y", "width", "height")]
    columns += [pc.struct_field(batch["alignment"], name) for name in "abcd"]
    if not all(pc.all(pc.is_finite(column), min_count=0).as_py() for column in columns):
        raise DistrustError("numbers that are not finite")
    sampled_s = extraction["sampled_s"]
    if sampled_s is not None and not (
        len(sampled_s) <= extraction["frames_sampled"] and all(map(math.isfinite, sampled_s))
    ):
        raise DistrustError("invalid times of sampled frames")


def _check_crops(faces: pa.RecordBatch, frames: int) -> None:
    """Check for one crop per face and frame of its sample, since networks need all of them."""
    following = faces["next_crop"].null_count
    of_clips = {None if crops is None else len(crops) for crops in faces["clip_crops"].to_pylist()}
    if (
        faces["crop"].null_count
        or following != (0 if frames == 2 else faces.num_rows)
        or not of_clips <= {frames - 1 if frames > 2 else None}
    ):
        raise DistrustError("faces without their crops, or with too many")


def _check_pictures(pictures: pa.RecordBatch) -> None:
    """Check that pictures are fit for a browser: few, JPEG, within the sizes of the settings."""
    if pictures.num_rows > _MOST_PICTURES:
        raise DistrustError(f"{pictures.num_rows} pictures, more than {_MOST_PICTURES}")
    for row in pictures.select(["kind", "picture", "heat", "heat_by"]).to_pylist():
        heat = row["heat"]
        if row["kind"] not in list(PictureKind) or row["picture"] is None:
            raise DistrustError("invalid kind of picture, or none")
        if row["heat_by"] not in (None, *HeatBy):
            raise DistrustError("invalid kind of heat map")
        if heat is not None and not (
            0 < len(heat) <= _MOST_CELLS
            and math.isqrt(len(heat)) ** 2 == len(heat)
            and all(0 <= cell <= 1 for cell in heat)
        ):
            raise DistrustError("invalid heat maps")
        try:
            size = crop_size(row["picture"])
        except ValueError as error:
            raise DistrustError(str(error)) from None
        if not row["picture"].startswith(b"\xff\xd8") or max(size.height, size.width) > _LONGEST_PX:
            raise DistrustError("pictures of an invalid format or size")


def _are_notes(text: str | None) -> bool:
    """Check for codes of `Note`, each once, with details that are safe to show."""
    try:
        codes = [note.code for note in from_text(text)]
    except ValueError:
        return False
    return _is_text(text) and len(set(codes)) == len(codes)


def _is_origin(origin: Mapping[str, Any] | None) -> bool:
    """Check for short printable texts and a known state of C2PA."""
    if origin is None:
        return True
    return origin["c2pa"] in (None, *C2paState) and all(
        _is_text(origin[name], LONGEST_TEXT) for name in ORIGIN_TEXTS
    )


def _is_scoring(scoring: Sequence[Mapping[str, Any]] | None) -> bool:
    """Check for a few networks with a time each."""
    return len(scoring or ()) <= _MOST_NETWORKS and all(
        _is_text(one["model_id"]) and 0 <= one["seconds"] < math.inf for one in scoring or ()
    )


def _is_text(text: str | None, longest: int = _LONGEST_TEXT) -> bool:
    """Check that a text is safe to show: printable and not too long."""
    return text is None or (len(text) <= longest and text.isprintable())


def _differ(column: pa.Array, value: str) -> bool:
    """Check whether the column contains anything else, including nulls."""
    return not set(column.to_pylist()) <= {value}
