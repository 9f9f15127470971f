"""Reliability of scores: whether 8 of 10 videos with a score of 0.8 are fake.

Expected calibration error over equal bins of the score (Naeini, Cooper and Hauskrecht, AAAI 2015;
Guo et al., ICML 2017): the mean of |share of fakes - mean score|, bins weighted by their rows.
scikit-learn's `calibration_curve` makes the same bins, but neither counts nor weights them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 10
"""Of equal width. With few videos, more bins would only measure chance."""

_CHANCE_DRAWS = 200

_Floats = npt.NDArray[np.float64]
_Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Reliability diagram, each array (BINS,).

    Attributes:
        counts: int64, rows in each bin.
        mean_score: float64, their mean `p_fake`, NaN where a bin is empty.
        fake_share: float64, their share of fakes, NaN where a bin is empty.
    """

    counts: _Integers
    mean_score: _Floats
    fake_share: _Floats


def score_bins(scores: _Floats) -> _Integers:
    """Return the bin of each score, int64 (n,), 0 to BINS - 1; edges belong to the lower bin."""
    edges = np.linspace(0, 1, BINS + 1)[1:-1]
    return np.searchsorted(edges, scores)


def reliability(labels: _Integers, scores: _Floats) -> Reliability:
    """Compute the diagram; each row counts once.

    Args:
        labels: int8 (n,), 1 = FAKE.
        scores: float64 (n,), `p_fake`, 0 to 1.
    """
    bins = score_bins(scores)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return Reliability(
            counts=counts,
            mean_score=np.bincount(bins, scores, BINS) / counts,
            fake_share=np.bincount(bins, labels, BINS) / counts,
        )


def calibration_error(labels: _Integers, scores: _Floats, weights: _Integers | _Floats) -> float:
    """Return the expected calibration error, 0 to 1, with `weights` (n,) of the rows.

    In a bin, count * |share - mean| is |fakes - sum of scores|, so no division is needed.
    """
    surplus = np.bincount(score_bins(scores), weights * (labels - scores), BINS)
    return float(np.abs(surplus).sum() / weights.sum())


def error_by_chance(scores: _Floats) -> float:
    """Return the mean calibration error that perfectly calibrated scores have by chance.

    Labels are drawn with the scores as probabilities (consistency resampling: Broecker and Smith,
    Weather and Forecasting 22, 2007). It is the yardstick for a calibration error, which grows
    when there are few rows.

    Args:
        scores: float64 (n,), `p_fake`, 0 to 1, n >= 1.
    """
    drawn = np.random.default_rng(0).random((_CHANCE_DRAWS, len(scores))) < scores
    ones = np.ones(len(scores))
    return float(np.mean([calibration_error(labels, scores, ones) for labels in drawn]))
