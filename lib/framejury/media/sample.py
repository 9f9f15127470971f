"""Which frames of a video are looked at. Pure functions of presentation times.

A look is one frame, or with `sampling.pairs` a frame and the one after it; no two looks share a
frame. What is chosen are the frames that looks start with.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from framejury.settings import SamplingSettings

Times = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def frames_of_look(*, pairs: bool) -> int:
    """How many frames that follow each other are looked at together."""
    return 2 if pairs else 1


def frame_range(total: int, settings: SamplingSettings) -> tuple[int, int]:
    """(first, stop) ranks of the frames that may be looked at, `stop` exclusive.

    Args:
        total: frames of the video, count.
        settings: `first_frame`, `last_frame`; a video that has no look from `first_frame` on may
            be looked at everywhere.
    """
    if settings.first_frame + frames_of_look(pairs=settings.pairs) > total:
        return 0, total
    last = settings.last_frame
    return settings.first_frame, total if last is None else min(last + 1, total)


def choose_frames(
    times_s: Times, end_s: float, settings: SamplingSettings, key: str, key_frames: Indices
) -> Indices:
    """The frames that looks start with, before any is exchanged for a cheaper neighbour.

    Of the n looks that `frame_range` holds (with pairs: frames 0 and 1 of it, 2 and 3, and so
    on) `uniform` and `random` give `min(settings.frames, n)` distinct ones; `every_s` the nearest
    to the middle of each stretch of `settings.every_s` seconds; `all` every one. `keyframes`
    gives at most `settings.frames` looks that start with one of `key_frames`, `strided` at most
    as many, `skip_frames` (`skip_frames_short`) apart.

    Args:
        times_s: float64 (n,), presentation times in seconds, strictly increasing.
        end_s: when the last frame ends, seconds.
        settings: mode, count, range, interval and seed.
        key: what makes mode `random` differ between videos, such as the `video_id`.
        key_frames: int64, indices of the frames where decoding may start, increasing; the
            first frame of the range stands in when it holds none.

    Returns:
        int64 (k,) indices into `times_s`, strictly increasing; none of a single frame with pairs.
    """
    total = len(times_s)
    first, stop = frame_range(total, settings)
    end_s = float(times_s[stop]) if stop < total else end_s
    times_s = times_s[first:stop]
    if settings.mode == "strided":
        return first + _strided(len(times_s), total, settings)
    if settings.mode == "keyframes":
        keys = key_frames[(key_frames >= first) & (key_frames < stop)] - first
        starts = _key_starts(keys, len(times_s), pairs=settings.pairs)
        if settings.frames >= len(starts):
            return first + starts
        return first + starts[_uniform(times_s[starts], end_s, settings.frames)]
    starts = _starts(len(times_s), pairs=settings.pairs)
    return first + starts[_choose(times_s[starts], end_s, settings, key)]


def draw_again(total: int, settings: SamplingSettings, key: str, readable: Indices) -> Indices:
    """What mode `random` looks at where not every frame can be read.

    The first readable ones of one drawn order, of which `choose_frames` gives the beginning: as
    if each frame that cannot be read were drawn again.

    Args:
        total: frames of the video, count.
        settings, key: as in `choose_frames`.
        readable: int64, ranks of the frames that can be decoded whole, increasing.

    Returns:
        int64 (k,) ranks, strictly increasing; fewer than `settings.frames` when no more is left.
    """
    first, stop = frame_range(total, settings)
    order = first + _starts(stop - first, pairs=settings.pairs)
    if settings.frames < len(order):
        rng = _generator(settings, key)
        chosen = rng.choice(len(order), settings.frames, replace=False)
        others = np.setdiff1d(np.arange(len(order)), chosen)
        order = order[np.concatenate([chosen, rng.permutation(others)])]
    whole = np.isin(order, readable)
    if settings.pairs:
        whole &= np.isin(order + 1, readable)
    return np.sort(order[whole][: settings.frames])


def looked_at(starts: Indices, *, pairs: bool) -> Indices:
    """Every frame of the looks that start with these: int64, increasing."""
    return np.union1d(starts, starts + 1) if pairs else starts


def _starts(total: int, *, pairs: bool) -> Indices:
    span = frames_of_look(pairs=pairs)
    return np.arange(0, total - span + 1, span, dtype=np.int64)


def _strided(total: int, of_video: int, settings: SamplingSettings) -> Indices:
    short = of_video <= settings.short_frames
    span = frames_of_look(pairs=settings.pairs)
    step = span + (settings.skip_frames_short if short else settings.skip_frames)
    return np.arange(0, total - span + 1, step, dtype=np.int64)[: settings.frames]


def _key_starts(keys: Indices, total: int, *, pairs: bool) -> Indices:
    """Key frames that looks start with, with pairs every other one of those in a row."""
    if pairs:
        place = np.arange(len(keys))
        row_begins = np.maximum.accumulate(np.where(np.diff(keys, prepend=-2) > 1, place, 0))
        keys = keys[((place - row_begins) % 2 == 0) & (keys + 1 < total)]
    return keys if len(keys) else _starts(total, pairs=pairs)[:1]


def _choose(times_s: Times, end_s: float, settings: SamplingSettings, key: str) -> Indices:
    """Which of the looks that start at these times: int64, increasing."""
    total = len(times_s)
    if total and settings.mode == "every_s":
        span_s = end_s - times_s[0]
        count = max(int(span_s / settings.every_s), 1)
        every_s = min(settings.every_s, span_s)
        return np.unique(_nearest(times_s, times_s[0] + (np.arange(count) + 0.5) * every_s))
    if settings.mode == "all" or settings.frames >= total:
        return np.arange(total, dtype=np.int64)
    if settings.mode == "random":
        rng = _generator(settings, key)
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


def _generator(settings: SamplingSettings, key: str) -> np.random.Generator:
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    return np.random.default_rng([settings.seed, number])
