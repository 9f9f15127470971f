"""The frames that the protocol examines, and evenly spread subsets of them, misses included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.media.sample import choose_frames
from framejury.protocol.examination import VideoScores
from framejury.protocol.frames import ProtocolFrames, frame_counts
from framejury.settings import SamplingSettings

Times = np.typing.NDArray[np.float64]


def test_counts_to_report() -> None:
    assert frame_counts(32, 11) == (1, 4, 11, 32)
    assert frame_counts(64, 11) == (1, 4, 11, 32, 64)
    assert frame_counts(32, 24) == (1, 4, 11, 24, 32)
    assert frame_counts(32, 1) == (1, 4, 11, 32)


@pytest.mark.parametrize("frames", [1, 11, 24, 48])
def test_a_fixed_number_of_frames_is_the_headline(frames: int) -> None:
    found = ProtocolFrames.of(SamplingSettings(frames=frames))
    assert (found.headline, found.judged, found.rounds) == (frames, frames, ())
    assert found.sampling.counts == (max(32, frames),)
    assert frames in found.by_frames


def test_rounds_are_the_headline() -> None:
    few = ProtocolFrames.of(SamplingSettings(rounds=(5, 9)))
    assert (few.headline, few.rounds, few.sampling.counts) == (11, (5, 9), (32,))
    many = ProtocolFrames.of(SamplingSettings(rounds=(11, 32, 96)))
    assert (many.headline, many.rounds, many.sampling.counts) == (11, (11, 32, 96), (96,))
    assert many.by_frames == (1, 4, 11, 32, 96)
    once = ProtocolFrames.of(SamplingSettings(rounds=()))
    assert (once.headline, once.judged, once.rounds) == (11, 11, ())


def test_in_other_modes_all_frames_of_the_mode_are_judged() -> None:
    sampling = SamplingSettings(mode="strided", frames=24)
    found = ProtocolFrames.of(sampling)
    assert found.sampling == sampling.in_one_round()
    assert (found.judged, found.by_frames, found.rounds) == (None, (), ())


def sampled_times(frames: int, fps: float, count: int) -> tuple[Times, float]:
    """Return the times sampled in a video of `frames`, and its duration."""
    times_s = np.arange(frames) / fps
    end_s = frames / fps
    settings = SamplingSettings(frames=count)
    chosen = choose_frames(times_s, end_s, settings, "", np.zeros(0, np.int64))
    return times_s[chosen], end_s


def examined(faces_s: Times, sampled_s: Times, duration_s: float) -> VideoScores:
    extraction = {"sampled_s": sampled_s.tolist(), "duration_s": duration_s}
    zeros = np.zeros(len(faces_s), np.int64)
    return VideoScores({}, extraction, zeros.astype(np.float32), zeros, zeros, faces_s)


@given(frames=st.integers(32, 900), fps=st.sampled_from([12.0, 23.976, 25.0, 29.97, 60.0]))
def test_of_32_frames_a_subset_has_just_as_many_as_asked_for(frames: int, fps: float) -> None:
    times_s, duration_s = sampled_times(frames, fps, 32)
    for count in (1, 4, 11, 24, 32):
        mask = examined(times_s, times_s, duration_s).chosen(count)
        assert mask.sum() == count
        if count > 1 and frames >= 64:
            steps = np.diff(np.flatnonzero(mask))
            assert steps.max() - steps.min() <= 2


def test_every_face_of_a_chosen_frame_is_in_and_no_other() -> None:
    times_s, duration_s = sampled_times(320, 25, 32)
    faces_s = np.repeat(times_s, 3)
    mask = examined(faces_s, times_s, duration_s).chosen(4)
    assert mask.sum() == 12 and len(set(faces_s[mask])) == 4


def test_a_chosen_frame_without_a_face_is_not_replaced() -> None:
    times_s, duration_s = sampled_times(320, 25, 32)
    chosen = np.flatnonzero(examined(times_s, times_s, duration_s).chosen(4))
    without = np.delete(times_s, chosen[1])
    mask = examined(without, times_s, duration_s).chosen(4)
    assert without[mask].tolist() == times_s[np.delete(chosen, 1)].tolist()
    assert examined(times_s[:3], times_s, duration_s).chosen(1).sum() == 0


@pytest.mark.parametrize("count", [1, 4, 11])
def test_a_short_video_gives_what_it_has(count: int) -> None:
    times_s, duration_s = sampled_times(3, 25, 32)
    mask = examined(times_s, times_s, duration_s).chosen(count)
    assert mask.sum() == min(count, 3)
