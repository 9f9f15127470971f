"""How a record and files travel from the decoding process: JSON first, then the bytes.

`{"record": ..., "files": {name: length, ...}}`, a line feed, the files one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from framejury.errors import MediaError
from framejury.examine.checks import DistrustError
from framejury.redaction import printable
from framejury.schemas.statuses import EXTRACTION_STATUSES, Status

_LONGEST_HEAD = 64 * 2**20
_LONGEST_TEXT = 2000
_FAILURES = {status.value for status in EXTRACTION_STATUSES} - {
    Status.EXTRACTED.value,
    Status.NO_FACE.value,
}
_MAGIC = {".jpg": (b"\xff\xd8",), ".webp": (b"RIFF",)}
"""How files of these names begin; others are arrays."""

Record = TypeVar("Record", bound=BaseModel)


def packed(record: BaseModel, files: Mapping[str, bytes]) -> bytes:
    """The answer as bytes."""
    head = {
        "record": record.model_dump(mode="json"),
        "files": {name: len(content) for name, content in files.items()},
    }
    return b"\n".join([json.dumps(head).encode(), b"".join(files.values())])


def failed(status: str, message: str) -> bytes:
    """The answer when the video cannot be read."""
    return json.dumps({"status": status, "error": message}).encode() + b"\n"


def unpacked(
    answer: bytes, kind: type[Record], names: tuple[str, ...]
) -> tuple[Record, dict[str, bytes]]:
    """The record and files of an answer.

    Args:
        answer: of `packed`, or of a process that was taken over.
        kind: the record that was asked for.
        names: of files that may be there.

    Raises:
        MediaError: the video could not be read.
        DistrustError: it is none.
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
        raise DistrustError(f"no record: {type(error).__name__}") from None
    if not set(lengths) <= set(names) or min(lengths.values(), default=0) < 0:
        raise DistrustError("files that nobody asked for")
    if end + 1 + sum(lengths.values()) != len(answer):
        raise DistrustError("files of another length")
    files, at = {}, end + 1
    for name, length in lengths.items():
        files[name] = answer[at : at + length]
        at += length
        if not files[name].startswith(_MAGIC.get(f".{name.rpartition('.')[2]}", (b"",))):
            raise DistrustError(f"{name} is no such picture")
    return record, files


def _failure(head: Mapping[str, Any]) -> MediaError:
    message = str(head["error"])
    if head["status"] not in _FAILURES or len(message) > _LONGEST_TEXT:
        raise DistrustError("a failure that is none")
    return MediaError(Status(head["status"]), printable(message))
