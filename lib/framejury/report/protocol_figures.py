"""Charts of the protocol, in addition to those of every report. Their names never change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from framejury.evaluation.binary import Floats
from framejury.evaluation.protocol_numbers import Estimate, ProtocolFindings, ProtocolSlice
from framejury.pages.style import (
    LIGHT,
    new_figure,
    sentence_figure,
    style_axes,
    style_legend,
)
from framejury.report.protocol_tables import FAMILY_NAMES, UNTOUCHED, labelled_points

FRAMES = "frames_per_video"


def robustness_name(family: str) -> str:
    """Return the name of one family's chart."""
    return f"robustness_{family}"


def protocol_names(p: ProtocolFindings) -> list[tuple[str, str]]:
    """Return name and description of each chart, in reading order."""
    return [
        (FRAMES, "AUC and calls by sampled frames per video"),
        *(
            (robustness_name(family), f"AUC and calls by strength: {FAMILY_NAMES[family][0]}")
            for family in p.robustness
            if family != UNTOUCHED
        ),
    ]


def protocol_pictures(p: ProtocolFindings) -> dict[str, Figure]:
    """Draw the charts, by name."""
    frames = [(str(count), one) for count, one in p.by_frames.items()]
    files = {
        FRAMES: curve_figure("Sampled frames", "frames per video", frames),
    }
    before = p.robustness.get(UNTOUCHED, {})
    for family, points in p.robustness.items():
        if family != UNTOUCHED:
            name, axis = FAMILY_NAMES[family]
            labelled = labelled_points(before, points)
            files[robustness_name(family)] = curve_figure(name, axis, labelled)
    return files


def curve_figure(title: str, x_label: str, points: Sequence[tuple[str, ProtocolSlice]]) -> Figure:
    """Draw AUC with its interval (left) and calls at the threshold (right) at each point."""
    if not points:
        return sentence_figure(title, "Not measured.")
    figure = new_figure(7.0, 3.3)
    left, right = figure.subplots(1, 2)
    style_axes(left, title=f"{title}: AUC", x_label=x_label, y_label="AUC")
    _line(left, points, "auc", ("AUC", LIGHT.real, "o", "-"))
    left.axhline(0.5, color=LIGHT.undecided, lw=1, ls=":", label="chance")
    style_axes(right, title="At the threshold", x_label=x_label, y_label="Share of videos, %")
    for name, look in (
        ("recall_fake", ("fakes called fake", LIGHT.fake, "s", "-")),
        ("fpr_of_calls", ("reals called fake", LIGHT.real, "o", "--")),
    ):
        _line(right, points, name, look)
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    right.set_ylim(-0.03, 1.03)
    for axes in (left, right):
        axes.set_xticks(range(len(points)), [name for name, _ in points])
        axes.set_xlim(-0.4, len(points) - 0.6)
        style_legend(axes, loc="best")
    values = [one.videos["auc"].value for _, one in points]
    lowest = min([0.5, *(value for value in values if value is not None)])
    left.set_ylim(max(0.0, lowest - 0.1), 1.02)
    return figure


def _line(
    axes: Axes,
    points: Sequence[tuple[str, ProtocolSlice]],
    name: str,
    look: tuple[str, str, str, str],
) -> None:
    """Draw one figure over the points, with whiskers for intervals."""
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
