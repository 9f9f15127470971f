"""The pictures of the protocol beside those of every report. File names never change."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from framejury.evaluation.binary import DetCurve, Floats
from framejury.evaluation.protocol import Estimate, ProtocolFindings, ProtocolSlice
from framejury.evaluation.protocol_tables import (
    FAMILY_NAMES,
    UNTOUCHED,
    labelled_points,
)
from framejury.evaluation.reliability import BINS, Reliability
from framejury.evaluation.style import (
    Theme,
    new_figure,
    png,
    sentence_figure,
    style_axes,
    style_legend,
)

DET = "det.png"
RELIABILITY = "reliability.png"
FRAMES = "frames_per_video.png"

_DET_TICKS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_DET_LIMITS = (0.004, 0.85)


def robustness_name(family: str) -> str:
    """File name of one family's curve."""
    return f"robustness_{family}.png"


def protocol_names(p: ProtocolFindings) -> list[tuple[str, str]]:
    """File name and description of each picture, in reading order."""
    return [
        (DET, "DET curve: missed fakes against reals called fake"),
        (RELIABILITY, "Reliability diagram: share of fakes against the score of the video"),
        (FRAMES, "AUC and calls by how many frames of a video are looked at"),
        *(
            (robustness_name(family), f"AUC and calls by strength: {FAMILY_NAMES[family][0]}")
            for family in p.robustness
            if family != UNTOUCHED
        ),
    ]


def protocol_pictures(p: ProtocolFindings, theme: Theme) -> dict[str, bytes]:
    """PNG files by name."""
    frames = [(str(count), one) for count, one in p.by_frames.items()]
    files = {
        DET: det_figure([("videos", p.det_videos), ("faces", p.det_faces)], theme),
        RELIABILITY: reliability_figure(p.reliability, p.overall.videos["ece"], theme),
        FRAMES: curve_figure("Frames looked at", "frames a video", frames, theme),
    }
    before = p.robustness.get(UNTOUCHED, {})
    for family, points in p.robustness.items():
        if family != UNTOUCHED:
            name, axis = FAMILY_NAMES[family]
            labelled = labelled_points(before, points)
            files[robustness_name(family)] = curve_figure(name, axis, labelled, theme)
    return files


def det_figure(series: Sequence[tuple[str, DetCurve | None]], theme: Theme) -> bytes:
    """Missed fakes against false alarms on normal-deviate axes (Martin et al., 1997)."""
    drawn = [(name, curve) for name, curve in series if curve is not None]
    if not drawn:
        return sentence_figure("DET", "A class is missing: there is nothing to trade off.", theme)
    figure = new_figure(5.4, 5.0, theme)
    axes = figure.add_subplot()
    style_axes(
        axes,
        theme,
        title="Detection error tradeoff",
        x_label="Reals called fake (FPR), %",
        y_label="Fakes called real (miss rate), %",
    )
    low, high = _deviates(_DET_LIMITS)
    looks = ((theme.real, "-"), (theme.fake, "--"))
    for (name, curve), (color, dash) in zip(drawn, looks, strict=False):
        axes.plot(
            _deviates(curve.fpr),
            _deviates(curve.fnr),
            color=color,
            linestyle=dash,
            lw=1.8,
            label=name,
            drawstyle="steps-post",
        )
    axes.plot([low, high], [low, high], color=theme.undecided, lw=1, ls=":", label="equal errors")
    ticks = _deviates(_DET_TICKS)
    words = [f"{100 * tick:g}" for tick in _DET_TICKS]
    axes.set_xticks(ticks, words)
    axes.set_yticks(ticks, words)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    style_legend(axes, theme, loc="upper right")
    return png(figure)


