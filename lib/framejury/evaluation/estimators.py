"""Fits of a verdict rule: calibration, learned aggregation, company, limit of real videos.

Both classes have the same weight in every fit, whatever their sizes, so a calibrated score is a
probability for data of which half is fake. Within a class each group has the same weight, so that
one person in many clips counts once. Targets are Platt's, (n + 1) / (n + 2) for n groups with fakes
and 1 / (n + 2) for n groups with reals, so that a few well-separated videos do not yield certainty
(Platt, 1999, section 2.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from framejury.evaluation.binary import Floats, Integers
from framejury.verdict.calibration import Calibration, logit, sigmoid
from framejury.verdict.rule import Reducer, ThresholdSource

LEARNED_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
TAIL_RATIO = 0.25
"""Share of the real videos whose scores are compared with those of real people in company."""
_RIDGE = 1e-4
_CLIP = 1e-6

Method = Literal["platt", "isotonic"]
Names = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class RealLimit:
    """Score that few real videos exceed: their `quantile`, their `maximum`, or `given`."""

    score: float
    source: ThresholdSource


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Scores, float64 (v,), 0 to 1, not calibrated, and their weights, float64 (v,)."""

    scores: Floats
    weights: Floats


def fit_calibration(
    scores: Floats, labels: Integers, method: Method, groups: Names | None = None
) -> Calibration:
    """Fit a calibration of aggregated scores, with equal weight for both classes.

    Args:
        scores: float64 (v,), 0 to 1.
        labels: (v,), 1 = FAKE; both classes present.
        groups: (v,) group of each video; None: each is its own.
        method: platt: slope and intercept on the logit; isotonic: monotone, linear between
            knots.
    """
    targets, weights = _targets(labels, groups), balanced_weights(labels, groups)
    if method == "platt":
        found = _logistic(logit(scores)[:, None], targets, weights, ridge=0.0)
        return Calibration(method="platt", slope=found[0], intercept=found[1])
    lines = IsotonicRegression(out_of_bounds="clip")
    lines.fit(scores, targets, sample_weight=weights)
    x, y = _corners(lines.X_thresholds_, lines.y_thresholds_)
    return Calibration(method="isotonic", x=x, y=y)


def fit_learned(quantiles: Floats, labels: Integers, groups: Names | None = None) -> Reducer:
    """Fit a logistic regression over `LEARNED_QUANTILES` with weights of at least 0.

    Args:
        quantiles: float64 (v, k) of each video's scores (`verdict.judge.quantiles_of`).
        labels: (v,), 1 = FAKE; both classes present.
        groups: (v,) group of each video; None: each is its own.
    """
    weights = balanced_weights(labels, groups)
    found = _logistic(quantiles, _targets(labels, groups), weights, ridge=_RIDGE)
    return Reducer(
        name="learned",
        quantiles=LEARNED_QUANTILES,
        weights=tuple(found[:-1]),
        intercept=found[-1],
    )


def fit_stacking(logits: Floats, labels: Integers, groups: Names) -> Floats:
    """Fit a logistic regression over members' logits with weights of at least 0.

    Args:
        logits: float64 (v, m).
        labels: (v,), 1 = FAKE; both classes present.
        groups: (v,) group of each video.

    Returns:
        float64 (m,), not normalised; all 0 where no member tells the classes apart.
    """
    weights = balanced_weights(labels, groups)
    found = _logistic(logits, _targets(labels, groups), weights, ridge=_RIDGE)
    return np.asarray(found[:-1], np.float64)


def company_shift(alone: Weighed, pairs: Weighed) -> float:
    """Return how much company raises the logit of real videos' scores, per ln of the people.

    It is the mean logit of the upper quarter (`TAIL_RATIO`) of the scores of two real people in one
    video, less that of one person, divided by ln 2; at least 0, to three digits.

    Args:
        alone: scores of real videos of one person.
        pairs: scores of two people together, not corrected.
    """
    rise = _upper_mean(pairs) - _upper_mean(alone)
    return round(max(rise / math.log(2), 0.0), 3)


def _upper_mean(found: Weighed) -> float:
    """Return the mean logit of the highest scores that have `TAIL_RATIO` of the weight or more."""
    order = np.argsort(found.scores, kind="stable")[::-1]
    weights = found.weights[order]
    count = int(np.searchsorted(np.cumsum(weights), TAIL_RATIO * weights.sum() - 1e-9)) + 1
    return float(np.average(logit(found.scores[order][:count]), weights=weights[:count]))


def real_limit(reals: Floats, target_fpr: float, groups: Names | None = None) -> RealLimit:
    """Return the score that at most `target_fpr` of new real videos exceed.

    It is the lowest score such that the videos up to it weigh (n + 1) (1 - target_fpr) groups of n;
    a video weighs 1 / (videos of its group). On average over such samples, a video of a new group
    of the same kind exceeds it with probability at most `target_fpr` (Lee, Barber and Willett,
    "Distribution-free inference with hierarchical data", 2023; where each video is a group, the
    order statistic of split conformal prediction). Calibration keeps the order of scores, so
    uncalibrated scores work too. With too few groups for that, it is the highest score, and the
    caller adds a margin.

    Args:
        reals: float64 (v,), scores of real videos.
        target_fpr: above 0 to below 1.
        groups: (v,) group of each; None: each is its own.
    """
    weights = by_group(_own(reals) if groups is None else groups)
    needed = (weights.sum() + 1) * (1 - target_fpr) - 1e-9
    order = np.argsort(reals, kind="stable")
    place = int(np.searchsorted(np.cumsum(weights[order]), needed))
    if place == len(reals):
        return RealLimit(float(reals.max()), "maximum")
    return RealLimit(float(reals[order[place]]), "quantile")


def balanced_weights(labels: Integers, groups: Names | None = None) -> Floats:
    """Return weights that sum to 0.5 over each class, float64 (v,).

    Args:
        labels: (v,), 1 = FAKE; both classes present.
        groups: (v,); within a class each group has the same weight. None: each video is a group.
    """
    groups = _own(labels) if groups is None else groups
    weights = np.empty(len(labels))
    for label in (0, 1):
        part = labels == label
        weights[part] = by_group(groups[part])
        weights[part] *= 0.5 / weights[part].sum()
    return weights


def by_group(groups: Names) -> Floats:
    """Return 1 / (videos of its group) for each video, float64 (v,)."""
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1 / counts[place], np.float64)


def _own(videos: npt.NDArray[Any]) -> Names:
    """Return a group for each video."""
    return np.arange(len(videos)).astype(np.str_)


def log_losses(labels: Integers, scores: Floats) -> Floats:
    """Return each negative log likelihood, float64 (v,), with scores kept 1e-6 from 0 and 1."""
    held = np.clip(scores, _CLIP, 1 - _CLIP)
    return np.asarray(-np.log(np.where(labels == 1, held, 1 - held)), np.float64)


def _targets(labels: Integers, groups: Names | None) -> Floats:
    """Return Platt's target for each video, never 0 or 1."""
    groups = _own(labels) if groups is None else groups
    reals, fakes = (len(np.unique(groups[labels == label])) for label in (0, 1))
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
