"""Verdicts against decisions by night, counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime

from framejury.decisions.by_night import Night, NightOutcome, outcomes_by_night
from framejury.decisions.decided import Decided
from framejury.schemas.statuses import Decision

FIRST = Night("run-2", datetime(2026, 3, 1, 2, tzinfo=UTC), "old")
SECOND = Night("run-3", datetime(2026, 3, 2, 2, tzinfo=UTC), "new")
NIGHTS = {"run-1": FIRST, "run-2": FIRST, "run-3": SECOND}


def decided(decision: Decision, seen: str | None, run: str | None) -> Decided:
    now = datetime(2026, 4, 1, tzinfo=UTC)
    return Decided(None, decision, "Ann", None, now, "command", seen, 0.5, "m", run)


def test_each_verdict_counts_for_its_own_night() -> None:
    current = [
        decided(Decision.REAL, "fake", "run-3"),
        decided(Decision.FAKE, "fake", "run-1"),
        decided(Decision.FAKE, "fake", "run-2"),
        decided(Decision.REAL, "real", "run-2"),
        decided(Decision.FAKE, "real", "run-2"),
        decided(Decision.REAL, "inconclusive", "run-3"),
    ]
    assert outcomes_by_night(current, NIGHTS) == (
        NightOutcome(FIRST, agreed=3, missed=1),
        NightOutcome(SECOND, accused=1, inconclusive=1),
    )


def test_sums() -> None:
    one = NightOutcome(FIRST, agreed=7, accused=2, missed=1, inconclusive=4)
    assert (one.decided, one.called, one.wrong) == (14, 10, 3)


def test_unclear_decisions_and_unknown_runs_do_not_count() -> None:
    current = [
        decided(Decision.UNCLEAR, "fake", "run-1"),
        decided(Decision.FAKE, "fake", "run-9"),
        decided(Decision.FAKE, None, None),
    ]
    assert outcomes_by_night(current, NIGHTS) == ()
