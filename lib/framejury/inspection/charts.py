"""Bar charts and histograms of `inspect`; each is drawn once, as PNG and SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from framejury.inspection.inspected_archive import NO_LABEL, Counts
from framejury.pages.style import (
    LIGHT,
    new_figure,
    png,
    sentence_figure,
    style_axes,
    style_legend,
    svg,
)
from framejury.pages.text_table import counted
from framejury.redaction import printable
from framejury.schemas.statuses import Label

_LONGEST_NAME = 36
_COLORS = {Label.FAKE.value: LIGHT.fake, NO_LABEL: LIGHT.undecided}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A chart as files.

    Attributes:
        name: of the files, without suffix.
        label: the text alternative.
        png, svg: the files.
        empty: whether the chart is only a sentence on why there is no data.
    """

    name: str
    label: str
    png: bytes
    svg: bytes
    empty: bool = False


def chart_of(name: str, label: str, figure: Figure) -> Chart:
    """Make the files of a figure drawn in the theme `LIGHT`."""
    return Chart(name, label, png(figure), svg(figure))


def no_chart(name: str, label: str, sentence: str) -> Chart:
    """Make a chart that states why there is no data."""
    figure = sentence_figure(label, sentence)
    return Chart(name, f"{label}: {sentence}", png(figure), svg(figure), empty=True)


def files_of(charts: Iterable[Chart]) -> dict[str, bytes]:
    """Return `NAME.png` and `NAME.svg` of each, by file name."""
    files: dict[str, bytes] = {}
    for chart in charts:
        files |= {f"{chart.name}.png": chart.png, f"{chart.name}.svg": chart.svg}
    return files


def bars(name: str, title: str, counts: Counts, noun: str, sentence: str) -> Chart:
    """Draw counts as bars, longest on top.

    Args:
        name, title: of the chart.
        counts: name -> number.
        noun: what is counted, plural.
        sentence: shown without data.
    """
    shown = list(counts.shown)
    if counts.rest[0]:
        shown.append((counted(counts.rest[0], "other"), counts.rest[1]))
    if not shown:
        return no_chart(name, title, sentence)
    total = sum(count for _, count in shown)
    figure = new_figure(5.6, 1.2 + 0.34 * len(shown))
    axes = figure.add_subplot()
    style_axes(axes, title=title, x_label=f"{noun}, count", y_label="")
    rows = range(len(shown))
    colors = [_COLORS.get(text, LIGHT.real) for text, _ in shown]
    axes.barh(rows, [count for _, count in shown], color=colors, height=0.66)
    axes.set_yticks(rows, [_short(text) for text, _ in shown])
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
    axes.invert_yaxis()
    most = max(count for _, count in shown)
    for row, (_, count) in zip(rows, shown, strict=True):
        text = f"{count:,} ({count / total:.0%})"
        axes.text(count + most * 0.015, row, text, va="center", fontsize=9, color=LIGHT.ink)
    axes.set_xlim(0, most * 1.28)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(False, axis="y")
    numbers = ", ".join(f"{_short(text)} {count:,}" for text, count in shown)
    return chart_of(name, f"{title}: {numbers}", figure)


def histogram(
    name: str,
    title: str,
    series: Sequence[tuple[str, Floats]],
    *,
    x_label: str,
    sentence: str,
    bins: int = 24,
) -> Chart:
    """Draw the distribution of values, one outline per series.

    Args:
        name, title: of the chart.
        series: a name and float64 (n,) each; one or two.
        x_label: the values and their unit.
        sentence: shown without data.
    """
    everything = np.concatenate([values for _, values in series])
    if not everything.size:
        return no_chart(name, title, sentence)
    figure = new_figure(5.6, 3.0)
    axes = figure.add_subplot()
    style_axes(axes, title=title, x_label=x_label, y_label="videos, count")
    top = max(float(everything.max()), 1e-9)
    edges = np.linspace(0, top, bins + 1).tolist()
    styles = ((LIGHT.fake, "solid", 0.25), (LIGHT.real, "dashed", 0.0))
    for (text, values), (color, dash, fill) in zip(series, styles, strict=False):
        axes.hist(values, bins=edges, histtype="stepfilled", color=color, alpha=fill or 0.01)
        axes.hist(
            values,
            bins=edges,
            histtype="step",
            color=color,
            linestyle=dash,
            linewidth=1.6,
            label=text,
        )
    if len(series) > 1:
        style_legend(axes)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    middle = ", ".join(
        f"{text or 'median'} {'median ' if text else ''}{np.median(values):.2f}"
        for text, values in series
    )
    return chart_of(name, f"{title}; {middle}", figure)


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"
