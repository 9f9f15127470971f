"""The face scores of one video become one verdict: the reference, in NumPy.

`tables.reduce` computes the same in Spark SQL, and a test compares the two. Scores are summed as
whole millionths, so the result does not depend on the order of the faces.

    face scores --aggregation--> one score --calibration--> p_fake --threshold--> verdict

The rule comes from the bundle (`verdict.rule`), the interval from `verdict.interval`. Calibration
never decreases, so the ends of the interval pass through it like the score.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framejury.schemas.statuses import Status, Verdict
from framejury.settings import VerdictSettings
from framejury.verdict.calibration import UNITS, calibrated, in_steps, sigmoid
from framejury.verdict.interval import UNKNOWN, Clusters, bootstrap_shifts, student_shift
from framejury.verdict.persons import for_company, interval_weights, track_scores
from framejury.verdict.ranked import TimedScores, kept_ranks, quantiles, ranked_shifts
from framejury.verdict.rule import Reducer, Rule
from framejury.verdict.stretches import Stretch, moments_of, stretches_of, suspicious_parts


@dataclass(frozen=True)
class MemberVerdict:
    """What one member of an ensemble says of a video (`verdict.members`).

    Attributes:
        score: by its own aggregation and calibration, 0 to 1.
        fake: whether that is at or above its own threshold.
    """

    model_id: str
    score: float
    fake: bool


@dataclass(frozen=True)
class Judgement:
    """The verdict on one video, with its figures. Fields as in the table `verdicts`."""

    status: Status
    verdict: Verdict
    p_fake: float | None = None
    p_fake_low: float | None = None
    p_fake_high: float | None = None
    faces_scored: int = 0
    frames_scored: int = 0
    persons: int = 0
    worst_person: int | None = None
    worst_person_score: float | None = None
    stretches: list[Stretch] | None = None
    members: list[MemberVerdict] | None = None


@dataclass(frozen=True, kw_only=True)
class FaceScores:
    """The scored faces of one video, in any order, n >= 1.

    Attributes:
        score: (n,) scores, 0 to 1.
        frame_index: (n,) the frame of each face.
        pts_s: (n,) the time of that frame, seconds from the first frame.
        person: (n,) the face track.
    """

    score: Sequence[float] | npt.NDArray[np.float32]
    frame_index: Sequence[int]
    pts_s: Sequence[float]
    person: Sequence[int]

    def __post_init__(self) -> None:
        lengths = {len(self.score), len(self.frame_index), len(self.pts_s), len(self.person)}
        if len(lengths) > 1:
            raise ValueError(f"columns of faces must have the same length, got {sorted(lengths)}")


def judge(faces: FaceScores, rule: Rule, settings: VerdictSettings) -> Judgement:
    """Return the verdict on a video whose faces were scored.

    Args:
        faces: of the video.
        rule: aggregation, calibration and threshold in use (`rule_in_use`).
        settings: minimum number of faces, kind and level of the interval.

    Raises:
        ValueError: no scores, or a score outside 0 to 1 (NaN included).
    """
    units = _units(faces.score)
    frames = len(set(faces.frame_index))
    by_person = track_scores(units, faces.person, rule.reducer)
    worst = max(by_person, key=lambda who: (by_person[who], -who))
    summed = _Summed(sorted(units), by_person[worst] / UNITS**2, len(units) / frames)
    shifts = _shifts(units, faces, worst, rule.reducer, settings)
    score, low, high = (
        float(calibrated(_reduce(summed, rule.reducer, shift), rule.calibration))
        for shift in (0.0, *shifts)
    )
    if shifts == UNKNOWN:
        low, high = 0.0, 1.0
    return Judgement(
        status=Status.SCORED,
        verdict=decide(
            score,
            low=low,
            high=high,
            faces=len(units),
            threshold=rule.threshold,
            settings=settings,
        ),
        p_fake=score,
        p_fake_low=low,
        p_fake_high=high,
        faces_scored=len(units),
        frames_scored=frames,
        persons=len(by_person),
        worst_person=worst,
        worst_person_score=summed.highest,
        stretches=stretches_of(moments_of(faces.person, faces.pts_s, units), face_threshold(rule)),
    )


def suspicious_parts_of(faces: FaceScores, rule: Rule) -> list[Stretch]:
    """Return the parts of a video whose faces are suspicious, by time, then track.

    They are the `stretches` of its verdict, and are returned even where all of the video is
    suspicious and the verdict lists none.

    Args:
        faces, rule: as for `judge`.
    """
    moments = moments_of(faces.person, faces.pts_s, _units(faces.score))
    return suspicious_parts(moments, face_threshold(rule))


def unscored(status: Status) -> Judgement:
    """Return the verdict on a video that could not be scored: inconclusive, without figures."""
    return Judgement(status=status, verdict=Verdict.INCONCLUSIVE)


def reduced(
    scores: Sequence[float] | npt.NDArray[np.float32],
    person: Sequence[int],
    reducer: Reducer,
    frames: int | None = None,
) -> float:
    """Return the score of one video, not calibrated, 0 to 1. Arguments and errors as in `judge`.

    `frames` is the number of frames that show the faces; None: each shows one.

    With u the n scores of the video, sorted where order matters:

    * mean: sum(u) / n; median: the middle score, or the mean of the two middle ones;
    * trimmed_mean: mean without the lowest and highest floor(trim_ratio * n);
    * top_share: mean of the highest ceil(top_ratio * n), at least one;
    * worst_person: the highest mean of a face track;
    * per_person: the highest face track, where each is drawn towards the video,
      corrected for the number of people (`verdict.persons`);
    * confidence_weighted: sum(w * u) / sum(w), w = |2u - 1| + 0.1 truncated to thousandths. A
      score near 0.5 counts least. Not monotone: a doubtful face that becomes a surer fake can
      pull the mean down towards itself;
    * learned: 1 / (1 + exp(-(intercept + sum(weights * quantiles of u)))), quantiles with linear
      interpolation, rounded to 1e-9.
    """
    units = _units(scores)
    highest = 0.0
    if reducer.one_track:
        highest = max(track_scores(units, person, reducer).values()) / UNITS**2
    crowd = 1.0 if frames is None else len(units) / frames
    return _reduce(_Summed(sorted(units), highest, crowd), reducer, 0.0)


def face_threshold(rule: Rule) -> float:
    """Return the lowest score at which a video of one such face is called fake, for single faces.

    Within 1/UNITS; just above 1 when no score is high enough.
    """
    if rule.calibration is None and rule.reducer.name != "learned":
        return rule.threshold

    def called(unit: int) -> bool:
        score = _reduce(_Summed([unit], unit / UNITS, 1.0), rule.reducer, 0.0)
        return bool(calibrated(score, rule.calibration) >= rule.threshold)

    return bisect_left(range(UNITS + 1), True, key=called) / UNITS


def quantiles_of(
    scores: Sequence[float] | npt.NDArray[np.float32], wanted: Sequence[float]
) -> list[float]:
    """Return quantiles of the scores, each 0 to 1: the input of the learned aggregation."""
    return quantiles(sorted(_units(scores)), wanted)


def decide(
    score: float,
    *,
    low: float,
    high: float,
    faces: int,
    threshold: float,
    settings: VerdictSettings,
) -> Verdict:
    """Return fake or real; inconclusive with too few faces or an interval across the threshold."""
    crosses = settings.confidence_level is not None and low < threshold <= high
    if crosses or faces < settings.min_faces:
        return Verdict.INCONCLUSIVE
    return Verdict.FAKE if score >= threshold else Verdict.REAL


@dataclass(frozen=True, slots=True)
class _Summed:
    """What an aggregation needs: sorted units, the highest track's score, faces per frame."""

    ordered: list[int]
    highest: float
    crowd: float


