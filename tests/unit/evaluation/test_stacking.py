"""Weights of members: known ones are found, and none is judged by a fit on its own group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from framejury.errors import CalibrationError
from framejury.evaluation import stacking
from framejury.evaluation.estimators import fit_stacking
from framejury.evaluation.stacking import StackedVideos, fit_weights


def videos(weights: list[float], count: int = 4000, seed: int = 0) -> StackedVideos:
    """Labels drawn from a logistic model of the members' logits with these weights."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, len(weights)))
    labels = rng.random(count) < 1 / (1 + np.exp(-(logits @ np.array(weights))))
    groups = np.array([f"g{n // 2}" for n in range(count)])
    return StackedVideos(logits, labels.astype(np.int64), groups)


def test_known_weights_are_recovered() -> None:
    data = videos([1.2, 0.4])
    found = fit_stacking(data.logits, data.labels, data.groups)
    assert found == pytest.approx([1.2, 0.4], abs=0.1)
    assert fit_weights(data, ["a", "b"]).weights == pytest.approx([0.75, 0.25], abs=0.05)


def test_a_member_that_knows_nothing_or_the_contrary_gets_no_weight() -> None:
    found = fit_weights(videos([1.0, 0.0, -0.5]), ["a", "b", "c"])
    assert found.weights[0] > 0.9
    assert found.weights[2] == 0
    assert found.best_member.name == "a"
    assert found.gains  # equal weights count the misleading member


def test_figures_are_of_videos_that_the_fit_has_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted_on: list[set[str]] = []
    judged: list[set[str]] = []
    data = videos([1.0, 1.0], count=200)

    def fit(logits: Any, labels: Any, groups: Any) -> Any:
        fitted_on.append(set(groups.tolist()))
        return fit_stacking(logits, labels, groups)

    monkeypatch.setattr(stacking, "fit_stacking", fit)
    found = fit_weights(data, ["a", "b"])
    everything = set(data.groups.tolist())
    whole, *folds = fitted_on
    assert whole == everything
    assert len(folds) == stacking.FOLDS
    judged = [everything - on for on in folds]
    assert sum(len(one) for one in judged) == len(everything)
    assert set.union(*judged) == everything
    assert found.fitted.interval is not None
    assert found.fitted.interval.low < found.fitted.auc < found.fitted.interval.high


def test_a_fit_that_does_not_help_is_known() -> None:
    """With one group per few videos and equal members, weights are noise."""
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1], 15)
    logits = rng.normal(0, 1, (30, 4)) + 1.5 * (truth[:, None] - 0.5)
    found = fit_weights(
        StackedVideos(logits, truth, np.array([f"g{n}" for n in range(30)])), list("abcd")
    )
    assert found.gains == (found.fitted.auc > found.equal.auc)
    assert not found.gains
    assert found.equal.auc > found.best_member.auc


def test_too_few_videos_are_refused() -> None:
    data = videos([1.0, 1.0], count=12)
    with pytest.raises(CalibrationError, match=r"weights need 10 videos in 5 groups .* --weights"):
        fit_weights(data, ["a", "b"])


def test_members_that_all_mislead_are_refused() -> None:
    with pytest.raises(CalibrationError, match="Is a label inverted"):
        fit_weights(videos([-1.0, -1.0], count=400), ["a", "b"])
