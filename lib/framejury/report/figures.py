"""Figures of counts: confusion matrices, histograms, nightly runs.

Every function takes finished numbers; without data, its figure is a sentence on why. Names are
file names without suffix and never change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from framejury.decisions.by_night import NightOutcome
from framejury.evaluation.binary import Confusion, Floats, Integers
from framejury.evaluation.breakdown import VerdictCounts
from framejury.evaluation.few import CURVES_FROM
from framejury.pages.style import (
    LIGHT,
    new_figure,
    sentence_figure,
    style_axes,
    style_legend,
)
from framejury.report.since import JudgedRun
from framejury.schemas.statuses import Label

CONFUSION_FACE = "confusion_face"
CONFUSION_VIDEO = "confusion_video"
SCORES = "scores"
NIGHTS = "nights"
DECISIONS = "decisions"

SCORE_BINS = 20
_BY_LABEL = (
    (None, "no label", LIGHT.undecided, 0.3),
    (Label.REAL.value, "label REAL", LIGHT.real, 0.35),
    (Label.FAKE.value, "label FAKE", LIGHT.fake, 0.0),
)
"""Label, its name, colour, and how opaque its bars are, 0 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreSeries:
    """Scores for one panel of the histogram.

    Attributes:
        name: what is scored, plural; labels the count axis.
        scores: float64 (n,), 0 to 1; weights: integer (n,), how many each represents.
        labels: object (n,): FAKE, REAL or None.
        threshold: 0 to 1; None if rows have different ones.
    """

    name: str
    scores: Floats
    weights: Integers
    labels: Any
    threshold: float | None


def confusion_face_figure(
    confusion: Confusion | None, threshold: float, judges: str = "face"
) -> Figure:
    """Draw faces (or frames, which `judges` names): their video's label against the call."""
    if confusion is None or not confusion.total:
        return sentence_figure(
            f"{judges.capitalize()}s", f"No {judges} of a labelled video was scored."
        )
    figure = new_figure(4.6, 3.6)
    title = f"{confusion.total:,} {judges}s, threshold {threshold:.2f}"
    _matrix(figure.add_subplot(), _calls(confusion), ("fake", "real"), title)
    return figure


def confusion_video_figure(confusion: Confusion, verdicts: Mapping[str, VerdictCounts]) -> Figure:
    """Draw videos: on the left the call at the threshold, on the right the verdict."""
    total = sum(counts.total for counts in verdicts.values())
    if not total:
        return sentence_figure("Videos", "No video is labelled.")
    figure = new_figure(9.6, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(2, 4))
    title = f"Call at the threshold ({confusion.total:,} scored)"
    _matrix(left, _calls(confusion), ("fake", "real"), title)
    rows = [
        (counts.fake, counts.real, counts.inconclusive, counts.not_scored)
        for counts in (verdicts[Label.FAKE.value], verdicts[Label.REAL.value])
    ]
    names = ("fake", "real", "inconclusive", "not scored")
    _matrix(right, rows, names, f"Verdict ({total:,} labelled)")
    right.set_ylabel("")
    return figure


def scores_figure(series: Sequence[ScoreSeries]) -> Figure:
    """Draw the scores by label, one panel per series, with the threshold.

    A panel is a histogram, or below `CURVES_FROM` scores one dot per score.
    """
    series = [one for one in series if one.scores.size]
    if not series:
        return sentence_figure("Scores", "Nothing was scored.")
    figure = new_figure(6.4, 2.7 * len(series) + 0.4)
    panels = figure.subplots(len(series), 1, sharex=True, squeeze=False)[:, 0]
    for axes, one in zip(panels, series, strict=True):
        last = axes is panels[-1]
        style_axes(
            axes,
            title=f"Scores of {int(one.weights.sum()):,} {one.name}",
            x_label="score (0 real, 1 fake)" if last else "",
            y_label=f"{one.name}, count",
        )
        if one.weights.sum() < CURVES_FROM:
            _score_dots(axes, one)
        else:
            _score_bars(axes, one)
        _threshold(axes, one.threshold)
        axes.set_xlim(0, 1)
        axes.tick_params(labelbottom=True)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.grid(False, axis="x")
        style_legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def runs_figure(runs: Sequence[JudgedRun]) -> Figure:
    """Draw the videos judged per nightly run by outcome, one bar each, latest on the right."""
    if not runs:
        return sentence_figure("Nightly runs", "There was no earlier run.")
    figure = new_figure(max(5.2, 1.6 + 0.42 * len(runs)), 3.4)
    axes = figure.add_subplot()
    style_axes(axes, title="Videos judged per run", x_label="", y_label="videos, count")
    outcomes = [one.outcomes for one in runs]
    _stack(
        axes,
        [_run_word(one, runs) for one in runs],
        {
            ("fake", LIGHT.fake): [one.fake for one in outcomes],
            ("real", LIGHT.real): [one.real for one in outcomes],
            ("inconclusive", LIGHT.inconclusive): [one.inconclusive for one in outcomes],
            ("not scored", LIGHT.unscored): [one.not_scored for one in outcomes],
        },
    )
    return figure


