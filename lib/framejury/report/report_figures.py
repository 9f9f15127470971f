"""All figures of a report, each drawn once for its files and the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

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
    ACCURACY,
    CONFUSION_FACE,
    CONFUSION_VIDEO,
    LOSS,
    NIGHTS,
    SCORES,
    ScoreSeries,
    confusion_face_figure,
    confusion_video_figure,
    runs_figure,
    scores_figure,
    training_figures,
)
from framejury.report.findings import Findings, why_no_roc
from framejury.report.protocol_figures import protocol_names, protocol_pictures

LABELS = {
    ROC: "ROC curve: fakes found against false alarms, with the operating point",
    DET: "DET curve: missed fakes against false alarms, with the operating point",
    PRECISION_RECALL: "Precision against recall of fakes, with the operating point",
    CALIBRATION: "Calibration: share of fakes against video score",
    SCORES: "Histograms of p_fake by label, with the threshold",
    NIGHTS: "Videos judged per nightly run, by verdict",
    LOSS: "Loss per epoch, training and validation",
    ACCURACY: "Accuracy on faces per epoch, training and validation",
}
"""Text alternatives of the figures on the page."""


@dataclass(frozen=True, slots=True, eq=False)
class ReportFigure:
    """A figure and its text alternative; without one it is a file only and not on the page."""

    figure: Figure
    label: str | None


def report_figures(findings: Findings) -> dict[str, ReportFigure]:
    """Return the figures by name.

    `nights` needs earlier runs, `loss` and `accuracy` a training history, the figures of the
    protocol a protocol; all others are always there.
    """
    f = findings
    ranked, why = _ranked(f), why_no_roc(f)
    overall = f.video.overall
    figures = {
        CONFUSION_FACE: _face_confusion(f),
        CONFUSION_VIDEO: confusion_video_figure(overall.scored.confusion, overall.verdicts),
        ROC: roc_figure(ranked, why),
        DET: det_figure(ranked, why),
        PRECISION_RECALL: precision_recall_figure(ranked, why),
        CALIBRATION: calibration_figure(f.calibration, overall.scored.ece),
        SCORES: scores_figure(_score_series(f)),
    }
    if f.runs:
        figures[NIGHTS] = runs_figure(f.runs)
    if f.run.bundle is not None and f.run.bundle.history:
        figures |= training_figures(f.run.bundle.history)
    labels: dict[str, str] = dict(LABELS)
    if f.protocol is not None:
        figures |= protocol_pictures(f.protocol)
        labels |= dict(protocol_names(f.protocol))
    return {name: ReportFigure(figure, labels.get(name)) for name, figure in figures.items()}


def _face_confusion(f: Findings) -> Figure:
    if f.face is None or f.face_threshold is None:
        return confusion_face_figure(None, 0.0)
    return confusion_face_figure(f.face.labelled.confusion, f.face_threshold)


def _ranked(f: Findings) -> list[Ranked]:
    face = None if f.face is None else f.face.labelled
    sources = (
        ("videos", f.video_roc, f.video_pr, f.video.overall.scored),
        ("faces", f.face_roc, f.face_pr, face),
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
            ScoreSeries("faces", faces.scores, faces.weights, faces.labels, f.face_threshold)
        )
    return found
