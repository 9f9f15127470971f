"""Does a score of 0.8 mean fake in 8 of 10 cases? Reliability by bins, and how far off it is.

Expected calibration error over equal bins of the score (Naeini, Cooper and Hauskrecht, AAAI
2015; Guo et al., ICML 2017): the mean of |share of fakes - mean score|, bins weighted by how
much is in them. scikit-learn's `calibration_curve` makes the same bins and neither counts
nor weighs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 10
"""Equal in width. With few videos more bins only measure chance."""

_Floats = npt.NDArray[np.float64]
_Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """The reliability diagram, each array (BINS,).

    Attributes:
        counts: int64, rows in each bin.
        mean_score: float64, their mean `p_fake`, NaN where a bin is empty.
        fake_share: float64, the share of them that is FAKE, NaN where a bin is empty.
    """

    counts: _Integers
    mean_score: _Floats
    fake_share: _Floats


def score_bins(scores: _Floats) -> _Integers:
    """The bin of each score, int64 (n,), 0 to BINS - 1; a score on an edge is in the lower one."""
    edges = np.linspace(0, 1, BINS + 1)[1:-1]
    return np.searchsorted(edges, scores)


def reliability(labels: _Integers, scores: _Floats) -> Reliability:
    """The diagram of rows that count once each.

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
    """Expected calibration error, 0 to 1; `weights` (n,) say how much each row counts.

    In a bin, count * |share - mean| is |fakes - sum of scores|, so no bin is divided by its count.
    """
    surplus = np.bincount(score_bins(scores), weights * (labels - scores), BINS)
    return float(np.abs(surplus).sum() / weights.sum())


def error_by_chance(scores: _Floats, draws: int = 200, seed: int = 0) -> float:
    """The calibration error that perfectly calibrated scores have by chance, on average.

    Labels are drawn as the scores promise (consistency resampling: Broecker and Smith, Weather
    and Forecasting 22, 2007). A calibration error is read against it: few rows alone lift it.

    Args:
        scores: float64 (n,), `p_fake`, 0 to 1, n >= 1.
        draws: sets of labels; seed: of them.
    """
    promised = np.random.default_rng(seed).random((draws, len(scores))) < scores
    ones = np.ones(len(scores))
    return float(np.mean([calibration_error(labels, scores, ones) for labels in promised]))
