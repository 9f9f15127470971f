"""The fits behind a verdict rule: calibrations, the learned reducer, the limit of real videos.

Both classes weigh the same in every fit, whatever their numbers, so a calibrated score is a
probability where half of the videos are fake. Targets are Platt's, (n + 1) / (n + 2) for n
fakes and 1 / (n + 2) for n reals, so that no score, however well it separates few videos,
becomes certainty (Platt, 1999, section 2.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from framejury.verdict.calibration import Calibration, logit, sigmoid
from framejury.verdict.rule import Reducer, ThresholdSource

LEARNED_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
_RIDGE = 1e-4
_CLIP = 1e-6

Method = Literal["platt", "isotonic"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class RealLimit:
    """A score of real videos, and whether it is a `quantile`, their `maximum` or `given`."""

    score: float
    source: ThresholdSource


def fit_calibration(scores: Floats, labels: Integers, method: Method) -> Calibration:
    """A calibration of reduced scores, classes weighing the same.

    Args:
        scores: float64 (v,), 0 to 1.
        labels: (v,), 1 = FAKE; both classes present.
        method: platt: slope and intercept on the logit; isotonic: a monotone step, drawn as
            straight lines between its knots.
    """
    targets, weights = _targets(labels), balanced_weights(labels)
    if method == "platt":
        found = _logistic(logit(scores)[:, None], targets, weights, ridge=0.0)
        return Calibration(method="platt", slope=found[0], intercept=found[1])
    lines = IsotonicRegression(out_of_bounds="clip")
    lines.fit(scores, targets, sample_weight=weights)
    x, y = _corners(lines.X_thresholds_, lines.y_thresholds_)
    return Calibration(method="isotonic", x=x, y=y)


def fit_learned(quantiles: Floats, labels: Integers) -> Reducer:
    """Logistic regression over `LEARNED_QUANTILES`, its weights held at 0 or above.

    Args:
        quantiles: float64 (v, k) of each video's scores, `verdict.judge.quantiles_of`.
        labels: (v,), 1 = FAKE; both classes present.
    """
    found = _logistic(quantiles, _targets(labels), balanced_weights(labels), ridge=_RIDGE)
    return Reducer(
        name="learned",
        quantiles=LEARNED_QUANTILES,
        weights=tuple(found[:-1]),
        intercept=found[-1],
    )


def real_limit(reals: Floats, target_fpr: float) -> RealLimit:
    """The score that at most `target_fpr` of new real videos exceed.

    The ceil((n + 1) (1 - target_fpr))-th lowest of n (split conformal prediction: Vovk et al.,
    Algorithmic Learning in a Random World, 2005): in the mean over such samples a new video of
    the same kind exceeds it with probability at most `target_fpr`. A calibration keeps the
    order of scores, so this needs no calibrated ones. With too few reals for that rank it is
    the highest of them, and a margin is due.
    """
    rank = math.ceil((len(reals) + 1) * (1 - target_fpr) - 1e-9)
    if rank > len(reals):
        return RealLimit(float(reals.max()), "maximum")
    return RealLimit(float(np.sort(reals)[rank - 1]), "quantile")


def balanced_weights(labels: Integers) -> Floats:
    """float64 (v,): 0.5 shared by the reals, 0.5 by the fakes."""
    counts = np.bincount(labels, minlength=2)
    return np.asarray((0.5 / counts)[labels], np.float64)


def log_losses(labels: Integers, scores: Floats) -> Floats:
    """float64 (v,): negative log likelihood of each label, scores held 1e-6 from 0 and 1."""
    held = np.clip(scores, _CLIP, 1 - _CLIP)
    return np.asarray(-np.log(np.where(labels == 1, held, 1 - held)), np.float64)


def _targets(labels: Integers) -> Floats:
    """Platt's: what to aim at for each video, never 0 or 1."""
    reals, fakes = np.bincount(labels, minlength=2)
    return np.asarray(np.where(labels == 1, (fakes + 1) / (fakes + 2), 1 / (reals + 2)), np.float64)


def _logistic(features: Floats, targets: Floats, weights: Floats, ridge: float) -> list[float]:
    """Weights (k,) held at 0 or above, and the intercept, of the least weighted log loss.

    Args:
        features: (v, k). targets: (v,) 0 to 1. weights: (v,) that sum to 1.
        ridge: times half the squared weights is added to the loss.
    """
    design = np.column_stack([features, np.ones(len(features))])
    penalty = np.r_[np.full(features.shape[1], ridge), 0.0]

    def loss(beta: Floats) -> tuple[float, Floats]:
        z = design @ beta
        value = weights @ (np.logaddexp(0.0, z) - targets * z) + penalty @ beta**2 / 2
        slope = design.T @ (weights * (sigmoid(z) - targets)) + penalty * beta
        return float(value), slope

    bounds = [(0.0, None)] * features.shape[1] + [(None, None)]
    options = {"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-8}
    start = np.zeros(design.shape[1])
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
    return [float(value) for value in found.x]


def _corners(x: Floats, y: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Knots without those in the middle of a level line, at least two."""
    y = np.round(y, 12)  # sums in another order leave steps of 1e-16
    if len(x) == 1:
        return (0.0, 1.0), (float(y[0]), float(y[0]))
    inner = (y[1:-1] == y[:-2]) & (y[1:-1] == y[2:])
    kept = np.r_[True, ~inner, True]
    return tuple(x[kept].tolist()), tuple(y[kept].tolist())
