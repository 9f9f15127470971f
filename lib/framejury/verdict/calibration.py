"""The scale of scores: their integer units, and the calibration of `p_fake`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict

UNITS = 1_000_000
"""Scores are summed as whole numbers of 1/UNITS."""

STEPS = 1_000_000_000
"""Calibrated scores are whole numbers of 1/STEPS. The `exp` of two machines differs by less, so the
same faces fall on the same side of the threshold on every machine."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A non-decreasing map from the aggregated score of a video to a probability.

    platt: 1 / (1 + exp(-(slope * logit(p) + intercept))), with p clipped to 1/UNITS from 0 and 1
    (Platt, "Probabilistic Outputs for Support Vector Machines", 1999, on the logit).
    isotonic: straight lines between the knots, constant outside them (Zadrozny and Elkan, KDD
    2002). Both are rounded to 1/STEPS.

    Attributes:
        method: platt or isotonic.
        slope, intercept: platt only; slope is not negative.
        x, y: isotonic only: two knots or more, x increasing, y non-decreasing, both 0 to 1.

    Raises:
        ValueError: a parameter is missing, out of range or belongs to the other method, or the
            calibration decreases somewhere.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    method: Literal["platt", "isotonic"]
    slope: float | None = None
    intercept: float | None = None
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.method == "platt":
            self._check_platt()
        else:
            self._check_isotonic()

    def _check_platt(self) -> None:
        if self.x or self.y:
            raise ValueError("platt takes slope and intercept, not knots")
        if self.slope is None or not 0 <= self.slope < math.inf:
            raise ValueError(f"slope must not be negative, got {self.slope}")
        if self.intercept is None or not math.isfinite(self.intercept):
            raise ValueError(f"intercept must be finite, got {self.intercept}")

    def _check_isotonic(self) -> None:
        if self.slope is not None or self.intercept is not None:
            raise ValueError("isotonic takes knots, not slope and intercept")
        if len(self.x) != len(self.y) or len(self.x) < 2:
            raise ValueError(
                f"two knots or more are needed, got {len(self.x)} x and {len(self.y)} y"
            )
        if not (rising(self.x) and self.x[0] >= 0 and self.x[-1] <= 1):
            raise ValueError(f"x must increase within 0 to 1, got {self.x}")
        falls = any(after < before for before, after in pairwise(self.y))
        if falls or not (self.y[0] >= 0 and self.y[-1] <= 1):
            raise ValueError(f"y must not decrease and must lie within 0 to 1, got {self.y}")


def calibrated(score: Floats | float, calibration: Calibration | None) -> Floats:
    """Return `p_fake` for aggregated scores.

    Args:
        score: any shape, 0 to 1.
        calibration: None returns the scores as they are.

    Returns:
        float64, the same shape, 0 to 1.
    """
    raw = np.asarray(score, np.float64)
    if calibration is None:
        return raw
    if calibration.method == "isotonic":
        return in_steps(np.interp(raw, calibration.x, calibration.y))
    slope, intercept = calibration.slope or 0.0, calibration.intercept or 0.0
    return in_steps(sigmoid(slope * logit(raw) + intercept))


def logit(score: Floats) -> Floats:
    """Return the natural log(p / (1 - p)) of scores clipped to 1/UNITS from 0 and 1."""
    held = np.clip(score, 1 / UNITS, 1 - 1 / UNITS)
    return np.asarray(np.log(held / (1 - held)), np.float64)


def sigmoid(z: Floats | float) -> Floats:
    """Return 1 / (1 + exp(-z)), without a warning where it underflows to 0."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-np.asarray(z, np.float64))), np.float64)


def in_steps(score: Floats) -> Floats:
    """Return scores rounded to 1/STEPS, half up."""
    return np.asarray(np.floor(score * STEPS + 0.5) / STEPS, np.float64)


def rising(values: tuple[float, ...]) -> bool:
    """Return whether each value is greater than the one before."""
    return all(after > before for before, after in pairwise(values))
