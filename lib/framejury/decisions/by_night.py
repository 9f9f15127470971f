"""Verdicts against what people decided, by the nightly run that made them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from framejury.decisions.decided import Decided
from framejury.schemas.statuses import Decision, Verdict


@dataclass(frozen=True, slots=True)
class Night:
    """A nightly run, or a run of another job that made verdicts.

    Attributes:
        run_id: its last run, which names its report.
        judged_at: its last commit, with time zone.
        model_id: of its verdicts; None: not known.
    """

    run_id: str
    judged_at: datetime
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class NightOutcome:
    """The verdicts of a night that people decided on: how many were right, counts of videos.

    Attributes:
        agreed: called fake or real, and decided to be so.
        accused: called fake, decided to be real.
        missed: called real, decided to be fake.
        inconclusive: decided to be fake or real, where the verdict was neither.
    """

    night: Night
    agreed: int = 0
    accused: int = 0
    missed: int = 0
    inconclusive: int = 0

    @property
    def decided(self) -> int:
        return self.called + self.inconclusive

    @property
    def called(self) -> int:
        """Videos called fake or real."""
        return self.agreed + self.wrong

    @property
    def wrong(self) -> int:
        return self.accused + self.missed


def outcomes_by_night(
    current: Iterable[Decided], nights: Mapping[str, Night]
) -> tuple[NightOutcome, ...]:
    """Compare verdicts with decisions, night by night; the latest night is last.

    The verdict that counts is the one that the person saw, even if the video was judged again.

    Args:
        current: the current decision on each video; unclear ones do not count.
        nights: run -> its night. Decisions on verdicts of other runs do not count.
    """
    counts: dict[Night, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in current:
        night = nights.get(one.seen_run_id or "")
        if night is not None and one.decision in (Decision.FAKE, Decision.REAL):
            counts[night][_kind(one)] += 1
    ordered = sorted(counts, key=lambda night: (night.judged_at, night.run_id))
    return tuple(NightOutcome(night, **counts[night]) for night in ordered)


def _kind(one: Decided) -> str:
    if one.seen_verdict not in (Verdict.FAKE, Verdict.REAL):
        return "inconclusive"
    if one.seen_verdict == one.decision:
        return "agreed"
    return "accused" if one.decision == Decision.REAL else "missed"
