"""Plain text in columns, for terminals and text reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from framejury.redaction import printable

UNKNOWN = "-"


def columns(rows: Sequence[Sequence[object]], right: str = "") -> list[str]:
    """Return one line per row, its cells padded to columns.

    Args:
        rows: equally long, at least one; control characters are escaped.
        right: an `r` for each column that is flush right; the others are flush left.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    flush = right.ljust(len(widths), "l")
    return [
        "  ".join(
            cell.rjust(width) if where == "r" else cell.ljust(width)
            for cell, width, where in zip(row, widths, flush, strict=True)
        ).rstrip()
        for row in cells
    ]


def grid(header: Sequence[str], rows: Sequence[Sequence[object]], right: str = "") -> str:
    """Return a table with a rule below its header; `right` as in `columns`."""
    head, *lines = columns([header, *rows], right)
    widths = [max(len(printable(row[at])) for row in (header, *rows)) for at in range(len(header))]
    return "\n".join([head, "  ".join("-" * width for width in widths), *lines])


def heading(text: str) -> str:
    """Return a line with a rule below it."""
    return f"{text}\n{'=' * len(text)}"


def pairs(values: Mapping[str, str | None], indent: str = "  ") -> list[str]:
    """Return names and values, one pair per line; values of None are left out."""
    rows = [(name, value) for name, value in values.items() if value is not None]
    return [f"{indent}{line}" for line in columns(rows)] if rows else []


def count(number: int | None) -> str:
    """Return `1,234`, or `-` where the number is unknown."""
    return UNKNOWN if number is None else f"{number:,}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return `1 face`, `1,234 faces`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def left_out_sentences(deleted: int, forgotten: int) -> list[str]:
    """Return which videos lists and figures leave out, one sentence each; empty for none."""
    found = []
    if deleted:
        words = counted(deleted, "video was", "videos were")
        found.append(f"{words} deleted from the archive since, and not counted here.")
    if forgotten:
        words = counted(forgotten, "video was", "videos were")
        found.append(f"{words} forgotten (framejury forget), and not counted here.")
    return found


def duration(seconds: float | None) -> str:
    """Return `h:mm:ss`, or `-` where the time is unknown."""
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
