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
from hypothesis import settings as profile
from hypothesis import strategies as st

from framejury.schemas.statuses import Status, Verdict
from framejury.settings import ReducerName, VerdictSettings
from framejury.verdict.calibration import UNITS, Calibration, calibrated
from framejury.verdict.judge import (
    FaceScores,
    Judgement,
    face_threshold,
    judge,
    reduced,
    unscored,
)
from framejury.verdict.ranked import TimedScores, ranked_shifts, share_count, trim_count
from framejury.verdict.rule import Reducer, Rule

REDUCERS: dict[ReducerName, Reducer] = {
    "mean": Reducer(name="mean"),
    "median": Reducer(name="median"),
    "trimmed_mean": Reducer(name="trimmed_mean", trim_ratio=0.1),
    "top_share": Reducer(name="top_share", top_ratio=0.25),
    "worst_person": Reducer(name="worst_person"),
    "per_person": Reducer(name="per_person", shrink_faces=4, company_shift=1.5),
    "confidence_weighted": Reducer(name="confidence_weighted"),
    "learned": Reducer(
        name="learned", quantiles=(0.0, 0.3, 1.0), weights=(1.0, 4.0, 0.5), intercept=-2.0
    ),
}
PLATT = Calibration(method="platt", slope=1.5, intercept=-0.7)


def verdict_on(
    scores: list[float],
    *,
    threshold: float = 0.5,
    frames: list[int] | None = None,
    persons: list[int] | None = None,
    pts_s: list[float] | None = None,
    reducer: Reducer = REDUCERS["mean"],
    calibration: Calibration | None = None,
    **settings: Any,
) -> Judgement:
    """By default every score is of a frame and a second of its own."""
    frames = list(range(len(scores))) if frames is None else frames
    faces = FaceScores(
        score=scores,
        frame_index=frames,
        pts_s=[float(frame) for frame in frames] if pts_s is None else pts_s,
        person=[0] * len(scores) if persons is None else persons,
    )
    rule = Rule(reducer=reducer, calibration=calibration, threshold=threshold)
    return judge(faces, rule, VerdictSettings(**settings))


SCORES = [0.9, 0.1, 0.2, 0.8, 0.4, 0.3, 1.0, 0.0, 0.6, 0.7]


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [
        (Reducer(name="mean"), 0.5),
        (Reducer(name="median"), 0.5),
        (Reducer(name="trimmed_mean", trim_ratio=0.3), (0.3 + 0.4 + 0.6 + 0.7) / 4),
        (Reducer(name="trimmed_mean", trim_ratio=0.0), 0.5),
        (Reducer(name="top_share", top_ratio=0.25), (1.0 + 0.9 + 0.8) / 3),
        (Reducer(name="top_share", top_ratio=1.0), 0.5),
        (Reducer(name="top_share", top_ratio=0.001), 1.0),
        (Reducer(name="worst_person"), (0.9 + 0.2 + 0.4 + 1.0 + 0.6) / 5),
    ],
    ids=str,
)
def test_reducers_by_hand(reducer: Reducer, expected: float) -> None:
    found = verdict_on(SCORES, persons=[0, 1] * 5, reducer=reducer)
    assert found.worst_person == 0
    assert found.p_fake == pytest.approx(expected, abs=1e-12)


def test_median_of_an_odd_number() -> None:
    assert verdict_on([0.9, 0.1, 0.3], reducer=REDUCERS["median"]).p_fake == 0.3


def test_confidence_weighted_by_its_formula() -> None:
    scores = np.array([0.9, 0.5, 0.35, 0.02])
    weights = np.abs(2 * scores - 1) + 0.1
    found = reduced(scores.tolist(), [0] * 4, REDUCERS["confidence_weighted"])
    assert found == pytest.approx((weights * scores).sum() / weights.sum(), abs=1e-12)
    assert found == pytest.approx(0.4151, abs=1e-4)


@profile(deadline=None)
@given(scores=st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_learned_is_logistic_over_numpys_quantiles(scores: list[int]) -> None:
    values = [unit / 10**6 for unit in scores]
    z = -2.0 + np.array([1.0, 4.0, 0.5]) @ np.quantile(values, [0.0, 0.3, 1.0])
    found = reduced(values, [0] * len(values), REDUCERS["learned"])
    assert found == pytest.approx(1 / (1 + math.exp(-z)), abs=1e-9)


@profile(deadline=None)
@given(
    scores=st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=1, max_size=20),
    which=st.integers(0, 19),
    name=st.sampled_from([name for name in REDUCERS if name != "confidence_weighted"]),
)
def test_a_higher_score_of_a_face_never_lowers_the_videos(
    scores: list[float], which: int, name: ReducerName
) -> None:
    more = list(scores)
    more[which % len(scores)] = 1.0
    persons = [n % 2 for n in range(len(scores))]
    assert reduced(more, persons, REDUCERS[name]) >= reduced(scores, persons, REDUCERS[name])


