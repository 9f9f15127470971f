"""One verdict from the faces of one video: the reference, against hand-made cases and SciPy."""

from __future__ import annotations

import math
import random
import statistics
import time
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from framejury.schemas import Status, Verdict
from framejury.settings import VerdictSettings
from framejury.verdict import Judgement, judge, share_count, student_t, trim_count, unscored


def verdict_on(
    scores: list[float],
    *,
    threshold: float = 0.5,
    frames: list[int] | None = None,
    persons: list[int] | None = None,
    **settings: Any,
) -> Judgement:
    return judge(
        scores,
        list(range(len(scores))) if frames is None else frames,
        [0] * len(scores) if persons is None else persons,
        VerdictSettings(**settings),
        threshold,
    )


SCORES = [0.9, 0.1, 0.2, 0.8, 0.4, 0.3, 1.0, 0.0, 0.6, 0.7]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"reducer": "mean"}, 0.5),
        ({"reducer": "median"}, 0.5),
        ({"reducer": "trimmed_mean", "trim_ratio": 0.3}, (0.3 + 0.4 + 0.6 + 0.7) / 4),
        ({"reducer": "trimmed_mean", "trim_ratio": 0.0}, 0.5),
        ({"reducer": "top_share", "top_ratio": 0.25}, (1.0 + 0.9 + 0.8) / 3),
        ({"reducer": "top_share", "top_ratio": 1.0}, 0.5),
        ({"reducer": "top_share", "top_ratio": 0.001}, 1.0),
        ({"reducer": "worst_person"}, 0.54),
    ],
    ids=str,
)
def test_reducers_by_hand(settings: dict[str, Any], expected: float) -> None:
    found = verdict_on(SCORES, persons=[0, 1] * 5, **settings)
    if settings["reducer"] == "worst_person":
        assert found.worst_person == 0
        expected = (0.9 + 0.2 + 0.4 + 1.0 + 0.6) / 5
    assert found.p_fake == pytest.approx(expected, abs=1e-12)


def test_median_of_an_odd_number() -> None:
    assert verdict_on([0.9, 0.1, 0.3], reducer="median").p_fake == 0.3


def test_counts_and_persons() -> None:
    found = verdict_on([0.2, 0.9, 0.4, 0.7, 0.3], frames=[0, 0, 5, 5, 9], persons=[0, 1, 0, 1, 0])
    assert (found.faces_scored, found.frames_scored, found.persons) == (5, 3, 2)
    assert (found.worst_person, found.worst_person_p_fake) == (1, 0.8)
    assert found.p_fake == 0.5
    assert found.status is Status.SCORED


def test_of_equally_bad_persons_the_first_is_named() -> None:
    assert verdict_on([0.7, 0.7, 0.7], persons=[2, 1, 1]).worst_person == 1


# ---------------------------------------------------------------- interval


def test_the_interval_is_students() -> None:
    scores = [0.6, 0.7, 0.65, 0.8, 0.55]
    found = verdict_on(scores)
    low, high = scipy.stats.t.interval(
        0.95, 4, loc=np.mean(scores), scale=statistics.stdev(scores) / math.sqrt(5)
    )
    assert (found.p_fake_low, found.p_fake_high) == pytest.approx((low, high), abs=1e-4)
    assert found.verdict is Verdict.FAKE


def test_frames_count_not_faces() -> None:
    scores = [0.6, 0.7, 0.65, 0.8]
    alone = verdict_on(scores)
    twice = verdict_on(scores * 2, frames=[0, 1, 2, 3] * 2)
    assert alone.p_fake_low is not None and twice.p_fake_low is not None
    assert alone.p_fake is not None
    spread = statistics.stdev(scores * 2)
    half = scipy.stats.t.ppf(0.975, 3) * spread / math.sqrt(4)
    assert twice.p_fake_low == pytest.approx(alone.p_fake - half, rel=2e-3)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_quantiles_against_scipy(level: float) -> None:
    for freedom in [*range(1, 40), 100, 1000, 10_000]:
        exact = scipy.stats.t.ppf((1 + level) / 2, freedom)
        rel = 1e-9 if freedom < 3 else 0.02 if freedom == 3 else 6e-3 if freedom < 6 else 1e-3
        assert student_t(level, freedom) == pytest.approx(exact, rel=rel), freedom


def test_quantiles_at_the_default_level() -> None:
    for freedom in range(3, 200):
        exact = scipy.stats.t.ppf(0.975, freedom)
        rel = 2e-3 if freedom == 3 else 4e-4
        assert student_t(0.95, freedom) == pytest.approx(exact, rel=rel), freedom


def test_the_interval_stays_within_0_and_1() -> None:
    found = verdict_on([0.0, 1.0, 1.0])
    assert (found.p_fake_low, found.p_fake_high) == (0.0, 1.0)


def test_equal_scores_have_no_spread() -> None:
    found = verdict_on([0.7] * 7)
    assert (found.p_fake_low, found.p_fake, found.p_fake_high) == (0.7, 0.7, 0.7)
    assert found.verdict is Verdict.FAKE


