"""Samples put together from the frames that decode intact."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.media.decoders import RankedFrame
from framejury.media.sample import Walk
from framejury.media.whole_samples import samples_in_order, walked_in_order
from framejury.settings import SamplingSettings

FRAME: Any = None
PAIR, CLIP = (0, 1), (0, 2, 4)


def ranked(ranks: Iterable[int]) -> list[RankedFrame]:
    return [RankedFrame(rank, FRAME, None) for rank in ranks]


def found(
    intact: Iterable[int],
    wanted: Iterable[int],
    offsets: tuple[int, ...],
    stop: int | None = None,
) -> list[int]:
    """First frames of the samples, whose frames must be where they belong."""
    ranks = np.array(list(wanted), np.int64)
    samples = list(samples_in_order(ranked(intact), ranks, stop, offsets))
    starts = [sample[0].rank for sample in samples]
    for start, sample in zip(starts, samples, strict=True):
        assert [frame.rank for frame in sample] == [start + offset for offset in offsets]
    return starts


def without(total: int, *lost: int) -> list[int]:
    return [rank for rank in range(total) if rank not in lost]


@pytest.mark.parametrize(
    ("lost", "wanted", "offsets", "starts"),
    [
        ((), [0, 6, 12], (0,), [0, 6, 12]),
        ((6, 7), [0, 6, 12], (0,), [0, 8, 12]),
        (range(5, 13), [0, 6, 12], (0,), [0, 13]),  # two that come to the same start are one
        ((7,), [0, 6, 12], PAIR, [0, 8, 12]),
        ((6,), [4, 6, 8], PAIR, [4, 7, 8]),  # each begins as if it were alone
        ((), [0, 5, 10], CLIP, [0, 5, 10]),
        ((6, 8), [0, 5, 10], CLIP, [0, 5, 10]),  # between its frames nothing is needed
        ((7,), [0, 5, 10], CLIP, [0, 8, 10]),
        ((17, 18, 19), [0, 5, 15], CLIP, [0, 5]),  # the video ends before another is whole
    ],
)
def test_what_lacks_a_frame_begins_again(
    lost: Iterable[int], wanted: list[int], offsets: tuple[int, ...], starts: list[int]
) -> None:
    assert found(without(20, *lost), wanted, offsets) == starts


def test_none_begins_at_the_stop_but_may_reach_beyond() -> None:
    assert found(range(20), [5, 10], CLIP, stop=11) == [5, 10]
    assert found(without(20, 10), [5, 10], CLIP, stop=11) == [5]
    assert found(without(20, 10), [5, 10], CLIP, stop=12) == [5, 11]


def test_nothing_more_is_decoded_than_needed() -> None:
    frames = iter(ranked(range(20)))
    assert len(list(samples_in_order(frames, np.array([0, 5]), None, CLIP))) == 2
    assert next(frames).rank == 10
    assert list(samples_in_order(frames, np.zeros(0, np.int64), None, CLIP)) == []
    assert next(frames).rank == 11


@given(
    lost=st.sets(st.integers(0, 59)), edge=st.integers(1, 59), offsets=st.sampled_from([PAIR, CLIP])
)
def test_parts_give_what_the_whole_gives(
    lost: set[int], edge: int, offsets: tuple[int, ...]
) -> None:
    intact, span = without(60, *lost), offsets[-1] + 1
    wanted = list(range(0, 60 - span + 1, span))
    first = found(intact, [rank for rank in wanted if rank < edge], offsets, stop=edge)
    second = found(intact, [rank for rank in wanted if rank >= edge], offsets)
    whole = found(intact, wanted, offsets)
    # What began before the edge and lost a frame behind it is the one of the next part, or none.
    assert set(first) | set(second) <= set(whole)
    assert [start for start in whole if start < edge] == first
    if not lost:
        assert first + second == whole == wanted


def test_a_walk_goes_on_behind_each_clip() -> None:
    sampling = SamplingSettings(
        mode="strided_retry", frames=9, clip_frames=3, clip_stride=2, skip_frames_short=3
    )
    walk = Walk(30, sampling)
    starts = []
    for sample in walked_in_order(ranked(without(30, 12)), walk):
        starts.append(sample[0].rank)
        walk.go_on(sample[0].rank, found=sample[0].rank > 0)
    assert starts == [0, 5, 13, 21]
