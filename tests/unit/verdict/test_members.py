"""What each member of an ensemble says, calculated by hand."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from framejury.verdict.calibration import Calibration
from framejury.verdict.judge import FaceScores, MemberVerdict
from framejury.verdict.members import (
    MemberRule,
    agreement,
    in_words,
    member_verdict,
    members_of_facts,
)
from framejury.verdict.rule import Reducer, Rule, rule_facts

FACES = FaceScores(
    score=[0.2, 0.4, 0.9, 0.9], frame_index=[0, 1, 0, 1], pts_s=[0, 1, 0, 1], person=[0, 0, 1, 1]
)


def test_a_member_judges_by_its_own_rule() -> None:
    plain = MemberRule("plain", Rule(threshold=0.6))
    assert member_verdict(plain, FACES) == MemberVerdict("plain", 0.6, fake=True)
    strict = MemberRule("strict", Rule(threshold=0.61))
    assert not member_verdict(strict, FACES).fake
    worst = MemberRule("worst", Rule(reducer=Reducer(name="worst_person"), threshold=0.95))
    assert member_verdict(worst, FACES) == MemberVerdict("worst", pytest.approx(0.9), fake=False)
    platt = Calibration(method="platt", slope=2.0, intercept=0.0)
    calibrated = MemberRule("c", Rule(calibration=platt, threshold=0.5))
    odds = (0.6 / 0.4) ** 2
    assert member_verdict(calibrated, FACES).score == pytest.approx(odds / (1 + odds))


def test_members_are_read_from_the_facts_of_a_commit() -> None:
    rule = Rule(reducer=Reducer(name="median"), threshold=0.3)
    facts = {"members": [{"model_id": "a", "rule": rule_facts(rule)}]}
    assert members_of_facts(facts) == (MemberRule("a", rule),)
    assert members_of_facts({}) == ()


@pytest.mark.parametrize(
    ("fakes", "words"),
    [
        ((True, True), "both say fake"),
        ((True, True, True), "all 3 say fake"),
        ((False, False), "none of them says fake"),
        ((True, False, False), "they disagree: 1 of 3 says fake"),
        ((True, True, False), "they disagree: 2 of 3 say fake"),
    ],
)
def test_agreement_in_words(fakes: tuple[bool, ...], words: str) -> None:
    rows = [asdict(MemberVerdict(f"m{n}", 0.25, fake)) for n, fake in enumerate(fakes)]
    assert agreement(rows) == words
    said = "fake" if fakes[0] else "not fake"
    assert in_words(rows)[0] == f"m0 0.250 {said}"


def test_names_are_short_where_that_tells_them_apart() -> None:
    def names(*ids: str) -> list[str]:
        rows = [{"model_id": one, "score": 0.25, "fake": False} for one in ids]
        return [text.split()[0] for text in in_words(rows)]

    assert names("meso-0123456789ab", "lite0-ba9876543210") == ["meso", "lite0"]
    both = ["lite0-0123456789ab", "lite0-ba9876543210"]
    assert names(*both) == both
