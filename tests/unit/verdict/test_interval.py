"""Intervals: Student's against SciPy; the bootstrap's coverage, clusters and determinism."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury.verdict.calibration import Floats
from framejury.verdict.interval import (
    DRAWS,
    MAX_CLUSTERS,
    UNKNOWN,
    Clusters,
    bootstrap_shifts,
    student_t,
)


def clusters_of(scores: Floats, seconds: Floats | None = None) -> Clusters:
    """Videos (v, n) of one score a cluster; cluster j in second j unless told."""
    videos, count = scores.shape
    second = np.tile(np.arange(count), videos) if seconds is None else np.floor(seconds).ravel()
    return Clusters(
        second=second.astype(np.int64),
        total=np.floor(scores * 1e6 + 0.5).astype(np.int64).ravel(),
        faces=np.ones(videos * count, np.int64),
        lengths=np.full(videos, count),
    )


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


@pytest.mark.parametrize(("count", "level"), [(6, 0.95), (11, 0.95), (11, 0.8), (40, 0.95)])
def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says(count: int, level: float) -> None:
    scores = np.random.default_rng(1).normal(0.5, 0.1, (2000, count))
    ends = scores.mean(axis=1)[:, None] + bootstrap_shifts(clusters_of(scores), level)
    covered = np.mean((ends[:, 0] <= 0.5) & (ends[:, 1] >= 0.5))
    assert level - 0.07 < covered < level + 0.03


def test_frames_of_a_second_that_agree_do_not_narrow_the_interval() -> None:
    """Ten frames a second that all repeat its mood: as wide as one, and it still covers."""
    rng = np.random.default_rng(2)
    moods = rng.normal(0.5, 0.1, (500, 8))
    once = bootstrap_shifts(clusters_of(moods), 0.95)
    repeated = np.repeat(moods, 10, axis=1)
    seconds = np.tile(np.repeat(np.arange(8), 10) + np.tile(np.arange(10), 8) / 10, (500, 1))
    assert np.array_equal(bootstrap_shifts(clusters_of(repeated, seconds), 0.95), once)
    # Were each frame a witness of its own, the truth would be missed far more often.
    naive = moods.mean(axis=1)[:, None] + bootstrap_shifts(clusters_of(repeated), 0.95)
    assert np.mean((naive[:, 0] <= 0.5) & (naive[:, 1] >= 0.5)) < 0.6


def test_a_second_with_more_faces_weighs_more() -> None:
    heavy = Clusters(
        second=np.array([0, 1]),
        total=np.array([90_000_000, 0]),
        faces=np.array([90, 10]),
        lengths=np.array([2]),
    )
    low, high = bootstrap_shifts(heavy, 0.95)[0]
    assert (low, high) == pytest.approx((-0.9, 0.1))


def test_one_cluster_says_nothing() -> None:
    assert tuple(bootstrap_shifts(clusters_of(np.array([[0.9]])), 0.95)[0]) == UNKNOWN
    same = clusters_of(np.array([[0.9, 0.1]]), np.array([[7.0, 7.9]]))
    assert tuple(bootstrap_shifts(same, 0.95)[0]) == UNKNOWN


@settings(deadline=None)
@given(
    units=st.lists(st.lists(st.integers(0, 10**6), min_size=1, max_size=12), min_size=1, max_size=9)
)
def test_company_changes_no_bit(units: list[list[int]]) -> None:
    """A video alone and among others, its seconds in any order: the same ends."""
    together = Clusters(
        second=np.concatenate([np.arange(len(video)) for video in units]),
        total=np.array([unit for video in units for unit in video]),
        faces=np.ones(sum(map(len, units)), np.int64),
        lengths=np.array([len(video) for video in units]),
    )
    found = bootstrap_shifts(together, 0.95)
    for ends, video in zip(found, units, strict=True):
        alone = Clusters(
            second=np.arange(len(video))[::-1].copy(),
            total=np.array(video[::-1]),
            faces=np.ones(len(video), np.int64),
            lengths=np.array([len(video)]),
        )
        assert np.array_equal(bootstrap_shifts(alone, 0.95)[0], ends)
        assert ends[0] <= 0 <= ends[1]


def test_the_draws_are_those_of_every_release() -> None:
    """Verdicts of last year must come out the same today, whatever NumPy is installed."""
    shifts = bootstrap_shifts(clusters_of(np.array([[0.2, 0.9, 0.4, 0.6, 0.7]])), 0.95)
    assert shifts[0].tolist() == pytest.approx([-0.30472282618, 0.29236141309], abs=1e-12)


def test_long_videos_are_drawn_in_blocks() -> None:
    """Neighbouring seconds of a long video agree; drawn alone they would feign certainty."""
    rng = np.random.default_rng(3)
    scenes = np.repeat(rng.normal(0.5, 0.1, (20, MAX_CLUSTERS)), 4, axis=1)
    alike = bootstrap_shifts(clusters_of(scenes), 0.95)
    by_scene = bootstrap_shifts(clusters_of(scenes[:, ::4]), 0.95)
    assert alike == pytest.approx(by_scene, abs=1e-6)


def test_the_number_of_draws_is_enough_for_the_tails() -> None:
    assert DRAWS * 0.025 >= 10
