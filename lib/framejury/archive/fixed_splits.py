"""Splits fixed by hand: which videos must be in train, val or test, or excluded.

A file of pins is a CSV with the header `pattern,side`. A pattern is a shell pattern
(`fnmatch`, case-sensitive, `*` also matches `/`) for the whole archive-relative path.
The first line that matches a path decides; a path that matches no line is free. Empty
lines and lines whose pattern starts with `#` are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from pathlib import Path

from framejury.archive.csv_file import Line, csv_lines
from framejury.errors import SplitError
from framejury.schemas.statuses import Side

_HEADER = ["pattern", "side"]
_SIDES = tuple(side for side in Side if side is not Side.MIXED)


@dataclass(frozen=True, slots=True)
class Pin:
    """One line: paths that match `pattern` go to `side`. `line` counts from 1, the header."""

    pattern: str
    side: Side
    line: int


@dataclass(frozen=True)
class Pins:
    """All lines of a file, in order.

    Attributes:
        source: the file, as the user named it; for messages.
    """

    source: str
    pins: tuple[Pin, ...]

    def pin_of(self, path: str) -> Pin | None:
        """Return the first line that matches `path` (archive-relative, with `/`), or None."""
        fits = (pin for pattern, pin in self._compiled if pattern.match(path))
        return next(fits, None)

    def side_of(self, path: str) -> Side | None:
        """Return the split of `path` (archive-relative, with `/`); None if it is free."""
        pin = self.pin_of(path)
        return None if pin is None else pin.side

    def unused(self, paths: Iterable[str]) -> list[Pin]:
        """Return the lines that decide for none of `paths`."""
        used = {self.pin_of(path) for path in paths}
        return [pin for pin in self.pins if pin not in used]

    @cached_property
    def _compiled(self) -> list[tuple[re.Pattern[str], Pin]]:
        return [(re.compile(translate(pin.pattern)), pin) for pin in self.pins]


def read_pins(path: Path | str) -> Pins:
    """Read the pins of a CSV file.

    Raises:
        SplitError: it cannot be read, has another header, or a line is invalid; the message
            names file and line.
    """
    lines = csv_lines(path, _HEADER, "sides", SplitError, comments=True)
    return Pins(str(path), tuple(_pin(line) for line in lines))


def _pin(line: Line) -> Pin:
    pattern, side = line.fields
    if not pattern:
        raise SplitError(f"{line.place}: the pattern is empty; * matches every path")
    if side not in _SIDES:
        raise SplitError(f"{line.place}: unknown side {side!r}; allowed: {', '.join(_SIDES)}")
    return Pin(pattern, Side(side), line.number)
