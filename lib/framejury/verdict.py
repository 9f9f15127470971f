"""From the face scores of one video to one verdict: the reference, in NumPy.

`tables.reduce` computes the same in Spark SQL; a test holds them together. Scores are
summed as whole millionths, so the result does not depend on the order of the faces.

The interval is Student's, `p ± t(level, frames - 1) * s / sqrt(frames)`, with `s` the
standard deviation of the face scores. Frames count, not faces: two faces of one frame
share its light and compression and are no independent witnesses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from framejury.schemas import Status, Verdict
from framejury.settings import VerdictSettings

UNITS = 1_000_000
"""Scores are whole numbers of 1/UNITS while they are summed."""


@dataclass(frozen=True)
class Judgement:
    """What framejury says of one video. Fields as in the table `verdicts`."""

    status: Status
    verdict: Verdict
    p_fake: float | None = None
    p_fake_low: float | None = None
    p_fake_high: float | None = None
    faces_scored: int = 0
    frames_scored: int = 0
    persons: int = 0
    worst_person: int | None = None
    worst_person_p_fake: float | None = None


def judge(
    p_fake: Sequence[float] | npt.NDArray[np.float32],
    frame_index: Sequence[int],
    person: Sequence[int],
    settings: VerdictSettings,
    threshold: float,
) -> Judgement:
    """The verdict on a video whose faces were scored.

    Args:
        p_fake: (n,) scores of its faces, 0 to 1, n >= 1.
        frame_index: (n,) the frame of each face.
        person: (n,) the person of each face.
        settings: reducer, least number of faces, level of the interval.
        threshold: `p_fake` from here on means fake.

    Raises:
        ValueError: no scores, or a score outside 0 to 1 (NaN included).
    """
    units = _units(p_fake)
    count = len(units)
    frames = len(set(frame_index))
    units_of: dict[int, list[int]] = {}
    for unit, who in zip(units, person, strict=True):
        units_of.setdefault(who, []).append(unit)
    by_person = {who: sum(theirs) * UNITS // len(theirs) for who, theirs in units_of.items()}
    worst = max(by_person, key=lambda who: (by_person[who], -who))
    worst_mean = by_person[worst] / UNITS**2
    score = _reduce(sorted(units), worst_mean, settings)
    total, squares = sum(units), sum(u * u for u in units)
    low, high = interval(
        score,
        total_units=total,
        square_units=squares,
        faces=count,
        frames=frames,
        settings=settings,
    )
    return Judgement(
        status=Status.SCORED,
        verdict=decide(
            score, low=low, high=high, faces=count, threshold=threshold, settings=settings
        ),
        p_fake=score,
        p_fake_low=low,
        p_fake_high=high,
        faces_scored=count,
        frames_scored=frames,
        persons=len(by_person),
        worst_person=worst,
        worst_person_p_fake=worst_mean,
    )


def unscored(status: Status) -> Judgement:
    """The verdict on a video that could not be scored: inconclusive, with no number."""
    return Judgement(status=status, verdict=Verdict.INCONCLUSIVE)


def interval(
    score: float,
    *,
    total_units: int,
    square_units: int,
    faces: int,
    frames: int,
    settings: VerdictSettings,
) -> tuple[float, float]:
    """Lower and upper end of the interval around `score`, within 0 to 1.

    One frame says nothing about spread, so its interval is all of 0 to 1; a level of
    None asks for no interval, and both ends are the score.
    """
    if settings.confidence_level is None:
        return score, score
    if frames < 2:
        return 0.0, 1.0
    variance = max(square_units - total_units * total_units / faces, 0.0) / (faces - 1) / UNITS**2
    half = student_t(settings.confidence_level, frames - 1) * math.sqrt(variance / frames)
    return max(score - half, 0.0), min(score + half, 1.0)


def student_t(level: float, freedom: int) -> float:
    """Two-sided quantile of Student's t, by Fisher and Cornish's expansion in 1/freedom.

    Exact for 1 and 2 degrees of freedom, where it has a closed form; at 95 % within 0.2 %
    for 3 and 0.04 % from 4 on; at 99.9 % short by 4 % for 3 and by 0.5 % for 5.
    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    p = (1 + level) / 2
    if freedom == 1:
        return math.tan(math.pi * (p - 0.5))
    if freedom == 2:
        alpha = 4 * p * (1 - p)
        return 2 * (p - 0.5) * math.sqrt(2 / alpha)
    z = NormalDist().inv_cdf(p)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3 + g4 / freedom**4


def decide(
    score: float,
    *,
    low: float,
    high: float,
    faces: int,
    threshold: float,
    settings: VerdictSettings,
) -> Verdict:
    """fake or real; inconclusive with too few faces or an interval across the threshold."""
    crosses = settings.confidence_level is not None and low < threshold <= high
    if crosses or faces < settings.min_faces:
        return Verdict.INCONCLUSIVE
    return Verdict.FAKE if score >= threshold else Verdict.REAL


def share_count(faces: int, ratio: float) -> int:
    """How many of `faces` make up `ratio` of them: rounded up, at least one."""
    return max(1, math.ceil(faces * ratio - 1e-9))


def trim_count(faces: int, ratio: float) -> int:
    """How many of `faces` one trimmed tail holds: rounded down."""
    return math.floor(faces * ratio + 1e-9)


def _reduce(ordered: list[int], worst_mean: float, settings: VerdictSettings) -> float:
    """One score from sorted units, by the reducer of the settings."""
    count = len(ordered)
    if settings.reducer == "mean":
        chosen = ordered
    elif settings.reducer == "median":
        chosen = ordered[(count - 1) // 2 : count // 2 + 1]
    elif settings.reducer == "trimmed_mean":
        cut = trim_count(count, settings.trim_ratio)
        chosen = ordered[cut : count - cut]
    elif settings.reducer == "top_share":
        chosen = ordered[count - share_count(count, settings.top_ratio) :]
    else:
        return worst_mean
    return _mean(chosen)


def _mean(units: Sequence[int]) -> float:
    """Divided once, so that equal scores have just that mean: 0.1 thrice is 0.1."""
    return sum(units) / (UNITS * len(units))


def _units(p_fake: Sequence[float] | npt.NDArray[np.float32]) -> list[int]:
    scores = np.asarray(p_fake, dtype=np.float64)
    if scores.size == 0:
        raise ValueError("no scores: a video without scored faces has no judgement by score")
    if not np.all((scores >= 0) & (scores <= 1)):
        raise ValueError(f"scores must lie in 0 to 1, got {scores.min()} to {scores.max()}")
    return [int(u) for u in np.floor(scores * UNITS + 0.5)]
