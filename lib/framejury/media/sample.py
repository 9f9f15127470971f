"""Which frames of a video are sampled. Pure functions of presentation times.

A sample is one frame, or with `sampling.pairs` and `sampling.clip_frames` several, at the distances
`SamplingSettings.offsets` from its first; each ends before the next begins. The functions choose
the first frame of each sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from framejury.settings import SamplingSettings

Times = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def frame_range(total: int, settings: SamplingSettings) -> tuple[int, int]:
    """Return the (first, stop) ranks of the frames that may be sampled, `stop` exclusive.

    Args:
        total: number of frames in the video.
        settings: `first_frame`, `last_frame`. A video without a sample from `first_frame` on is
            sampled as a whole.
    """
    if settings.first_frame + settings.span > total:
        return 0, total
    last = settings.last_frame
    return settings.first_frame, total if last is None else min(last + 1, total)


class Walk:
    """Where each sample of mode `strided_retry` begins: it depends on what the last one showed.

    Args:
        total: number of frames in the video.
        settings: count, range and skipped frames.

    Attributes:
        offsets: of the frames of a sample.
        next_rank: the next sample begins here or, behind damaged frames, later.
        is_over: whether enough samples with a face were found.
    """

    def __init__(self, total: int, settings: SamplingSettings) -> None:
        self.next_rank, self.stop = frame_range(total, settings)
        self.offsets = settings.offsets
        self._skipped = _skipped_frames(total, settings)
        self._wanted = settings.counts[0]

    @property
    def is_over(self) -> bool:
        return self._wanted == 0

    def go_on(self, first: int, *, found: bool) -> None:
        """Move behind a sample.

        Args:
            first: rank of its first frame.
            found: whether a face of it was kept; if not, nothing is skipped.
        """
        self.next_rank = first + self.offsets[-1] + 1 + (self._skipped if found else 0)
        self._wanted -= found


def choose_frames(
    times_s: Times, end_s: float, settings: SamplingSettings, key: str, key_frames: Indices
) -> Indices:
    """Choose the first frame of each sample, before frames move to cheaper neighbours.

    `frame_range` holds n samples (with pairs: its frames 0 and 1, 2 and 3, and so on; with clips:
    one after the other), of which
    k = `settings.counts[0]` are wanted. `uniform` and `random` choose min(k, n) of them; `every_s`
    the one nearest to the middle of each interval of `settings.every_s` seconds; `all` every one.
    `keyframes` chooses at most k samples that start with one of `key_frames`, `strided` at most as
    many, `skip_frames` (`skip_frames_short`) apart; so does `strided_retry`, as if each showed a
    face (`Walk` has the frames that are really sampled).

    Args:
        times_s: float64 (n,), presentation times in seconds, strictly increasing.
        end_s: end of the last frame, seconds.
        settings: mode, count, range, interval and seed.
        key: seeds mode `random` per video, such as the `video_id`.
        key_frames: int64, ranks of the key frames, increasing. The first frame of the range
            replaces them if the range has none.

    Returns:
        int64 (k,) indices into `times_s`, strictly increasing; empty where the video is
        shorter than a sample.
    """
    total = len(times_s)
    first, stop = frame_range(total, settings)
    end_s = float(times_s[stop]) if stop < total else end_s
    times_s = times_s[first:stop]
    if settings.mode in ("strided", "strided_retry"):
        return first + _strided(len(times_s), total, settings)
    if settings.mode == "keyframes":
        keys = key_frames[(key_frames >= first) & (key_frames < stop)] - first
        starts = _key_starts(keys, len(times_s), settings.span)
        if settings.counts[0] >= len(starts):
            return first + starts
        return first + starts[_uniform(times_s[starts], end_s, settings.counts[0])]
    starts = _starts(len(times_s), settings.span)
    return first + starts[_choose(times_s[starts], end_s, settings, key)]


def more_frames(
    times_s: Times, end_s: float, settings: SamplingSettings, known: Indices, count: int
) -> Indices:
    """Choose the samples that a further round adds to those known, in mode `uniform`.

    Of the `count` samples that one round would have chosen, they are those farthest from what is
    known; so known and new ones together are spread as evenly as in one round.

    Args:
        times_s, end_s, settings: as in `choose_frames`.
        known: int64, first frames of the samples so far, increasing, at least one.
        count: samples of all rounds together.

    Returns:
        int64 (k,) ranks, increasing, none of them known; fewer than `count - len(known)` where
        the video has no more, empty where it has none.
    """
    total = len(times_s)
    first, stop = frame_range(total, settings)
    starts = first + _starts(stop - first, settings.span)
    if count >= len(starts):
        return np.setdiff1d(starts, known)
    end_s = float(times_s[stop]) if stop < total else end_s
    starts_s = times_s[starts]
    grid = _uniform(starts_s, end_s, count)
    chosen = _filled(starts_s, np.searchsorted(starts, known), grid, count)
    return np.setdiff1d(starts[chosen], known)


def draw_again(total: int, settings: SamplingSettings, key: str, readable: Indices) -> Indices:
    """Draw again for mode `random` when some frames cannot be decoded.

    One order is drawn, which starts with the choice of `choose_frames`; its first readable
    samples are taken, as if each unreadable frame were drawn again.

    Args:
        total: number of frames in the video.
        settings, key: as in `choose_frames`.
        readable: int64, ranks of the frames that decode intact, increasing.

    Returns:
        int64 (k,) ranks, strictly increasing; fewer than `settings.counts[0]` if there are no more.
    """
    first, stop = frame_range(total, settings)
    order = first + _starts(stop - first, settings.span)
    count = settings.counts[0]
    if count < len(order):
        rng = _generator(settings, key)
        chosen = rng.choice(len(order), count, replace=False)
        others = np.setdiff1d(np.arange(len(order)), chosen)
        order = order[np.concatenate([chosen, rng.permutation(others)])]
    whole = np.isin(order[:, np.newaxis] + settings.offsets, readable).all(axis=1)
    return np.sort(order[whole][:count])


def sampled_ranks(starts: Indices, offsets: Sequence[int]) -> Indices:
    """Return every frame of the samples with these first frames: int64, increasing."""
    return np.unique(starts[:, np.newaxis] + np.asarray(offsets, np.int64))


def _starts(total: int, span: int) -> Indices:
    return np.arange(0, total - span + 1, span, dtype=np.int64)


def _strided(total: int, of_video: int, settings: SamplingSettings) -> Indices:
    step = settings.span + _skipped_frames(of_video, settings)
    return np.arange(0, total - settings.span + 1, step, dtype=np.int64)[: settings.counts[0]]


def _skipped_frames(of_video: int, settings: SamplingSettings) -> int:
    short = of_video <= settings.short_frames
    return settings.skip_frames_short if short else settings.skip_frames


def _key_starts(keys: Indices, total: int, span: int) -> Indices:
    """Return the key frames that start a sample: the first, and each behind the sample before."""
    starts: list[int] = []
    for key in keys.tolist():
        if key + span <= total and (not starts or key >= starts[-1] + span):
            starts.append(key)
    return np.array(starts, np.int64) if starts else _starts(total, span)[:1]


def _choose(times_s: Times, end_s: float, settings: SamplingSettings, key: str) -> Indices:
    """Choose among samples that start at these times: int64 indices, increasing."""
    total = len(times_s)
    if total and settings.mode == "every_s":
        span_s = end_s - times_s[0]
        count = max(int(span_s / settings.every_s), 1)
        every_s = min(settings.every_s, span_s)
        return np.unique(_nearest(times_s, times_s[0] + (np.arange(count) + 0.5) * every_s))
    count = settings.counts[0]
    if settings.mode == "all" or count >= total:
        return np.arange(total, dtype=np.int64)
    if settings.mode == "random":
        rng = _generator(settings, key)
        return np.sort(rng.choice(total, count, replace=False)).astype(np.int64)
    return _uniform(times_s, end_s, count)


def _uniform(times_s: Times, end_s: float, count: int) -> Indices:
    """Choose the frames nearest to the middles of `count` equal intervals.

    Middles rather than ends, since first and last frames are often black or titles. With a
    variable frame rate two middles can share a frame; the free frame farthest from all chosen
    ones then fills the gap.
    """
    span_s = end_s - times_s[0]
    ideal_s = times_s[0] + (np.arange(count) + 0.5) * span_s / count
    chosen = np.unique(_nearest(times_s, ideal_s))
    if len(chosen) == count:
        return chosen
    return _filled(times_s, chosen, np.arange(len(times_s)), count)


def _filled(times_s: Times, chosen: Indices, candidates: Indices, count: int) -> Indices:
    """Add the candidate farthest from all chosen frames until there are `count`, increasing."""
    near_s = times_s[candidates]
    distance_s = np.abs(near_s - times_s[chosen[_nearest(times_s[chosen], near_s)]])
    while len(chosen) < count:
        farthest = candidates[np.argmax(distance_s)]
        chosen = np.append(chosen, farthest)
        distance_s = np.minimum(distance_s, np.abs(near_s - times_s[farthest]))
    return np.sort(chosen)


def _nearest(times_s: Times, wanted_s: Times) -> Indices:
    """Return the index of the time nearest to each wanted one; ties take the earlier."""
    right = np.clip(np.searchsorted(times_s, wanted_s), 0, len(times_s) - 1)
    left = np.maximum(right - 1, 0)
    closer_left = wanted_s - times_s[left] <= times_s[right] - wanted_s
    return np.where(closer_left, left, right).astype(np.int64)


def _generator(settings: SamplingSettings, key: str) -> np.random.Generator:
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    return np.random.default_rng([settings.seed, number])
