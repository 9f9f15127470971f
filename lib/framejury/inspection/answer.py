"""How a record and files travel from the decoding process, and the names both sides use.

JSON `{"record": ..., "files": {name: length, ...}}`, a line feed, then the files in that order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from pydantic import BaseModel, ValidationError

from framejury.errors import MediaError
from framejury.examine.checks import DistrustError
from framejury.records import Size
from framejury.redaction import printable
from framejury.schemas.statuses import EXTRACTION_STATUSES, Status

TRACE, SHOTS, INSPECT, SHEET = "trace", "shots", "inspect", "sheet"
"""Requests: `reading.trace`, `reading.shots`, `inspector.Inspector.inspect`, `album.sheet_of`."""

Pictures = Literal["all", "thumbnail", "none"]
"""all: every picture of a stretch of consecutive frames. thumbnail, none: frames are sampled over
the video as for a verdict, with one small picture or without pictures."""
PICTURES: tuple[Pictures, ...] = get_args(Pictures)

FRAME, BOXES, FACE = "frame.jpg", "frame_boxes.jpg", "face.jpg"
DETECTORS, CONTACT_SHEET, FACE_SHEET = "detectors.jpg", "contact_sheet.jpg", "face_sheet.jpg"
VIDEO_MOVES, FACE_MOVES = "video.webp", "face.webp"
THUMBNAIL = "thumbnail.jpg"
NAMES = (
    *(FRAME, BOXES, FACE, DETECTORS, CONTACT_SHEET, FACE_SHEET),
    *(VIDEO_MOVES, FACE_MOVES, THUMBNAIL),
)
"""Files with pictures of an inspected video."""

THUMBNAILS, SOUND, PIXELS = "thumbnails", "sound", "pixels"
"""Arrays of `TRACE` (the first two) and of `SHOTS`."""

TRACE_SIZE = Size(36, 64)
"""Size of the grey thumbnails by which two videos are aligned."""


_LONGEST_HEAD = 64 * 2**20
_LONGEST_TEXT = 2000
_FAILURES = {status.value for status in EXTRACTION_STATUSES} - {
    Status.EXTRACTED.value,
    Status.NO_FACE.value,
}
_MAGIC = {".jpg": (b"\xff\xd8",), ".webp": (b"RIFF",)}
"""First bytes of files with these endings; other files are arrays."""

Record = TypeVar("Record", bound=BaseModel)


def packed(record: BaseModel, files: Mapping[str, bytes]) -> bytes:
    """Encode a record and files."""
    head = {
        "record": record.model_dump(mode="json"),
        "files": {name: len(content) for name, content in files.items()},
    }
    return b"\n".join([json.dumps(head).encode(), b"".join(files.values())])


def failed(status: str, message: str) -> bytes:
    """Encode the answer for a video that cannot be read."""
    return json.dumps({"status": status, "error": message}).encode() + b"\n"


def unpacked(
    answer: bytes, kind: type[Record], names: tuple[str, ...], *, all_required: bool = False
) -> tuple[Record, dict[str, bytes]]:
    """Decode the record and files of an answer.

    Args:
        answer: from `packed`, `failed`, or a hostile process.
        kind: the record expected.
        names: of the files allowed.
        all_required: whether all of them must be present.

    Raises:
        MediaError: the video could not be read.
        DistrustError: the answer is invalid.
    """
    end = answer.find(b"\n", 0, _LONGEST_HEAD)
    try:
        head = json.loads(answer[: max(end, 0)])
        if "status" in head:
            raise _failure(head)
        record = kind.model_validate(head["record"])
        lengths = {str(name): int(length) for name, length in head["files"].items()}
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise DistrustError(f"{first['msg']} in {'.'.join(map(str, first['loc']))}") from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise DistrustError(f"invalid record: {type(error).__name__}") from None
    if not set(lengths) <= set(names) or min(lengths.values(), default=0) < 0:
        raise DistrustError(f"unexpected files: {', '.join(sorted(lengths))}"[:200])
    if all_required and lengths.keys() != set(names):
        raise DistrustError(f"missing files: {', '.join(sorted(set(names) - lengths.keys()))}")
    if end + 1 + sum(lengths.values()) != len(answer):
        raise DistrustError("lengths of files that do not add up")
    files, at = {}, end + 1
    for name, length in lengths.items():
        files[name] = answer[at : at + length]
        at += length
        if not files[name].startswith(_MAGIC.get(f".{name.rpartition('.')[2]}", (b"",))):
            raise DistrustError(f"{name} has another format")
    return record, files


def array_of(content: bytes, kind: type[Any], shape: tuple[int, ...]) -> Any:
    """Decode an array of an answer.

    Raises:
        DistrustError: the bytes do not have this shape.
    """
    try:
        return np.frombuffer(content, kind).reshape(shape)
    except ValueError:
        raise DistrustError(f"{len(content)} bytes for an array of shape {shape}") from None


def _failure(head: Mapping[str, Any]) -> MediaError:
    message = str(head["error"])
    if head["status"] not in _FAILURES or len(message) > _LONGEST_TEXT:
        raise DistrustError(f"invalid failure {head['status']!r}"[:200])
    return MediaError(Status(head["status"]), printable(message))