def test_confidence_weighted_is_not_monotone_as_it_says() -> None:
    doubtful, surer = (
        reduced([second, 1.0], [0, 0], REDUCERS["confidence_weighted"]) for second in (0.5, 0.9)
    )
    assert surer < doubtful


def test_counts_and_persons() -> None:
    found = verdict_on([0.2, 0.9, 0.4, 0.7, 0.3], frames=[0, 0, 5, 5, 9], persons=[0, 1, 0, 1, 0])
    assert (found.faces_scored, found.frames_scored, found.persons) == (5, 3, 2)
    assert (found.worst_person, found.worst_person_score) == (1, 0.8)
    assert found.p_fake == 0.5
    assert found.status is Status.SCORED


def test_of_equally_bad_persons_the_first_is_named() -> None:
    assert verdict_on([0.7, 0.7, 0.7], persons=[2, 1, 1]).worst_person == 1


# ---------------------------------------------------------------- interval


def test_students_interval() -> None:
    scores = [0.6, 0.7, 0.65, 0.8, 0.55]
    found = verdict_on(scores, interval="student")
    low, high = scipy.stats.t.interval(
        0.95, 4, loc=np.mean(scores), scale=statistics.stdev(scores) / math.sqrt(5)
    )
    assert (found.p_fake_low, found.p_fake_high) == pytest.approx((low, high), abs=1e-4)
    assert found.verdict is Verdict.FAKE


def test_frames_count_not_faces() -> None:
    scores = [0.6, 0.7, 0.65, 0.8]
    alone = verdict_on(scores, interval="student")
    twice = verdict_on(scores * 2, frames=[0, 1, 2, 3] * 2, interval="student")
    assert alone.p_fake_low is not None and twice.p_fake_low is not None
    assert alone.p_fake is not None
    spread = statistics.stdev(scores * 2)
    half = scipy.stats.t.ppf(0.975, 3) * spread / math.sqrt(4)
    assert twice.p_fake_low == pytest.approx(alone.p_fake - half, rel=2e-3)


def test_students_interval_stays_within_0_and_1() -> None:
    found = verdict_on([0.0, 1.0, 1.0], interval="student")
    assert (found.p_fake_low, found.p_fake_high) == (0.0, 1.0)


@pytest.mark.parametrize("interval", ["bootstrap", "student"])
def test_one_frame_more_in_the_same_second_is_no_further_witness(interval: str) -> None:
    """Only the bootstrap knows seconds; Student's takes frames for independent."""
    scores = [0.6, 0.7, 0.65, 0.8, 0.55, 0.75]
    seconds = [float(n) for n in range(6)]
    once = verdict_on(scores, pts_s=seconds, interval=interval)
    often = verdict_on(
        scores * 5,
        frames=list(range(30)),
        pts_s=[second + n / 10 for n in range(5) for second in seconds],
        interval=interval,
    )
    assert once.p_fake_low is not None and often.p_fake_low is not None
    if interval == "bootstrap":
        assert (often.p_fake_low, often.p_fake_high) == (once.p_fake_low, once.p_fake_high)
    else:
        assert often.p_fake_low > once.p_fake_low + 0.02


def test_a_single_second_says_nothing_about_spread() -> None:
    found = verdict_on([0.9, 0.91, 0.92], pts_s=[2.0, 2.4, 2.99], calibration=PLATT)
    assert (found.p_fake_low, found.p_fake_high) == (0.0, 1.0)
    assert found.verdict is Verdict.INCONCLUSIVE


def test_for_the_worst_person_only_its_seconds_are_drawn() -> None:
    """A calm fake beside someone who is all over the place."""
    fake, other = [0.9, 0.91, 0.9, 0.91, 0.9], [0.0, 1.0, 0.2, 0.9, 0.1]
    found = verdict_on(
        [score for pair in zip(fake, other, strict=True) for score in pair],
        frames=[n for n in range(5) for _ in range(2)],
        persons=[0, 1] * 5,
        reducer=REDUCERS["worst_person"],
    )
    assert found.p_fake_low is not None
    assert found.p_fake_low > 0.89


