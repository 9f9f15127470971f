"""CSV files of a fixed header that people write by hand: frame labels, pinned sides."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from framejury.errors import FramejuryError


@dataclass(frozen=True, slots=True)
class Line:
    """One line below the header that is not empty.

    Attributes:
        fields: as many as the header has, without spaces around them.
        number: of the line in the file, from 1, the header.
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
    """The lines of a UTF-8 file, with or without a byte-order mark.

    Args:
        what: the file holds, in the plural; for messages.
        error: to raise; its message names file and line.
        comments: lines whose first field starts with `#` say nothing.

    Raises:
        error: it cannot be read, is no CSV, has another header or not a line below it, or a
            line has more or fewer fields.
    """
    wanted = ",".join(header)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as why:
        raise error(f"cannot read the {what} in {path}: {why}") from why
    # Strict: a quote that is never closed would swallow the lines after it.
    # Ends of lines as they are: a name in quotes may hold one.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    is_empty = True
    try:
        found = [name.strip() for name in next(reader, [])]
        if found != list(header):
            raise error(
                f"{path} line 1: {what} start with {wanted}, not with {','.join(found)[:100]!r}"
            )
        for row in reader:
            if not row or (comments and row[0].lstrip().startswith("#")):
                continue
            place = f"{path} line {reader.line_num}"
            if len(row) != len(header):
                raise error(f"{place}: a line is {wanted}; this has {len(row)} fields")
            is_empty = False
            yield Line(tuple(text.strip() for text in row), reader.line_num, place)
    except csv.Error as why:
        raise error(f"{path} line {reader.line_num}: {why}") from why
    if is_empty:
        raise error(f"{path} holds no {what}: it has no line after its header")
