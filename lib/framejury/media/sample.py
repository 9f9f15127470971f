"""Which frames of a video are looked at. Pure functions of presentation times."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from framejury.settings import SamplingSettings

Times = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def choose_frames(
    times_s: Times, end_s: float, settings: SamplingSettings, key: str, key_frames: Indices
) -> Indices:
    """The frames to look at, before any is exchanged for a cheaper neighbour.

    `uniform` and `random` give `min(settings.frames, n)` distinct ones; `keyframes` at most
    that many of `key_frames`; `every_s` the nearest to the middle of each stretch of
    `settings.every_s` seconds; `all` every one.

    Args:
        times_s: float64 (n,), presentation times in seconds, strictly increasing.
        end_s: when the last frame ends, seconds.
        settings: mode, count, interval and seed.
        key: what makes mode `random` differ between videos, such as the `video_id`.
        key_frames: int64, indices of the frames where decoding may start, increasing; the
            first frame stands in when there are none.

    Returns:
        int64 (k,) indices into `times_s`, strictly increasing.
    """
    total = len(times_s)
    if settings.mode == "every_s":
        span_s = end_s - times_s[0]
        count = max(int(span_s / settings.every_s), 1)
        every_s = min(settings.every_s, span_s)
        return np.unique(_nearest(times_s, times_s[0] + (np.arange(count) + 0.5) * every_s))
    if settings.mode == "keyframes":
        keys = key_frames if len(key_frames) else np.zeros(1, np.int64)
        if settings.frames >= len(keys):
            return keys
        return keys[_uniform(times_s[keys], end_s, settings.frames)]
    if settings.mode == "all" or settings.frames >= total:
        return np.arange(total, dtype=np.int64)
    if settings.mode == "random":
        rng = np.random.default_rng([settings.seed, _number(key)])
        return np.sort(rng.choice(total, settings.frames, replace=False)).astype(np.int64)
    return _uniform(times_s, end_s, settings.frames)


def _uniform(times_s: Times, end_s: float, count: int) -> Indices:
    """The frames nearest to the middles of `count` equal stretches of time.

    Middles rather than ends: first and last frames are often black or titles. Where
    the frame rate varies two middles can share a frame; the free frame that is
    farthest from all chosen ones then takes the second place.
    """
    span_s = end_s - times_s[0]
    ideal_s = times_s[0] + (np.arange(count) + 0.5) * span_s / count
    chosen = np.unique(_nearest(times_s, ideal_s))
    if len(chosen) == count:
        return chosen
    distance_s = np.abs(times_s - times_s[chosen[_nearest(times_s[chosen], times_s)]])
    while len(chosen) < count:
        farthest = np.argmax(distance_s)
        chosen = np.append(chosen, farthest)
        distance_s = np.minimum(distance_s, np.abs(times_s - times_s[farthest]))
    return np.sort(chosen)


def _nearest(times_s: Times, wanted_s: Times) -> Indices:
    """Index of the time nearest to each wanted one; the earlier of two equally near."""
    right = np.clip(np.searchsorted(times_s, wanted_s), 0, len(times_s) - 1)
    left = np.maximum(right - 1, 0)
    closer_left = wanted_s - times_s[left] <= times_s[right] - wanted_s
    return np.where(closer_left, left, right).astype(np.int64)


def _number(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
