"""Subsets of the sampled frames: evenly spread, as many as asked for, misses included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.media.sample import choose_frames
from framejury.protocol.frames import ProtocolFrames, frame_counts, headline_of, in_subset, spread
from framejury.settings import SamplingSettings


def test_counts_to_report() -> None:
    assert frame_counts(32) == (1, 4, 11, 32)
    assert frame_counts(64) == (1, 4, 11, 32, 64)
    assert frame_counts(11) == (1, 4, 11)
    assert frame_counts(8) == (1, 4, 8)
    assert frame_counts(1) == (1,)
    assert (headline_of(32), headline_of(11), headline_of(6)) == (11, 11, 6)


def test_frames_of_the_protocol() -> None:
    exactly = SamplingSettings(frames=12)
    assert ProtocolFrames.of(exactly) == ProtocolFrames(examined=12, headline=11, rounds=())
    once = SamplingSettings(rounds=())
    assert ProtocolFrames.of(once) == ProtocolFrames(examined=32, headline=11, rounds=())
    few = SamplingSettings(rounds=(5, 9))
    assert ProtocolFrames.of(few) == ProtocolFrames(examined=32, headline=11, rounds=(5, 9))
    many = SamplingSettings(rounds=(11, 32, 96))
    assert ProtocolFrames.of(many) == ProtocolFrames(96, 11, rounds=(11, 32, 96))


def test_spread_counted_by_hand() -> None:
    assert spread(32, 1).tolist() == [16]
    assert spread(32, 4).tolist() == [4, 12, 20, 28]
    assert spread(32, 11).tolist() == [1, 4, 7, 10, 13, 16, 18, 21, 24, 27, 30]
    assert spread(3, 11).tolist() == [0, 1, 2]


@given(total=st.integers(1, 400), count=st.integers(1, 400))
def test_spread_is_even(total: int, count: int) -> None:
    chosen = spread(total, count)
    assert len(chosen) == min(total, count)
    assert set(chosen.tolist()) <= set(range(total))
    if len(chosen) > 1:
        steps = np.diff(chosen)
        assert steps.min() >= 1
        assert steps.max() - steps.min() <= 1


def sampled_times(frames: int, fps: float, count: int) -> tuple[np.ndarray, float]:
    """What the sampler looks at in a video of `frames`, and the video's duration."""
    times_s = np.arange(frames) / fps
    end_s = frames / fps
    settings = SamplingSettings(frames=count)
    chosen = choose_frames(times_s, end_s, settings, "", np.zeros(0, np.int64))
    return times_s[chosen], end_s


@given(frames=st.integers(32, 900), fps=st.sampled_from([12.0, 23.976, 25.0, 29.97, 60.0]))
def test_of_32_frames_a_subset_has_just_as_many_as_asked_for(frames: int, fps: float) -> None:
    times_s, duration_s = sampled_times(frames, fps, 32)
    for count in (1, 4, 11, 32):
        mask = in_subset(times_s, duration_s=duration_s, sampled=32, count=count)
        if frames >= 64:  # else frame times round into neighbouring stretches
            assert mask.sum() == count
            assert np.flatnonzero(mask).tolist() == spread(32, count).tolist()
        assert mask.sum() <= count


def test_every_face_of_a_chosen_frame_is_in_and_no_other() -> None:
    times_s, duration_s = sampled_times(320, 25, 32)
    faces_s = np.repeat(times_s, 3)
    mask = in_subset(faces_s, duration_s=duration_s, sampled=32, count=4)
    assert mask.sum() == 12
    assert sorted(set(faces_s[mask])) == times_s[[4, 12, 20, 28]].tolist()


def test_a_chosen_frame_without_a_face_is_not_replaced() -> None:
    times_s, duration_s = sampled_times(320, 25, 32)
    without = np.delete(times_s, 12)
    mask = in_subset(without, duration_s=duration_s, sampled=32, count=4)
    assert without[mask].tolist() == times_s[[4, 20, 28]].tolist()
    only = in_subset(times_s[:3], duration_s=duration_s, sampled=32, count=1)
    assert only.sum() == 0


@pytest.mark.parametrize("count", [1, 4, 11])
def test_a_short_video_gives_what_it_has(count: int) -> None:
    times_s, duration_s = sampled_times(3, 25, 32)
    mask = in_subset(times_s, duration_s=duration_s, sampled=3, count=count)
    assert mask.sum() == min(count, 3)
