"""Cross-fitting: each video is scored by fits on other groups than its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from framejury.errors import CalibrationError
from framejury.evaluation.binary import Integers
from framejury.evaluation.estimators import (
    LEARNED_QUANTILES,
    Weighed,
    by_group,
    company_shift,
    fit_calibration,
    fit_learned,
)
from framejury.verdict.calibration import Floats, calibrated
from framejury.verdict.judge import quantiles_of, reduced
from framejury.verdict.rule import Reducer

MethodOrNone = Literal["none", "platt", "isotonic"]
FOLDS = 10
PARTNERS = 4
"""Real videos that each real video is paired with, to see what company does to scores."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredVideo:
    """A labelled video with its face scores.

    Attributes:
        score: float32 (n,), 0 to 1, one per face, in any order.
        person: (n,) face track of each.
        label: 1 is FAKE, 0 is REAL.
        group: a fold never fits on some videos of a group and judges others of it.
        frames: number of frames that show these faces; None: each shows one.
        source: the data set it comes from; empty: not known.
        sampled: only a few sampled faces of it were stored, fewer than verdicts come from.
    """

    score: npt.NDArray[np.float32]
    person: Sequence[int]
    label: int
    group: str
    frames: int | None = None
    source: str = ""
    sampled: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FitSample:
    """The videos as columns (v,).

    Attributes:
        folds: pairs of indices: fitted on, judged.
        judged: bool (v,), videos that some fold judges; folds that lack a class to fit on are
            left out.
    """

    videos: Sequence[ScoredVideo]
    labels: Integers
    groups: npt.NDArray[np.str_]
    folds: tuple[tuple[Integers, Integers], ...]
    judged: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Indices fitted on and judged, and the aggregated scores (v,) of all videos by that fit."""

    fitted_on: Integers
    judges: Integers
    scores: Floats


def sample_of(videos: Sequence[ScoredVideo]) -> FitSample:
    """Divide the videos into folds of whole groups.

    Raises:
        CalibrationError: the folds that have both classes to fit on judge one class only.
    """
    labels = np.array([video.label for video in videos], np.int64)
    groups = np.array([video.group for video in videos])
    splitter = GroupKFold(n_splits=min(FOLDS, len(np.unique(groups))))
    folds = tuple(
        (train, test)
        for train, test in splitter.split(labels, labels, groups)
        if len(np.unique(labels[train])) == 2
    )
    judged = np.zeros(len(videos), np.bool_)
    for _, test in folds:
        judged[test] = True
    if len(np.unique(labels[judged])) < 2:
        raise CalibrationError(
            "nearly all videos of a class belong to one group, so no rule can be fitted on some "
            "groups and judged on others; add videos of other groups"
        )
    return FitSample(videos, labels, groups, folds, judged)


def reduce_by_fold(sample: FitSample, reducer: Reducer | None) -> tuple[Reducer, list[Fold]]:
    """Return the aggregation fitted on all videos (None: the learned one), and each fold."""
    if reducer is None:
        features = np.array([quantiles_of(v.score, LEARNED_QUANTILES) for v in sample.videos])
        fit = partial(_learned, sample, features)
    elif reducer.per_person:
        fit = partial(_with_company, sample, reducer, _alone_and_in_pairs(sample, reducer))
    else:
        scores = reduced_scores(sample, reducer)
        return reducer, [Fold(train, test, scores) for train, test in sample.folds]
    folds = [Fold(train, test, reduced_scores(sample, fit(train))) for train, test in sample.folds]
    return fit(np.arange(len(sample.labels))), folds


def _learned(sample: FitSample, features: Floats, on: Integers) -> Reducer:
    return fit_learned(features[on], sample.labels[on], sample.groups[on])


@dataclass(frozen=True, slots=True, eq=False)
class _Reals:
    """Real videos as if each showed one person, and two of them as one video of two people.

    Attributes:
        alone: float64 (r,), scores.
        at: (r,), their places in the sample.
        paired: float64 (p,), scores of pairs, not corrected for company.
        first, second: (p,), places of both.
    """

    alone: Floats
    at: Integers
    paired: Floats
    first: Integers
    second: Integers


def _alone_and_in_pairs(sample: FitSample, reducer: Reducer) -> _Reals:
    """Score the real videos, and each of them together with `PARTNERS` of other groups."""
    plain = replace(reducer, company_shift=0.0)
    at = np.random.default_rng(0).permutation(np.flatnonzero(sample.labels == 0))
    first = np.tile(at, PARTNERS)
    second = np.concatenate([np.roll(at, step) for step in range(1, PARTNERS + 1)])
    apart = sample.groups[first] != sample.groups[second]
    first, second = first[apart], second[apart]

    def score(*places: int) -> float:
        faces = [sample.videos[place].score for place in places]
        person = np.repeat(range(len(faces)), [len(one) for one in faces]).tolist()
        return reduced(np.concatenate(faces), person, plain)

    return _Reals(
        alone=np.array([score(one) for one in at.tolist()]),
        at=at,
        paired=np.array(
            [score(*both) for both in zip(first.tolist(), second.tolist(), strict=True)]
        ),
        first=first,
        second=second,
    )


def _with_company(sample: FitSample, reducer: Reducer, reals: _Reals, on: Integers) -> Reducer:
    """Return the aggregation corrected for company as the real videos among `on` need it."""
    weights = np.zeros(len(sample.labels))
    own = on[sample.labels[on] == 0]
    weights[own] = by_group(sample.groups[own])
    both = weights[reals.first] * weights[reals.second]
    if not both.any():
        return reducer
    found = company_shift(Weighed(reals.alone, weights[reals.at]), Weighed(reals.paired, both))
    return replace(reducer, company_shift=found)


def reduced_scores(sample: FitSample, reducer: Reducer) -> Floats:
    """Return the aggregated score of each video, float64 (v,)."""
    return np.array([reduced(v.score, v.person, reducer, v.frames) for v in sample.videos])


def cross_fitted(sample: FitSample, folds: Sequence[Fold], method: MethodOrNone) -> Floats:
    """Return each video's score by the fit without its group, (v,); NaN where not judged."""
    scores = np.full(len(sample.labels), np.nan)
    for fold in folds:
        raw, on = fold.scores, fold.fitted_on
        fitted = None
        if method != "none":
            fitted = fit_calibration(raw[on], sample.labels[on], method, sample.groups[on])
        scores[fold.judges] = calibrated(raw[fold.judges], fitted)
    return scores
