"""Which frames are chosen: pure functions of presentation times."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.media import sample
from framejury.media.sample import Indices, Times
from framejury.settings import SamplingSettings

Mode = Literal["uniform", "random", "all", "every_s", "keyframes"]


def settings(
    mode: Mode = "uniform", frames: int = 11, seed: int = 0, every_s: float = 1.0
) -> SamplingSettings:
    return SamplingSettings(mode=mode, frames=frames, seed=seed, every_s=every_s)


def choose_frames(
    times_s: Times, end_s: float, settings: SamplingSettings, key: str, *key_frames: int
) -> Indices:
    return sample.choose_frames(times_s, end_s, settings, key, np.array(key_frames, np.int64))


def steady(count: int, fps: float = 25.0) -> Times:
    return np.arange(count) / fps


@st.composite
def irregular(draw: st.DrawFn) -> Times:
    """1 to 60 increasing times whose gaps differ by up to six orders of magnitude."""
    gaps = draw(st.lists(st.sampled_from([1e-3, 0.01, 0.04, 0.5, 30.0, 3600.0]), max_size=59))
    return np.concatenate([[0.0], np.cumsum(gaps)])


@given(times_s=irregular(), mode=st.sampled_from(["uniform", "random"]), frames=st.integers(1, 80))
def test_as_many_distinct_frames_as_there_are_in_order(
    times_s: Times, mode: Mode, frames: int
) -> None:
    chosen = choose_frames(times_s, times_s[-1] + 0.04, settings(mode, frames), "video")
    assert chosen.dtype == np.int64
    assert len(chosen) == min(frames, len(times_s))
    assert np.all(np.diff(chosen) > 0)
    assert chosen[0] >= 0 and chosen[-1] < len(times_s)


@given(times_s=irregular(), frames=st.integers(1, 80))
def test_all_takes_every_frame(times_s: Times, frames: int) -> None:
    chosen = choose_frames(times_s, times_s[-1] + 1, settings("all", frames), "video")
    assert chosen.tolist() == list(range(len(times_s)))


def test_uniform_takes_the_middles_of_equal_stretches() -> None:
    chosen = choose_frames(steady(100), 4.0, settings(frames=4), "video")
    assert chosen.tolist() == [12, 37, 62, 87]  # 0.5, 1.5, 2.5, 3.5 s; the earlier of two


@given(count=st.integers(60, 2000), frames=st.integers(1, 12), fps=st.sampled_from([0.4, 25, 60]))
def test_uniform_is_within_half_a_frame_of_the_ideal_times(
    count: int, frames: int, fps: float
) -> None:
    times_s = steady(count, fps)
    end_s = count / fps
    chosen = choose_frames(times_s, end_s, settings(frames=frames), "video")
    ideal_s = (np.arange(frames) + 0.5) * end_s / frames
    assert np.abs(times_s[chosen] - ideal_s).max() <= 0.5 / fps + 1e-9


def test_uniform_goes_by_time_not_by_frame_number() -> None:
    # 90 frames in the first second, 10 in the next nine.
    times_s = np.concatenate([np.linspace(0, 1, 90, endpoint=False), np.arange(1.0, 10.0, 0.9)])
    chosen = choose_frames(times_s, 10.0, settings(frames=5), "video")
    assert np.abs(times_s[chosen] - [1, 3, 5, 7, 9]).max() <= 0.45 + 1e-9


def test_where_middles_share_a_frame_the_loneliest_frame_is_taken() -> None:
    times_s = np.array([0.0, 0.01, 0.02, 9.0, 10.0])
    chosen = choose_frames(times_s, 10.04, settings(frames=3), "video")
    # Middles at 1.67, 5.02 and 8.37 s: frames 2, 3 (or 2), 3; the free one farthest away is 4.
    assert chosen.tolist() == [2, 3, 4]


def test_many_clustered_frames_need_little_memory() -> None:
    # A matrix of frames by chosen frames would take 1.6 GB here.
    times_s = np.append(np.arange(200_000) * 1e-3, 1e7)
    chosen = choose_frames(times_s, 1e7 + 1, settings(frames=1000), "video")
    assert len(np.unique(chosen)) == 1000


def test_random_is_fixed_by_seed_and_key() -> None:
    times_s = steady(500)

    def draw(seed: int, key: str) -> list[int]:
        return choose_frames(times_s, 20.0, settings("random", 11, seed), key).tolist()

    assert draw(1, "a") == draw(1, "a")
    assert draw(1, "a") != draw(1, "b")
    assert draw(1, "a") != draw(2, "a")


def test_random_reaches_every_frame_about_equally() -> None:
    hits = np.zeros(20, int)
    for key in range(600):
        hits[choose_frames(steady(20), 0.8, settings("random", 5), str(key))] += 1
    assert hits.sum() == 3000
    assert hits.min() > 110 and hits.max() < 190  # 150 each on average


@pytest.mark.parametrize("mode", ["uniform", "random", "all"])
def test_a_single_frame(mode: Mode) -> None:
    assert choose_frames(np.zeros(1), 0.04, settings(mode), "video").tolist() == [0]


@given(times_s=irregular(), every_s=st.sampled_from([0.5, 7.0, 5000.0]))
def test_every_s_takes_the_nearest_to_the_middle_of_each_stretch(
    times_s: Times, every_s: float
) -> None:
    times_s = times_s[times_s < 600]
    end_s = times_s[-1] + 0.04
    chosen = choose_frames(times_s, end_s, settings("every_s", 1, every_s=every_s), "video")
    assert chosen.dtype == np.int64 and np.all(np.diff(chosen) > 0)
    stretches = max(int(end_s / every_s), 1)
    middles_s = (np.arange(stretches) + 0.5) * min(every_s, end_s)
    off_s = np.abs(times_s[:, None] - middles_s)
    assert off_s[chosen].min(axis=0) == pytest.approx(off_s.min(axis=0))
    assert set(chosen.tolist()) <= set(np.where(off_s <= off_s.min(axis=0) + 1e-9)[0].tolist())


def test_every_s_of_a_steady_video() -> None:
    chosen = choose_frames(steady(100), 4.0, settings("every_s", every_s=0.8), "video")
    assert chosen.tolist() == [10, 30, 50, 70, 90]


def test_keyframes_takes_all_or_evenly_many() -> None:
    chosen = choose_frames(steady(100), 4.0, settings("keyframes"), "video", 0, 40, 80)
    assert chosen.tolist() == [0, 40, 80]
    many = range(0, 100, 2)
    few = choose_frames(steady(100), 4.0, settings("keyframes", frames=5), "video", *many)
    assert few.tolist() == [10, 30, 50, 70, 90]


def test_keyframes_without_any_takes_the_first() -> None:
    assert choose_frames(steady(9), 0.36, settings("keyframes"), "video").tolist() == [0]
