"""One look for every picture: colours, fonts, and bytes out.

Matplotlib's object interface with the Agg canvas; no pyplot, no global state.
Colours are Okabe and Ito's, which people with colour blindness can tell apart
(Color Universal Design, 2008); a class is told by words or line shape as well.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

DOTS_PER_INCH = 160


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a picture, `#rrggbb`."""

    paper: str
    ink: str
    faint: str
    fake: str
    real: str
    undecided: str


LIGHT = Theme(
    paper="#ffffff",
    ink="#1b1f24",
    faint="#d5d9de",
    fake="#d55e00",
    real="#0072b2",
    undecided="#6b7280",
)
DARK = Theme(
    paper="#16191d",
    ink="#e8eaed",
    faint="#3a4048",
    fake="#ff8a3d",
    real="#56b4e9",
    undecided="#9aa3ad",
)


def new_figure(width_in: float, height_in: float, theme: Theme) -> Figure:
    """An empty figure of that size in inches, on the theme's paper."""
    figure = Figure(
        figsize=(width_in, height_in),
        dpi=DOTS_PER_INCH,
        layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12),
        facecolor=theme.paper,
    )
    FigureCanvasAgg(figure)
    return figure


def style_axes(axes: Axes, theme: Theme, *, title: str, x_label: str, y_label: str) -> None:
    """Title to the left, two thin spines, quiet grid behind the data."""
    axes.set_facecolor(theme.paper)
    axes.set_title(title, loc="left", fontsize=11, color=theme.ink, pad=10)
    axes.set_xlabel(x_label, fontsize=9.5, color=theme.ink)
    axes.set_ylabel(y_label, fontsize=9.5, color=theme.ink)
    axes.tick_params(colors=theme.ink, labelsize=9, length=3, color=theme.faint)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.faint)
    axes.grid(True, color=theme.faint, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)


def style_legend(axes: Axes, theme: Theme, **place: Any) -> None:
    """A frameless legend in the theme's ink, where there is something to name."""
    if axes.get_legend_handles_labels()[0]:
        legend = axes.legend(frameon=False, fontsize=9, **place)
        for text in legend.get_texts():
            text.set_color(theme.ink)


def sentence_figure(title: str, sentence: str, theme: Theme) -> bytes:
    """A picture that says why there is nothing to draw, so that the file is always there."""
    figure = new_figure(5.6, 1.5, theme)
    figure.text(0.04, 0.68, title, fontsize=11, color=theme.ink, weight="bold")
    figure.text(0.04, 0.36, sentence, fontsize=9.5, color=theme.ink)
    return png(figure)


def png(figure: Figure) -> bytes:
    """The figure as a PNG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
