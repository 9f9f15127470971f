"""Evenly spread subsets of the sampled frames, to measure with fewer frames per video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framejury.settings import SamplingSettings

Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

FRAMES_PER_VIDEO = (1, 4, 11, 32)
"""Common in the literature: one frame, a few, framejury's default, and 32."""

HEADLINE_FRAMES = 11

PROTOCOL_FRAMES = 32
"""Frames to examine per video, at least, unless the settings state a number."""


@dataclass(frozen=True, slots=True)
class ProtocolFrames:
    """The frames that the protocol examines and judges by.

    Attributes:
        examined: evenly spread frames per video, count.
        headline: as many of them are perturbed, and judged where there are no rounds, count.
        rounds: frames per video after each round of the headline; () without rounds.
    """

    examined: int
    headline: int
    rounds: tuple[int, ...]

    @classmethod
    def of(cls, sampling: SamplingSettings) -> ProtocolFrames:
        """Return the frames for videos that are judged under these settings.

        `sampling.frames`, if set, is the number of frames to examine.
        """
        if sampling.frames is not None:
            return cls(sampling.frames, headline_of(sampling.frames), ())
        counts = sampling.counts
        examined = max(PROTOCOL_FRAMES, counts[-1])
        return cls(examined, headline_of(examined), counts if len(counts) > 1 else ())


def frame_counts(sampled: int) -> tuple[int, ...]:
    """Return the frames per video to report: those below `sampled`, and `sampled`."""
    return (*(count for count in FRAMES_PER_VIDEO if count < sampled), sampled)


def headline_of(sampled: int) -> int:
    """Return the frames per video of the headline: 11, or all when fewer are sampled."""
    return min(HEADLINE_FRAMES, sampled)


def spread(total: int, count: int) -> Indices:
    """Return `count` places among 0 to `total` - 1, in the middles of equal stretches.

    Returns:
        int64 (min(count, total),), strictly increasing.
    """
    count = min(count, total)
    return ((2 * np.arange(count, dtype=np.int64) + 1) * total) // (2 * count)


def in_subset(
    pts_s: Sequence[float] | npt.NDArray[np.float64],
    *,
    duration_s: float,
    sampled: int,
    count: int,
) -> Flags:
    """Return which faces are in `count` sampled frames that are spread evenly over the video.

    Sampled frames lie near the middles of `sampled` equal stretches of time, so the time of a face
    determines its stretch. Stretches without a face can be chosen too, as in a real sample.

    Args:
        pts_s: (n,), time of each face's frame, seconds from the first frame.
        duration_s: of the video, seconds, above 0.
        sampled: sampled frames, with or without a face, count.
        count: frames to keep, count.

    Returns:
        bool (n,). At most `count` different times are kept.
    """
    times_s = np.asarray(pts_s, np.float64)
    frames_s, frame_of = np.unique(times_s, return_inverse=True)
    place = frames_s / duration_s * sampled
    stretch = np.clip(place.astype(np.int64), 0, sampled - 1)
    off = np.abs(place - (stretch + 0.5))
    chosen = np.zeros(len(frames_s), np.bool_)
    for wanted in spread(sampled, count):
        mine = np.flatnonzero(stretch == wanted)
        if mine.size:
            chosen[mine[np.argmin(off[mine])]] = True
    return np.asarray(chosen[frame_of], np.bool_)
