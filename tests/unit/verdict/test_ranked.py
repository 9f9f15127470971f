"""Intervals of aggregations of sorted scores: against plain resampling, and how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from framejury.schemas.statuses import Verdict
from framejury.settings import VerdictSettings
from framejury.verdict.calibration import UNITS, Floats, sigmoid
from framejury.verdict.interval import DRAWS, MAX_CLUSTERS, UNKNOWN, draws_of, percentile_shifts
from framejury.verdict.judge import FaceScores, Judgement, judge, reduced
from framejury.verdict.ranked import TimedScores, ranked_shifts
from framejury.verdict.rule import Reducer, Rule

LEARNED = Reducer(
    name="learned", quantiles=(0.1, 0.5, 0.9), weights=(1.0, 2.0, 1.0), intercept=-2.0
)
RANKED = (
    Reducer(name="median"),
    Reducer(name="trimmed_mean", trim_ratio=0.1),
    Reducer(name="top_share", top_ratio=0.25),
    LEARNED,
)
OTHERS = tuple(
    Reducer(name="per_person", shrink_faces=6, company_shift=0.5)
    if name == "per_person"
    else Reducer(name=name)
    for name in ("mean", "confidence_weighted", "worst_person", "per_person")
)


def on(scores: Floats, reducer: Reducer, level: float = 0.95) -> Judgement:
    """Judge a video of one person, one face a second."""
    seconds = list(range(len(scores)))
    faces = FaceScores(
        score=scores.tolist(),
        frame_index=seconds,
        pts_s=[float(second) for second in seconds],
        person=[0] * len(scores),
    )
    return judge(faces, Rule(reducer=reducer), VerdictSettings(confidence_level=level))


def plain(scores: Floats, reducer: Reducer) -> float:
    """The score, or of `learned` what every face would score to have its logit."""
    if reducer.name != "learned":
        return reduced(scores, [0] * len(scores), reducer)
    return float(np.average(np.quantile(scores, reducer.quantiles), weights=reducer.weights))


def timed(units: list[int], seconds: list[int]) -> TimedScores:
    return TimedScores(np.array(units), np.array(seconds), np.array([len(units)]))


@pytest.mark.parametrize("reducer", RANKED, ids=lambda one: one.name)
@profile(deadline=None, max_examples=25)
@given(faces=st.lists(st.tuples(st.integers(0, UNITS), st.integers(0, 7)), min_size=2, max_size=20))
def test_each_draw_is_the_aggregation_of_the_faces_that_were_drawn(
    reducer: Reducer, faces: list[tuple[int, int]]
) -> None:
    units, seconds = (list(column) for column in zip(*faces, strict=True))
    (found,) = ranked_shifts(timed(units, seconds), reducer, 0.9).tolist()
    known, rank = np.unique(seconds, return_inverse=True)
    if len(known) == 1:
        assert tuple(found) == UNKNOWN
        return
    drawn = []
    for draw in range(DRAWS):
        times = draws_of(len(known))[rank, draw].astype(int)
        scores = np.repeat(np.array(units) / UNITS, times)
        drawn.append(plain(scores, reducer))
    point = plain(np.array(units) / UNITS, reducer)
    assert found[0] <= 0 <= found[1]
    expected = percentile_shifts(np.array([drawn]), np.array([point]), 0.9, len(known))[0]
    assert found == pytest.approx(expected.tolist(), abs=1e-9)


@pytest.mark.parametrize("reducer", RANKED, ids=lambda one: one.name)
def test_a_video_alone_and_among_others_in_any_order(reducer: Reducer) -> None:
    rng = np.random.default_rng(0)
    videos = [rng.integers(0, UNITS, size) for size in (1, 5, 30)]
    together = ranked_shifts(
        TimedScores(
            np.concatenate(videos),
            np.concatenate([np.arange(len(video)) // 2 for video in videos]),
            np.array([len(video) for video in videos]),
        ),
        reducer,
        0.95,
    )
    for ends, video in zip(together, videos, strict=True):
        mixed = rng.permutation(len(video))
        alone = timed(video[mixed].tolist(), (mixed // 2).tolist())
        assert np.array_equal(ranked_shifts(alone, reducer, 0.95)[0], ends)


def test_long_videos_are_drawn_in_blocks_and_in_parts() -> None:
    """256 scenes of 50 faces: as wide as 256 faces, and the draws do not fit into one part."""
    scenes = np.random.default_rng(3).integers(0, UNITS, MAX_CLUSTERS)
    seconds = np.arange(MAX_CLUSTERS * 50)
    median = Reducer(name="median")
    alike = ranked_shifts(timed(np.repeat(scenes, 50).tolist(), seconds.tolist()), median, 0.95)
    by_scene = ranked_shifts(timed(scenes.tolist(), list(range(MAX_CLUSTERS))), median, 0.95)
    assert alike == pytest.approx(by_scene, abs=1e-6)


@pytest.mark.parametrize("reducer", [*RANKED, *OTHERS], ids=lambda one: one.name)
def test_scores_that_flip_leave_the_verdict_open(reducer: Reducer) -> None:
    """Frames at 0.1 or 0.9, as a coin falls: no aggregation may be sure of that."""
    rng = np.random.default_rng(6)
    if reducer.name == "top_share":  # half of the faces are at 0.9: the highest quarter is known
        reducer = Reducer(name="top_share", top_ratio=0.9)
    videos = np.where(rng.random((150, 11)) < 0.5, 0.1, 0.9)
    verdicts = [on(video, reducer).verdict for video in videos]
    assert np.mean([one is Verdict.INCONCLUSIVE for one in verdicts]) > 0.8


@pytest.mark.parametrize(
    ("reducer", "least"),
    [
        *((reducer, 0.85) for reducer in OTHERS),
        (RANKED[0], 0.9),
        (RANKED[1], 0.88),
        (RANKED[2], 0.6),
        (LEARNED, 0.85),
    ],
    ids=lambda part: getattr(part, "name", str(part)),
)
@pytest.mark.parametrize("kind", ["skewed", "wide", "bimodal"])
def test_the_interval_covers_the_score_of_the_whole_video(
    reducer: Reducer, least: float, kind: str
) -> None:
    """11 faces of a video of 4,001; skewed: most low, some high; wide: logit with sd 3.

    The highest quarter of 11 faces is three of them, so top_share covers less (docs/evaluation.md).
    """
    rng = np.random.default_rng(7)
    whole = {
        "skewed": sigmoid(rng.normal(-1.5, 1.5, 4001)),
        "wide": sigmoid(rng.normal(0, 3, 4001)),
        "bimodal": np.clip(
            np.where(rng.random(4001) < 0.4, 0.9, 0.1) + rng.normal(0, 0.02, 4001), 0, 1
        ),
    }[kind]
    truth = reduced(whole, [0] * len(whole), reducer)
    covered = []
    for _ in range(400):
        found = on(rng.choice(whole, 11), reducer)
        assert found.p_fake_low is not None and found.p_fake_high is not None
        covered.append(found.p_fake_low <= truth <= found.p_fake_high)
    assert least <= np.mean(covered) <= 0.99
