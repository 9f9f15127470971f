"""Fit of a verdict rule on labelled videos: aggregation, calibration, threshold.

Candidates are compared by cross-fitted scores: folds of whole groups, each aggregated and
calibrated by fits on the others. The fits themselves are in `evaluation.estimators`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from framejury.errors import CalibrationError
from framejury.evaluation.crossfit import (
    FitSample,
    MethodOrNone,
    ScoredVideo,
    cross_fitted,
    reduce_by_fold,
    reduced_scores,
    sample_of,
)
from framejury.evaluation.estimators import (
    RealLimit,
    balanced_weights,
    fit_calibration,
    log_losses,
    real_limit,
)
from framejury.evaluation.false_alarms import alarms_by_source, expected_alarms
from framejury.evaluation.reliability import calibration_error
from framejury.verdict.calibration import STEPS, Calibration, Floats, calibrated, in_steps
from framejury.verdict.rule import (
    COMPANY_SHIFT,
    SHRINK_FACES,
    Reducer,
    Rule,
    RuleFit,
    ThresholdSource,
)

TARGET_FPR = 0.05
MIN_VIDEOS = 10
"""Of each class. Fewer cannot calibrate a score."""
MIN_GROUPS = 5
"""Of each class, as for the report's intervals."""
SMALL_SAMPLE_MARGIN = 0.05
"""Margin above the highest real video, on the calibrated scale, when there are too few real groups
for an order statistic (fewer than 19 for 5%)."""

_LEAST_GAIN = 1e-6
"""Of one person, per_person is the mean up to rounding; that is no gain."""

METHODS: tuple[MethodOrNone, ...] = ("platt", "isotonic", "none")
"""`none` leaves scores unchanged; it is for comparison and never chosen."""
FIXED_REDUCERS = (
    Reducer(name="per_person", shrink_faces=SHRINK_FACES, company_shift=COMPANY_SHIFT),
    Reducer(name="mean"),
    Reducer(name="median"),
    Reducer(name="trimmed_mean", trim_ratio=0.1),
    Reducer(name="top_share", top_ratio=0.25),
    Reducer(name="worst_person"),
    Reducer(name="confidence_weighted"),
)
"""Candidates besides the learned aggregation; the first is the baseline."""


@dataclass(frozen=True, slots=True)
class RuleCandidate:
    """One aggregation with one calibration.

    Figures are cross-fitted. Both classes have equal weight, and so have the groups of a class.

    Attributes:
        rule: fitted on all videos, with its threshold.
        method: of calibration; none: uncalibrated, for comparison only.
        auc: area under the ROC curve, 0 to 1; ties count half.
        log_loss: natural logarithm; ln 2 is chance.
        ece: expected calibration error, 0 to 1.
        fpr, tpr: share of reals and of fakes at or above the threshold, 0 to 1.
        gain, gain_error: log loss of its rival less its own, and the standard error of the
            difference over groups. The rival of platt is the baseline; that of another method is
            platt with the same aggregation.
        placed: float64 (v,), scores of all videos that the threshold was chosen on.
        threshold_from: as in `verdict.rule.RuleFit`.
    """

    rule: Rule
    method: MethodOrNone
    auc: float
    log_loss: float
    ece: float
    fpr: float
    tpr: float
    gain: float
    gain_error: float
    placed: Floats
    threshold_from: ThresholdSource


@dataclass(frozen=True, slots=True)
class FittedRule:
    """Result of `fit_rule`: the chosen candidate, the data behind it, and all candidates."""

    chosen: RuleCandidate
    fit: RuleFit
    candidates: tuple[RuleCandidate, ...]

    @property
    def rule(self) -> Rule:
        return self.chosen.rule


