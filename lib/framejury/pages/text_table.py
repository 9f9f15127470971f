"""Plain text in columns, for terminals and text reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from framejury.pages.text_width import cut, cut_path, padded, width_of
from framejury.redaction import printable

UNKNOWN = "-"
"""The cell of a value that is not there."""

_BETWEEN = "  "


@dataclass(frozen=True)
class Fit:
    """How a table becomes as narrow as a terminal; columns are named by their places.

    Attributes:
        width: cells of the terminal.
        texts: columns whose cells may lose their end, down to this many cells.
        paths: columns whose cells may lose their middle, cut after the texts.
        spare: columns that are left out if cutting is not enough, the first one first. Where even
            that is not enough, cells are cut to half of those numbers.
    """

    width: int
    texts: Mapping[int, int] = field(default_factory=dict)
    paths: Mapping[int, int] = field(default_factory=dict)
    spare: Sequence[int] = ()


@dataclass(frozen=True)
class Layout:
    """The columns that are shown.

    Attributes:
        widths: cells of each shown column by its place.
        right: an `r` for each column that is flush right; the others are flush left.
        paths: columns that lose their middle where a cell is wider.
        width: most cells of a line; None: any.
    """

    widths: Mapping[int, int]
    right: str = ""
    paths: frozenset[int] = frozenset()
    width: int | None = None

    @classmethod
    def of(
        cls,
        heading: Sequence[object],
        rows: Iterable[Sequence[object]],
        right: str = "",
        fit: Fit | None = None,
    ) -> Layout:
        """Return a layout that shows every cell in full, or one that fits into a terminal.

        With `fit`, columns without any value are left out.

        Args:
            heading: the first line.
            rows: as long as the heading; they are read once and not kept.
            right: an `r` for each column that is flush right.
            fit: how to fit; None: as wide as the cells.
        """
        widths = [width_of(printable(name)) for name in heading]
        nothing = set(range(len(widths)))
        for row in rows:
            cells = [printable(cell) for cell in row]
            widths = [max(*pair) for pair in zip(widths, map(width_of, cells), strict=True)]
            if nothing:
                nothing -= {at for at in nothing if cells[at] not in ("", UNKNOWN)}
        if fit is None:
            return cls(dict(enumerate(widths)), right)
        shown = {at: width for at, width in enumerate(widths) if at not in nothing}
        return cls(_fitted(shown or {0: widths[0]}, fit), right, frozenset(fit.paths), fit.width)

    def line(self, row: Sequence[object]) -> str:
        """Return the line of a row."""
        cells = []
        for at, width in self.widths.items():
            shorter = cut_path if at in self.paths else cut
            cell = shorter(printable(row[at]), width)
            cells.append(padded(cell, width, right=self.right[at : at + 1] == "r"))
        line = _BETWEEN.join(cells).rstrip()
        return line if self.width is None else cut(line, self.width)


def columns(rows: Sequence[Sequence[object]], right: str = "", fit: Fit | None = None) -> list[str]:
    """Return one line per row, its cells padded to columns.

    Args:
        rows: equally long; control characters are escaped.
        right: an `r` for each column that is flush right; the others are flush left.
        fit: how to fit the table into a terminal, its first row being the heading; None: as wide
            as its cells.
    """
    if not rows:
        return []
    layout = Layout.of(rows[0], rows[1:], right, fit)
    return [layout.line(row) for row in rows]


def grid(header: Sequence[str], rows: Sequence[Sequence[object]], right: str = "") -> str:
    """Return a table with a rule below its header; `right` as in `columns`."""
    layout = Layout.of(header, rows, right)
    rule = ["-" * width for width in layout.widths.values()]
    return "\n".join(layout.line(row) for row in (header, rule, *rows))


def heading(text: str) -> str:
    """Return a line with a rule below it."""
    return f"{text}\n{'=' * width_of(text)}"


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


def _fitted(widths: dict[int, int], fit: Fit) -> dict[int, int]:
    """Return the widths of the columns that fit, in order."""
    least = {**fit.texts, **fit.paths}

    def excess(of: Mapping[int, int]) -> int:
        return sum(of.values()) + len(_BETWEEN) * (len(of) - 1) - fit.width

    for at in fit.spare:
        narrowest = {at: min(width, least.get(at, width)) for at, width in widths.items()}
        if excess(narrowest) <= 0:
            break
        widths = {other: width for other, width in widths.items() if other != at}
    for share in (1, 2):
        for at, minimum in least.items():
            if at in widths:
                room = max(0, widths[at] - minimum // share)
                widths[at] -= min(room, max(0, excess(widths)))
    return widths