def _shifts(
    units: Sequence[int],
    faces: FaceScores,
    decides: int,
    reducer: Reducer,
    settings: VerdictSettings,
) -> tuple[float, float]:
    """Return the distance of the interval's ends from the score; UNKNOWN without an estimate.

    Args:
        units: (n,) scores in units of 1/UNITS.
        faces: of the video.
        decides: the face track with the highest score.
        reducer, settings: as in `judge`.
    """
    if settings.confidence_level is None:
        return 0.0, 0.0
    if settings.interval == "student":
        half = student_shift(
            settings.confidence_level,
            total_units=sum(units),
            square_units=sum(unit * unit for unit in units),
            faces=len(units),
            frames=len(set(faces.frame_index)),
        )
        return -half, half
    second = np.floor(np.asarray(faces.pts_s, np.float64)).astype(np.int64)
    scores = np.asarray(units, np.int64)
    if reducer.ordered:
        timed = TimedScores(scores, second, np.array([len(scores)]))
        low, high = ranked_shifts(timed, reducer, settings.confidence_level)[0].tolist()
        return low, high
    weights = _weights(units, faces.person, decides, reducer)
    judged = weights > 0
    clusters = Clusters(
        second=second[judged],
        total=(scores * weights)[judged],
        faces=weights[judged],
        lengths=np.array([int(judged.sum())]),
    )
    low, high = bootstrap_shifts(clusters, settings.confidence_level)[0].tolist()
    return low, high


