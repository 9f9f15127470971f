"""Aggregations of sorted scores (median, trimmed_mean, top_share, learned), and their intervals.

The statistic itself is resampled: the spread of the mean says little about that of a median. As in
`verdict.interval`, whole seconds are drawn, and a face counts as often as its second was drawn.
With few faces the ends of a distribution are hardly known, so intervals of top_share are too
narrow (docs/evaluation.md has the coverage).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framejury.verdict.calibration import UNITS, Floats
from framejury.verdict.interval import (
    DRAWS,
    UNKNOWN,
    Integers,
    block_of,
    draws_of,
    percentile_shifts,
)
from framejury.verdict.rule import Reducer

_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class TimedScores:
    """Scores of several videos one after the other, in any order within a video.

    Attributes:
        units: int64 (m,), scores in units of 1/UNITS.
        second: int64 (m,), `floor(pts_s)` of the frames.
        lengths: int64 (v,), number of the m scores of each video, at least one.
    """

    units: Integers
    second: Integers
    lengths: Integers


def ranked_shifts(faces: TimedScores, reducer: Reducer, level: float) -> Floats:
    """Return the ends of the percentile interval of each video's score, minus the score.

    For `learned`, both are on the scale of `verdict.judge`'s shift: what every face would have to
    score more. All else is as of `verdict.interval.bootstrap_shifts`.

    Args:
        faces: of the videos.
        reducer: an aggregation of sorted scores (`Reducer.ordered`).
        level: of the interval, above 0 to below 1.

    Returns:
        float64 (v, 2), low <= 0 and high >= 0; UNKNOWN with one second.
    """
    stops = np.cumsum(faces.lengths)
    parts = [slice(a, b) for a, b in zip(stops - faces.lengths, stops, strict=True)]
    found = [_shifts(faces.units[part], faces.second[part], reducer, level) for part in parts]
    return np.array(found, np.float64).reshape(-1, 2)


def kept_ranks(faces: int, reducer: Reducer) -> tuple[int, int]:
    """Return first and end of the places of the sorted scores whose mean is the score."""
    if reducer.name == "median":
        return (faces - 1) // 2, faces // 2 + 1
    if reducer.name == "trimmed_mean":
        cut = trim_count(faces, reducer.trim_ratio or 0.0)
        return cut, faces - cut
    if reducer.name == "top_share":
        return faces - share_count(faces, reducer.top_ratio or 1.0), faces
    return 0, faces


def share_count(faces: int, ratio: float) -> int:
    """Return the number of faces that make up `ratio` of `faces`: rounded up, at least one."""
    return max(1, math.ceil(faces * ratio - 1e-9))


def trim_count(faces: int, ratio: float) -> int:
    """Return the number of faces in one trimmed tail: rounded down."""
    return math.floor(faces * ratio + 1e-9)


def quantiles(ordered: Sequence[int], wanted: Sequence[float]) -> list[float]:
    """Return quantiles of sorted units, 0 to 1, interpolated linearly."""
    found = []
    for quantile in wanted:
        place = quantile * (len(ordered) - 1)
        first = math.floor(place)
        below, above = ordered[first], ordered[min(first + 1, len(ordered) - 1)]
        found.append((below + (place - first) * (above - below)) / UNITS)
    return found


def _shifts(
    units: Integers, second: Integers, reducer: Reducer, level: float
) -> tuple[float, float]:
    known, rank = np.unique(second, return_inverse=True)
    block = block_of(rank, len(known))
    count = int(block.max()) + 1
    if count == 1:
        return UNKNOWN
    order = np.argsort(units, kind="stable")
    ordered, block = units[order].astype(np.int64), block[order]
    draws = draws_of(count).astype(np.int64)
    at_once = max(1, _CELLS_AT_ONCE // len(ordered))
    drawn = [
        _scores(ordered, draws[block, start : start + at_once], reducer)
        for start in range(0, DRAWS, at_once)
    ]
    point = _scores(ordered, np.ones((len(ordered), 1), np.int64), reducer)
    low, high = percentile_shifts(np.concatenate(drawn)[None], point, level, count)[0].tolist()
    return low, high


def _scores(ordered: Integers, times: Integers, reducer: Reducer) -> Floats:
    """Return the score of each draw, float64 (d,), where face i occurs `times[i]` (n, d) times."""
    upto = np.cumsum(times, axis=0)
    faces = upto[-1]
    if reducer.name == "learned":
        z = np.full(len(faces), reducer.intercept or 0.0)
        for weight, quantile in zip(reducer.weights, reducer.quantiles, strict=True):
            place = quantile * (faces - 1)
            first = np.floor(place)
            below, above = (
                ordered[(upto <= rank).sum(axis=0)]
                for rank in (first, np.minimum(first + 1, faces - 1))
            )
            z = z + weight * (below + (place - first) * (above - below)) / UNITS
        return z / (math.fsum(reducer.weights) or 1.0)
    sizes, size = np.unique(faces, return_inverse=True)
    first, end = np.array([kept_ranks(one, reducer) for one in sizes.tolist()], np.int64)[size].T
    within = np.clip(upto, first, end)
    kept = np.concatenate([within[:1] - first, within[1:] - within[:-1]])
    return np.asarray((ordered @ kept) / (UNITS * (end - first)), np.float64)
