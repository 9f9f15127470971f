"""All figures of a report, each drawn once for its files and the page. Their names never change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from framejury.report.curve_figures import (
    CALIBRATION,
    DET,
    PRECISION_RECALL,
    ROC,
    Ranked,
    calibration_figure,
    det_figure,
    precision_recall_figure,
    roc_figure,
)
from framejury.report.figures import (
    CONFUSION_FACE,
    CONFUSION_VIDEO,
    DECISIONS,
    NIGHTS,
    SCORES,
    ScoreSeries,
    confusion_face_figure,
    confusion_video_figure,
    decisions_figure,
    runs_figure,
    scores_figure,
)
from framejury.report.findings import Findings, why_no_curves, why_no_roc
from framejury.report.protocol_tables import FAMILY_NAMES, UNTOUCHED, labelled_points
from framejury.report.training_curves import ACCURACY, AUC, LOSS, training_figures
from framejury.report.verdicts_by_night import MOST_NIGHTS

FRAMES = "frames_per_video"
LABELS = {
    ROC: "ROC curve: fakes found against false alarms, with the operating point",
    DET: "DET curve: missed fakes against false alarms, with the operating point",
    PRECISION_RECALL: "Precision against recall of fakes, with the operating point",
    CALIBRATION: "Calibration: share of fakes against video score",
    SCORES: "Histograms of scores by label, with the threshold",
    NIGHTS: "Videos judged per nightly run, by verdict",
    DECISIONS: "Videos that people decided on, by nightly run, agreed and disagreed",
    LOSS: "Loss per epoch, training and validation",
    AUC: "AUC per epoch, training and validation",
    ACCURACY: "Accuracy per epoch, training and validation",
}
"""Text alternatives of the figures on the page."""


@dataclass(frozen=True, slots=True, eq=False)
class ReportFigure:
    """A figure and its text alternative; without one it is a file only and not on the page."""

    figure: Figure
    label: str | None


def report_figures(findings: Findings) -> dict[str, ReportFigure]:
    """Return the figures by name.

    `nights` needs earlier runs, `loss`, `auc` and `accuracy` a training history, the figures of the
    protocol a protocol, those on accuracy labelled videos, and `scores` labels or scores.
    """
    f = findings
    few = why_no_curves(f)
    ranked, why = ([], few) if few else (_ranked(f), why_no_roc(f))
    overall = f.video.overall
    figures: dict[str, Figure] = {}
    if overall.coverage.labelled:
        figures |= {
            CONFUSION_FACE: _face_confusion(f),
            CONFUSION_VIDEO: confusion_video_figure(overall.scored.confusion, overall.verdicts),
            ROC: roc_figure(ranked, why),
            DET: det_figure(ranked, why),
            PRECISION_RECALL: precision_recall_figure(ranked, why),
            CALIBRATION: calibration_figure(f.calibration, overall.scored.ece, few),
        }
    series = _score_series(f)
    if overall.coverage.labelled or any(one.scores.size for one in series):
        figures[SCORES] = scores_figure(series)
    if f.runs:
        figures[NIGHTS] = runs_figure(f.runs)
    if f.review is not None and len(f.review.by_night) > 1:
        figures[DECISIONS] = decisions_figure(f.review.by_night[-MOST_NIGHTS:])
    if (bundle := f.run.bundle) is not None and bundle.history:
        figures |= training_figures(bundle.history, bundle.chosen_epoch)
    labels: dict[str, str] = dict(LABELS)
    if f.protocol is not None:
        figures |= protocol_pictures(f.protocol)
        labels |= dict(protocol_names(f.protocol))
    return {name: ReportFigure(figure, labels.get(name)) for name, figure in figures.items()}


def _face_confusion(f: Findings) -> Figure:
    if f.face is None or f.face_threshold is None:
        return confusion_face_figure(None, 0.0, f.judges)
    return confusion_face_figure(f.face.labelled.confusion, f.face_threshold, f.judges)


def _ranked(f: Findings) -> list[Ranked]:
    face = None if f.face is None else f.face.labelled
    sources = (
        ("videos", f.video_roc, f.video_pr, f.video.overall.scored),
        (f"{f.judges}s", f.face_roc, f.face_pr, face),
    )
    found = []
    for name, roc, pr, m in sources:
        if roc is None or pr is None or m is None or m.auc is None or m.average_precision is None:
            continue
        if m.fpr is None or m.recall_fake is None:
            continue
        found.append(
            Ranked(
                name=name,
                count=m.total,
                roc=roc,
                pr=pr,
                auc=m.auc,
                average_precision=m.average_precision,
                fpr=m.fpr,
                tpr=m.recall_fake,
                precision=m.precision_fake,
            )
        )
    return found


def _score_series(f: Findings) -> list[ScoreSeries]:
    rows = f.video_rows.where(f.video_rows.scored)
    ones = np.ones(len(rows), np.int64)
    found = [ScoreSeries("videos", rows.scores, ones, rows.labels, f.threshold)]
    if f.face_rows is not None:
        faces = f.face_rows
        found.append(
            ScoreSeries(f"{f.judges}s", faces.scores, faces.weights, faces.labels, f.face_threshold)
        )
    return found


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
        ("recall_fake", ("fakes at or above it", LIGHT.fake, "s", "-")),
        ("fpr_of_calls", ("reals at or above it", LIGHT.real, "o", "--")),
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
