"""How wide text is on a terminal, and shortening it to a width."""

from __future__ import annotations

import shutil
import sys
import unicodedata

GAP = "..."
"""Stands for what was left out; ASCII, for terminals of every encoding."""


def width_of(text: str) -> int:
    """Return the number of terminal cells that printable text takes: 2 for wide characters."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return text filled up with spaces to `width` cells, flush right if asked for."""
    space = " " * (width - width_of(text))
    return space + text if right else text + space


def cut(text: str, width: int) -> str:
    """Return text of at most `width` cells; longer text loses its end."""
    if width_of(text) <= width:
        return text
    return _first(text, width - len(GAP)) + GAP[: max(width, 0)]


def cut_path(path: str, width: int) -> str:
    """Return a path of at most `width` cells; a longer one loses its middle, not its file name.

    A file name that is too long itself loses its middle, not its ending.
    """
    if width_of(path) <= width:
        return path
    folder, slash, name = path.rpartition("/")
    tail = slash + name
    head = width - len(GAP) - width_of(tail)
    if slash and head >= 0:
        return _first(folder, head) + GAP + tail
    room = max(width - len(GAP), 0)
    return cut(_first(name, room - room // 2) + GAP + _last(name, room // 2), width)


def terminal_width() -> int | None:
    """Return the width of the terminal that stdout is, in cells; None if it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):  # drawn over the character before
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _first(text: str, width: int) -> str:
    """Return the longest beginning that fits into `width` cells."""
    for end, char in enumerate(text):
        width -= _cells(char)
        if width < 0:
            return text[:end]
    return text


def _last(text: str, width: int) -> str:
    """Return the longest end that fits into `width` cells, not beginning within a character."""
    for start in range(len(text) - 1, -1, -1):
        width -= _cells(text[start])
        if width < 0:
            return text[start + 1 :].lstrip("".join(c for c in text if not _cells(c)))
    return text
