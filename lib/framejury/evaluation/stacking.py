"""Weights of an ensemble's members, fitted on labelled videos and compared with simpler choices.

Logistic stacking with weights of at least 0 (Wolpert, "Stacked Generalization", 1992; Breiman,
"Stacked Regressions", 1996, for why they are not negative). A video's features are its mean logits
by each member, of which the ensemble's mean logit is the weighted sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from framejury.errors import CalibrationError
from framejury.evaluation.binary import Floats, Integers
from framejury.evaluation.bootstrap import LEVEL, Interval, bootstrap_intervals
from framejury.evaluation.crossfit import FOLDS
from framejury.evaluation.estimators import fit_stacking
from framejury.evaluation.rule_fitting import MIN_GROUPS, MIN_VIDEOS

EQUAL, FITTED = "equal weights", "fitted weights"


@dataclass(frozen=True, slots=True, eq=False)
class StackedVideos:
    """Labelled videos, scored by each member.

    Attributes:
        logits: float64 (v, m), mean logit of each video's faces by each member.
        labels: int64 (v,), 1 = FAKE.
        groups: (v,), a fold never fits on some videos of a group and judges others of it.
    """

    logits: Floats
    labels: Integers
    groups: npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class AucFigure:
    """AUC of one choice on the same videos, with its interval; None with too few groups."""

    name: str
    auc: float
    interval: Interval | None

    @property
    def in_words(self) -> str:
        ends = self.interval
        if ends is None:
            return f"{self.auc:.3f} (the videos are too few for an interval)"
        return f"{self.auc:.3f} ({LEVEL:.0%} interval {ends.low:.3f} to {ends.high:.3f})"


@dataclass(frozen=True, slots=True)
class Stacking:
    """Result of `fit_weights`.

    Attributes:
        weights: (m,), fitted on all videos; they sum to 1.
        members: figure of each member alone.
        equal: figure of their mean logit.
        fitted: figure of the fitted weights, each video judged by a fit without its group.
    """

    weights: tuple[float, ...]
    members: tuple[AucFigure, ...]
    equal: AucFigure
    fitted: AucFigure

    @property
    def gains(self) -> bool:
        """Whether the fit beats equal weights on videos that it has not seen."""
        return self.fitted.auc > self.equal.auc

    @property
    def best_member(self) -> AucFigure:
        """The best member; ties take the first."""
        return max(self.members, key=lambda one: one.auc)


def fit_weights(videos: StackedVideos, names: Sequence[str]) -> Stacking:
    """Fit the members' weights, and compare them by AUC with equal ones and with each member.

    Args:
        videos: labelled, none of them held out for testing.
        names: (m,) of the members.

    Raises:
        CalibrationError: a class has too few videos or groups, or no member tells the classes
            apart.
    """
    _check_enough(videos)
    with threadpool_limits(1):
        weights = _weights(videos, np.arange(len(videos.labels)))
        out = np.full(len(videos.labels), np.nan)
        folds = GroupKFold(n_splits=min(FOLDS, len(np.unique(videos.groups))))
        for train, test in folds.split(videos.logits, videos.labels, videos.groups):
            if len(np.unique(videos.labels[train])) == 2:
                out[test] = videos.logits[test] @ _weights(videos, train)
    judged = np.isfinite(out)
    if len(np.unique(videos.labels[judged])) < 2:
        raise CalibrationError(
            "nearly all videos of a class belong to one group, so no weights can be fitted on some "
            "groups and judged on others; add videos of other groups"
        )
    members = [_figure(name, videos, videos.logits[:, at], judged) for at, name in enumerate(names)]
    equal = videos.logits.mean(axis=1)
    return Stacking(
        tuple(weights.tolist()),
        tuple(members),
        _figure(EQUAL, videos, equal, judged),
        _figure(FITTED, videos, out, judged),
    )


def _weights(videos: StackedVideos, on: Integers) -> Floats:
    found = fit_stacking(videos.logits[on], videos.labels[on], videos.groups[on])
    if found.sum() <= 0:
        raise CalibrationError(
            "no member gives fakes higher scores than reals on these videos, so no weights can be "
            "fitted. Is a label inverted? framejury adopt --check DIR finds that"
        )
    return np.asarray(found / found.sum(), np.float64)


def _figure(
    name: str, videos: StackedVideos, scores: Floats, judged: npt.NDArray[np.bool_]
) -> AucFigure:
    labels = videos.labels[judged]
    ranks = rankdata(scores[judged])  # the intervals are of scores in 0 to 1, rounded
    places = (ranks - 1) / max(len(ranks) - 1, 1)
    _, groups = np.unique(videos.groups[judged], return_inverse=True)
    found = bootstrap_intervals(labels, places, places >= 0.5, groups)
    return AucFigure(name, float(roc_auc_score(labels, places)), found.intervals["auc"])


def _check_enough(videos: StackedVideos) -> None:
    for label, name in ((0, "real"), (1, "fake")):
        groups = videos.groups[videos.labels == label]
        if len(groups) < MIN_VIDEOS or len(np.unique(groups)) < MIN_GROUPS:
            raise CalibrationError(
                f"weights need {MIN_VIDEOS} videos in {MIN_GROUPS} groups of each class; there are "
                f"{len(groups)} {name} videos in {len(np.unique(groups))} groups. Give --weights, "
                "or make the ensemble with equal weights"
            )
