"""One style for every figure: colours, fonts, PNG and SVG.

Matplotlib's object interface with the Agg canvas: no pyplot, no global state. A figure is drawn
once, in the theme `LIGHT`; on a page, `inline_svg` switches its colours with the reader's theme.
The colours are Okabe and Ito's, distinguishable with colour blindness (Color Universal Design,
2008); classes also differ in words or line shape.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

DOTS_PER_INCH = 160
TITLE_PT = 11
_LINE_CH = 76


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a figure, `#rrggbb`.

    The last two are those of the tiles: `--open` and `--none` of `base.css`.
    """

    paper: str
    ink: str
    faint: str
    fake: str
    real: str
    undecided: str
    inconclusive: str
    unscored: str


LIGHT = Theme(
    paper="#ffffff",
    ink="#1b1f24",
    faint="#d5d9de",
    fake="#d55e00",
    real="#0072b2",
    undecided="#6b7280",
    inconclusive="#6a5500",
    unscored="#4f5863",
)
DARK = Theme(
    paper="#16191d",
    ink="#e8eaed",
    faint="#3a4048",
    fake="#ff8a3d",
    real="#56b4e9",
    undecided="#9aa3ad",
    inconclusive="#ecd06f",
    unscored="#b4bcc5",
)


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure of this size in inches."""
    figure = Figure(
        figsize=(width_in, height_in),
        dpi=DOTS_PER_INCH,
        layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12),
        facecolor=LIGHT.paper,
    )
    FigureCanvasAgg(figure)
    return figure


def style_axes(axes: Axes, *, title: str, x_label: str, y_label: str) -> None:
    """Set the title at the left, two thin spines and a faint grid behind the data."""
    axes.set_facecolor(LIGHT.paper)
    axes.set_title(title, loc="left", fontsize=TITLE_PT, color=LIGHT.ink, pad=10)
    axes.set_xlabel(x_label, fontsize=9.5, color=LIGHT.ink)
    axes.set_ylabel(y_label, fontsize=9.5, color=LIGHT.ink)
    axes.tick_params(colors=LIGHT.ink, labelsize=9, length=3, color=LIGHT.faint)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(LIGHT.faint)
    axes.grid(True, color=LIGHT.faint, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)


def style_legend(axes: Axes, **place: Any) -> None:
    """Add a frameless legend, if anything has a label."""
    if axes.get_legend_handles_labels()[0]:
        legend = axes.legend(frameon=False, fontsize=9, **place)
        for text in legend.get_texts():
            text.set_color(LIGHT.ink)


def sentence_figure(title: str, sentence: str) -> Figure:
    """Return a figure of one sentence: why there is nothing to draw."""
    lines = textwrap.wrap(sentence, _LINE_CH)
    figure = new_figure(5.6, 1.3 + 0.2 * len(lines))
    figure.text(0.04, 0.88, title, fontsize=TITLE_PT, color=LIGHT.ink, weight="bold", va="top")
    words = "\n".join(lines)
    figure.text(0.04, 0.6, words, fontsize=9.5, color=LIGHT.ink, va="top", linespacing=1.5)
    return figure


def picture_files(figures: Mapping[str, Figure]) -> dict[str, bytes]:
    """Return `NAME.png` and `NAME.svg` of each figure, by file name."""
    files = {}
    for name, figure in figures.items():
        files[f"{name}.png"] = png(figure)
        files[f"{name}.svg"] = svg(figure)
    return files


def png(figure: Figure) -> bytes:
    """Return a PNG file; equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def svg(figure: Figure) -> bytes:
    """Return an SVG file with its words as text; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "framejury"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def inline_svg(drawn: bytes, name: str, label: str) -> str:
    """Return an `svg` element for a page.

    Its colours are CSS variables, which `chart_css` sets for light and dark.

    Args:
        drawn: a file of `svg`, drawn in the theme `LIGHT`.
        name: prefix of all its ids: letters, digits and `-`, unique on the page.
        label: the text alternative.
    """
    text = drawn.decode("utf-8")
    text = _METADATA.sub("", text[text.index("<svg") :])
    for role, light in asdict(LIGHT).items():
        text = text.replace(light, f"var(--chart-{role})")
    text = _ID.sub(rf'id="{name}-\1"', text)
    text = _REFERENCE.sub(rf"\g<1>#{name}-", text)
    attributes = f'class="chart" role="img" aria-label="{escape(label)}"'
    return _SIZE.sub(f"<svg {attributes} ", text, count=1)


def chart_css() -> str:
    """Return the style sheet that `inline_svg` needs, for light and dark."""

    def of(theme: Theme) -> str:
        return " ".join(f"--chart-{role}: {value};" for role, value in asdict(theme).items())

    return (
        f":root {{ {of(LIGHT)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {of(DARK)} }} }}\n"
        "svg.chart { display: block; max-width: 100%; height: auto; }\n"
        "svg.chart * { stroke-linejoin: round; stroke-linecap: butt; }\n"
        "svg.chart text { font-family: inherit !important; }\n"
        ".on-phone { display: none; }\n"
        "@media screen and (max-width: 40rem) {\n"
        "  .on-desk { display: none; } .on-phone { display: block; }\n"
        "}\n"
    )


_METADATA = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL)
_ID = re.compile(r'id="([^"]*)"')
_REFERENCE = re.compile(r"(url\(|xlink:href=\"|href=\")#")
_SIZE = re.compile(r"<svg ")
