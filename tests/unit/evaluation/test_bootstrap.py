from __future__ import annotations

import numpy as np
import pytest

from framejury.evaluation import bootstrap
from framejury.evaluation.binary import binary_metrics
from framejury.evaluation.bootstrap import bootstrap_intervals


def simulated(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores (4 decimals) with an AUC near 0.8."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count).astype(np.int8)
    scores = np.round(1 / (1 + np.exp(-rng.normal(1.2 * labels - 0.6, 1.0))), 4)
    return labels, scores


def test_each_draw_is_the_metric_of_the_repeated_rows():
    """The vectorised numbers equal `binary_metrics` with the drawn groups as weights."""
    labels, scores = simulated(60, seed=1)
    scores = np.round(scores, 1)  # many ties
    groups = np.arange(60) // 3
    sample = bootstrap._prepare(labels.astype(np.int64), scores, scores >= 0.5, groups, 20)
    counts = bootstrap._draw(np.random.default_rng(2), 20, 8)
    assert (counts.sum(axis=1) == 20).all()
    found = bootstrap._statistics(sample, counts)
    for draw in range(8):
        expected = binary_metrics(labels, scores, 0.5, counts[draw][groups])
        for name, values in found.items():
            assert values[draw] == pytest.approx(getattr(expected, name)), name
    assert set(found) == set(bootstrap._NEEDS)


def test_intervals_cover_the_truth():
    """Of 60 simulated archives about 95% of the intervals hold the accuracy of the crowd."""
    crowd_labels, crowd_scores = simulated(200_000, seed=0)
    crowd = binary_metrics(crowd_labels, crowd_scores, 0.5)
    hits = {"accuracy": 0, "auc": 0, "eer": 0}
    for seed in range(1, 61):
        labels, scores = simulated(150, seed)
        found = bootstrap_intervals(labels, scores, scores >= 0.5, np.arange(150), draws=300)
        for name in hits:
            interval = found.intervals[name]
            assert interval is not None
            hits[name] += interval.low <= getattr(crowd, name) <= interval.high
    assert min(hits.values()) >= 51  # 85%; 57 are expected
    assert sum(hits.values()) < 180  # an interval that never misses is too wide


def test_groups_count_and_not_rows():
    """Ten copies of every row in one group carry no more knowledge than one copy."""
    labels, scores = simulated(80, seed=3)
    alone = bootstrap_intervals(labels, scores, scores >= 0.5, np.arange(80))
    many, called = np.repeat(labels, 10), np.repeat(scores >= 0.5, 10)
    copies = bootstrap_intervals(many, np.repeat(scores, 10), called, np.repeat(np.arange(80), 10))
    naive = bootstrap_intervals(many, np.repeat(scores, 10), called, np.arange(800))
    width = {
        name: found.intervals["auc"].high - found.intervals["auc"].low  # type: ignore[union-attr]
        for name, found in {"alone": alone, "copies": copies, "naive": naive}.items()
    }
    assert width["copies"] == pytest.approx(width["alone"])
    assert width["naive"] < 0.5 * width["alone"]


def test_too_few_groups_of_a_class_give_no_interval():
    labels, scores = simulated(200, seed=4)
    groups = np.where(labels == 1, np.arange(200) % 4, 4 + np.arange(200) % 10)
    _, groups = np.unique(groups, return_inverse=True)
    found = bootstrap_intervals(labels, scores, scores >= 0.5, groups)
    assert (found.groups_fake, found.groups_real, found.groups) == (4, 10, 14)
    assert found.intervals["fpr"] is not None
    needs_fakes = set(found.intervals) - {"fpr", "recall_real"}
    assert {name for name in needs_fakes if found.intervals[name] is not None} == set()


def test_one_class_alone_has_intervals_of_what_it_defines():
    scores = np.linspace(0.2, 0.9, 40)
    found = bootstrap_intervals(np.ones(40, np.int8), scores, scores >= 0.5, np.arange(40))
    there = {name for name, interval in found.intervals.items() if interval is not None}
    assert there == {"accuracy", "recall_fake", "log_loss"}


def test_a_perfect_score_has_no_interval_rather_than_a_certain_one():
    labels = np.array([0, 1] * 20, np.int8)
    scores = np.where(labels == 1, 0.9, 0.1)
    found = bootstrap_intervals(labels, scores, scores >= 0.5, np.arange(40))
    assert found.intervals["accuracy"] is None
    assert found.intervals["auc"] is None


def test_no_rows_have_no_intervals():
    empty = np.array([], np.int64)
    found = bootstrap_intervals(empty, empty.astype(float), empty.astype(bool), empty)
    assert found.groups == 0
    assert set(found.intervals.values()) == {None}


def test_the_same_data_give_the_same_intervals_however_the_draws_are_cut(monkeypatch):
    labels, scores = simulated(64, seed=6)
    first = bootstrap_intervals(labels, scores, scores >= 0.5, np.arange(64))
    monkeypatch.setattr(bootstrap, "_CELLS_AT_ONCE", 64 * 10)
    assert bootstrap_intervals(labels, scores, scores >= 0.5, np.arange(64)) == first
    other = bootstrap_intervals(labels, scores, scores >= 0.5, np.arange(64), seed=1)
    assert other != first