def decisions_figure(nights: Sequence[NightOutcome]) -> Figure:
    """Draw verdicts that people decided on by night, one bar each, latest on the right."""
    figure = new_figure(max(5.2, 1.6 + 0.42 * len(nights)), 3.4)
    axes = figure.add_subplot()
    style_axes(axes, title="Decided videos by night", x_label="", y_label="videos, count")
    _stack(
        axes,
        [_day_word(one.night.judged_at, [n.night.judged_at for n in nights]) for one in nights],
        {
            ("agreed", LIGHT.real): [one.agreed for one in nights],
            ("called fake, decided real", LIGHT.fake): [one.accused for one in nights],
            ("called real, decided fake", LIGHT.ink): [one.missed for one in nights],
            ("inconclusive", LIGHT.inconclusive): [one.inconclusive for one in nights],
        },
    )
    return figure


def _stack(
    axes: Axes, words: Sequence[str], series: Mapping[tuple[str, str], Sequence[int]]
) -> None:
    """Draw stacked bars: (name, colour) -> one count per bar; an empty bar has a 0."""
    places = np.arange(len(words))
    base = np.zeros(len(words))
    for (name, color), heights in series.items():
        axes.bar(places, heights, 0.7, base, color=color, edgecolor=LIGHT.paper, label=name)
        base += np.array(heights)
    for place in places[base == 0]:
        axes.text(place, 0, "0", ha="center", va="bottom", fontsize=9, color=LIGHT.ink)
    if not base.any():
        axes.set_ylim(0, 1)
    axes.set_xticks(places, words, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, max(len(words), 4) - 0.4)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(False, axis="x")
    style_legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _run_word(run: JudgedRun, runs: Sequence[JudgedRun]) -> str:
    word = _day_word(run.ended_at, [one.ended_at for one in runs])
    return f"{word} (this)" if run.is_this else word


def _day_word(time: datetime, times: Sequence[datetime]) -> str:
    """Return the day, and the time where several of the times are on that day."""
    once = [one.date() for one in times].count(time.date()) == 1
    return f"{time:%Y-%m-%d}" if once else f"{time:%Y-%m-%d %H:%M}"


def _calls(confusion: Confusion) -> list[tuple[int, ...]]:
    """Return rows FAKE, REAL with columns called fake, called real."""
    return [(confusion.tp, confusion.fn), (confusion.fp, confusion.tn)]


def _matrix(
    axes: Axes,
    rows: Sequence[tuple[int, ...]],
    columns: Sequence[str],
    title: str,
) -> None:
    """Draw labels FAKE, REAL as rows, calls as columns, counts with their share of the row.

    Blue is right, orange is wrong, the others have the colours of their tiles; larger shares are
    stronger.
    """
    others = {2: LIGHT.inconclusive, 3: LIGHT.unscored}
    for y, row in enumerate(rows):
        total = sum(row)
        for x, count in enumerate(row):
            hue = others.get(x, LIGHT.real if x == y else LIGHT.fake)
            share = count / total if total else 0.0
            # Rectangles, not an image, keep the SVG file free of pixels.
            corner = (x - 0.49, y - 0.485)
            axes.add_patch(
                Rectangle(corner, 0.98, 0.97, facecolor=hue, alpha=0.08 + 0.62 * share, linewidth=0)
            )
            text = f"{count:,}\n{share:.1%}" if total else "0\n–"  # noqa: RUF001
            axes.text(x, y, text, ha="center", va="center", fontsize=11, color=LIGHT.ink)
    style_axes(axes, title=title, x_label="Called", y_label="Label")
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(1.5, -0.5))
    axes.grid(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(len(columns)), columns)
    fakes, reals = map(sum, rows)
    axes.set_yticks([0, 1], [f"FAKE\n({fakes:,})", f"REAL\n({reals:,})"])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _score_dots(axes: Axes, one: ScoreSeries) -> None:
    """Draw one dot per score, those of one bin above each other: few scores make no histogram."""
    scores = np.repeat(one.scores, one.weights)
    labels = np.repeat(np.asarray(one.labels, object), one.weights)
    order = np.argsort(scores, kind="stable")
    scores, labels = scores[order], labels[order]
    bins = np.minimum((scores * SCORE_BINS).astype(int), SCORE_BINS - 1)
    heights = np.arange(len(bins)) - np.searchsorted(bins, bins) + 1
    for label, name, color, _ in _BY_LABEL:
        mine = np.array([value == label for value in labels], bool)
        if mine.any():
            axes.plot(
                scores[mine],
                heights[mine],
                color=color,
                marker="s" if label == Label.FAKE.value else "o",
                ms=6,
                linestyle="none",
                label=f"{name} ({int(mine.sum()):,})",
                clip_on=False,
            )
    axes.set_ylim(0, max(int(heights.max()), 3) + 0.6)


def _threshold(axes: Axes, threshold: float | None) -> None:
    if threshold is not None:
        axes.axvline(
            threshold,
            color=LIGHT.ink,
            linestyle="--",
            linewidth=1.2,
            label=f"threshold {threshold:.2f}",
        )


def _score_bars(axes: Axes, one: ScoreSeries) -> None:
    edges = np.linspace(0, 1, SCORE_BINS + 1)
    for label, name, color, fill in _BY_LABEL:
        mine = np.array([value == label for value in one.labels], bool)
        count = int(one.weights[mine].sum())
        if count:
            axes.hist(
                one.scores[mine],
                bins=edges.tolist(),
                weights=one.weights[mine],
                histtype="stepfilled",
                facecolor=to_rgba(color, fill),
                edgecolor=color,
                linewidth=2 if fill == 0 else 1.2,
                label=f"{name} ({count:,})",
            )