def reliability_figure(diagram: Reliability, ece: Estimate, theme: Theme) -> bytes:
    """Share of fakes against the score, and below it how many videos each bin holds."""
    if not diagram.counts.sum():
        return sentence_figure("Reliability", "No labelled video was scored.", theme)
    figure = new_figure(5.4, 5.6, theme)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    error = "" if ece.value is None else f" (ECE {ece.value:.3f})"
    style_axes(
        above,
        theme,
        title=f"Reliability of the video score{error}",
        x_label="",
        y_label="Share that is fake, %",
    )
    filled = diagram.counts > 0
    above.plot([0, 1], [0, 1], color=theme.undecided, lw=1, ls=":", label="calibrated")
    above.plot(
        diagram.mean_score[filled],
        diagram.fake_share[filled],
        color=theme.real,
        marker="o",
        ms=5,
        lw=1.6,
        label="videos",
    )
    above.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    above.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    style_legend(above, theme, loc="upper left")
    style_axes(below, theme, title="", x_label="p_fake (0 real, 1 fake)", y_label="Videos")
    middles = (np.arange(BINS) + 0.5) / BINS
    below.bar(middles, diagram.counts, width=0.9 / BINS, color=theme.real, alpha=0.6)
    below.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    below.grid(False, axis="x")
    return png(figure)


def curve_figure(
    title: str, x_label: str, points: Sequence[tuple[str, ProtocolSlice]], theme: Theme
) -> bytes:
    """Left the AUC with its interval, right what the threshold does, at each named point."""
    if not points:
        return sentence_figure(title, "Nothing was measured.", theme)
    figure = new_figure(7.0, 3.3, theme)
    left, right = figure.subplots(1, 2)
    style_axes(left, theme, title=f"{title}: AUC", x_label=x_label, y_label="AUC")
    _line(left, points, "auc", ("AUC", theme.real, "o", "-"))
    left.axhline(0.5, color=theme.undecided, lw=1, ls=":", label="chance")
    style_axes(
        right, theme, title="At the threshold", x_label=x_label, y_label="Share of videos, %"
    )
    for name, look in (
        ("recall_fake", ("fakes called fake", theme.fake, "s", "-")),
        ("fpr_of_calls", ("reals called fake", theme.real, "o", "--")),
    ):
        _line(right, points, name, look)
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    right.set_ylim(-0.03, 1.03)
    for axes in (left, right):
        axes.set_xticks(range(len(points)), [name for name, _ in points])
        axes.set_xlim(-0.4, len(points) - 0.6)
        style_legend(axes, theme, loc="best")
    values = [one.videos["auc"].value for _, one in points]
    lowest = min([0.5, *(value for value in values if value is not None)])
    left.set_ylim(max(0.0, lowest - 0.1), 1.02)
    return png(figure)


def _deviates(shares: Sequence[float] | Floats) -> Floats:
    """Quantiles of the standard normal; 0 and 1 as far out as no axis reaches."""
    quantile = NormalDist().inv_cdf
    return np.array([quantile(min(max(float(one), 1e-6), 1 - 1e-6)) for one in shares])


def _line(
    axes: Axes,
    points: Sequence[tuple[str, ProtocolSlice]],
    name: str,
    look: tuple[str, str, str, str],
) -> None:
    """One figure over the points, with whiskers where there is an interval."""
    label, color, marker, dash = look
    estimates = [_estimate(one, name) for _, one in points]
    there = [index for index, one in enumerate(estimates) if one.value is not None]
    if not there:
        return
    values: Floats = np.array([estimates[index].value for index in there], np.float64)
    axes.plot(there, values, color=color, marker=marker, ls=dash, ms=5, lw=1.6, label=label)
    for index in there:
        interval = estimates[index].interval
        if interval is not None:
            axes.plot([index] * 2, [interval.low, interval.high], color=color, lw=1.2, alpha=0.7)


def _estimate(one: ProtocolSlice, name: str) -> Estimate:
    if name == "fpr_of_calls":
        return Estimate(one.metrics.scored.fpr, one.metrics.bootstrap.intervals["fpr"])
    return one.videos[name]
