"""What the charts of inspecting share: each is drawn once, and kept as PNG and as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from framejury.inspection.inspected_archive import NO_LABEL, Counts
from framejury.pages.style import LIGHT, new_figure, png, sentence_figure, style_axes, svg
from framejury.redaction import printable
from framejury.schemas.statuses import Label

_LONGEST_NAME = 36
_COLORS = {Label.FAKE.value: LIGHT.fake, NO_LABEL: LIGHT.undecided}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A chart as files.

    Attributes:
        name: of the files, without their endings.
        label: what it shows, for who does not see it.
        png, svg: the files.
        empty: there is nothing to draw, as the files say.
    """

    name: str
    label: str
    png: bytes
    svg: bytes
    empty: bool = False


def chart_of(name: str, label: str, figure: Figure) -> Chart:
    """A figure drawn in the theme `LIGHT`, as files."""
    return Chart(name, label, png(figure), svg(figure))


def no_chart(name: str, label: str, sentence: str) -> Chart:
    """In place of a chart: why there is nothing to draw."""
    figure = sentence_figure(label, sentence)
    return Chart(name, f"{label}: {sentence}", png(figure), svg(figure), empty=True)


def files_of(charts: Iterable[Chart]) -> dict[str, bytes]:
    """`NAME.png` and `NAME.svg` of each, by file name."""
    files: dict[str, bytes] = {}
    for chart in charts:
        files |= {f"{chart.name}.png": chart.png, f"{chart.name}.svg": chart.svg}
    return files


def bars(name: str, title: str, counts: Counts, noun: str, sentence: str) -> Chart:
    """Counts as bars, the longest on top.

    Args:
        name, title: of the chart.
        counts: what is counted.
        noun: of what, plural.
        sentence: shown where there is nothing.
    """
    shown = list(counts.shown)
    if counts.rest[0]:
        shown.append((f"{counts.rest[0]:,} others", counts.rest[1]))
    if not shown:
        return no_chart(name, title, sentence)
    total = sum(count for _, count in shown)
    figure = new_figure(5.6, 1.2 + 0.34 * len(shown), LIGHT)
    axes = figure.add_subplot()
    style_axes(axes, LIGHT, title=title, x_label=f"{noun}, count", y_label="")
    places = range(len(shown))
    colors = [_COLORS.get(text, LIGHT.real) for text, _ in shown]
    axes.barh(places, [count for _, count in shown], color=colors, height=0.66)
    axes.set_yticks(places, [_short(text) for text, _ in shown])
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
    axes.invert_yaxis()
    most = max(count for _, count in shown)
    for place, (_, count) in zip(places, shown, strict=True):
        text = f"{count:,} ({count / total:.0%})"
        axes.text(count + most * 0.015, place, text, va="center", fontsize=9, color=LIGHT.ink)
    axes.set_xlim(0, most * 1.28)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(False, axis="y")
    said = ", ".join(f"{_short(text)} {count:,}" for text, count in shown)
    return chart_of(name, f"{title}: {said}", figure)


def histogram(
    name: str,
    title: str,
    series: Sequence[tuple[str, Floats]],
    *,
    x_label: str,
    sentence: str,
    bins: int = 24,
) -> Chart:
    """How values are spread, one outline a series.

    Args:
        name, title: of the chart.
        series: a name and float64 (n,) each; one or two.
        x_label: what the values are, and their unit.
        sentence: shown where there is nothing.
    """
    everything = np.concatenate([values for _, values in series])
    if not everything.size:
        return no_chart(name, title, sentence)
    figure = new_figure(5.6, 3.0, LIGHT)
    axes = figure.add_subplot()
    style_axes(axes, LIGHT, title=title, x_label=x_label, y_label="videos, count")
    top = max(float(everything.max()), 1e-9)
    edges = np.linspace(0, top, bins + 1).tolist()
    looks = ((LIGHT.fake, "solid", 0.25), (LIGHT.real, "dashed", 0.0))
    for (text, values), (color, dash, fill) in zip(series, looks, strict=False):
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
        legend = axes.legend(frameon=False, fontsize=9)
        for text_of in legend.get_texts():
            text_of.set_color(LIGHT.ink)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    middle = ", ".join(
        f"{text or 'median'} {'median ' if text else ''}{np.median(values):.2f}"
        for text, values in series
    )
    return chart_of(name, f"{title}; {middle}", figure)


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"
