"""A figure with its goal, and how figures are printed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

_HEADINGS = ("figure", "measured", "range", "goal", "met")


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        name: what is measured against what.
        unit: behind the number, such as `x faster`, `x its time`, `%`, `MB`.
        value: median; None: not measured, and `note` says why.
        low, high: smallest and largest of the repeats; None: there was one.
        at_least, at_most: the goal, one of them or none.
        note: what to know when reading it.
        details: what it was computed from, plain values.
    """

    name: str
    unit: str
    value: float | None
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without a goal or a measurement."""
        if self.value is None:
            return None
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None


def text_table(figures: Sequence[Figure]) -> str:
    """For a terminal: a line a figure, notes below it."""
    rows = [_HEADINGS, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = []
    for row, note in zip(rows, ["", *(figure.note for figure in figures)], strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
        if note:
            lines.append(f"    {note}")
    return "\n".join(lines)


def markdown(figures: Sequence[Figure], facts: Mapping[str, Any]) -> str:
    """For `docs/performance.md`: the table, then its notes, machine, versions and clips."""
    lines = [
        f"| {' | '.join(_HEADINGS)} |",
        f"|{'---|' * len(_HEADINGS)}",
        *(f"| {' | '.join(_cells(figure))} |" for figure in figures),
        "",
        *(f"- *{figure.name}*: {figure.note}" for figure in figures if figure.note),
        "",
        f"Measured on {facts['date']} at commit {facts['commit']} on {facts['machine']['cpu']}, "
        f"{facts['machine']['cores']} cores, {facts['machine']['memory_gb']} GB. "
        f"{facts['repeats']} repeats after a warm-up, medians; range: smallest to largest repeat.",
        "",
        f"Versions: {', '.join(f'{name} {value}' for name, value in facts['versions'].items())}.",
        "",
        f"Clips: {', '.join(facts['clips'])}.",
        "",
    ]
    return "\n".join(lines)


def document(figures: Sequence[Figure], facts: Mapping[str, Any]) -> dict[str, Any]:
    """For `bench.json`."""
    return {**facts, "figures": [asdict(figure) | {"met": figure.met} for figure in figures]}


def _cells(figure: Figure) -> tuple[str, str, str, str, str]:
    if figure.value is None:
        measured, spread = "not measured", ""
    else:
        measured = f"{_number(figure.value)} {figure.unit}"
        spread = ""
        if figure.low is not None and figure.high is not None:
            spread = f"{_number(figure.low)} to {_number(figure.high)}"
    goal = ""
    if figure.at_least is not None:
        goal = f"at least {_number(figure.at_least)}"
    elif figure.at_most is not None:
        goal = f"at most {_number(figure.at_most)}"
    met = {True: "yes", False: "no", None: ""}[figure.met]
    return figure.name, measured, spread, goal, met


def _number(value: float) -> str:
    """Three digits that count; whole from 100 on."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
