"""The threshold by groups of real videos, and the false alarms that it lets expect."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import beta, binomtest

from framejury.evaluation.estimators import (
    RealLimit,
    Weighed,
    balanced_weights,
    company_shift,
    fit_calibration,
    real_limit,
)
from framejury.evaluation.false_alarms import MIN_GROUPS, alarms_by_source, expected_alarms
from framejury.verdict.calibration import calibrated, sigmoid

Floats = npt.NDArray[np.float64]
Names = npt.NDArray[np.str_]


def people(seed: int, groups: int = 60) -> tuple[Floats, Names]:
    """Scores of real videos: most people have one video, a third of them have twenty alike."""
    rng = np.random.default_rng(seed)
    counts = np.where(rng.random(groups) < 1 / 3, 20, 1)
    centre = np.repeat(rng.normal(-1, 1.5, groups), counts)
    return sigmoid(centre + rng.normal(0, 0.3, len(centre))), np.repeat(
        np.arange(groups).astype(np.str_), counts
    )


def test_where_each_video_is_a_group_it_is_the_order_statistic() -> None:
    reals = np.arange(1, 100) / 100
    assert real_limit(reals, 0.05) == RealLimit(0.95, "quantile")
    assert real_limit(reals, 0.05, np.arange(99).astype(str)) == RealLimit(0.95, "quantile")


def test_one_person_in_many_clips_counts_once() -> None:
    reals, groups = np.arange(1, 100) / 100, np.arange(99).astype(str)
    often = np.r_[reals, np.full(500, 0.995)], np.r_[groups, np.full(500, "98")]
    assert real_limit(*often[:1], 0.05).score == 0.995
    assert real_limit(often[0], 0.05, often[1]).score == 0.95


def test_too_few_groups_are_few_however_many_videos() -> None:
    reals = np.linspace(0.1, 0.8, 180)
    few = real_limit(reals, 0.05, np.repeat(np.arange(18).astype(str), 10))
    assert few == RealLimit(0.8, "maximum")
    assert real_limit(reals, 0.05).source == "quantile"


def test_a_new_persons_video_exceeds_it_as_often_as_asked() -> None:
    """In the mean over archives. Counting each video once is further off."""
    by_group, by_video = [], []
    for seed in range(60):
        reals, groups = people(seed)
        new = sigmoid(np.random.default_rng(1000 + seed).normal(-1, np.hypot(1.5, 0.3), 2000))
        by_group.append((new > real_limit(reals, 0.1, groups).score).mean())
        by_video.append((new > real_limit(reals, 0.1).score).mean())
    assert np.mean(by_group) == pytest.approx(0.1, abs=0.015)
    assert np.std(by_video) > 1.2 * np.std(by_group)


def test_expected_alarms_of_an_order_statistic() -> None:
    reals, groups = np.arange(1, 100) / 100, np.arange(99).astype(str)
    limit = RealLimit(0.95 + 1e-9, "quantile")
    found = expected_alarms(reals, groups, limit)
    law = beta(5, 95)
    assert (found.rate, found.groups, found.level) == (0.05, 99, 0.95)
    assert (found.low, found.high) == pytest.approx(law.ppf([0.025, 0.975]), abs=1e-9)
    assert found.in_words == f"5.0% (95% interval {found.low:.1%} to {found.high:.1%})"


def test_the_interval_covers_the_rate_on_new_people() -> None:
    held = []
    for seed in range(200):
        reals, groups = people(seed)
        limit = real_limit(reals, 0.1, groups)
        found = expected_alarms(reals, groups, RealLimit(limit.score + 1e-9, limit.source))
        new = sigmoid(np.random.default_rng(5000 + seed).normal(-1, np.hypot(1.5, 0.3), 4000))
        held.append(found.low <= (new > limit.score).mean() <= found.high)
    assert 0.9 <= np.mean(held) <= 0.995


def test_above_the_highest_score_it_may_be_none_or_one_in_n() -> None:
    reals, groups = np.linspace(0.1, 0.6, 12), np.arange(12).astype(str)
    found = expected_alarms(reals, groups, RealLimit(0.65, "maximum"))
    assert (found.low, found.rate) == (0.0, pytest.approx(1 / 13))
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 12), abs=1e-9)


@pytest.mark.parametrize("above", [0, 3, 12])
def test_a_given_threshold_is_a_count(above: int) -> None:
    reals, groups = np.r_[np.full(12 - above, 0.2), np.full(above, 0.8)], np.arange(12).astype(str)
    found = expected_alarms(reals, groups, RealLimit(0.5, "given"))
    ends = binomtest(above, 12).proportion_ci(0.95, method="exact")
    assert found.rate == above / 12
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), abs=1e-9)


def test_sources_with_enough_people_have_their_own_rate() -> None:
    count = MIN_GROUPS
    reals = np.r_[np.full(count, 0.2), np.full(count - 1, 0.9), np.full(count, 0.9)]
    sources = ["news"] * count + ["films"] * (count - 1) + [""] * count
    groups = np.arange(len(reals)).astype(str)
    found = alarms_by_source(reals, groups, sources, 0.5)
    assert {name: one.rate for name, one in found.items()} == {"news": 0.0}
    again = alarms_by_source(reals, np.full(len(reals), "one"), sources, 0.5)
    assert again == {}


def weighed(scores: Floats) -> Weighed:
    return Weighed(scores, np.ones(len(scores)))


def test_what_company_adds_to_an_exponential_tail_is_its_scale() -> None:
    """The highest of two exceeds t + scale * ln 2 as often as one exceeds t."""
    rng = np.random.default_rng(6)
    z = -4 + rng.exponential(1.3, (40_000, 3))
    found = company_shift(weighed(sigmoid(z[:, 0])), weighed(sigmoid(z[:, 1:].max(axis=1))))
    assert found == pytest.approx(1.3, abs=0.1)


def test_company_that_lowers_scores_is_not_rewarded() -> None:
    assert company_shift(weighed(np.array([0.2, 0.8])), weighed(np.array([0.1, 0.3]))) == 0.0


def test_company_is_weighed() -> None:
    alone, high = np.r_[np.full(9, 0.2), 0.9], np.r_[np.full(9, 0.2), 0.99]
    light = Weighed(high, np.r_[np.ones(9), 1e-9])
    assert company_shift(weighed(alone), weighed(high)) > 0.5
    assert company_shift(weighed(np.full(10, 0.2)), light) < 0.01


def test_groups_of_a_class_weigh_the_same_and_so_do_classes() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1])
    groups = np.array(["a", "a", "a", "b", "a", "c"])
    weights = balanced_weights(labels, groups)
    assert weights == pytest.approx([1 / 12] * 3 + [1 / 4] * 3)
    assert balanced_weights(labels) == pytest.approx([1 / 8] * 4 + [1 / 4] * 2)


def test_many_clips_of_one_person_do_not_move_the_calibration() -> None:
    scores = np.r_[np.linspace(0.1, 0.5, 20), np.linspace(0.4, 0.9, 20)]
    labels, groups = np.repeat([0, 1], 20), np.arange(40).astype(str)
    plain = calibrated(0.45, fit_calibration(scores, labels, "platt", groups))
    clips = np.r_[scores, np.full(300, 0.5)], np.r_[labels, np.zeros(300, np.int64)]
    many = np.r_[groups, np.full(300, "19")]  # the real of 0.5
    often = calibrated(0.45, fit_calibration(*clips, "platt", many))
    assert often == pytest.approx(float(plain), abs=1e-3)
    assert abs(calibrated(0.45, fit_calibration(*clips, "platt")) - plain) > 0.05


@pytest.mark.parametrize("ones", [1, 5, 30])
def test_real_videos_that_score_1_are_counted_at_a_threshold_of_1(ones: int) -> None:
    """There is no threshold above them; the share is then measured, and every figure a number."""
    reals = np.r_[np.linspace(0.1, 0.9, 30 - ones), np.ones(ones)]
    for source in ("quantile", "maximum", "given"):
        found = expected_alarms(reals, np.arange(30).astype(str), RealLimit(1.0, source))
        assert found.rate == pytest.approx(ones / 30)
        exact = binomtest(ones, 30).proportion_ci(0.95, "exact")
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
