"""A figure laid out again for the width of a phone, with letters of the same size."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from framejury.pages.style import LIGHT, TITLE_PT, style_legend

WIDTH_IN = 3.6
"""346 CSS pixels: what a phone of 390 leaves beside the margins of a page."""

_PANEL_IN = 2.9
_LEGEND_LINE_IN = 0.19
_MOST_TICKS = 12
_TITLE_CH, _X_LABEL_CH, _Y_LABEL_CH = 38, 44, 34


def narrow(figure: Figure) -> None:
    """Lay a figure out for a phone, in place, after its files were written.

    Panels side by side move below each other, legends below the panels, long titles wrap. A figure
    without axes stays as it is.
    """
    panels = figure.axes
    if not panels or figure.get_figwidth() <= WIDTH_IN:
        return
    legends = [axes for axes in panels if axes.get_legend() is not None]
    lines = sum(len(axes.get_legend_handles_labels()[1]) for axes in legends)
    were_beside = _stack(figure, panels)
    for axes in panels:
        _wrap(axes)
        _thin_ticks(axes)
    if len(legends) == 1 or were_beside:
        _legend_of(figure, legends)
    else:
        for axes in legends:
            style_legend(axes, loc="upper left", bbox_to_anchor=(0.0, -0.2))  # replaces the old one
    height = len(panels) * _PANEL_IN
    if len(panels) == 1 and panels[0].get_aspect() == 1:
        height = WIDTH_IN
    elif not were_beside and len(panels) > 1:
        height = min(figure.get_figheight(), height)
    figure.set_size_inches(WIDTH_IN, height + 0.3 + lines * _LEGEND_LINE_IN)


def _stack(figure: Figure, panels: Sequence[Axes]) -> bool:
    """Move panels of one row below each other; return whether there was such a row."""
    grid = panels[0].get_gridspec()
    if grid is None or grid.ncols == 1:
        return False
    below = figure.add_gridspec(len(panels), 1)
    for row, axes in enumerate(panels):
        axes.set_subplotspec(below[row, 0])
    return True


def _legend_of(figure: Figure, legends: Sequence[Axes]) -> None:
    """Draw one legend below all panels."""
    handles, labels = [], []
    for axes in legends:
        mine = axes.get_legend_handles_labels()
        handles += mine[0]
        labels += mine[1]
        if (old := axes.get_legend()) is not None:
            old.remove()
    if handles:
        figure.legend(
            handles,
            labels,
            loc="outside lower left",
            frameon=False,
            fontsize=9,
            labelcolor=LIGHT.ink,
        )


def _wrap(axes: Axes) -> None:
    title = textwrap.fill(axes.get_title("left"), _TITLE_CH)
    axes.set_title(title, loc="left", fontsize=TITLE_PT, color=LIGHT.ink, pad=10)
    axes.set_xlabel(textwrap.fill(axes.get_xlabel(), _X_LABEL_CH))
    axes.set_ylabel(textwrap.fill(axes.get_ylabel(), _Y_LABEL_CH))


def _thin_ticks(axes: Axes) -> None:
    """Keep at most `_MOST_TICKS` marks of the x axis that have words, the last among them."""
    ticks, words = list(axes.get_xticks()), [one.get_text() for one in axes.get_xticklabels()]
    step = math.ceil(len(ticks) / _MOST_TICKS)
    if step > 1 and any(words):
        kept = slice(None, None, -step)
        axes.set_xticks(ticks[kept], words[kept], rotation=45, ha="right", rotation_mode="anchor")