def _weights(
    units: Sequence[int], person: Sequence[int], decides: int, reducer: Reducer
) -> npt.NDArray[np.int64]:
    """Return the weights (n,) with which the mean of all faces is the aggregated score."""
    if reducer.one_track:
        return interval_weights(person, decides, reducer)
    if reducer.name == "confidence_weighted":
        return np.array([confidence(unit) for unit in units], np.int64)
    return np.ones(len(units), np.int64)


def _reduce(summed: _Summed, reducer: Reducer, shift: float) -> float:
    """Return one score, as if every face had `shift` more; within 0 to 1."""
    if reducer.name == "learned":
        z = reducer.intercept or 0.0
        for weight, value in zip(
            reducer.weights, quantiles(summed.ordered, reducer.quantiles), strict=True
        ):
            z = z + weight * value
        return float(in_steps(sigmoid(z + shift * math.fsum(reducer.weights))))
    score = min(max(_plain(summed, reducer) + shift, 0.0), 1.0)
    return for_company(score, summed.crowd, reducer) if reducer.per_person else score


def _plain(summed: _Summed, reducer: Reducer) -> float:
    if reducer.one_track:
        return summed.highest
    ordered = summed.ordered
    if reducer.name == "confidence_weighted":
        weights = [confidence(unit) for unit in ordered]
        weighed = sum(w * unit for w, unit in zip(weights, ordered, strict=True))
        return float(weighed) / float(UNITS * sum(weights))
    first, end = kept_ranks(len(ordered), reducer)
    return _mean(ordered[first:end])


def confidence(unit: int) -> int:
    """Return the weight of a score in thousandths, 100 to 1100: its distance from 0.5."""
    return abs(2 * unit - UNITS) // 1000 + 100


def _mean(units: Sequence[int]) -> float:
    """Divide once, so that equal scores have exactly that mean: the mean of three 0.1 is 0.1."""
    return sum(units) / (UNITS * len(units))


def _units(scores: Sequence[float] | npt.NDArray[np.float32]) -> list[int]:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.size == 0:
        raise ValueError("no scores: a video without scored faces has no verdict by score")
    if not np.all((scores >= 0) & (scores <= 1)):
        raise ValueError(f"scores must lie in 0 to 1, got {scores.min()} to {scores.max()}")
    return [int(u) for u in np.floor(scores * UNITS + 0.5)]
