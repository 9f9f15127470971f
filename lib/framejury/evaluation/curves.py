"""Curves over all thresholds, thinned for drawing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import precision_recall_curve

from framejury.evaluation.binary import Floats, Integers

POINTS = 400
"""Most corners of a drawn curve; a picture cannot show more."""


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
        scores: float64 (n,), `p_fake`, 0 to 1.
        weights: integer (n,), how often each row counts; None counts each once.
    """
    counts = np.ones(len(scores), np.int64) if weights is None else weights
    keep = counts > 0
    labels, scores, counts = labels[keep], scores[keep], counts[keep]
    if len(np.unique(labels)) < 2:
        return None
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
