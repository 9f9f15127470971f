"""Estimate what units of work will cost, and pack them into tasks.

Only ratios of the estimates matter. Small tasks come last, which evens out errors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from framejury.media.decode_plan import SECONDS_A_BYTE
from framejury.settings import SamplingSettings

FRAME_S = 0.02
"""Estimated seconds on one core to find and score the faces of one frame, by MTCNN."""

_DETECTOR_RATIOS = {"mtcnn": 1.0, "haar": 1.9, "frame": 0.37}
"""Cost of a frame as a multiple of `FRAME_S`. Measured in November 2026 on one x86 core, over 11
frames of each of 16 videos of the corpus with the shipped bundle: 31, 58 and 11 ms per frame."""

OPEN_S = 0.05
"""Estimated seconds on one core to open a file and send back its rows."""

READ_S_A_BYTE = 2e-9
"""Estimated seconds to read one byte, to hash it or to skip it."""

_GROUP_BYTES = 2 * 2**20
_KEY_FRAME_BYTES = 2**18
# A phone's 1080p; used where the length of a video matters and only its size is known.
_BYTES_A_SECOND = 600_000
_BYTES_A_FRAME = 24_000

_SURVEYED_FRAMES = 100
"""With fewer samples the cost hardly depends on the length of the video."""

_SHARE = 3  # a task is at most 1/3 of the remaining work per slot
_LEAST_TASK_S = 0.5  # the overhead of a Spark task is some tenths of that

Seconds = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def frame_s(detector: str) -> float:
    """Estimate the seconds on one core to find and score the faces of one frame.

    Args:
        detector: as in `detection.detector`.
    """
    return FRAME_S * _DETECTOR_RATIOS[detector]


def grows_with_length(sampling: SamplingSettings) -> bool:
    """Check whether a longer video has more samples, so that cutting it up pays."""
    if sampling.mode == "strided_retry":  # each sample depends on the last: no part is alone
        return False
    if len(sampling.counts) > 1:  # whether a round follows depends on all faces of the video
        return False
    return sampling.mode in ("all", "every_s") or sampling.counts[0] >= _SURVEYED_FRAMES


def estimate_costs_s(
    size_bytes: Counts, sampling: SamplingSettings, detector: str = "mtcnn"
) -> Seconds:
    """Estimate what videos will cost from their size alone, before they are opened.

    Args:
        size_bytes: int64 (n,).
        sampling: which frames are sampled.
        detector: as in `detection.detector`.

    Returns:
        float64 (n,), seconds on one core; of the first round only, since few videos get another.
    """
    count = sampling.counts[0]
    size = np.asarray(size_bytes, np.float64)
    each, span = len(sampling.offsets), sampling.span
    if sampling.mode == "all":
        frames, decoded = each / span * size / _BYTES_A_FRAME, size
    elif sampling.mode == "every_s":
        frames, decoded = each * size / _BYTES_A_SECOND / sampling.every_s, size
    elif sampling.mode in ("strided", "strided_retry"):  # from the start on
        step = span + sampling.skip_frames
        frames = each * np.minimum(count, size / _BYTES_A_FRAME / step)
        decoded = np.minimum(size, float(count * step * _BYTES_A_FRAME))
    else:
        group_bytes = _KEY_FRAME_BYTES if sampling.mode == "keyframes" else _GROUP_BYTES
        frames = np.minimum(each * count, each / span * size / _BYTES_A_FRAME)
        further_bytes = (span - 1) * _BYTES_A_FRAME
        decoded = np.minimum(size, float(count * (group_bytes + further_bytes)))
    # One pass to hash the file, two over its packet headers.
    read_s = 3 * READ_S_A_BYTE * size
    faces_s = frame_s(detector) * frames
    return np.asarray(OPEN_S + read_s + SECONDS_A_BYTE * decoded + faces_s, np.float64)


def estimate_survey_costs_s(size_bytes: Counts) -> Seconds:
    """Estimate the cost of hashing files of these sizes (int64) and reading packet headers."""
    return np.asarray(OPEN_S + 2 * READ_S_A_BYTE * np.asarray(size_bytes, np.float64), np.float64)


def deal_batches(costs_s: Seconds, slots: int, commit_s: float) -> Counts:
    """Divide videos into batches; a nightly run commits after each batch.

    Args:
        costs_s: float64 (n,), estimated seconds on one core per video, positive.
        slots: tasks that run at the same time, count.
        commit_s: target for one batch, estimated seconds on all slots.

    Returns:
        int64 (n,) batch numbers from 0 without gaps, not decreasing: batches are contiguous, so
        a killed run has finished whole folders first.
    """
    reached_s = np.cumsum(costs_s)
    middles_s = reached_s - costs_s / 2
    chunks = (middles_s / (commit_s * slots)).astype(np.int64)
    return np.unique(chunks, return_inverse=True)[1].astype(np.int64)


def pack(costs_s: Seconds, slots: int, task_s: float, max_tasks: int) -> Counts:
    """Divide units of work into tasks.

    Spark starts tasks in the order of their numbers, so the heaviest comes first (longest
    processing time first) and small ones fill the gaps at the end.

    Args:
        costs_s: float64 (n,), estimated seconds per unit, positive.
        slots: tasks that run at the same time, count.
        task_s: target for one task, seconds; tasks shrink towards the end.
        max_tasks: count.

    Returns:
        int64 (n,) task numbers from 0 without gaps, task 0 the heaviest. Units are not divided,
        so one that costs more than `task_s` is a task of its own.
    """
    if len(costs_s) == 0:
        return np.zeros(0, np.int64)
    order = np.argsort(-costs_s, kind="stable")
    reached_s = np.cumsum(costs_s[order])
    middles_s = reached_s - costs_s[order] / 2
    least_s, most_s = _LEAST_TASK_S, max(task_s, _LEAST_TASK_S)
    while True:
        ends_s = _ends(float(reached_s[-1]), slots, least_s, most_s)
        chunks = np.unique(np.searchsorted(ends_s, middles_s), return_inverse=True)[1]
        count = int(chunks[-1]) + 1
        if count <= max_tasks:
            break
        least_s, most_s = 1.5 * least_s, 1.5 * most_s
    loads_s = np.bincount(chunks, costs_s[order], count)
    number_of = np.empty(count, np.int64)
    number_of[np.argsort(-loads_s, kind="stable")] = np.arange(count)
    tasks = np.empty(len(costs_s), np.int64)
    tasks[order] = number_of[chunks]
    return tasks


def _ends(total_s: float, slots: int, least_s: float, most_s: float) -> Seconds:
    """Return the ends of chunks that shrink with the remaining work (guided self-scheduling).

    Returns:
        float64, increasing, in seconds of work; the rest after the last end is one more chunk.
    """
    shrinking_from_s = _SHARE * slots * most_s
    even = int(max(total_s - shrinking_from_s, 0.0) / most_s)
    ends = [np.arange(1, even + 1) * most_s]
    done_s = even * most_s
    tail = []
    while total_s - done_s > least_s:
        done_s += min(max((total_s - done_s) / (_SHARE * slots), least_s), most_s)
        tail.append(done_s)
    return np.concatenate([*ends, tail])