# ---------------------------------------------------------------- decision


@pytest.mark.parametrize(
    ("scores", "settings", "expected"),
    [
        ([0.9, 0.91, 0.92], {}, Verdict.FAKE),
        ([0.1, 0.11, 0.12], {}, Verdict.REAL),
        ([0.9, 0.1, 0.6], {}, Verdict.INCONCLUSIVE),
        ([0.9, 0.1, 0.6], {"confidence_level": None}, Verdict.FAKE),
        ([0.9, 0.9], {}, Verdict.INCONCLUSIVE),
        ([0.9, 0.9], {"min_faces": 2}, Verdict.FAKE),
        ([0.9, 0.9], {"confidence_level": None}, Verdict.INCONCLUSIVE),
    ],
)
def test_decisions(scores: list[float], settings: dict[str, Any], expected: Verdict) -> None:
    assert verdict_on(scores, **settings).verdict is expected


def test_many_faces_of_one_frame_say_nothing_about_spread() -> None:
    found = verdict_on([0.9] * 20, frames=[3] * 20)
    assert (found.p_fake_low, found.p_fake_high) == (0.0, 1.0)
    assert found.verdict is Verdict.INCONCLUSIVE
    sure = verdict_on([0.9] * 20, frames=[3] * 20, confidence_level=None)
    assert (sure.p_fake_low, sure.p_fake_high, sure.verdict) == (0.9, 0.9, Verdict.FAKE)


@given(
    score=st.integers(0, 1000).map(lambda n: n / 1000),
    count=st.integers(3, 60),
    level=st.sampled_from([None, 0.95]),
    reducer=st.sampled_from(["mean", "median", "trimmed_mean", "top_share", "worst_person"]),
)
def test_a_score_on_the_threshold_is_fake(
    score: float, count: int, level: float | None, reducer: str
) -> None:
    """0.1 three times is 0.3, and 0.3 / 3 is less than 0.1 in floating point."""
    found = verdict_on([score] * count, threshold=score, confidence_level=level, reducer=reducer)
    assert found.p_fake == score
    assert found.verdict is Verdict.FAKE


def test_just_below_the_threshold_is_real() -> None:
    found = verdict_on([0.499999] * 5)
    assert found.verdict is Verdict.REAL


# ---------------------------------------------------------------- order and input


@given(
    faces=st.lists(
        st.tuples(st.floats(0, 1, width=32), st.integers(0, 5), st.integers(0, 3)),
        min_size=1,
        max_size=40,
    ),
    reducer=st.sampled_from(["mean", "median", "trimmed_mean", "top_share", "worst_person"]),
    seed=st.integers(0, 1000),
)
def test_the_order_of_faces_changes_nothing_at_all(
    faces: list[tuple[float, int, int]], reducer: str, seed: int
) -> None:
    settings = VerdictSettings(reducer=reducer)  # type: ignore[arg-type]
    shuffled = random.Random(seed).sample(faces, len(faces))
    first, second = (
        judge(*(list(column) for column in zip(*rows, strict=True)), settings, 0.5)
        for rows in (faces, shuffled)
    )
    assert first == second
    assert first.p_fake is not None and 0 <= first.p_fake <= 1
    assert first.p_fake_low is not None and first.p_fake_high is not None
    assert 0 <= first.p_fake_low <= first.p_fake <= first.p_fake_high <= 1


@pytest.mark.parametrize("bad", [math.nan, -0.001, 1.001, math.inf, -math.inf])
def test_a_score_that_is_no_share_raises(bad: float) -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        verdict_on([0.5, bad, 0.5])
    with pytest.raises(ValueError, match="0 to 1"):
        judge(np.array([bad], np.float32), [0], [0], VerdictSettings(), 0.5)


def test_no_scores_raise() -> None:
    with pytest.raises(ValueError, match="no scores"):
        verdict_on([])


def test_columns_of_different_length_raise() -> None:
    with pytest.raises(ValueError):
        judge([0.5, 0.5], [0, 1], [0], VerdictSettings(), 0.5)


def test_many_persons_are_no_trouble() -> None:
    count = 20_000
    started_s = time.perf_counter()
    found = verdict_on([0.5] * count, persons=list(range(count)))
    assert time.perf_counter() - started_s < 5
    assert found.persons == count


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.SCORED])
def test_unscored_has_no_number(status: Status) -> None:
    found = unscored(status)
    assert (found.status, found.verdict) == (status, Verdict.INCONCLUSIVE)
    assert found.p_fake is found.p_fake_low is found.p_fake_high is found.worst_person is None
    assert found.faces_scored == found.frames_scored == found.persons == 0


@pytest.mark.parametrize(
    ("faces", "ratio", "share", "trim"),
    [(10, 0.1, 1, 1), (10, 0.3, 3, 3), (11, 0.1, 2, 1), (1, 0.25, 1, 0), (100, 0.29, 29, 29)],
)
def test_whole_numbers_of_faces(faces: int, ratio: float, share: int, trim: int) -> None:
    assert (share_count(faces, ratio), trim_count(faces, ratio)) == (share, trim)
