"""Notes about a file, as the column `notes` holds them: `code: detail; code; code: detail`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framejury.schemas.statuses import NOTE_MEANING, Note

_BETWEEN, _AFTER_CODE = "; ", ": "


@dataclass(frozen=True, slots=True)
class VideoNote:
    """What a reader should know about a file, with details in words."""

    code: Note
    detail: str | None = None

    @property
    def sentence(self) -> str:
        """The note in words."""
        detail = f" ({self.detail})" if self.detail else ""
        return f"{NOTE_MEANING[self.code]}{detail}."


def to_text(notes: Sequence[VideoNote]) -> str:
    """Return the notes in one line; empty without any."""
    return _BETWEEN.join(
        f"{note.code}{_AFTER_CODE}{note.detail.replace(_BETWEEN, ', ')}"
        if note.detail
        else note.code
        for note in notes
    )


def from_text(text: str | None) -> list[VideoNote]:
    """Return the notes of `to_text`; none if there is no text.

    Raises:
        ValueError: a code is unknown.
    """
    notes = []
    for part in (text or "").split(_BETWEEN) if text else ():
        code, _, detail = part.partition(_AFTER_CODE)
        notes.append(VideoNote(Note(code), detail or None))
    return notes
