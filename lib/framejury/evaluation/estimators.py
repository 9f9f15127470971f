"""Fits of a verdict rule: calibration, learned aggregation, limit of real videos.

Both classes have the same weight in every fit, whatever their sizes, so a calibrated score is a
probability for data of which half is fake. Targets are Platt's, (n + 1) / (n + 2) for n fakes and
1 / (n + 2) for n reals, so that a few well-separated videos do not yield certainty (Platt, 1999,
section 2.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from framejury.evaluation.binary import Floats, Integers
from framejury.verdict.calibration import Calibration, logit, sigmoid
from framejury.verdict.rule import Reducer, ThresholdSource

LEARNED_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
_RIDGE = 1e-4
_CLIP = 1e-6

Method = Literal["platt", "isotonic"]


@dataclass(frozen=True, slots=True)
class RealLimit:
    """Score that few real videos exceed: their `quantile`, their `maximum`, or `given`."""

    score: float
    source: ThresholdSource


def fit_calibration(scores: Floats, labels: Integers, method: Method) -> Calibration:
    """Fit a calibration of aggregated scores, with equal weight for both classes.

    Args:
        scores: float64 (v,), 0 to 1.
        labels: (v,), 1 = FAKE; both classes present.
        method: platt: slope and intercept on the logit; isotonic: monotone, linear between
            knots.
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
    """Fit a logistic regression over `LEARNED_QUANTILES` with weights of at least 0.

    Args:
        quantiles: float64 (v, k) of each video's scores (`verdict.judge.quantiles_of`).
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
    """Return the score that at most `target_fpr` of new real videos exceed.

    This is the ceil((n + 1) (1 - target_fpr))-th lowest of n (split conformal prediction: Vovk et
    al., Algorithmic Learning in a Random World, 2005): on average over such samples, a new video
    of the same kind exceeds it with probability at most `target_fpr`. Calibration keeps the order
    of scores, so uncalibrated scores work too. With too few reals for that rank, it is the highest
    of them, and the caller adds a margin.
    """
    rank = math.ceil((len(reals) + 1) * (1 - target_fpr) - 1e-9)
    if rank > len(reals):
        return RealLimit(float(reals.max()), "maximum")
    return RealLimit(float(np.sort(reals)[rank - 1]), "quantile")


def balanced_weights(labels: Integers) -> Floats:
    """Return weights that sum to 0.5 over the reals and to 0.5 over the fakes, float64 (v,)."""
    counts = np.bincount(labels, minlength=2)
    return np.asarray((0.5 / counts)[labels], np.float64)


def log_losses(labels: Integers, scores: Floats) -> Floats:
    """Return each negative log likelihood, float64 (v,), with scores kept 1e-6 from 0 and 1."""
    held = np.clip(scores, _CLIP, 1 - _CLIP)
    return np.asarray(-np.log(np.where(labels == 1, held, 1 - held)), np.float64)


def _targets(labels: Integers) -> Floats:
    """Return Platt's target for each video, never 0 or 1."""
    reals, fakes = np.bincount(labels, minlength=2)
    return np.asarray(np.where(labels == 1, (fakes + 1) / (fakes + 2), 1 / (reals + 2)), np.float64)


def _logistic(features: Floats, targets: Floats, weights: Floats, ridge: float) -> list[float]:
    """Minimize the weighted log loss; return weights of at least 0, then the intercept (k + 1,).

    Args:
        features: (v, k). targets: (v,) 0 to 1. weights: (v,) that sum to 1.
        ridge: factor of half the squared weights in the loss.
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
    """Drop knots inside level stretches; at least two remain."""
    y = np.round(y, 12)  # summation order leaves steps of 1e-16
    if len(x) == 1:
        return (0.0, 1.0), (float(y[0]), float(y[0]))
    inner = (y[1:-1] == y[:-2]) & (y[1:-1] == y[2:])
    kept = np.r_[True, ~inner, True]
    return tuple(x[kept].tolist()), tuple(y[kept].tolist())
