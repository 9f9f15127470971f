"""Notes about a file as text, and back."""

from __future__ import annotations

import pytest

from framejury.schemas.notes import VideoNote, from_text, to_text
from framejury.schemas.statuses import NOTE_MEANING, Note


def test_each_note_has_a_sentence() -> None:
    assert set(NOTE_MEANING) == set(Note)
    for code, meaning in NOTE_MEANING.items():
        assert meaning[0].isupper() and not meaning.endswith(".")
        assert VideoNote(code).sentence == f"{meaning}."
        assert VideoNote(code, "two").sentence == f"{meaning} (two)."


def test_text_and_back() -> None:
    notes = [VideoNote(Note.CLOCK_RESTARTED, "2 recordings"), VideoNote(Note.DAMAGED)]
    assert to_text(notes) == "clock_restarted: 2 recordings; damaged"
    assert from_text(to_text(notes)) == notes
    assert from_text("") == from_text(None) == []


def test_a_detail_cannot_become_a_note() -> None:
    (note,) = from_text(to_text([VideoNote(Note.CUT_SHORT, "5 of 9; encrypted")]))
    assert note == VideoNote(Note.CUT_SHORT, "5 of 9, encrypted")


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(ValueError, match="spoilt"):
        from_text("spoilt: a little")
