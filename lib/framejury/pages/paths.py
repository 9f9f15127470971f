"""Long paths on one line: the beginning may be cut, the end stays."""

from __future__ import annotations

import unicodedata

from framejury.redaction import printable

END_CH = 20
"""Columns at the end of a path that are never cut."""


def halves(path: str) -> tuple[str, str]:
    """Return the beginning of a path, which a page may cut, and its last `END_CH` columns.

    The beginning is empty for a path that is no longer than that. Joined, they are the path.
    """
    text = printable(path)
    at, width = len(text), 0
    while at and (width := width + cell_width(text[at - 1])) <= END_CH:
        at -= 1
    while 0 < at < len(text) and unicodedata.combining(text[at]):
        at += 1  # an accent stays with its letter
    return text[:at], text[at:]


def cell_width(text: str) -> int:
    """Return the columns that a text takes in a font of fixed width."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
