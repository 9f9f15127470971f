"""Alignment of two videos of the same scene in time. Pure functions.

A copy may be trimmed, re-encoded, or have another frame rate; its speed must be the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from framejury.media.sample import Indices, Times

LEAST_OVERLAP_S = 1.0
LEAST_OVERLAP_RATIO = 0.25
"""Two videos must share this part of the shorter one, and at least LEAST_OVERLAP_S."""

MOTION_CORRELATION = 0.5
"""Motion that correlates at least this much is the same, -1 to 1."""

SCENE_CORRELATION = 0.8
"""Pictures of the same scene correlate at least this much, -1 to 1."""

REACH = 3
"""Most frames by which single frames of a copy may be displaced."""

CLEARLY = 0.8
"""A displaced partner must have at most this ratio of the difference of the regular one."""

_STILL_LEVELS = 0.8
"""Pictures with a smaller standard deviation over time, of 255, show no motion."""
_LEAST_STEP_S = 1 / 60
_COARSE = (16, 9)  # width before height, as OpenCV wants it

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Alignment:
    """How two videos are aligned.

    Attributes:
        by: motion; time: too little motion, so both are assumed to start together; none: they do
            not show the same scene.
        offset_s: the original shows at t + offset_s what the fake shows at t.
        motion: correlation of the motion, -1 to 1; None without motion.
        scene: median correlation of aligned frames, -1 to 1.
        overlap_s: shared length, seconds.
    """

    by: Literal["motion", "time", "none"]
    offset_s: float
    motion: float | None
    scene: float
    overlap_s: float


def align(times_s: Times, frames: Grey, other_s: Times, others: Grey) -> Alignment:
    """Find the offset at which the motion of two videos matches.

    Both are resampled to one clock and cross-correlated, each pixel without its mean over time;
    the best offset is then refined to the frame.

    Args:
        times_s, other_s: float64 (n,), (m,), presentation times, increasing, from 0.
        frames, others: uint8 (n, height, width), (m, height, width), grey.
    """
    step_s = max(min(_interval(times_s), _interval(other_s)), _LEAST_STEP_S)
    first, second = (
        _moving(_on_clock(times, _coarse(pictures), step_s))
        for times, pictures in ((times_s, frames), (other_s, others))
    )
    moves = min(float(first.std()), float(second.std())) >= _STILL_LEVELS
    motion: float | None = None
    offset_s, by = 0.0, "time"
    if moves:
        shared = min(len(first), len(second))
        least = min(max(LEAST_OVERLAP_S / step_s, LEAST_OVERLAP_RATIO * shared), shared)
        correlations = correlate(first, second, round(least))
        best = int(np.argmax(correlations))
        offset_s = (best - (len(first) - 1)) * step_s
        by = "motion"
        offset_s = _to_the_frame((times_s, frames), (other_s, others), offset_s, step_s)
    here, there = overlapping(times_s, other_s, offset_s)
    overlap_s = float(times_s[here[-1]] - times_s[here[0]]) + step_s if len(here) else 0.0
    scene = _scene(frames[here], others[there]) if len(here) else 0.0
    if moves:
        motion = _motion(frames[here], others[there])
    if (motion is not None and motion < MOTION_CORRELATION) or scene < SCENE_CORRELATION:
        by = "none"
    return Alignment(by, offset_s, motion, scene, overlap_s)  # type: ignore[arg-type]


def correlate(first: Floats, second: Floats, least: int) -> Floats:
    """Return the normalised cross-correlation of two series at every offset.

    Args:
        first, second: float (n, channels), (m, channels), without their means.
        least: samples that must overlap, count.

    Returns:
        float64 (n + m - 1,): at n - 1 + k `second` is k samples ahead; -2 where they overlap
        less than `least`.
    """
    n, m = len(first), len(second)
    length = cv2.getOptimalDFTSize(n + m - 1)
    product = np.conj(np.fft.rfft(first, length, axis=0)) * np.fft.rfft(second, length, axis=0)
    raw = np.fft.irfft(product.sum(axis=1), length)
    lags = np.arange(-(n - 1), m)
    sums = raw[lags % length]
    one, two = (
        np.concatenate([[0.0], np.cumsum((series.astype(np.float64) ** 2).sum(axis=1))])
        for series in (first, second)
    )
    begin, end = np.maximum(0, -lags), np.minimum(n, m - lags)
    energy = (one[end] - one[begin]) * (two[end + lags] - two[begin + lags])
    whole = energy > 1e-9 * one[-1] * two[-1]
    usable = (end - begin >= least) & whole
    return np.where(usable, sums / np.sqrt(np.where(whole, energy, 1.0)), -2.0)


def overlapping(times_s: Times, other_s: Times, offset_s: float) -> tuple[Indices, Indices]:
    """Find the frames of both videos that show the same moment, each frame at most once.

    Returns:
        int64 (k,), (k,): indices into `times_s` and `other_s`, increasing.
    """
    wanted = times_s + offset_s
    right = np.clip(np.searchsorted(other_s, wanted), 0, len(other_s) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(wanted - other_s[left] <= other_s[right] - wanted, left, right)
    slack_s = 0.75 * max(_interval(times_s), _interval(other_s))
    close = np.abs(other_s[nearest] - wanted) <= slack_s
    here, there = np.flatnonzero(close), nearest[close]
    _, once = np.unique(there, return_index=True)
    return here[once].astype(np.int64), there[once].astype(np.int64)


def nearest_alike(frames: Grey, others: Grey, here: Indices, there: Indices) -> Indices:
    """Correct the partners of single frames, since a copy may have dropped or doubled some.

    Args:
        frames, others: as in `align`.
        here, there: int64 (k,), a selection of `overlapping`.

    Returns:
        int64 (k,): for each frame, the most similar partner up to `REACH` away if it is clearly
        more similar, else its own.
    """
    chosen = []
    shifts = sorted(range(-REACH, REACH + 1), key=abs)
    for one, other in zip(here.tolist(), there.tolist(), strict=True):
        near = [other + shift for shift in shifts if 0 <= other + shift < len(others)]
        apart = np.abs(others[near].astype(np.int16) - frames[one]).mean(axis=(1, 2))
        best = int(np.argmin(apart))
        chosen.append(near[best] if apart[best] < CLEARLY * apart[0] else other)
    return np.array(chosen, np.int64)


def _to_the_frame(
    one: tuple[Times, Grey], other: tuple[Times, Grey], offset_s: float, step_s: float
) -> float:
    """Return the offset, up to one step away, at which frames differ least."""
    (times_s, frames), (other_s, others) = one, other

    def difference(candidate_s: float) -> float:
        here, there = overlapping(times_s, other_s, candidate_s)
        some = np.unique(np.linspace(0, len(here) - 1, min(len(here), 100)).astype(int))
        if not len(here):
            return float("inf")
        apart = frames[here[some]].astype(np.int16) - others[there[some]]
        return float(np.abs(apart).mean())

    candidates_s = [offset_s + shift * step_s for shift in (0.0, -1.0, 1.0)]
    return min(candidates_s, key=lambda near: (round(difference(near), 3), abs(near - offset_s)))


def _motion(frames: Grey, others: Grey) -> float | None:
    """Return the correlation of the motion in pairs of pictures; None without motion."""
    if len(frames) < 2:
        return None
    one, two = _moving(_coarse(frames)), _moving(_coarse(others))
    if min(float(one.std()), float(two.std())) < _STILL_LEVELS:
        return None
    return float((one * two).sum() / np.sqrt((one * one).sum() * (two * two).sum()))


def _scene(frames: Grey, others: Grey) -> float:
    """Return the median correlation of pairs of pictures."""
    some = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), 100)).astype(int))
    values = []
    for one, two in zip(frames[some], others[some], strict=True):
        a, b = one - one.mean(), two - two.mean()
        norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
        # Uniform pictures are alike when their colour is.
        flat = float(np.abs(one.mean() - two.mean()) < 8 and a.std() < 2 and b.std() < 2)
        values.append(float((a * b).sum()) / norm if norm > 0 and not flat else flat)
    return float(np.median(values))


def _coarse(frames: Grey) -> npt.NDArray[np.float32]:
    small = [cv2.resize(one, _COARSE, interpolation=cv2.INTER_AREA) for one in frames]
    return np.stack(small).reshape(len(frames), -1).astype(np.float32)


def _on_clock(times_s: Times, series: Any, step_s: float) -> Any:
    """Return the sample shown at each tick."""
    ticks = np.arange(0.0, float(times_s[-1]) + step_s / 2, step_s)
    shown = np.searchsorted(times_s, ticks + step_s / 2, side="right") - 1
    return series[np.clip(shown, 0, len(series) - 1)]


def _moving(series: Any) -> Any:
    return series - series.mean(axis=0)


def _interval(times_s: Times) -> float:
    """Return the typical time between frames, seconds."""
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.04
