"""Checks of what the decoding process answers.

A hostile file may have taken that process over. It can then misreport its own video, but neither
write rows of other videos nor pass bytes that crash the reader.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.examine.messages import (
    ROWS,
    SEGMENT_TABLE_COLUMN,
    TABLE_COLUMN,
    Segment,
    VideoJob,
    from_ipc,
)
from framejury.examine.segments import SEGMENTS
from framejury.faces.header import crop_size
from framejury.schemas.notes import from_text
from framejury.schemas.statuses import EXTRACTION_STATUSES, PictureKind, Status
from framejury.schemas.tables import EXTRACTIONS

_GIVEN = ("run_id", "settings_id", "bytes", "modified_at", "content_id")
"""Columns of an extraction that the worker knows."""
_TEXTS = ("error", "container", "codec")
_LONGEST_TEXT = 2000
_MOST_PICTURES = 2 * 50 + 1
_MOST_CELLS = 64 * 64
_LONGEST_PX = 4096
"""These limits are the maxima of the settings `evidence.*`."""
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
    answer: bytes, given: Mapping[str, Any], job: VideoJob, *, pairs: bool = False
) -> pa.RecordBatch:
    """Decode and check the rows in an answer: the extraction of the video, then its faces.

    Args:
        answer: Arrow IPC.
        given: the extraction as far as the worker knows it (`_GIVEN`).
        job: the request.
        pairs: whether frames are sampled in pairs.

    Returns:
        schema `ROWS`.

    Raises:
        DistrustError: the answer contains anything else.
    """
    try:
        batch = from_ipc(answer)
        batch.validate(full=True)
    except (pa.ArrowException, OSError, StopIteration) as error:
        raise DistrustError(str(error).partition("\n")[0]) from None
    if not batch.schema.equals(ROWS) or batch.num_rows == 0:
        raise DistrustError(f"{batch.num_rows} rows, or another schema than expected")
    column = TABLE_COLUMN if job.segment is None else SEGMENT_TABLE_COLUMN
    tables = batch[column].to_pylist()
    if tables[0] != "extractions" or not set(tables[1:]) <= {"faces", "face_scores", "pictures"}:
        raise DistrustError("rows of other tables")
    if job.segment is not None and _differ(batch[TABLE_COLUMN], SEGMENTS):
        raise DistrustError("rows of a segment addressed to the tables themselves")
    if _differ(batch["video_id"], job.video_id) or _differ(batch["run_id"], given["run_id"]):
        raise DistrustError("rows of another video or run")
    first = batch.slice(0, 1).to_pylist()[0]
    wrong = [name for name in _GIVEN if first[name] != given[name]]
    wrong += [
        field.name for field in EXTRACTIONS if not field.nullable and first[field.name] is None
    ]
    wrong += [name for name in _TEXTS if not _is_text(first[name])]
    wrong += [] if _are_notes(first["notes"]) else ["notes"]
    if wrong or first["status"] not in EXTRACTION_STATUSES:
        raise DistrustError(f"wrong {', '.join(wrong) or 'status'}")
    if batch.num_rows > 1 and first["status"] not in _WITH_FACES:
        raise DistrustError(f"faces for a video of status {first['status']}")
    scores = batch["score"].to_pylist()
    if not all(0 <= score <= 1 for score in scores if score is not None):
        raise DistrustError("scores outside 0 to 1")
    _check_numbers(batch, first)
    _check_crops(batch.filter(pc.equal(batch[column], "faces")), pairs=pairs)
    _check_pictures(batch.filter(pc.equal(batch[column], "pictures")))
    return batch


def _check_numbers(batch: pa.RecordBatch, extraction: Mapping[str, Any]) -> None:
    """Check the numbers from which charts are drawn."""
    columns = [batch[name] for name in ("pts_s", "confidence", "ssim")]
    columns += [pc.struct_field(batch["box"], name) for name in ("x", "y", "width", "height")]
    if not all(pc.all(pc.is_finite(column), min_count=0).as_py() for column in columns):
        raise DistrustError("numbers that are not finite")
    sampled_s = extraction["sampled_s"]
    if sampled_s is not None and not (
        len(sampled_s) <= extraction["frames_sampled"] and all(map(math.isfinite, sampled_s))
    ):
        raise DistrustError("invalid times of sampled frames")


def _check_crops(faces: pa.RecordBatch, *, pairs: bool) -> None:
    """Check for one crop per face, with pairs two, since training needs all of them."""
    following = faces["next_crop"].null_count
    if faces["crop"].null_count or following != (0 if pairs else faces.num_rows):
        raise DistrustError("faces without their crops, or with too many")


def _check_pictures(pictures: pa.RecordBatch) -> None:
    """Check that pictures are fit for a browser: few, JPEG, within the sizes of the settings."""
    if pictures.num_rows > _MOST_PICTURES:
        raise DistrustError(f"{pictures.num_rows} pictures, more than {_MOST_PICTURES}")
    for row in pictures.select(["kind", "picture", "heat"]).to_pylist():
        heat = row["heat"]
        if row["kind"] not in list(PictureKind) or row["picture"] is None:
            raise DistrustError("invalid kind of picture, or none")
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


def _is_text(text: str | None) -> bool:
    """Check that a text is safe to show: printable and not too long."""
    return text is None or (len(text) <= _LONGEST_TEXT and text.isprintable())


def _differ(column: pa.Array, value: str) -> bool:
    """Check whether the column contains anything else, including nulls."""
    return set(column.to_pylist()) != {value}
