"""Metrics and curves of binary classification: how well scores separate FAKE from REAL.

FAKE is the positive class, label 1. A metric that the data do not define is None, never NaN, 0.5
or 0. Weights are counts, so a histogram of a billion faces costs as much as its thousands of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    average_precision_score,
    det_curve,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from framejury.evaluation.reliability import calibration_error

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]

POINTS = 400
"""Most corners of a drawn curve; a picture cannot show more."""
SCORE_CLIP = 1e-15
"""Least distance of scores from 0 and 1 in the log loss, which is infinite for a wrong 0 or 1."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts by label and call; positive is FAKE."""

    tn: int
    fp: int
    fn: int
    tp: int

    @property
    def reals(self) -> int:
        return self.tn + self.fp

    @property
    def fakes(self) -> int:
        return self.fn + self.tp

    @property
    def total(self) -> int:
        return self.reals + self.fakes


@dataclass(frozen=True, slots=True)
class BinaryMetrics:
    """Metrics of one set of rows. Shares and scores are 0 to 1; None means undefined.

    Attributes:
        threshold: scores from here on are called fake; None when rows have different ones.
        reals, fakes: rows of each class (sums of the weights).
        accuracy, log_loss: need one row.
        recall_fake: share of fakes called fake, the accuracy on fakes; needs fakes.
        fpr: share of reals called fake (false positive rate); needs reals.
        recall_real: share of reals called real, the accuracy on reals: 1 - fpr.
        balanced_accuracy, precision_fake, f1_fake, auc, average_precision, eer, tpr_at_fpr_1,
            tpr_at_fpr_5, ece: need both classes; precision_fake also needs one row called fake.
        log_loss: mean negative log likelihood, natural logarithm.
        eer: equal error rate, where FPR equals the miss rate on the interpolated ROC curve.
        tpr_at_fpr_1, tpr_at_fpr_5: highest share of fakes found by a threshold that calls at most
            1% or 5% of the reals fake. Not interpolated, so such a threshold exists.
        ece: expected calibration error, see `reliability`.
    """

    threshold: float | None
    reals: int
    fakes: int
    confusion: Confusion
    accuracy: float | None
    balanced_accuracy: float | None
    precision_fake: float | None
    recall_fake: float | None
    f1_fake: float | None
    fpr: float | None
    auc: float | None
    average_precision: float | None
    log_loss: float | None
    eer: float | None
    recall_real: float | None
    tpr_at_fpr_1: float | None
    tpr_at_fpr_5: float | None
    ece: float | None

    @property
    def total(self) -> int:
        return self.reals + self.fakes


@dataclass(frozen=True, slots=True, eq=False)
class DetCurve:
    """Detection error tradeoff: both error rates at every threshold.

    Attributes:
        fpr, fnr: float64 (m,), 0 to 1: share of reals called fake, falling, and of fakes called
            real, rising.
    """

    fpr: Floats
    fnr: Floats


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """Receiver operating characteristic, from (0, 0) to (1, 1).

    Attributes:
        fpr, tpr: float64 (m,), 0 to 1, rising: share of reals and of fakes called fake.
        thresholds: float64 (m,), falling; the first is infinite (nothing is called fake).
    """

    fpr: Floats
    tpr: Floats
    thresholds: Floats


def binary_metrics(
    labels: Integers,
    scores: Floats,
    threshold: float | Floats,
    weights: Integers | None = None,
    *,
    score_clip: float = SCORE_CLIP,
) -> BinaryMetrics:
    """Compute confusion, rates, ranking and calibration metrics.

    Args:
        labels: int8 (n,), 1 = FAKE, 0 = REAL.
        scores: float64 (n,), of videos or faces, 0 to 1.
        threshold: scores from here on are called fake, 0 to 1; one, or one per row (n,).
        weights: integer (n,), how often each row counts; None counts each once.
        score_clip: least distance of scores from 0 and 1 in the log loss; half a step for
            rounded scores.

    Raises:
        ValueError: shapes differ, a label is not 0 or 1, a score is outside 0 to 1 or not
            finite, or a weight is negative or not an integer.
    """
    labels, scores, counts = _checked(labels, scores, weights)
    limits = np.broadcast_to(np.asarray(threshold, dtype=np.float64), scores.shape)
    keep = counts > 0
    labels, scores, counts, limits = labels[keep], scores[keep], counts[keep], limits[keep]
    called = scores >= limits
    c = _confusion(labels, called, counts)
    both = c.reals > 0 and c.fakes > 0
    ranking = _ranking(labels, scores, counts) if both else {}
    recall, fpr = _ratio(c.tp, c.fakes), _ratio(c.fp, c.reals)
    return BinaryMetrics(
        threshold=_single(limits, threshold),
        reals=c.reals,
        fakes=c.fakes,
        confusion=c,
        accuracy=_ratio(c.tp + c.tn, c.total),
        balanced_accuracy=None if recall is None or fpr is None else (recall + 1 - fpr) / 2,
        precision_fake=_ratio(c.tp, c.tp + c.fp) if both else None,
        recall_fake=recall,
        f1_fake=_ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn) if both else None,
        fpr=fpr,
        auc=ranking.get("auc"),
        average_precision=ranking.get("average_precision"),
        log_loss=_log_loss(labels, scores, counts, score_clip),
        eer=ranking.get("eer"),
        recall_real=_ratio(c.tn, c.reals),
        tpr_at_fpr_1=ranking.get("tpr_at_fpr_1"),
        tpr_at_fpr_5=ranking.get("tpr_at_fpr_5"),
        ece=ranking.get("ece"),
    )


