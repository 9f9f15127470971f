"""How far the mean score of a video would move with another sample of its frames.

`bootstrap`, the default, resamples the seconds of the video with replacement, because frames of
the same second share pose, light and compression and are not independent (cluster bootstrap:
Davison and Hinkley, Bootstrap Methods, 1997, section 3.8). `student` is Student's t over frames,
from sums alone.

Both give the distance of the interval's ends from the score, by which `verdict.judge` shifts it.
The bootstrap here is of a weighted mean: of all faces, or of one track with the weights of its
score (`verdict.persons.interval_weights`). `verdict.ranked` resamples medians and the like.
`student` is always of the plain mean of all faces, so it is rough for every other aggregation: a
calm fake beside someone restless looks uncertain, and a median steadier than it is.

The track that decides is taken as given: in another sample of frames, another track could have been
the highest, and the interval does not contain that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from framejury.verdict.calibration import UNITS, Floats

Integers = npt.NDArray[np.integer[Any]]

DRAWS = 400
"""Resamples per video."""

MAX_CLUSTERS = 256
"""Neighbouring seconds of longer videos are drawn as one block: blocks are no less independent than
seconds, and the work stays bounded."""

UNKNOWN = (-1.0, 1.0)
"""The ends where the spread cannot be estimated: the interval is all of 0 to 1."""

_SEED = 4
_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Sums of scores per second, for several videos one after the other.

    Attributes:
        second: int64 (m,), `floor(pts_s)` of the frames; in any order within a video, and a second
            may occur twice.
        total: int64 (m,), sum of the scores in units of 1/UNITS.
        faces: int64 (m,), number of scores.
        lengths: int64 (v,), number of the m entries of each video, at least one.
    """

    second: Integers
    total: Integers
    faces: Integers
    lengths: Integers


