"""Outcomes as people count them: videos without a score apart from inconclusive ones."""

from __future__ import annotations

from collections.abc import Mapping

from framejury.schemas.statuses import Status, Verdict

NOT_SCORED = Status.NOT_SCORED.value
OUTCOMES = (*(one.value for one in Verdict), NOT_SCORED)

FEW_VIDEOS = 10
"""With fewer videos of a class, even a perfect score says little: the 95% Wilson interval of 9 of 9
correct calls begins at 70%."""


def outcome_counts(statuses: Mapping[str, int], verdicts: Mapping[str, int]) -> dict[str, int]:
    """Return videos by outcome: each `Verdict`, then `NOT_SCORED`.

    The verdict on a video without a score is inconclusive, too; here it counts only once.

    Args:
        statuses, verdicts: the same videos by `Status` and by `Verdict`.
    """
    fake, real = (verdicts.get(one.value, 0) for one in (Verdict.FAKE, Verdict.REAL))
    scored = statuses.get(Status.SCORED.value, 0)
    # A video that is fake by its sound may have no scored face.
    failed = sum(statuses.values()) - max(scored, fake + real)
    unsure = max(scored - fake - real, 0)
    return {
        Verdict.FAKE.value: fake,
        Verdict.REAL.value: real,
        Verdict.INCONCLUSIVE.value: unsure,
        NOT_SCORED: failed,
    }