def fit_rule(
    videos: Sequence[ScoredVideo],
    *,
    target_fpr: float = TARGET_FPR,
    min_faces: int = 3,
    data: str = "labelled videos",
    reducers: Sequence[Reducer] = FIXED_REDUCERS,
    learned: bool = True,
    threshold: float | None = None,
) -> FittedRule:
    """Choose aggregation and calibration by cross-fitted log loss, and the threshold.

    The first aggregation with Platt's calibration is the baseline: per person, because a video is
    fake if one person in it is, and labelled archives have few such videos. Another aggregation
    with Platt's calibration replaces it only if its log loss is lower by more than one standard
    error of the difference, paired by group; the lowest log loss wins, to three digits, then the
    best AUC. Isotonic calibration must pass the same test against Platt's. Without the margin, the
    winner of a dozen candidates on few groups would mostly be chosen by chance.

    The threshold is the lowest `p_fake` that at most `target_fpr` of new real videos exceed
    (`evaluation.estimators.real_limit`, where each group counts once), or SMALL_SAMPLE_MARGIN above
    the highest real video when there are too few groups. A fixed aggregation has no fit (per
    person, only the correction for several people), so its scores under the final calibration
    are representative of new videos; for the learned one, cross-fitted scores are used.

    Args:
        videos: labelled, none of them held out for testing.
        target_fpr: share of real videos that may be called fake, above 0 to below 1.
        min_faces: videos with fewer faces are left out.
        data: description of the videos, for the bundle.
        reducers: fixed candidates; the first is the baseline.
        learned: adds the learned aggregation as the last candidate.
        threshold: fixed threshold; None chooses one.

    Raises:
        CalibrationError: a class has too few videos or groups.
        ValueError: `target_fpr` is out of range, or there is no candidate.
    """
    if not 0 < target_fpr < 1:
        raise ValueError(f"target_fpr must be above 0 and below 1, got {target_fpr}")
    if not (reducers or learned):
        raise ValueError("there is no aggregation to choose from")
    enough = [video for video in videos if len(video.score) >= min_faces]
    _check_enough(enough, len(videos), min_faces)
    sample = sample_of(enough)
    wanted = (*reducers, *([None] if learned else []))
    # On problems this small, BLAS threads mostly wait for each other: ten times slower.
    with threadpool_limits(1):
        candidates = _candidates(sample, wanted, target_fpr, threshold)
    chosen = choose(candidates)
    record = _fit_record(sample, chosen, target_fpr, min_faces, data)
    return FittedRule(chosen, record, tuple(candidates))


def _candidates(
    sample: FitSample,
    reducers: Sequence[Reducer | None],
    target_fpr: float,
    given: float | None,
) -> list[RuleCandidate]:
    """Return one candidate per aggregation and method; None is the learned aggregation."""
    candidates: list[RuleCandidate] = []
    baseline: Floats | None = None
    for reducer in reducers:
        final, folds = reduce_by_fold(sample, reducer)
        platt = cross_fitted(sample, folds, "platt")
        baseline = platt if baseline is None else baseline
        for method in METHODS:
            scores = platt if method == "platt" else cross_fitted(sample, folds, method)
            calibration = _calibration(sample, final, method)
            placed = scores
            if reducer is not None:
                placed = calibrated(reduced_scores(sample, final), calibration)
            limit = _limit(sample, placed, target_fpr, given)
            candidates.append(
                _judged(
                    sample,
                    Rule(reducer=final, calibration=calibration, threshold=limit.score),
                    scores=scores,
                    rival=baseline if method == "platt" else platt,
                    placed=placed,
                    threshold_from=limit.source,
                )
            )
    return candidates


def choose(candidates: Sequence[RuleCandidate]) -> RuleCandidate:
    """Choose by the procedure of `fit_rule`; candidates are by aggregation, platt first."""
    platts = [c for c in candidates if c.method == "platt"]
    better = [c for c in platts if c.gain > max(c.gain_error, _LEAST_GAIN)]
    chosen = min(better, key=lambda c: (round(c.log_loss, 3), -c.auc), default=platts[0])
    isotonic = next(
        c for c in candidates if c.method == "isotonic" and c.rule.reducer == chosen.rule.reducer
    )
    return isotonic if isotonic.gain > max(isotonic.gain_error, _LEAST_GAIN) else chosen


def candidate_table(fitted: FittedRule) -> str:
    """Format all candidates as text, one per line, with the chosen one marked."""
    fit = fitted.fit
    head = (
        f"{'':2}{'aggregation':<20} {'method':<8} {'AUC':>6} {'log loss':>9} {'ECE':>6} "
        f"{'threshold':>9} {'FPR':>6} {'TPR':>6}   gain in log loss"
    )
    lines = [
        f"{fit.data}: {fit.real_videos} real videos in {fit.real_groups} groups, "
        f"{fit.fake_videos} fake in {fit.fake_groups}; cross-fitted over {fit.groups} groups",
        head,
    ]
    for c in fitted.candidates:
        mark = "* " if c is fitted.chosen else "  "
        lines.append(
            f"{mark}{c.rule.reducer.name:<20} {c.method:<8} {c.auc:>6.3f} {c.log_loss:>9.4f} "
            f"{c.ece:>6.3f} {c.rule.threshold:>9.4f} {c.fpr:>6.1%} {c.tpr:>6.1%}   "
            f"{c.gain:+.4f} +- {c.gain_error:.4f}"
        )
    lines += [line for line in (fit.sampled_in_words, fit.expected) if line is not None]
    lines += [
        f"  {name}: {alarms.in_words}, {alarms.groups} real groups"
        for name, alarms in fit.alarms_by_source.items()
    ]
    return "\n".join(lines)


