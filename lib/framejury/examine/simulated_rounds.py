"""Which faces of a densely sampled video would have been judged, had it been sampled in rounds.

Rules are fitted, and accuracy is measured, on faces of many frames per video. A verdict in use
comes from fewer: those of the rounds until it was settled. Pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from framejury.media.sample import (
    Indices,
    Times,
    choose_frames,
    frame_range,
    more_frames,
)
from framejury.settings import SamplingSettings

Flags = npt.NDArray[np.bool_]

_NO_KEY_FRAMES = np.zeros(0, np.int64)


def judged_faces(
    pts_s: Sequence[float] | Times,
    sampled_s: Sequence[float],
    duration_s: float,
    counts: Sequence[int],
    is_settled: Callable[[Flags, int], bool],
) -> Flags:
    """Return the faces of the frames that rounds would have sampled before they ended.

    Args:
        pts_s: (n,), time of each face's frame, one of `sampled_s`.
        sampled_s: times of the sampled frames, of pairs the first ones, seconds, at least one.
        duration_s: of the video, seconds.
        counts: samples per video after each round (`SamplingSettings.counts`).
        is_settled: from the faces so far, bool (n,), and the rounds so far, whether none follows.

    Returns:
        bool (n,). All faces where the video has no more sampled frames than the last round needs.
    """
    faces_s, times_s = np.asarray(pts_s, np.float64), np.unique(np.asarray(sampled_s, np.float64))
    chosen = np.ones(len(faces_s), np.bool_)
    for rounds, known in enumerate(_rounds(times_s, duration_s, counts), start=1):
        chosen = np.isin(faces_s, times_s[known])
        if is_settled(chosen, rounds):
            break
    return chosen


def frames_of_rounds(total: int, sampling: SamplingSettings) -> int:
    """Return how many samples all rounds together take of a video of `total` frames, count."""
    first, stop = frame_range(total, sampling)
    return min(sampling.counts[-1], (stop - first) // sampling.span)


def _rounds(times_s: Times, duration_s: float, counts: Sequence[int]) -> list[Indices]:
    """Return the sampled frames known after each round, until the video has no more."""
    sampling = SamplingSettings(frames=counts[0])
    known = [choose_frames(times_s, duration_s, sampling, "", _NO_KEY_FRAMES)]
    for count in counts[1:]:
        more = more_frames(times_s, duration_s, sampling, known[-1], count)
        if len(more) == 0:
            break
        known.append(np.union1d(known[-1], more))
    return known
