"""The rule of a verdict: what its records refuse, what calibration does, who wins over whom."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury.errors import ConfigError
from framejury.settings import VerdictSettings
from framejury.verdict.calibration import Calibration, calibrated
from framejury.verdict.rule import MEAN, Reducer, Rule, rule_facts, rule_in_use, rule_of_facts

PLATT = Calibration(method="platt", slope=2.0, intercept=-1.0)
LEARNED = Reducer(name="learned", quantiles=(0.1, 0.9), weights=(1.0, 2.0), intercept=-1.5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"method": "platt"}, "slope must not be negative, got None"),
        ({"method": "platt", "slope": -0.1, "intercept": 0.0}, "slope must not be negative"),
        ({"method": "platt", "slope": math.nan, "intercept": 0.0}, "slope must not be negative"),
        ({"method": "platt", "slope": 1.0, "intercept": math.inf}, "intercept must be finite"),
        ({"method": "platt", "slope": 1.0, "intercept": 0.0, "x": (0.0, 1.0)}, "not knots"),
        ({"method": "isotonic", "x": (0.1, 0.2), "y": (0.3, 0.29)}, "y must not decrease"),
        ({"method": "isotonic", "x": (0.2, 0.1), "y": (0.3, 0.4)}, "x must increase"),
        ({"method": "isotonic", "x": (0.2, 1.1), "y": (0.3, 0.4)}, "x must increase within 0 to 1"),
        ({"method": "isotonic", "x": (0.2, 0.5), "y": (0.3, 1.4)}, "lie within 0 to 1"),
        ({"method": "isotonic", "x": (0.2,), "y": (0.3,)}, "two knots or more"),
        ({"method": "isotonic", "x": (0.2, 0.3), "y": (0.3,)}, "2 x and 1 y"),
        ({"method": "isotonic", "x": (0.2, 0.3), "y": (0.3, 0.4), "slope": 1.0}, "not slope"),
    ],
    ids=str,
)
def test_a_calibration_that_would_fall_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Calibration(**fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "mean", "trim_ratio": 0.1}, "mean takes no parameters"),
        ({"name": "trimmed_mean"}, "takes ['trim_ratio'], got nothing"),
        ({"name": "trimmed_mean", "trim_ratio": 0.5}, "below 0.5"),
        ({"name": "top_share", "top_ratio": 0.0}, "above 0"),
        ({"name": "learned"}, "takes ['intercept', 'quantiles', 'weights']"),
        (
            {"name": "learned", "quantiles": (0.1, 0.9), "weights": (1.0, -0.1), "intercept": 0.0},
            "weights must not be negative",
        ),
        (
            {"name": "learned", "quantiles": (0.9, 0.1), "weights": (1.0, 0.1), "intercept": 0.0},
            "quantiles must increase",
        ),
        (
            {"name": "learned", "quantiles": (0.1,), "weights": (1.0, 0.1), "intercept": 0.0},
            "1 quantiles and 2 weights",
        ),
    ],
    ids=str,
)
def test_a_reducer_takes_its_own_parameters_only(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Reducer(**fields)


def test_platt_by_hand() -> None:
    p = 0.8
    expected = 1 / (1 + math.exp(-(2.0 * math.log(p / (1 - p)) - 1.0)))
    assert float(calibrated(p, PLATT)) == pytest.approx(expected, abs=1e-9)


def test_isotonic_by_hand() -> None:
    lines = Calibration(method="isotonic", x=(0.2, 0.4, 0.8), y=(0.1, 0.1, 0.9))
    found = calibrated(np.array([0.0, 0.2, 0.3, 0.6, 0.8, 1.0]), lines)
    assert found.tolist() == [0.1, 0.1, 0.1, 0.5, 0.9, 0.9]


knots = st.lists(st.integers(0, 1000), min_size=2, max_size=8, unique=True).map(sorted)


@st.composite
def calibrations(draw: st.DrawFn) -> Calibration:
    if draw(st.booleans()):
        slope, intercept = draw(st.floats(0, 1e4)), draw(st.floats(-1e4, 1e4))
        return Calibration(method="platt", slope=slope, intercept=intercept)
    x = draw(knots)
    y = sorted(draw(st.lists(st.floats(0, 1), min_size=len(x), max_size=len(x))))
    return Calibration(method="isotonic", x=tuple(n / 1000 for n in x), y=tuple(y))


@settings(deadline=None)
@given(calibration=calibrations(), scores=st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_calibration_never_falls_and_stays_within_0_and_1(
    calibration: Calibration, scores: list[float]
) -> None:
    found = calibrated(np.array(sorted(scores)), calibration)
    assert np.all(np.diff(found) >= 0)
    assert np.all((found >= 0) & (found <= 1))


# ---------------------------------------------------------------- bundle and settings


OWN = Rule(reducer=MEAN, calibration=PLATT, threshold=0.7)


def test_the_bundles_rule_holds_by_default() -> None:
    assert rule_in_use(OWN, VerdictSettings()) == OWN


def test_a_threshold_alone_replaces_the_threshold_alone() -> None:
    rule = rule_in_use(OWN, VerdictSettings(threshold=0.9))
    assert (rule.calibration, rule.threshold, rule.remark) == (PLATT, 0.9, "")


def test_naming_the_bundles_own_reducer_changes_nothing() -> None:
    assert rule_in_use(OWN, VerdictSettings(reducer="mean")) == OWN
    top = Rule(reducer=Reducer(name="top_share", top_ratio=0.25), calibration=PLATT, threshold=0.6)
    assert rule_in_use(top, VerdictSettings(reducer="top_share")) == top
    other = rule_in_use(top, VerdictSettings(reducer="top_share", top_ratio=0.5))
    assert other.calibration is None


def test_without_calibration_the_score_is_taken_as_it_is() -> None:
    rule = rule_in_use(OWN, VerdictSettings(calibrated=False))
    assert (rule.reducer, rule.calibration, rule.threshold) == (OWN.reducer, None, 0.5)
    assert "verdict.calibrated=false" in rule.remark
    assert rule_in_use(OWN, VerdictSettings(calibrated=False, threshold=0.7)).threshold == 0.7
    plain = Rule(threshold=0.6)  # of a bundle without a calibration nothing is left out
    assert rule_in_use(plain, VerdictSettings(calibrated=False)) == plain


def test_another_reducer_leaves_calibration_and_threshold_out_and_says_so() -> None:
    rule = rule_in_use(OWN, VerdictSettings(reducer="median"))
    assert (rule.reducer.name, rule.calibration, rule.threshold) == ("median", None, 0.5)
    assert "not calibrated" in rule.remark and "threshold is 0.5" in rule.remark
    told = rule_in_use(OWN, VerdictSettings(reducer="trimmed_mean", trim_ratio=0.2, threshold=0.8))
    assert (told.reducer.trim_ratio, told.threshold) == (0.2, 0.8)
    assert "not calibrated" in told.remark and "0.5" not in told.remark


def test_learned_weights_come_from_the_bundle_only() -> None:
    with pytest.raises(ConfigError, match="needs a bundle with learned weights"):
        rule_in_use(OWN, VerdictSettings(reducer="learned"))
    own = Rule(reducer=LEARNED, calibration=PLATT, threshold=0.4)
    assert rule_in_use(own, VerdictSettings(reducer="learned")) == own


@pytest.mark.parametrize("rule", [OWN, Rule(reducer=LEARNED, threshold=0.3)])
def test_a_commit_record_keeps_the_rule(rule: Rule) -> None:
    facts = json.loads(json.dumps({"threshold": rule.threshold, "rule": rule_facts(rule)}))
    assert rule_of_facts(facts) == rule


def test_commits_of_before_have_the_plain_mean() -> None:
    assert rule_of_facts({"threshold": 0.6}) == Rule(threshold=0.6)
