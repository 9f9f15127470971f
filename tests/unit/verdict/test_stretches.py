"""Which seconds of a video look fake."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.verdict.calibration import UNITS
from framejury.verdict.stretches import (
    LEAST_FACES,
    THROUGHOUT_RATIO,
    Stretch,
    in_words,
    moments_of,
    stretches_of,
    suspicious_parts,
)

Face = tuple[int, float, int]
"""Face track, time in seconds, score in units."""


def found(faces: list[Face], threshold: float = 0.5) -> list[Stretch]:
    return stretches_of(moments_of(*zip(*faces, strict=True)), threshold)


def track(scores: dict[float, float], person: int = 0) -> list[Face]:
    """Faces of one track: time -> score."""
    return [(person, at, round(score * UNITS)) for at, score in scores.items()]


def test_a_fake_part_is_found_with_its_ends_and_mean() -> None:
    scores = {n / 4: 0.9 if 3 <= n / 4 < 6 else 0.1 for n in range(40)}
    assert found(track(scores)) == [Stretch(3.0, 5.75, 0, pytest.approx(0.9))]


def test_a_second_counts_by_its_mean() -> None:
    """One high face in a low second is no part, and one low face in a high one ends none."""
    quiet = track({n / 4: 0.9 if n == 13 else 0.1 for n in range(40)})
    assert found(quiet) == []
    scores = {n / 4: 0.1 if n == 17 or not 3 <= n / 4 < 6 else 0.9 for n in range(40)}
    (one,) = found(track(scores))
    assert (one.start_s, one.end_s) == (3.0, 5.75)
    assert one.mean_score == pytest.approx((11 * 0.9 + 0.1) / 12)


def test_one_face_is_no_stretch() -> None:
    low = {float(n): 0.1 for n in range(10)}
    assert found(track(low | {4.0: 0.9})) == []
    assert len(found(track(low | {4.0: 0.9, 5.0: 0.9}))) == 1


def test_each_track_has_its_own_stretches() -> None:
    fake = track({float(n): 0.8 for n in range(8)}, person=1)
    real = track({float(n): 0.2 for n in range(8)}, person=0)
    assert found(fake + real) == [Stretch(0.0, 7.0, 1, 0.8)]
    later = track({n / 2: 0.9 if 8 <= n < 12 else 0.1 for n in range(40)}, person=0)
    first = track({n / 2: (0.3, 0.9)[n % 2] if n < 4 else 0.1 for n in range(40)}, person=1)
    assert [(one.person, one.start_s, one.end_s) for one in found(later + first)] == [
        (1, 0.0, 1.5),
        (0, 4.0, 5.5),
    ]


def test_a_video_that_is_fake_throughout_lists_no_part() -> None:
    assert found(track({float(n): 0.9 for n in range(20)})) == []
    assert found(track({float(n): 0.9 for n in range(20)}) + track({3.0: 0.1}, person=1)) == []
    almost = {float(n): 0.9 for n in range(20)}
    assert found(track(almost | {7.0: 0.2, 8.0: 0.2})) == []
    assert len(found(track(almost | dict.fromkeys((6.0, 7.0, 8.0, 9.0, 10.0), 0.2)))) == 2


def test_a_long_absence_ends_a_stretch() -> None:
    """Measured in sampled steps, as a long film is sampled once a minute."""
    for step in (1.0, 60.0):
        scores = {step * n: 0.9 if n in (2, 3, 12, 13) else 0.1 for n in range(20)}
        del scores[step * 12], scores[step * 13]
        away = track(scores) + track({step * n: 0.9 for n in (2, 4, 8, 9)}, person=1)
        assert [(one.start_s, one.end_s, one.person) for one in found(away)] == [
            (2 * step, 3 * step, 0),
            (2 * step, 4 * step, 1),
            (8 * step, 9 * step, 1),
        ]


def test_a_score_at_the_threshold_counts() -> None:
    scores = {float(n): 0.7 if n < 2 else 0.1 for n in range(6)}
    assert len(found(track(scores), 0.7)) == 1
    assert found(track(scores), 0.7 + 1 / UNITS) == []
    assert found(track(dict.fromkeys(scores, 1.0)), 1.0 + 1 / UNITS) == []


faces_of_videos = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 120).map(lambda tick: tick / 8),
        st.sampled_from([0, 100_000, 499_999, 500_000, 900_000, UNITS]),
    ),
    min_size=1,
    max_size=60,
    unique_by=lambda face: face[:2],
)


@given(faces_of_videos, st.randoms(use_true_random=False))
def test_what_every_stretch_is(faces: list[Face], draw: random.Random) -> None:
    stretches = found(faces)
    inside = 0
    for one in stretches:
        mine = [face for face in faces if face[0] == one.person]
        part = [face for face in mine if one.start_s <= face[1] <= one.end_s]
        assert len(part) >= LEAST_FACES
        assert {one.start_s, one.end_s} <= {at for _, at, _ in part}
        assert one.mean_score == pytest.approx(np.mean([unit for *_, unit in part]) / UNITS)
        for second in {int(at) for _, at, _ in part}:
            here = [unit for _, at, unit in mine if int(at) == second]
            assert np.mean(here) >= 0.5 * UNITS
        inside += len(part)
    assert not stretches or inside < len(faces)
    for before in stretches:
        for after in stretches:
            if before is not after and before.person == after.person:
                assert before.end_s < after.start_s or after.end_s < before.start_s
    shuffled = draw.sample(faces, len(faces))
    assert found(shuffled) == stretches


@given(st.integers(1, 40), st.integers(0, 40))
def test_throughout_is_a_share_of_the_faces(high: int, low: int) -> None:
    """Of one track: its high seconds come first."""
    faces = track({float(n): 0.9 if n < high else 0.1 for n in range(high + low)})
    some = high >= LEAST_FACES and high < THROUGHOUT_RATIO * (high + low)
    assert len(found(faces)) == some


def test_the_words() -> None:
    row = {"start_s": 1.0, "end_s": 4.46, "person": 2, "mean_score": 0.93}
    assert in_words(row) == "1.0 to 4.5 s, track 2, mean face score 0.930"


def test_suspicious_parts_are_named_even_where_none_stands_out() -> None:
    moments = moments_of(*zip(*track({float(n): 0.9 for n in range(10)}), strict=True))
    assert stretches_of(moments, 0.5) == []
    assert suspicious_parts(moments, 0.5) == [Stretch(0.0, 9.0, 0, 0.9)]
    some = track({n / 4: 0.9 if 3 <= n / 4 < 6 else 0.1 for n in range(40)})
    moments = moments_of(*zip(*some, strict=True))
    assert suspicious_parts(moments, 0.5) == stretches_of(moments, 0.5) != []
    assert suspicious_parts(moments, 0.95) == []
