"""The rule per person: who decides, what a short track counts, and what company changes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from framejury.evaluation.estimators import Weighed, company_shift
from framejury.schemas.statuses import Verdict
from framejury.settings import VerdictSettings
from framejury.verdict.calibration import UNITS, logit, sigmoid
from framejury.verdict.judge import FaceScores, Judgement, judge, reduced
from framejury.verdict.persons import for_company, interval_weights, track_scores
from framejury.verdict.rule import COMPANY_SHIFT, SHRINK_FACES, Reducer, Rule, rule_in_use


def per_person(shrink: int = SHRINK_FACES, shift: float = COMPANY_SHIFT) -> Reducer:
    return Reducer(name="per_person", shrink_faces=shrink, company_shift=shift)


def on(tracks: Sequence[Sequence[float]], reducer: Reducer, *, together: bool = True) -> Judgement:
    """Judge one track per person, one face a second; all of them in the same frames, or in turn."""
    seconds = [list(range(len(track))) for track in tracks]
    if not together:
        starts = np.cumsum([0, *map(len, tracks)]).tolist()
        seconds = [[start + n for n in own] for start, own in zip(starts, seconds, strict=False)]
    frames = [second for own in seconds for second in own]
    faces = FaceScores(
        score=[score for track in tracks for score in track],
        frame_index=frames,
        pts_s=[float(frame) for frame in frames],
        person=[who for who, track in enumerate(tracks) for _ in track],
    )
    return judge(faces, Rule(reducer=reducer), VerdictSettings(confidence_level=None))


def score_of(found: Judgement) -> float:
    assert found.p_fake is not None
    return found.p_fake


def test_a_short_track_is_filled_up_by_hand() -> None:
    """2 faces at 0.9 and 4 at 0.3: mean 0.5; with m = 3, (2 * 0.9 + 0.5) / 3."""
    units = [900_000] * 2 + [300_000] * 4
    found = track_scores(units, [7] * 2 + [3] * 4, per_person(shrink=3))
    assert found[7] / UNITS**2 == pytest.approx((2 * 0.9 + 0.5) / 3, abs=1e-11)
    assert found[3] / UNITS**2 == pytest.approx(0.3, abs=1e-11)


def test_the_correction_for_company_by_hand() -> None:
    found = for_company(0.8, 2.0, per_person(shift=1.5))
    assert found == pytest.approx(1 / (1 + 2**1.5 / 4), abs=1e-9)
    assert for_company(0.8, 1.0, per_person(shift=1.5)) == 0.8
    assert for_company(0.8, 2.0, per_person(shift=0.0)) == 0.8
    crowd = [for_company(0.8, faces, per_person(shift=1.5)) for faces in (2.9, 3.0, 4.0, 50.0)]
    assert crowd[0] > crowd[1] == crowd[2] == crowd[3]


@profile(deadline=None)
@given(scores=st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_of_one_person_it_is_the_mean(scores: list[int]) -> None:
    values = [unit / 10**6 for unit in scores]
    own = reduced(values, [0] * len(values), Reducer(name="mean"))
    found = reduced(values, [0] * len(values), per_person())
    assert found == pytest.approx(own, abs=2e-12)


@pytest.mark.parametrize("real_people", [1, 4])
def test_real_people_beside_a_fake_one_do_not_hide_it(real_people: int) -> None:
    """A poster of faces behind a fake person costs at most b ln 3 of the logit."""
    fake = on([[0.75] * 11, *[[0.0] * 11] * real_people], per_person())
    assert fake.verdict is Verdict.FAKE and fake.worst_person == 0
    lost = logit(np.array(0.75)) - logit(np.array(score_of(fake)))
    assert lost == pytest.approx(COMPANY_SHIFT * np.log(min(real_people + 1, 3)), abs=1e-6)


def test_one_fake_person_beside_a_real_one_makes_the_video_fake() -> None:
    real, fake = [0.1] * 11, [0.9] * 11
    found = on([real, fake], per_person(shift=0.5))
    pooled = on([real, fake], Reducer(name="mean"))
    assert score_of(pooled) == pytest.approx(0.5)
    assert found.verdict is Verdict.FAKE and score_of(found) > 0.65
    assert found.worst_person == 1


def test_a_single_face_does_not_decide() -> None:
    """As of a person who passes behind a real one; the plain highest track calls that fake."""
    real = [0.1] * 10
    assert on([real, [1.0]], Reducer(name="worst_person"), together=False).verdict is Verdict.FAKE
    found = on([real, [1.0]], per_person(), together=False)
    assert found.verdict is Verdict.REAL and score_of(found) < 0.4


def test_a_talking_head_whose_track_breaks_is_hardly_penalised() -> None:
    """One real person with six tracks of two faces, against the same faces as one track."""
    rng = np.random.default_rng(4)
    rise: dict[str, list[float]] = {"per_person": [], "worst_person": []}
    for _ in range(300):
        faces = sigmoid(rng.normal(-1.5, 1.0) + rng.normal(0, 1.0, 12)).tolist()
        broken = [faces[start : start + 2] for start in range(0, 12, 2)]
        for reducer in (per_person(), Reducer(name="worst_person")):
            whole = score_of(on([faces], reducer))
            rise[reducer.name].append(score_of(on(broken, reducer, together=False)) - whole)
    assert np.mean(rise["per_person"]) < 0.05
    assert np.mean(rise["worst_person"]) > 0.12


def _reals(rng: np.random.Generator, count: int, persons: int, shared: float) -> list[list[float]]:
    """One score of each person in real videos; the share `shared` of the spread is the video's."""
    of_video = rng.logistic(-2.0, 1.0, (count, 1))
    own = rng.logistic(-2.0, 1.0, (count, persons))
    same = rng.random((count, 1)) < shared
    scores: list[list[float]] = sigmoid(np.where(same, of_video, own)).tolist()
    return scores


