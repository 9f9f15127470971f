"""Figures over all thresholds (ROC, DET, precision and recall) and of the calibration.

Each curve marks the operating point, which is the threshold in use. Names are file names without
suffix and never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from framejury.evaluation.binary import Floats, PrecisionRecall, RocCurve, thinned
from framejury.evaluation.reliability import BINS, Reliability
from framejury.pages.style import (
    LIGHT,
    new_figure,
    sentence_figure,
    style_axes,
    style_legend,
)

ROC = "roc"
DET = "det"
PRECISION_RECALL = "precision_recall"
CALIBRATION = "calibration"

_SIDE_IN = 5.2
_STYLES = ((LIGHT.real, "-", "o"), (LIGHT.fake, "--", "s"))
"""Colour, dash and marker of each line."""
_DET_TICKS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_DET_LIMITS = (0.004, 0.85)


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """The data of one line in each figure.

    Attributes:
        name: what is ranked, plural ("videos").
        count: how many.
        auc, average_precision: 0 to 1.
        fpr, tpr, precision: the operating point, 0 to 1; precision is None where nothing is
            called fake.
    """

    name: str
    count: int
    roc: RocCurve
    pr: PrecisionRecall
    auc: float
    average_precision: float
    fpr: float
    tpr: float
    precision: float | None


def roc_figure(series: Sequence[Ranked], why_none: str) -> Figure:
    """Draw ROC curves; `why_none` is shown without any."""
    if not series:
        return sentence_figure("ROC curve", why_none)
    figure, axes = _square(
        "Fakes found against false alarms",
        "Reals called fake (false positive rate), %",
        "Fakes called fake (true positive rate), %",
    )
    axes.plot([0, 1], [0, 1], color=LIGHT.undecided, linewidth=1, linestyle=":", label="chance")
    for one, (color, dash, marker) in zip(series, _STYLES, strict=False):
        x, y = thinned(one.roc.fpr, one.roc.tpr)
        axes.plot(
            x, y, color=color, ls=dash, lw=2, label=f"{one.count:,} {one.name}, AUC {one.auc:.3f}"
        )
        _point(axes, one, (one.fpr, one.tpr), color, marker)
    axes.set(xlim=(0, 1), ylim=(0, 1.005))
    _percent_axes(axes)
    style_legend(axes, loc="lower right")
    return figure


def det_figure(series: Sequence[Ranked], why_none: str) -> Figure:
    """Draw missed fakes against false alarms on normal-deviate axes (Martin et al., 1997)."""
    if not series:
        return sentence_figure("DET curve", why_none)
    figure, axes = _square(
        "Detection error tradeoff",
        "Reals called fake (false positive rate), %",
        "Fakes called real (miss rate), %",
    )
    low, high = _deviates(_DET_LIMITS)
    axes.plot([low, high], [low, high], color=LIGHT.undecided, lw=1, ls=":", label="equal errors")
    for one, (color, dash, marker) in zip(series, _STYLES, strict=False):
        x, y = thinned(_deviates(one.roc.fpr), _deviates(1.0 - one.roc.tpr))
        # The curve falls: fewer misses at each further false alarm.
        axes.plot(x, y, color=color, ls=dash, lw=2, label=one.name, drawstyle="steps-post")
        seen = np.clip(_deviates([one.fpr, 1 - one.tpr]), low, high)
        _point(axes, one, (float(seen[0]), float(seen[1])), color, marker)
    ticks = _deviates(_DET_TICKS)
    words = [f"{100 * tick:g}" for tick in _DET_TICKS]
    axes.set_xticks(ticks, words)
    axes.set_yticks(ticks, words)
    axes.set(xlim=(low, high), ylim=(low, high))
    style_legend(axes, loc="upper right")
    return figure


def precision_recall_figure(series: Sequence[Ranked], why_none: str) -> Figure:
    """Draw precision against recall of fakes."""
    if not series:
        return sentence_figure("Precision and recall", why_none)
    figure, axes = _square(
        "Precision and recall of fakes",
        "Fakes called fake (recall), %",
        "Videos called fake that are fake (precision), %",
    )
    for one, (color, dash, marker) in zip(series, _STYLES, strict=False):
        x, y = thinned(one.pr.recall, one.pr.precision)
        name = f"{one.count:,} {one.name}, AP {one.average_precision:.3f}"
        axes.plot(x, y, color=color, ls=dash, lw=2, label=name, drawstyle="steps-post")
        chance = f"share of fakes among {one.name}"
        axes.axhline(one.pr.share_fake, color=color, lw=1, ls=":", label=chance)
        if one.precision is not None:
            _point(axes, one, (one.tpr, one.precision), color, marker)
    axes.set(xlim=(0, 1), ylim=(0, 1.005))
    _percent_axes(axes)
    style_legend(axes, loc="lower left")
    return figure


def calibration_figure(
    diagram: Reliability | None, error: float | None, why_none: str | None = None
) -> Figure:
    """Draw the share of fakes against the score, and below it the videos per bin.

    Args:
        diagram: of the labelled, scored videos.
        error: the expected calibration error, 0 to 1; None if a class is missing.
        why_none: a sentence to show instead.
    """
    if why_none is not None or diagram is None or not diagram.counts.sum():
        return sentence_figure("Calibration", why_none or "No labelled video was scored.")
    figure = new_figure(_SIDE_IN, 5.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    ece = "" if error is None else f" (ECE {error:.3f})"
    style_axes(
        above,
        title=f"Calibration of the video score{ece}",
        x_label="",
        y_label="Share that is fake, %",
    )
    filled = diagram.counts > 0
    x, y = diagram.mean_score[filled], diagram.fake_share[filled]
    above.plot([0, 1], [0, 1], color=LIGHT.undecided, lw=1, ls=":", label="perfect")
    above.plot(x, y, color=LIGHT.real, marker="o", ms=5, lw=1.6, label="videos")
    above.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    above.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    style_legend(above, loc="upper left")
    style_axes(below, title="", x_label="p_fake (0 real, 1 fake)", y_label="Videos")
    middles = (np.arange(BINS) + 0.5) / BINS
    below.bar(middles, diagram.counts, width=0.9 / BINS, color=LIGHT.real, alpha=0.6)
    below.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    below.grid(False, axis="x")
    return figure


def _square(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = new_figure(_SIDE_IN, _SIDE_IN)
    axes = figure.add_subplot(aspect="equal")
    style_axes(axes, title=title, x_label=x_label, y_label=y_label)
    return figure, axes


def _point(axes: Axes, one: Ranked, at: tuple[float, float], color: str, marker: str) -> None:
    axes.plot(
        *at,
        marker=marker,
        markersize=9,
        linestyle="none",
        color=color,
        markeredgecolor=LIGHT.paper,
        label=f"{one.name} at the threshold",
        zorder=4,
        clip_on=False,
    )


def _percent_axes(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))


def _deviates(shares: Sequence[float] | Floats) -> Floats:
    """Return quantiles of the standard normal; 0 and 1 lie beyond all axes."""
    quantile = NormalDist().inv_cdf
    return np.array([quantile(min(max(float(one), 1e-6), 1 - 1e-6)) for one in shares])
