"""Which of picture and sound decides, by cases worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from framejury.schemas.statuses import Verdict
from framejury.verdict.with_sound import SOUND_COLUMNS, joined, sureness

FAKE, REAL, OPEN = Verdict.FAKE, Verdict.REAL, Verdict.INCONCLUSIVE


def sound(p_fake: float | None, threshold: float = 0.6, outcome: str = "scored") -> dict[str, Any]:
    return {"outcome": outcome, "p_fake": p_fake, "threshold": threshold, "model_id": "sound-1"}


@pytest.mark.parametrize(
    ("verdict", "p_fake", "heard", "expected", "by"),
    [
        (REAL, 0.1, sound(0.9), FAKE, "sound"),
        (REAL, 0.1, sound(0.59), REAL, "picture"),
        (REAL, 0.1, sound(0.6), FAKE, "sound"),  # at the threshold
        (OPEN, 0.5, sound(0.9), FAKE, "sound"),
        (OPEN, None, sound(0.9), FAKE, "sound"),  # no face
        (OPEN, 0.5, sound(0.1), OPEN, None),  # a real sound makes no picture real
        (OPEN, None, sound(0.1), OPEN, None),
        (FAKE, 0.9, sound(0.1), FAKE, "picture"),
        # Both fake: 0.5 and above, and 0.6 and above, so 0.75 and 0.8 are both half way to 1.
        (FAKE, 0.75, sound(0.79), FAKE, "picture"),
        (FAKE, 0.75, sound(0.75, threshold=0.5), FAKE, "picture"),  # ties
        (FAKE, 0.75, sound(0.81), FAKE, "sound"),
        (REAL, 0.1, sound(None, outcome="no_sound"), REAL, "picture"),
        (OPEN, 0.5, sound(None, outcome="silent"), OPEN, None),
    ],
)
def test_the_surer_fake_decides(
    verdict: Verdict, p_fake: float | None, heard: dict[str, Any], expected: Verdict, by: str | None
) -> None:
    found, columns = joined(verdict, p_fake, 0.5, heard)
    assert (found, columns["decided_by"]) == (expected, by)
    assert (columns["sound"], columns["sound_p_fake"]) == (heard["outcome"], heard["p_fake"])
    assert columns["sound_threshold"] == (None if heard["p_fake"] is None else heard["threshold"])
    assert columns["sound_model_id"] == "sound-1"
    assert tuple(columns) == SOUND_COLUMNS


@pytest.mark.parametrize("verdict", Verdict)
def test_without_sound_nothing_changes(verdict: Verdict) -> None:
    found, columns = joined(verdict, 0.7, 0.5, None)
    assert found is verdict and set(columns.values()) == {None}


def test_sureness() -> None:
    assert sureness(0.6, 0.6) == 0
    assert (sureness(1.0, 0.6), sureness(0.8, 0.6)) == pytest.approx((1, 0.5))
    assert sureness(0.5, 0.6) < 0
    assert (sureness(1.0, 1.0), sureness(0.999, 1.0)) == (0.0, -1.0)
