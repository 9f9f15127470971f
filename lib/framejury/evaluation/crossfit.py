"""Scores of videos by what was fitted on other groups than theirs (cross-fitting)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from framejury.errors import CalibrationError
from framejury.evaluation.estimators import (
    LEARNED_QUANTILES,
    Integers,
    fit_calibration,
    fit_learned,
)
from framejury.verdict.calibration import Floats, calibrated
from framejury.verdict.judge import quantiles_of, reduced
from framejury.verdict.rule import Reducer

MethodOrNone = Literal["none", "platt", "isotonic"]
FOLDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class ScoredVideo:
    """A labelled video with its face scores.

    Attributes:
        p_fake: float32 (n,), 0 to 1, one a face, any order.
        person: (n,) whose face it is.
        label: 1 is FAKE, 0 is REAL.
        group: videos of one group are never fitted on and judged together.
    """

    p_fake: npt.NDArray[np.float32]
    person: Sequence[int]
    label: int
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class FitSample:
    """The videos once, columns (v,): `folds` are indices fitted on and judged, in pairs.

    `judged` tells which videos any fold judges: a fold without both classes to fit on judges none.
    """

    videos: Sequence[ScoredVideo]
    labels: Integers
    groups: npt.NDArray[np.str_]
    folds: tuple[tuple[Integers, Integers], ...]
    judged: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Indices fitted on and judged, and the reduced scores (v,) of all videos by that fit."""

    fitted_on: Integers
    judges: Integers
    scores: Floats


def sample_of(videos: Sequence[ScoredVideo]) -> FitSample:
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
            "nearly all videos of a class are of one group, so nothing can be fitted on some "
            "groups and judged on others; more groups are needed"
        )
    return FitSample(videos, labels, groups, folds, judged)


def reduce_by_fold(sample: FitSample, reducer: Reducer | None) -> tuple[Reducer, list[Fold]]:
    """The reducer as fitted on everything (None: the learned one), and what it gives by fold."""
    if reducer is not None:
        scores = reduced_scores(sample, reducer)
        return reducer, [Fold(train, test, scores) for train, test in sample.folds]
    features = np.array([quantiles_of(v.p_fake, LEARNED_QUANTILES) for v in sample.videos])
    folds = []
    for train, test in sample.folds:
        fitted = fit_learned(features[train], sample.labels[train])
        folds.append(Fold(train, test, reduced_scores(sample, fitted)))
    return fit_learned(features, sample.labels), folds


def reduced_scores(sample: FitSample, reducer: Reducer) -> Floats:
    return np.array([reduced(video.p_fake, video.person, reducer) for video in sample.videos])


def cross_fitted(sample: FitSample, folds: Sequence[Fold], method: MethodOrNone) -> Floats:
    """Scores (v,) of each video by what was fitted without its group; NaN where not judged."""
    scores = np.full(len(sample.labels), np.nan)
    for fold in folds:
        raw, on = fold.scores, fold.fitted_on
        fitted = None if method == "none" else fit_calibration(raw[on], sample.labels[on], method)
        scores[fold.judges] = calibrated(raw[fold.judges], fitted)
    return scores
