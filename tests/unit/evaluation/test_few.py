"""The one rule on too few videos."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from framejury.evaluation.few import FEW_VIDEOS, few_videos


@pytest.mark.parametrize(
    ("reals", "fakes", "said"),
    [
        (1, 1, "figures of 1 real video and 1 fake say little"),
        (FEW_VIDEOS - 1, 400, "figures of 9 real videos and 400 fakes say little"),
        (400, FEW_VIDEOS - 1, "figures of 400 real videos and 9 fakes say little"),
        (FEW_VIDEOS, FEW_VIDEOS, None),
    ],
)
def test_each_class_needs_enough(reals: int, fakes: int, said: str | None) -> None:
    found = few_videos(reals, fakes)
    assert found is None if said is None else found is not None and said in found


def test_the_reason_given_for_the_rule_holds() -> None:
    perfect = binomtest(FEW_VIDEOS - 1, FEW_VIDEOS - 1)
    assert perfect.proportion_ci(0.95, "wilson").low == pytest.approx(0.7, abs=0.01)
