"""Columns of text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NONE = "-"


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows as lines of columns; those in `right` end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def pairs(values: Mapping[str, str | None], indent: str = "  ") -> list[str]:
    """Names and what they are, one a line; None is left out."""
    rows = [(name, value) for name, value in values.items() if value is not None]
    return [f"{indent}{line}" for line in aligned(rows)] if rows else []


def count(number: int | None) -> str:
    """`1,234`, or `-` where it is not known."""
    return NONE if number is None else f"{number:,}"


def duration(seconds: float | None) -> str:
    """`h:mm:ss`, or `-` where it is not known."""
    if seconds is None:
        return NONE
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