@pytest.mark.parametrize("shrink", [0, SHRINK_FACES])
@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("persons", [2, 4])
def test_company_raises_no_false_alarms(persons: int, shared: float, shrink: int) -> None:
    """Threshold and correction are of single persons and pairs of them; the others show several."""
    rng = np.random.default_rng(persons)
    alone = np.array(_reals(rng, 4000, 1, 0.0))[:, 0]
    plain = per_person(shrink=shrink, shift=0.0)
    pairs = np.array([reduced(pair, range(2), plain) for pair in _reals(rng, 4000, 2, 0.0)])
    shift = company_shift(*(Weighed(one, np.ones(len(one))) for one in (alone, pairs)))
    limit = np.quantile(alone, 0.95)

    def alarms(reducer: Reducer) -> float:
        videos = _reals(rng, 1500, persons, shared)
        found = [reduced(video, range(persons), reducer, frames=1) for video in videos]
        return float(np.mean(np.array(found) >= limit))

    assert alarms(per_person(shrink=shrink, shift=shift)) < 0.065
    if shared == 0.0 and shrink == 0:
        assert alarms(plain) > 0.08


@profile(deadline=None, max_examples=300)
@given(
    faces=st.lists(
        st.tuples(st.integers(0, 1000), st.integers(0, 3), st.integers(0, 9)),
        min_size=1,
        max_size=25,
        unique_by=lambda face: face[1:],
    ),
    which=st.integers(0, 24),
    more=st.integers(0, 1000),
    shrink=st.sampled_from([0, 1, 4, 20]),
)
def test_a_higher_score_of_a_face_never_lowers_p_fake(
    faces: list[tuple[int, int, int]], which: int, more: int, shrink: int
) -> None:
    scores, persons, frames = (list(column) for column in zip(*faces, strict=True))
    raised = list(scores)
    which %= len(scores)
    raised[which] = max(scores[which], more)

    def judged(units: list[int]) -> float:
        values = [unit / 1000 for unit in units]
        table = FaceScores(
            score=values, frame_index=frames, pts_s=[float(f) for f in frames], person=persons
        )
        return score_of(judge(table, Rule(reducer=per_person(shrink)), VerdictSettings()))

    assert judged(raised) >= judged(scores)


def test_more_people_at_once_lower_the_score_and_more_tracks_do_not() -> None:
    found = [score_of(on([[0.8] * 5] * count, per_person(shift=1.5))) for count in (1, 2, 3)]
    assert all(after < before - 0.05 for before, after in pairwise(found))
    in_turn = [on([[0.8] * 5] * count, per_person(), together=False) for count in (1, 2, 3, 4)]
    assert {score_of(one) for one in in_turn} == {0.8}


def test_the_interval_is_of_the_score_that_decides() -> None:
    """The weighted mean of all faces is the score of the track, filled up from the video."""
    rng = np.random.default_rng(5)
    person = rng.integers(0, 3, 20).tolist()
    units = rng.integers(0, UNITS, 20).tolist()
    reducer = per_person(shrink=9)
    for who, score in track_scores(units, person, reducer).items():
        weights = interval_weights(person, who, reducer)
        assert np.average(units, weights=weights) / UNITS == pytest.approx(score / UNITS**2)


def test_a_calm_fake_beside_someone_restless_is_certain() -> None:
    fake, other = [0.95] * 20, [0.0, 0.6, 0.1, 0.5] * 5
    frames = list(range(20)) * 2
    faces = FaceScores(
        score=[*fake, *other],
        frame_index=frames,
        pts_s=[float(n) for n in frames],
        person=[0] * 20 + [1] * 20,
    )
    reducer = per_person(shift=0.5)
    found = judge(faces, Rule(reducer=reducer), VerdictSettings())
    assert found.verdict is Verdict.FAKE
    assert found.p_fake_low is not None and found.p_fake_low > 0.75


def test_settings_may_name_it_and_a_bundle_keeps_its_own() -> None:
    named = rule_in_use(Rule(), VerdictSettings(reducer="per_person")).reducer
    assert named == per_person()
    own = Rule(reducer=per_person(shift=0.3), threshold=0.7)
    assert rule_in_use(own, VerdictSettings(reducer="per_person")).reducer.company_shift == 0.3
    assert rule_in_use(own, VerdictSettings(reducer="per_person")).threshold == 0.7


@pytest.mark.parametrize(("shrink", "shift"), [(-1, 1.0), (2, -0.1), (2, float("inf"))])
def test_parameters_out_of_range(shrink: int, shift: float) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        per_person(shrink=shrink, shift=shift)
