"""Plain text that stands in columns."""

from __future__ import annotations

from collections.abc import Sequence

from framejury.redaction import printable


def grid(header: Sequence[str], rows: Sequence[Sequence[object]], right: str = "") -> str:
    """An aligned table. `right` has an `r` for each column that is set flush right."""
    cells = [[printable(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    sides = right.ljust(len(header), "l")
    lines = [
        "  ".join(
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def heading(text: str) -> str:
    """A line with a rule below it."""
    return f"{text}\n{'=' * len(text)}"
