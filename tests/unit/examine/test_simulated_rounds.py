"""Which faces rounds would have examined, found among those of densely sampled frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.examine.simulated_rounds import Flags, judged_faces
from framejury.media.sample import choose_frames, more_frames
from framejury.settings import SamplingSettings

NO_KEYS = np.zeros(0, np.int64)


def times(count: int, duration_s: float = 60.0) -> list[float]:
    return [(number + 0.5) * duration_s / count for number in range(count)]


def never(chosen: Flags, rounds: int) -> bool:
    return False


@pytest.mark.parametrize(("counts", "judged"), [((11,), 11), ((11, 32), 32), ((11, 32, 96), 96)])
def test_as_many_frames_as_the_last_round_has(counts: tuple[int, ...], judged: int) -> None:
    sampled_s = times(160)
    assert judged_faces(sampled_s, sampled_s, 60.0, counts, never).sum() == judged


def test_rounds_end_when_settled() -> None:
    sampled_s, asked = times(160), []

    def after_two(chosen: Flags, rounds: int) -> bool:
        asked.append((int(chosen.sum()), rounds))
        return rounds == 2

    assert judged_faces(sampled_s, sampled_s, 60.0, (11, 32, 96), after_two).sum() == 32
    assert asked == [(11, 1), (32, 2)]


def test_a_frame_may_show_several_faces_or_none() -> None:
    sampled_s = times(44)
    faces_s = [*sampled_s[:22], *sampled_s[:22]]  # two people, who leave in the middle
    chosen = judged_faces(faces_s, sampled_s, 60.0, (11,), never)
    assert chosen[:22].tolist() == chosen[22:].tolist()
    assert 5 <= chosen[:22].sum() <= 6


@given(sampled=st.integers(1, 60), first=st.integers(1, 20), more=st.integers(1, 40))
def test_a_video_with_few_sampled_frames_keeps_them_all(
    sampled: int, first: int, more: int
) -> None:
    sampled_s = times(sampled)
    chosen = judged_faces(sampled_s, sampled_s, 60.0, (first, first + more), never)
    assert chosen.sum() == min(sampled, first + more)


def test_the_frames_lie_near_those_that_the_video_itself_would_give() -> None:
    film_s, sampling = np.arange(1800) / 30, SamplingSettings(rounds=(11, 32))
    first = choose_frames(film_s, 60.0, sampling, "", NO_KEYS)
    rounds = np.union1d(first, more_frames(film_s, 60.0, sampling, first, 32))
    sampled_s = np.array(times(160))
    chosen = judged_faces(sampled_s.tolist(), sampled_s.tolist(), 60.0, (11, 32), never)
    apart_s = np.abs(film_s[rounds][:, None] - sampled_s[chosen]).min(axis=1)
    assert apart_s.max() <= 60 / 32 / 2 + 0.2
