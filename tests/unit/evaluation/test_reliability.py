"""Calibration error, TPR at a fixed FPR and DET, against hand-counted values."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from framejury.evaluation import bootstrap
from framejury.evaluation.binary import binary_metrics, det_points
from framejury.evaluation.bootstrap import share_interval
from framejury.evaluation.reliability import (
    BINS,
    calibration_error,
    error_by_chance,
    reliability,
    score_bins,
)

LABELS = np.array([0, 1, 1, 0, 1, 1], np.int8)
SCORES = np.array([0.15, 0.15, 0.75, 0.75, 0.95, 0.95])


def ones(values: np.ndarray) -> np.ndarray:
    return np.ones(len(values), np.int64)


def test_calibration_error_counted_by_hand() -> None:
    # Bins of two each: |1/2 - 0.15| = 0.35, |1/2 - 0.75| = 0.25, |1 - 0.95| = 0.05.
    expected = (0.35 + 0.25 + 0.05) / 3
    assert calibration_error(LABELS, SCORES, ones(LABELS)) == pytest.approx(expected)
    assert binary_metrics(LABELS, SCORES, 0.5).ece == pytest.approx(expected)
    # The bin in the middle counted three times more.
    weights = np.array([1, 1, 4, 4, 1, 1])
    expected = (2 * 0.35 + 8 * 0.25 + 2 * 0.05) / 12
    assert calibration_error(LABELS, SCORES, weights) == pytest.approx(expected)


def test_calibrated_scores_have_no_error_and_certain_wrong_ones_all() -> None:
    scores = np.repeat([0.25, 0.75], 4)
    labels = np.array([1, 0, 0, 0, 1, 1, 1, 0], np.int8)
    assert calibration_error(labels, scores, ones(labels)) == pytest.approx(0.0)
    wrong = np.array([1.0, 0.0])
    assert calibration_error(np.array([0, 1]), wrong, ones(wrong)) == pytest.approx(1.0)


def test_the_diagram_has_the_bins_of_scikit_learn() -> None:
    rng = np.random.default_rng(8)
    scores = np.round(rng.random(500), 2)  # many on the edges
    labels = (rng.random(500) < scores**2).astype(np.int8)
    diagram = reliability(labels, scores)
    share, mean = calibration_curve(labels, scores, n_bins=BINS, strategy="uniform")
    filled = diagram.counts > 0
    assert diagram.fake_share[filled] == pytest.approx(share)
    assert diagram.mean_score[filled] == pytest.approx(mean)
    assert diagram.counts.sum() == 500
    by_hand = (diagram.counts * np.abs(diagram.fake_share - diagram.mean_score))[filled].sum() / 500
    assert calibration_error(labels, scores, ones(labels)) == pytest.approx(by_hand)


def test_chance_lifts_the_error_of_few_and_not_of_sure_scores() -> None:
    scores = np.random.default_rng(5).random(1000)
    # One coin at 0.5 is off by 0.5; of n rows in a bin the mean is off by about
    # sqrt(2 / pi) * sqrt(p (1 - p) / n): 0.8 * 0.39 / 10 with 100 in a bin.
    assert error_by_chance(np.array([0.5])) == pytest.approx(0.5)
    assert error_by_chance(scores) == pytest.approx(0.031, abs=0.003)
    assert error_by_chance(scores[:100]) > 2 * error_by_chance(scores)
    assert error_by_chance(np.array([0.0, 1.0, 1.0])) == 0


def test_empty_bins_are_no_numbers() -> None:
    diagram = reliability(np.array([1]), np.array([0.55]))
    assert diagram.counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert np.isnan(diagram.mean_score[0])
    assert diagram.fake_share[5] == 1
    assert score_bins(np.array([0.0, 0.1, 0.1001, 1.0])).tolist() == [0, 0, 1, 9]


def test_tpr_at_a_fixed_fpr_counted_by_hand() -> None:
    # 100 reals at 0.00 to 0.99; fakes between and above them.
    reals = np.arange(100) / 100
    fakes = np.array([0.999, 0.985, 0.945, 0.5])
    labels = np.repeat([0, 1], [100, 4]).astype(np.int8)
    m = binary_metrics(labels, np.concatenate([reals, fakes]), 0.5)
    # Up to one real (0.99) may be accused: the threshold 0.985 finds two of four.
    assert m.tpr_at_fpr_1 == pytest.approx(2 / 4)
    # Up to five (0.95 to 0.99): 0.945 finds the third.
    assert m.tpr_at_fpr_5 == pytest.approx(3 / 4)


def test_few_reals_allow_no_false_alarm_at_one_percent() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1], np.int8)
    m = binary_metrics(labels, np.array([0.1, 0.2, 0.8, 0.7, 0.8, 0.9]), 0.5)
    assert m.tpr_at_fpr_1 == m.tpr_at_fpr_5 == pytest.approx(1 / 3)  # 0.8 would accuse one
    nothing = binary_metrics(labels, np.array([0.1, 0.2, 0.9, 0.3, 0.4, 0.9]), 0.5)
    assert nothing.tpr_at_fpr_1 == 0


def test_draws_use_the_same_false_positive_rates() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], 400).astype(np.int64)
    scores = np.round(1 / (1 + np.exp(-rng.normal(1.5 * labels - 0.7, 1.0))), 4)
    sample = bootstrap._prepare(labels, scores, scores >= 0.5, np.arange(800), 800)
    counts = bootstrap._draw(rng, 800, 5)
    found = bootstrap._statistics(sample, counts)
    for draw in range(5):
        expected = binary_metrics(labels, scores, 0.5, counts[draw])
        for name in ("tpr_at_fpr_1", "tpr_at_fpr_5", "ece"):
            assert found[name][draw] == pytest.approx(getattr(expected, name)), name


def test_accuracies_of_both_classes() -> None:
    m = binary_metrics(LABELS, SCORES, 0.5)
    assert (m.recall_real, m.recall_fake) == (pytest.approx(1 / 2), pytest.approx(3 / 4))
    fakes = binary_metrics(np.array([1, 1]), np.array([0.2, 0.9]), 0.5)
    assert (fakes.recall_real, fakes.ece, fakes.tpr_at_fpr_1) == (None, None, None)


def test_det_trades_one_error_for_the_other() -> None:
    labels = np.array([0, 0, 1, 1], np.int8)
    curve = det_points(labels, np.array([0.1, 0.6, 0.4, 0.9]))
    assert curve is not None
    points = set(zip(curve.fpr.tolist(), curve.fnr.tolist(), strict=True))
    assert {(0.5, 0.0), (0.5, 0.5), (0.0, 0.5)} <= points
    assert (np.diff(curve.fpr) <= 0).all()
    assert (np.diff(curve.fnr) >= 0).all()
    assert det_points(np.array([1, 1]), np.array([0.1, 0.6])) is None


def test_an_interval_of_a_share_rests_on_groups() -> None:
    flags = np.array([True, False] * 30)
    alone = share_interval(flags, np.arange(60))
    pairs = share_interval(np.repeat(flags, 2), np.arange(120) // 2)
    assert alone is not None and pairs is not None
    assert alone.low < 0.5 < alone.high
    assert pairs == alone  # copies within a group tell nothing new
    assert (alone.low + alone.high) / 2 == pytest.approx(0.5, abs=0.03)
    # The normal approximation: 1.96 * sqrt(0.25 / 60) = 0.127.
    assert alone.high - alone.low == pytest.approx(2 * 0.127, abs=0.04)


def test_no_interval_of_a_share_from_few_groups_or_without_spread() -> None:
    flags = np.array([True, False] * 10)
    assert share_interval(flags, np.arange(20) % 4) is None
    assert share_interval(np.ones(20, np.bool_), np.arange(20)) is None
    assert share_interval(np.zeros(0, np.bool_), np.zeros(0, np.int64)) is None