def _check_enough(enough: Sequence[ScoredVideo], given: int, min_faces: int) -> None:
    for label, name in ((0, "real"), (1, "fake")):
        groups = [video.group for video in enough if video.label == label]
        if len(groups) < MIN_VIDEOS or len(set(groups)) < MIN_GROUPS:
            raise CalibrationError(
                f"a verdict rule needs {MIN_VIDEOS} videos in {MIN_GROUPS} groups of each class, "
                f"with at least {min_faces} faces each; {name} videos: {len(groups)}, their "
                f"groups: {len(set(groups))} (of {given} videos in all)"
            )


def _calibration(sample: FitSample, reducer: Reducer, method: MethodOrNone) -> Calibration | None:
    """Fit the calibration on all videos."""
    if method == "none":
        return None
    scores = reduced_scores(sample, reducer)
    return fit_calibration(scores, sample.labels, method, sample.groups)


def _limit(sample: FitSample, placed: Floats, target_fpr: float, given: float | None) -> RealLimit:
    """Return the threshold, on the scale of the scores `placed` (v,)."""
    if given is not None:
        return RealLimit(given, "given")
    reals = sample.judged & (sample.labels == 0)
    found = real_limit(placed[reals], target_fpr, sample.groups[reals])
    margin = SMALL_SAMPLE_MARGIN if found.source == "maximum" else 1 / STEPS
    above = float(in_steps(np.asarray(found.score + margin)))
    return RealLimit(min(above, 1.0), found.source)


def _judged(
    sample: FitSample,
    rule: Rule,
    *,
    scores: Floats,
    rival: Floats,
    placed: Floats,
    threshold_from: ThresholdSource,
) -> RuleCandidate:
    """Compute the figures of cross-fitted `scores` (v,) over the videos that a fold judges.

    `rival` (v,): scores of the candidate to beat; `placed` (v,): scores to compare with the
    threshold.
    """
    kept = sample.judged
    labels, scores, called = sample.labels[kept], scores[kept], placed[kept] >= rule.threshold
    weights, losses = balanced_weights(labels, sample.groups[kept]), log_losses(labels, scores)
    saved = weights * (log_losses(labels, rival[kept]) - losses)
    _, group = np.unique(sample.groups[kept], return_inverse=True)
    by_group = np.bincount(group, saved)
    fpr, tpr = (2 * float(weights[called & (labels == label)].sum()) for label in (0, 1))
    return RuleCandidate(
        rule=rule,
        method=rule.calibration.method if rule.calibration else "none",
        auc=float(roc_auc_score(labels, scores, sample_weight=weights)),
        log_loss=float(weights @ losses),
        ece=calibration_error(labels, scores, weights),
        fpr=fpr,
        tpr=tpr,
        gain=float(by_group.sum()),
        gain_error=float(np.std(by_group, ddof=1) * math.sqrt(len(by_group))),
        placed=placed,
        threshold_from=threshold_from,
    )


def _fit_record(
    sample: FitSample, chosen: RuleCandidate, target_fpr: float, min_faces: int, data: str
) -> RuleFit:
    reals, fakes = sample.groups[sample.labels == 0], sample.groups[sample.labels == 1]
    known = sample.judged & (sample.labels == 0)
    scores, groups = chosen.placed[known], sample.groups[known]
    limit = RealLimit(chosen.rule.threshold, chosen.threshold_from)
    sources = [sample.videos[at].source for at in np.flatnonzero(known).tolist()]
    sampled = [len(video.score) for video in sample.videos if video.sampled]
    return RuleFit(
        data=data,
        target_fpr=target_fpr,
        threshold_from=chosen.threshold_from,
        fpr=chosen.fpr,
        tpr=chosen.tpr,
        real_videos=len(reals),
        fake_videos=len(fakes),
        real_groups=len(np.unique(reals)),
        fake_groups=len(np.unique(fakes)),
        groups=len(np.unique(sample.groups)),
        min_faces=min_faces,
        sampled_videos=len(sampled),
        sampled_faces=(min(sampled), max(sampled)) if sampled else None,
        alarms=expected_alarms(scores, groups, limit),
        alarms_by_source=alarms_by_source(scores, groups, sources, limit.score),
    )