def test_the_interval_of_the_learned_reducer_is_of_shifted_scores() -> None:
    """The shift is found on the scale of faces, so at its ends each face scores that much more."""
    scores, reducer = [0.5, 0.6, 0.7, 0.62, 0.55], REDUCERS["learned"]
    learned = verdict_on(scores, reducer=reducer)
    units = np.array([int(score * UNITS + 0.5) for score in scores])
    ends = ranked_shifts(TimedScores(units, np.arange(5), np.array([5])), reducer, 0.95)[0]
    for found, shift in zip((learned.p_fake_low, learned.p_fake_high), ends.tolist(), strict=True):
        expected = reduced([score + shift for score in scores], [0] * 5, reducer)
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("interval", ["bootstrap", "student"])
@pytest.mark.parametrize("reducer", REDUCERS.values(), ids=lambda reducer: reducer.name)
def test_calibration_takes_score_and_both_ends_along(interval: str, reducer: Reducer) -> None:
    scores = [0.5, 0.66, 0.7, 0.62, 0.55]
    raw = verdict_on(scores, interval=interval, reducer=reducer)
    found = verdict_on(scores, interval=interval, reducer=reducer, calibration=PLATT)
    for name in ("p_fake", "p_fake_low", "p_fake_high"):
        expected = float(calibrated(getattr(raw, name), PLATT))
        assert getattr(found, name) == expected != getattr(raw, name)
    assert found.worst_person_score == raw.worst_person_score


@pytest.mark.parametrize("interval", ["bootstrap", "student"])
def test_equal_scores_have_no_spread(interval: str) -> None:
    found = verdict_on([0.7] * 7, interval=interval)
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


@profile(deadline=None)
@given(
    score=st.integers(0, 1000).map(lambda n: n / 1000),
    count=st.integers(3, 60),
    level=st.sampled_from([None, 0.95]),
    name=st.sampled_from([name for name in REDUCERS if name != "learned"]),
)
def test_a_score_on_the_threshold_is_fake(
    score: float, count: int, level: float | None, name: ReducerName
) -> None:
    """0.1 three times is 0.3, and 0.3 / 3 is less than 0.1 in floating point."""
    found = verdict_on(
        [score] * count, threshold=score, confidence_level=level, reducer=REDUCERS[name]
    )
    assert found.p_fake == score
    assert found.verdict is Verdict.FAKE


def test_just_below_the_threshold_is_real() -> None:
    found = verdict_on([0.499999] * 5)
    assert found.verdict is Verdict.REAL


@pytest.mark.parametrize("calibration", [None, PLATT])
@pytest.mark.parametrize("reducer", REDUCERS.values(), ids=lambda reducer: reducer.name)
def test_faces_are_called_as_a_video_of_one_would_be(
    reducer: Reducer, calibration: Calibration | None
) -> None:
    limit = face_threshold(Rule(reducer=reducer, calibration=calibration, threshold=0.6))
    for score, expected in ((limit, Verdict.FAKE), (limit - 2e-6, Verdict.REAL)):
        found = verdict_on(
            [score],
            reducer=reducer,
            calibration=calibration,
            threshold=0.6,
            min_faces=1,
            confidence_level=None,
        )
        assert found.verdict is expected


# ---------------------------------------------------------------- order and input


@profile(deadline=None)
@given(
    faces=st.lists(
        st.tuples(st.floats(0, 1, width=32), st.integers(0, 5), st.integers(0, 3)),
        min_size=1,
        max_size=40,
    ),
    name=st.sampled_from(list(REDUCERS)),
    seed=st.integers(0, 1000),
)
def test_the_order_of_faces_changes_nothing_at_all(
    faces: list[tuple[float, int, int]], name: ReducerName, seed: int
) -> None:
    shuffled = random.Random(seed).sample(faces, len(faces))
    judged = []
    for rows in (faces, shuffled):
        scores, frames, persons = (list(column) for column in zip(*rows, strict=True))
        seconds = [frame / 2 for frame in frames]
        judged.append(
            verdict_on(
                scores, frames=frames, persons=persons, pts_s=seconds, reducer=REDUCERS[name]
            )
        )
    first, second = judged
    assert first == second
    assert first.p_fake is not None and 0 <= first.p_fake <= 1
    assert first.p_fake_low is not None and first.p_fake_high is not None
    assert 0 <= first.p_fake_low <= first.p_fake <= first.p_fake_high <= 1


@pytest.mark.parametrize("bad", [math.nan, -0.001, 1.001, math.inf, -math.inf])
def test_a_score_that_is_no_share_raises(bad: float) -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        verdict_on([0.5, bad, 0.5])
    with pytest.raises(ValueError, match="0 to 1"):
        reduced(np.array([bad], np.float32), [0], REDUCERS["mean"])


def test_no_scores_raise() -> None:
    with pytest.raises(ValueError, match="no scores"):
        verdict_on([])


def test_columns_of_different_length_raise() -> None:
    with pytest.raises(ValueError, match="same length"):
        FaceScores(score=[0.5, 0.5], frame_index=[0, 1], pts_s=[0.0, 0.1], person=[0])


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
