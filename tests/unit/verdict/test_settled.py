"""Whether a further round of frames is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from framejury.schemas.statuses import Verdict
from framejury.settings import VerdictSettings
from framejury.verdict.judge import FaceScores, judge
from framejury.verdict.rule import Rule
from framejury.verdict.settled import is_settled


def faces(scores: Sequence[float]) -> FaceScores:
    """One face per second."""
    count = range(len(scores))
    return FaceScores(
        score=scores,
        frame_index=list(count),
        pts_s=[float(at) for at in count],
        person=[0] * len(scores),
    )


@pytest.mark.parametrize(
    ("scores", "settings", "settled"),
    [
        ([0.1] * 5, {}, True),
        ([0.9] * 5, {}, True),
        ([0.1, 0.9, 0.2, 0.8, 0.6], {}, False),  # the interval crosses 0.5
        ([0.1, 0.9, 0.2, 0.8, 0.6], {"confidence_level": None}, True),
        ([0.9] * 2, {}, False),  # fewer than min_faces
        ([0.9] * 2, {"min_faces": 1}, True),
        ([0.9] * 5, {"min_faces": 6}, False),
        ([0.9] * 1, {"min_faces": 1}, False),  # one second has no spread
    ],
)
def test_settled_is_what_is_not_inconclusive(
    scores: list[float], settings: dict[str, Any], settled: bool
) -> None:
    chosen = VerdictSettings(**settings)
    assert is_settled(faces(scores), Rule(), chosen, rounds=1) is settled
    verdict = judge(faces(scores), Rule(), chosen).verdict
    assert settled is (verdict is not Verdict.INCONCLUSIVE)


def test_the_threshold_of_the_rule_decides() -> None:
    scores = faces([0.55, 0.6, 0.65, 0.6, 0.58, 0.62])
    settings = VerdictSettings()
    assert is_settled(scores, Rule(threshold=0.5), settings, rounds=1)
    assert not is_settled(scores, Rule(threshold=0.6), settings, rounds=1)


def test_without_a_face_two_rounds_are_enough() -> None:
    nobody, settings = faces([]), VerdictSettings()
    assert not is_settled(nobody, Rule(), settings, rounds=1)
    assert is_settled(nobody, Rule(), settings, rounds=2)