def roc_points(
    labels: Integers, scores: Floats, weights: Integers | None = None
) -> RocCurve | None:
    """Return the corners of the ROC curve; None when a class is missing."""
    if (rows := _of_both_classes(labels, scores, weights)) is None:
        return None
    labels, scores, counts = rows
    fpr, tpr, thresholds = roc_curve(labels, scores, sample_weight=counts)
    return RocCurve(fpr=fpr, tpr=tpr, thresholds=thresholds)


def det_points(labels: Integers, scores: Floats) -> DetCurve | None:
    """Return the corners of the DET curve; None when a class is missing."""
    if (rows := _of_both_classes(labels, scores, None)) is None:
        return None
    fpr, fnr, _ = det_curve(*rows[:2])
    return DetCurve(fpr=fpr, fnr=fnr)


def auc_or_none(labels: Integers, scores: Floats, weights: Integers | None = None) -> float | None:
    """Return the area under the ROC curve, 0 to 1; None when a class is missing."""
    if (rows := _of_both_classes(labels, scores, weights)) is None:
        return None
    labels, scores, counts = rows
    return float(roc_auc_score(labels, scores, sample_weight=counts))


def _of_both_classes(
    labels: Integers, scores: Floats, weights: Integers | None
) -> tuple[Integers, Floats, Integers] | None:
    """Return the checked rows that count; None when a class is missing."""
    labels, scores, counts = _checked(labels, scores, weights)
    keep = counts > 0
    if len(np.unique(labels[keep])) < 2:
        return None
    return labels[keep], scores[keep], counts[keep]


def _checked(
    labels: Integers, scores: Floats, weights: Integers | None
) -> tuple[Integers, Floats, Integers]:
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    counts = np.ones(len(scores), np.int64) if weights is None else np.asarray(weights)
    if labels.ndim != 1 or labels.shape != scores.shape or counts.shape != scores.shape:
        raise ValueError(
            f"labels, scores and weights must all be (n,); got {labels.shape}, "
            f"{scores.shape}, {counts.shape}"
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 (REAL) or 1 (FAKE); got {np.unique(labels)[:5]}")
    if not ((scores >= 0) & (scores <= 1)).all():
        bad = scores[~((scores >= 0) & (scores <= 1))]
        raise ValueError(f"scores must be finite and within 0 to 1; got {bad[0]}")
    if not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any():
        raise ValueError("weights count repetitions; they must be non-negative integers")
    return labels.astype(np.int8), scores, counts.astype(np.int64)


def _confusion(labels: Integers, called: npt.NDArray[np.bool_], counts: Integers) -> Confusion:
    cells = np.zeros(4, np.int64)
    np.add.at(cells, 2 * labels + called, counts)
    return Confusion(*(int(cell) for cell in cells))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _single(limits: Floats, threshold: float | Floats) -> float | None:
    """Return the threshold, or None when rows differ."""
    if np.ndim(threshold) == 0:
        return float(threshold)
    return float(limits[0]) if limits.size and (limits == limits[0]).all() else None


def _log_loss(labels: Integers, scores: Floats, counts: Integers, clip: float) -> float | None:
    if not labels.size:
        return None
    held = np.clip(scores, clip, 1 - clip)
    return float(log_loss(labels, held, labels=[0, 1], sample_weight=counts))


def _ranking(labels: Integers, scores: Floats, counts: Integers) -> dict[str, float]:
    """Return the metrics that need both classes and no threshold."""
    fpr, tpr, _ = roc_curve(labels, scores, sample_weight=counts, drop_intermediate=False)
    return {
        "auc": float(roc_auc_score(labels, scores, sample_weight=counts)),
        "average_precision": float(average_precision_score(labels, scores, sample_weight=counts)),
        "eer": float(np.interp(1.0, fpr + tpr, fpr)),  # FPR + TPR rises along the curve
        "tpr_at_fpr_1": float(tpr[fpr <= 0.01].max()),
        "tpr_at_fpr_5": float(tpr[fpr <= 0.05].max()),
        "ece": calibration_error(labels, scores, counts),
    }


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionRecall:
    """Precision against recall, with FAKE as the positive class.

    Attributes:
        precision, recall: float64 (m,), 0 to 1; recall falls.
        share_fake: of all rows, 0 to 1: the precision of chance.
    """

    precision: Floats
    recall: Floats
    share_fake: float


def precision_recall(
    labels: Integers, scores: Floats, weights: Integers | None = None
) -> PrecisionRecall | None:
    """Return the corners of the curve; None when a class is missing.

    Args:
        labels: int8 (n,), 1 = FAKE.
        scores: float64 (n,), of videos or faces, 0 to 1.
        weights: integer (n,), how often each row counts; None counts each once.
    """
    if (rows := _of_both_classes(labels, scores, weights)) is None:
        return None
    labels, scores, counts = rows
    precision, recall, _ = precision_recall_curve(labels, scores, sample_weight=counts)
    return PrecisionRecall(precision, recall, float(counts @ labels / counts.sum()))


def thinned(x: Floats, y: Floats, points: int = POINTS) -> tuple[Floats, Floats]:
    """Return at most `points` corners of a line, spread evenly along it, with both ends.

    Args:
        x, y: float64 (m,), finite.
    """
    if len(x) <= points:
        return x, y
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    chosen = np.searchsorted(along, np.linspace(0, along[-1], points - 1))
    kept = np.unique(np.append(np.minimum(chosen, len(x) - 1), len(x) - 1))
    return x[kept], y[kept]
