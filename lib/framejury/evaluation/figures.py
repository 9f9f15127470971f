"""The pictures of a report, each a PNG file as bytes. File names never change.

Every function takes numbers that are already counted and a `Theme`; where there is
nothing to draw, the picture says so in a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from framejury.evaluation.binary import Confusion, Floats, Integers, RocCurve
from framejury.evaluation.breakdown import VerdictCounts
from framejury.evaluation.style import (
    LIGHT,
    Theme,
    new_figure,
    png,
    sentence_figure,
    style_axes,
    style_legend,
)
from framejury.schemas import Label

CONFUSION_FACE = "confusion_face.png"
CONFUSION_VIDEO = "confusion_video.png"
ROC = "roc.png"
SCORES = "scores.png"
LOSS = "loss.png"
ACCURACY = "accuracy.png"

SCORE_BINS = 20


@dataclass(frozen=True, slots=True, eq=False)
class RocSeries:
    """One line of the ROC picture.

    Attributes:
        name: what is ranked, plural ("videos").
        count: how many.
        fpr, tpr: the operating point: where the threshold in use stands, 0 to 1.
    """

    name: str
    curve: RocCurve
    auc: float
    count: int
    fpr: float
    tpr: float


@dataclass(frozen=True, slots=True, eq=False)
class ScoreSeries:
    """Scores for one panel of the histogram.

    Attributes:
        name: what has the scores, plural; the label of the count axis.
        scores: float64 (n,), 0 to 1; weights: integer (n,), how many each stands for.
        labels: object (n,): FAKE, REAL or None.
        threshold: 0 to 1, or None when rows had different ones.
    """

    name: str
    scores: Floats
    weights: Integers
    labels: Any
    threshold: float | None


def confusion_face_figure(
    confusion: Confusion | None, threshold: float, theme: Theme = LIGHT
) -> bytes:
    """Faces: truth (of their video) against the call at the threshold, 0 to 1."""
    if confusion is None or not confusion.total:
        return sentence_figure("Faces", "No face of a labelled video was scored.", theme)
    figure = new_figure(4.6, 3.6, theme)
    title = f"{confusion.total:,} faces, threshold {threshold:.2f}"
    _matrix(figure.add_subplot(), _calls(confusion), ("fake", "real"), title, theme)
    return png(figure)


def confusion_video_figure(
    confusion: Confusion, verdicts: Mapping[str, VerdictCounts], theme: Theme = LIGHT
) -> bytes:
    """Videos: left the call at the threshold, right the verdict with its ways of not deciding."""
    total = sum(counts.total for counts in verdicts.values())
    if not total:
        return sentence_figure("Videos", "No video has a label, so there is no truth.", theme)
    figure = new_figure(9.6, 3.6, theme)
    left, right = figure.subplots(1, 2, width_ratios=(2, 4))
    title = f"Call at the threshold ({confusion.total:,} scored)"
    _matrix(left, _calls(confusion), ("fake", "real"), title, theme)
    rows = [
        (counts.fake, counts.real, counts.inconclusive, counts.not_scored)
        for counts in (verdicts[Label.FAKE.value], verdicts[Label.REAL.value])
    ]
    names = ("fake", "real", "inconclusive", "not scored")
    _matrix(right, rows, names, f"Verdict ({total:,} labelled)", theme)
    right.set_ylabel("")
    return png(figure)


def roc_figure(series: Sequence[RocSeries], why_none: str, theme: Theme = LIGHT) -> bytes:
    """ROC curves with the operating point of each; `why_none` is shown when there is none."""
    if not series:
        return sentence_figure("ROC curve", why_none, theme)
    figure = new_figure(5.2, 5.2, theme)
    axes = figure.add_subplot()
    style_axes(
        axes,
        theme,
        title="Fakes found against false alarms",
        x_label="Reals called fake (false positive rate), %",
        y_label="Fakes called fake (true positive rate), %",
    )
    axes.plot([0, 1], [0, 1], color=theme.undecided, linewidth=1, linestyle=":", label="chance")
    looks = ((theme.real, "-", "o"), (theme.fake, "--", "s"))
    for one, (color, dash, marker) in zip(series, looks, strict=False):
        name = f"{one.count:,} {one.name}, AUC {one.auc:.3f}"
        axes.plot(one.curve.fpr, one.curve.tpr, color=color, linestyle=dash, lw=2, label=name)
        axes.plot(
            [one.fpr],
            [one.tpr],
            marker=marker,
            markersize=9,
            linestyle="none",
            color=color,
            markeredgecolor=theme.paper,
            label=f"{one.name} at the threshold",
            zorder=4,
            clip_on=False,
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    style_legend(axes, theme, loc="lower right")
    return png(figure)


def scores_figure(series: Sequence[ScoreSeries], theme: Theme = LIGHT) -> bytes:
    """Histograms of `p_fake` by truth, one panel a series, with the threshold."""
    series = [one for one in series if one.scores.size]
    if not series:
        return sentence_figure("Scores", "Nothing was scored.", theme)
    figure = new_figure(6.4, 2.7 * len(series) + 0.4, theme)
    panels = figure.subplots(len(series), 1, sharex=True, squeeze=False)[:, 0]
    for axes, one in zip(panels, series, strict=True):
        last = axes is panels[-1]
        style_axes(
            axes,
            theme,
            title=f"Scores of {int(one.weights.sum()):,} {one.name}",
            x_label="p_fake (0 real, 1 fake)" if last else "",
            y_label=f"{one.name}, count",
        )
        _score_bars(axes, one, theme)
        axes.set_xlim(0, 1)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.grid(False, axis="x")
        style_legend(axes, theme, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return png(figure)


def training_figures(
    history: Sequence[Mapping[str, Any]], theme: Theme = LIGHT
) -> dict[str, bytes]:
    """`loss.png` and `accuracy.png` of a training.

    Args:
        history: one mapping an epoch, in order, with epoch, phase, loss, accuracy,
            val_loss, val_accuracy; a value that was not measured is None or absent.
            Accuracies are 0 to 1.
    """
    loss = _curve(history, "loss", "Loss (binary cross-entropy)", theme)
    accuracy = _curve(history, "accuracy", "Accuracy of single faces, %", theme)
    return {LOSS: loss, ACCURACY: accuracy}


def _calls(confusion: Confusion) -> list[tuple[int, ...]]:
    """Rows FAKE, REAL; columns called fake, called real."""
    return [(confusion.tp, confusion.fn), (confusion.fp, confusion.tn)]


def _matrix(
    axes: Axes,
    rows: Sequence[tuple[int, ...]],
    columns: Sequence[str],
    title: str,
    theme: Theme,
) -> None:
    """Truth FAKE, REAL down, calls across; counts with the share of their row.

    Blue is right, orange is wrong, grey is undecided; the stronger, the larger the share.
    """
    shade = np.zeros((2, len(columns), 3))
    for y, row in enumerate(rows):
        total = sum(row)
        for x, count in enumerate(row):
            hue = theme.undecided if x > 1 else theme.real if x == y else theme.fake
            share = count / total if total else 0.0
            strength = 0.08 + 0.62 * share
            shade[y, x] = np.array(to_rgb(theme.paper)) * (1 - strength) + (
                np.array(to_rgb(hue)) * strength
            )
            text = f"{count:,}\n{share:.1%}" if total else "0\n–"  # noqa: RUF001
            axes.text(x, y, text, ha="center", va="center", fontsize=11, color=theme.ink)
    axes.imshow(shade, aspect="auto")
    style_axes(axes, theme, title=title, x_label="Called", y_label="Truth")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks([0, 1], [f"{name}\n({sum(row):,})" for name, row in _truths(rows)])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks([0.5], minor=True)
    axes.grid(True, which="minor", color=theme.paper, linewidth=3, alpha=1)
    axes.tick_params(which="minor", length=0)


def _truths(rows: Sequence[tuple[int, ...]]) -> list[tuple[str, tuple[int, ...]]]:
    return [("FAKE", rows[0]), ("REAL", rows[1])]


def _score_bars(axes: Axes, one: ScoreSeries, theme: Theme) -> None:
    edges = np.linspace(0, 1, SCORE_BINS + 1)
    looks = (
        (None, "truth unknown", theme.undecided, 0.3),
        (Label.REAL.value, "truth REAL", theme.real, 0.35),
        (Label.FAKE.value, "truth FAKE", theme.fake, 0.0),
    )
    for label, name, color, fill in looks:
        mine = np.array([value == label for value in one.labels], bool)
        count = int(one.weights[mine].sum())
        if count:
            axes.hist(
                one.scores[mine],
                bins=edges.tolist(),
                weights=one.weights[mine],
                histtype="stepfilled",
                facecolor=(*to_rgb(color), fill),
                edgecolor=color,
                linewidth=2 if fill == 0 else 1.2,
                label=f"{name} ({count:,})",
            )
    if one.threshold is not None:
        axes.axvline(
            one.threshold,
            color=theme.ink,
            linestyle="--",
            linewidth=1.2,
            label=f"threshold {one.threshold:.2f}",
        )


def _curve(history: Sequence[Mapping[str, Any]], name: str, y_label: str, theme: Theme) -> bytes:
    kinds = (
        (name, "training", theme.real, "-", "o"),
        (f"val_{name}", "validation", theme.fake, "--", "s"),
    )
    if not any(epoch.get(key) is not None for epoch in history for key, *_ in kinds):
        return sentence_figure(y_label, "No epoch was recorded.", theme)
    figure = new_figure(6.4, 3.8, theme)
    axes = figure.add_subplot()
    style_axes(axes, theme, title="", x_label="Epoch (over all phases)", y_label=y_label)
    percent = name == "accuracy"
    for key, label, color, dash, marker in kinds:
        points = [(i, e[key]) for i, e in enumerate(history, 1) if e.get(key) is not None]
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, color=color, linestyle=dash, marker=marker, ms=4, lw=1.8, label=label)
    _mark_phases(axes, [str(epoch.get("phase") or "") for epoch in history], theme)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(0.5, max(len(history), 2) + 0.5)
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    else:
        axes.set_ylim(bottom=0)
    style_legend(axes, theme, loc="best")
    return png(figure)


def _mark_phases(axes: Axes, phases: Sequence[str], theme: Theme) -> None:
    """Name each phase above its first epoch, with a line where it begins."""
    for index, phase in enumerate(phases):
        if index and phase == phases[index - 1]:
            continue
        if index:
            axes.axvline(index + 0.5, color=theme.undecided, linewidth=1, linestyle=":")
        axes.annotate(
            phase,
            (index + 0.55, 1.02),
            xycoords=("data", "axes fraction"),
            fontsize=9,
            color=theme.undecided,
        )
