from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from sklearn import metrics as sk

from framejury.evaluation.binary import Confusion, binary_metrics, roc_points

LABELS = np.array([1, 1, 1, 0, 0], np.int8)
SCORES = np.array([0.9, 0.6, 0.3, 0.7, 0.1])


def test_a_case_counted_by_hand():
    m = binary_metrics(LABELS, SCORES, 0.5)
    assert m.confusion == Confusion(tn=1, fp=1, fn=1, tp=2)
    assert (m.reals, m.fakes, m.total) == (2, 3, 5)
    assert m.accuracy == pytest.approx(3 / 5)
    assert m.recall_fake == pytest.approx(2 / 3)
    assert m.fpr == pytest.approx(1 / 2)
    assert m.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert m.precision_fake == pytest.approx(2 / 3)
    assert m.f1_fake == pytest.approx(2 / 3)
    assert m.auc == pytest.approx(4 / 6)  # pairs in order: 0.9 twice, 0.6 once, 0.3 once
    # precision 1 at 0.9, 2/3 at 0.6, 3/4 at 0.3, each a third of the recall
    assert m.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    right = [0.9, 0.6, 0.3, 0.3, 0.9]
    assert m.log_loss == pytest.approx(-sum(map(math.log, right)) / 5)
    # ROC: (0,0) (0,1/3) (1/2,1/3) (1/2,2/3) (1/2,1) (1,1); FPR + TPR = 1 inside x = 1/2
    assert m.eer == pytest.approx(1 / 2)


def test_the_threshold_itself_means_fake():
    m = binary_metrics(np.array([1, 0]), np.array([0.5, 0.4999]), 0.5)
    assert m.confusion == Confusion(tn=1, fp=0, fn=0, tp=1)


def test_weights_are_repetitions_and_agree_with_scikit_learn():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 300).astype(np.int8)
    scores = np.round(np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0.001, 0.999), 2)
    weights = rng.integers(0, 5, 300)
    m = binary_metrics(labels, scores, 0.55, weights)
    y, p = np.repeat(labels, weights), np.repeat(scores, weights)
    call = p >= 0.55
    tn, fp, fn, tp = sk.confusion_matrix(y, call).ravel()
    assert m.confusion == Confusion(tn, fp, fn, tp)
    assert m.accuracy == pytest.approx(sk.accuracy_score(y, call))
    assert m.balanced_accuracy == pytest.approx(sk.balanced_accuracy_score(y, call))
    assert m.precision_fake == pytest.approx(sk.precision_score(y, call))
    assert m.recall_fake == pytest.approx(sk.recall_score(y, call))
    assert m.f1_fake == pytest.approx(sk.f1_score(y, call))
    assert m.auc == pytest.approx(sk.roc_auc_score(y, p))
    assert m.average_precision == pytest.approx(sk.average_precision_score(y, p))
    assert m.log_loss == pytest.approx(sk.log_loss(y, p))
    unweighted = binary_metrics(y, p, 0.55)
    assert m.eer == pytest.approx(unweighted.eer)
    assert m.auc == pytest.approx(unweighted.auc)


@pytest.mark.parametrize("distance", [0.5, 1.0, 2.0])
def test_eer_of_two_normals_is_known(distance: float):
    """Equal spread, means `distance` apart: EER = Phi(-distance / 2); AUC = Phi(d / sqrt 2)."""
    normal = NormalDist()
    z = np.array([normal.inv_cdf((i + 0.5) / 4000) for i in range(4000)])
    both = np.concatenate([z, z + distance])
    scores = (both - both.min()) / (both.max() - both.min())
    labels = np.repeat([0, 1], 4000).astype(np.int8)
    m = binary_metrics(labels, scores, 0.5)
    assert m.eer == pytest.approx(normal.cdf(-distance / 2), abs=1e-3)
    assert m.auc == pytest.approx(normal.cdf(distance / math.sqrt(2)), abs=1e-3)


def test_eer_of_one_score_for_all_is_a_coin():
    m = binary_metrics(LABELS, np.full(5, 0.4), 0.5)
    assert m.eer == pytest.approx(0.5)
    assert m.auc == pytest.approx(0.5)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_undefined_what_is_undefined(label: int):
    m = binary_metrics(np.full(4, label), np.array([0.2, 0.6, 0.7, 0.9]), 0.5)
    undefined = ("auc", "average_precision", "eer", "precision_fake", "f1_fake")
    assert [getattr(m, name) for name in (*undefined, "balanced_accuracy")] == [None] * 6
    assert m.accuracy == pytest.approx(0.75 if label else 0.25)
    assert m.recall_fake == (0.75 if label else None)
    assert m.fpr == (None if label else 0.75)
    assert m.log_loss is not None
    assert roc_points(np.full(4, label), np.array([0.2, 0.6, 0.7, 0.9])) is None


def test_no_rows_leave_everything_undefined():
    m = binary_metrics(np.array([], np.int8), np.array([]), 0.5)
    assert m.total == 0
    assert m.accuracy is None
    assert m.log_loss is None
    assert m.auc is None


def test_nothing_called_fake_has_no_precision():
    assert binary_metrics(LABELS, SCORES, 0.95).precision_fake is None


def test_rows_of_weight_zero_do_not_count():
    m = binary_metrics(LABELS, SCORES, 0.5, np.array([1, 1, 1, 0, 0]))
    assert m.reals == 0
    assert m.auc is None


def test_a_certain_wrong_score_costs_what_the_clip_allows():
    m = binary_metrics(np.array([1, 0]), np.array([0.0, 0.0]), 0.5, score_clip=5e-5)
    assert m.log_loss == pytest.approx(-(math.log(5e-5) + math.log(1 - 5e-5)) / 2)


def test_each_row_may_have_its_own_threshold():
    m = binary_metrics(LABELS, SCORES, np.array([0.95, 0.5, 0.2, 0.8, 0.05]))
    assert m.confusion == Confusion(tn=1, fp=1, fn=1, tp=2)
    assert m.threshold is None
    assert binary_metrics(LABELS, SCORES, np.full(5, 0.4)).threshold == 0.4


def test_roc_starts_at_nothing_and_ends_at_everything():
    curve = roc_points(LABELS, SCORES)
    assert curve is not None
    assert (curve.fpr[0], curve.tpr[0], curve.fpr[-1], curve.tpr[-1]) == (0, 0, 1, 1)
    at = int(np.flatnonzero(curve.thresholds == 0.9)[0])
    assert (curve.fpr[at], curve.tpr[at]) == (0, pytest.approx(1 / 3))


@pytest.mark.parametrize(
    ("labels", "scores", "weights", "message"),
    [
        ([1, 0], [0.5], None, "must all be"),
        ([1, 2], [0.5, 0.5], None, "0 \\(REAL\\) or 1"),
        ([1, 0], [0.5, float("nan")], None, "finite"),
        ([1, 0], [0.5, 1.2], None, "within 0 to 1"),
        ([1, 0], [0.5, 0.5], [1, -1], "non-negative"),
        ([1, 0], [0.5, 0.5], [1.0, 0.5], "integers"),
    ],
)
def test_wrong_input_is_refused(labels, scores, weights, message):
    weights = None if weights is None else np.array(weights)
    with pytest.raises(ValueError, match=message):
        binary_metrics(np.array(labels), np.array(scores), 0.5, weights)
