"""CSV files with a fixed header, written by hand: frame labels and fixed splits."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from framejury.errors import FramejuryError


@dataclass(frozen=True, slots=True)
class Line:
    """One non-empty line below the header.

    Attributes:
        fields: one per column, stripped of spaces.
        number: line number in the file; the header is 1.
        place: file and line, for messages.
    """

    fields: tuple[str, ...]
    number: int
    place: str


def csv_lines(
    path: Path | str,
    header: Sequence[str],
    what: str,
    error: type[FramejuryError],
    *,
    comments: bool = False,
) -> Iterator[Line]:
    """Yield the lines of a UTF-8 file, with or without a byte-order mark.

    Args:
        what: what the file holds, in the plural; for messages.
        error: class to raise; the message names file and line.
        comments: whether to skip lines whose first field starts with `#`.

    Raises:
        error: the file cannot be read, is not CSV, has another header or no further line, or a
            line has more or fewer fields.
    """
    wanted = ",".join(header)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as why:
        raise error(f"cannot read the {what} in {path}: {why}") from why
    # Strict, or an unclosed quote would swallow the lines after it. Line ends are kept as they
    # are, as a quoted name may hold one.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    is_empty = True
    try:
        found = [name.strip() for name in next(reader, [])]
        if found != list(header):
            raise error(
                f"{path} line 1: the header must be {wanted}, not {','.join(found)[:100]!r}"
            )
        for row in reader:
            if not row or (comments and row[0].lstrip().startswith("#")):
                continue
            place = f"{path} line {reader.line_num}"
            if len(row) != len(header):
                raise error(f"{place}: {len(row)} fields instead of {wanted}")
            is_empty = False
            yield Line(tuple(text.strip() for text in row), reader.line_num, place)
    except csv.Error as why:
        raise error(f"{path} line {reader.line_num}: {why}") from why
    if is_empty:
        raise error(f"{path} holds no {what}: it has no line below its header")