def bootstrap_shifts(clusters: Clusters, level: float) -> Floats:
    """Return the ends of the percentile interval of each video's mean, minus the mean.

    The mean is resampled as the ratio of two sums, DRAWS times. All sums are whole numbers, below
    2**53 for videos of up to 500,000 faces, so neither the order of faces nor the way a matrix
    product is computed changes a bit.
    Percentile intervals of few clusters are too narrow, so the level is widened to Student's
    (Hesterberg, "What Teachers Should Know about the Bootstrap", 2015, section 3.3, "expanded
    percentile"): tail = Phi(-sqrt(n / (n - 1)) * t(level, n - 1)).

    Args:
        clusters: of the videos.
        level: of the interval, above 0 to below 1.

    Returns:
        float64 (v, 2), low <= 0 and high >= 0; UNKNOWN with one cluster, which has no spread.
    """
    total, faces, lengths = _merged(clusters)
    starts = np.cumsum(lengths) - lengths
    shifts = np.empty((len(lengths), 2))
    for count in np.unique(lengths).tolist():
        members = np.flatnonzero(lengths == count)
        if count == 1:
            shifts[members] = UNKNOWN
            continue
        at_once = max(1, _CELLS_AT_ONCE // (DRAWS + count))
        for first in range(0, len(members), at_once):
            part = members[first : first + at_once]
            cells = starts[part, None] + np.arange(count)
            shifts[part] = _shifts(total[cells], faces[cells], level)
    return shifts


def student_shift(
    level: float, *, total_units: int, square_units: int, faces: int, frames: int
) -> float:
    """Return half the width of Student's interval, `t(level, frames - 1) * s / sqrt(frames)`.

    `s` is the standard deviation of the face scores. Frames count, not faces: two faces in one
    frame share its light and compression. With one frame the spread is unknown, and the half
    width is 1.
    """
    if frames < 2:
        return 1.0
    variance = max(square_units - total_units * total_units / faces, 0.0) / (faces - 1) / UNITS**2
    return student_t(level, frames - 1) * math.sqrt(variance / frames)


def student_t(level: float, freedom: int) -> float:
    """Return the two-sided quantile of Student's t, by Fisher and Cornish's series in 1/freedom.

    Exact for 1 and 2 degrees of freedom, which have a closed form. At 95% the error is below
    0.2% for 3 and below 0.04% from 4 on; at 99.9% it is 4% too small for 3 and 0.5% for 5.
    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    p = (1 + level) / 2
    if freedom == 1:
        return math.tan(math.pi * (p - 0.5))
    if freedom == 2:
        alpha = 4 * p * (1 - p)
        return 2 * (p - 0.5) * math.sqrt(2 / alpha)
    z = NormalDist().inv_cdf(p)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3 + g4 / freedom**4


def _merged(clusters: Clusters) -> tuple[Integers, Integers, Integers]:
    """Return totals, faces and lengths, one entry per second, at most MAX_CLUSTERS per video."""
    video = np.repeat(np.arange(len(clusters.lengths)), clusters.lengths)
    order = np.lexsort((clusters.second, video))
    video, second = video[order], clusters.second[order]
    total, faces = clusters.total[order], clusters.faces[order]
    fresh = np.r_[True, (np.diff(video) != 0) | (np.diff(second) != 0)]
    lengths = np.bincount(video[fresh])
    # Too many seconds are joined to blocks.
    rank = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    block = block_of(rank, np.repeat(lengths, lengths))
    fresh[np.flatnonzero(fresh)[1:]] = (np.diff(block) != 0) | (np.diff(video[fresh]) != 0)
    first = np.flatnonzero(fresh)
    return (
        np.add.reduceat(total, first),
        np.add.reduceat(faces, first),
        np.bincount(video[first]),
    )


def _shifts(total: Integers, faces: Integers, level: float) -> Floats:
    """Return the shifts (k, 2) of k videos with n clusters each, from sums (k, n)."""
    weights = draws_of(total.shape[1])
    sums = total.astype(np.float64) @ weights
    counts = faces.astype(np.float64) @ weights
    means = sums / (UNITS * counts)
    mean = total.sum(axis=1) / (UNITS * faces.sum(axis=1))
    return percentile_shifts(means, mean, level, total.shape[1])


def percentile_shifts(drawn: Floats, point: Floats, level: float, count: int) -> Floats:
    """Return the ends (k, 2) of k widened percentile intervals, minus `point`.

    Args:
        drawn: float64 (k, DRAWS), the resampled scores.
        point: float64 (k,), the scores themselves.
        level: of the interval.
        count: clusters that were resampled, two or more.
    """
    tail = _tail(level, count)
    ends = np.quantile(drawn, [tail, 1 - tail], axis=1).T - point[:, None]
    return np.stack([np.minimum(ends[:, 0], 0.0), np.maximum(ends[:, 1], 0.0)], axis=1)


def _tail(level: float, count: int) -> float:
    """Return the share of draws beyond each end, for `count` clusters."""
    widened = math.sqrt(count / (count - 1)) * student_t(level, count - 1)
    return NormalDist().cdf(-widened)


def block_of(rank: Integers, seconds: Integers | int) -> Integers:
    """Return the block of each second, at most MAX_CLUSTERS per video.

    Args:
        rank: (m,) place of the second among those of its video, from 0.
        seconds: number of seconds of its video, for all or (m,).
    """
    return np.asarray(rank // -(-seconds // MAX_CLUSTERS), np.int64)


@lru_cache(maxsize=64)
def draws_of(count: int) -> Floats:
    """Return float64 (count, DRAWS): how often each cluster occurs in each draw; always the same.

    Taken from the raw stream of the generator, which NumPy guarantees not to change; its
    distributions may change.
    """
    raw = np.random.PCG64([_SEED, count]).random_raw(DRAWS * count).reshape(DRAWS, count)
    chosen = (raw % np.uint64(count)).astype(np.int64)
    cells = chosen + count * np.arange(DRAWS)[:, None]
    drawn = np.bincount(cells.ravel(), minlength=DRAWS * count).reshape(DRAWS, count)
    return np.ascontiguousarray(drawn.T, np.float64)
