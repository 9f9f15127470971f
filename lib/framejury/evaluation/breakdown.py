"""Metrics per manipulation method: which kind of fake is missed?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from framejury.evaluation.binary import Floats, Integers, auc_or_none
from framejury.evaluation.bootstrap import Interval, bootstrap_intervals, share_interval
from framejury.evaluation.rows import OUTCOMES, FaceRows, Texts, VideoRows, is_known
from framejury.schemas.statuses import UNNAMED, Label

ORIGINAL = "original"
SAME_LAYOUT = "the same layout"


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """Videos by outcome; `not_scored` covers every status except `scored`."""

    fake: int
    real: int
    inconclusive: int
    not_scored: int

    @property
    def total(self) -> int:
        return self.fake + self.real + self.inconclusive + self.not_scored


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """One manipulation method, or the originals, in one layout.

    Attributes:
        layout, truth: as in `videos`.
        method: "original" for reals, "not named" for fakes without a method.
        scored: videos, or faces, with a score, count.
        correct: share of them called correctly at the threshold, 0 to 1.
        mean_score: their mean score, 0 to 1.
        auc: of these fakes against reals; None for reals, or without reals.
        auc_against: whose reals: "the same layout" or "all layouts"; None without an AUC.
        auc_reals: reals in that AUC, count.
        verdicts: outcomes of the videos; None for faces.
        correct_interval, auc_interval: by resampling groups of videos; None for faces, and with
            too few groups.
    """

    layout: str
    truth: str
    method: str
    scored: int
    correct: float | None
    mean_score: float | None
    auc: float | None
    auc_against: str | None
    auc_reals: int
    verdicts: VerdictCounts | None
    correct_interval: Interval | None = None
    auc_interval: Interval | None = None


def verdict_counts(outcomes: Iterable[str]) -> VerdictCounts:
    """Count outcomes, which are among `rows.OUTCOMES`."""
    counts = Counter(outcomes)
    return VerdictCounts(*(counts[outcome] for outcome in OUTCOMES))


def video_breakdown(labelled: VideoRows) -> tuple[BreakdownRow, ...]:
    """Return one row per layout, label and method of labelled videos, fakes before reals."""
    counted = labelled.scored.astype(np.int64)
    scores = np.nan_to_num(labelled.scores)  # rows without a score have weight 0
    found = _breakdown(labelled, scores, labelled.called_fake, counted, labelled.outcomes)
    names = _method_names(labelled)
    return tuple(_with_intervals(row, labelled, names) for row in found)


def face_breakdown(known: FaceRows, threshold: float) -> tuple[BreakdownRow, ...]:
    """Return one row per layout, label and method of single faces, fakes before reals."""
    return _breakdown(known, known.scores, known.scores >= threshold, known.weights, None)


def _breakdown(
    rows: VideoRows | FaceRows,
    scores: Floats,
    called_fake: npt.NDArray[np.bool_],
    weights: Integers,
    outcomes: Texts | None,
) -> tuple[BreakdownRow, ...]:
    names = _method_names(rows)
    found = []
    for layout, truth, method in sorted(set(zip(rows.layouts, rows.labels, names, strict=True))):
        mine = (rows.layouts == layout) & (rows.labels == truth) & (names == method)
        is_fake = truth == Label.FAKE.value
        scored = int(weights[mine].sum())
        right = int(weights[mine & (called_fake == is_fake)].sum())
        auc, against, reals = None, None, 0
        if is_fake and scored:
            auc, against, reals = _auc_against_reals(rows, scores, weights, mine, layout)
        found.append(
            BreakdownRow(
                layout=layout,
                truth=truth,
                method=method,
                scored=scored,
                correct=right / scored if scored else None,
                mean_score=float(scores[mine] @ weights[mine]) / scored if scored else None,
                auc=auc,
                auc_against=against,
                auc_reals=reals,
                verdicts=None if outcomes is None else verdict_counts(outcomes[mine]),
            )
        )
    return tuple(found)


def _with_intervals(row: BreakdownRow, rows: VideoRows, names: Texts) -> BreakdownRow:
    """Add the intervals, by resampling its videos and the reals of its AUC."""
    is_mine = (rows.layouts == row.layout) & (rows.labels == row.truth) & (names == row.method)
    mine = rows.where(is_mine & rows.scored)
    right = mine.called_fake == (row.truth == Label.FAKE.value)
    auc = None
    if row.auc is not None:
        reals = (rows.labels == Label.REAL.value) & rows.scored
        if row.auc_against == SAME_LAYOUT:
            reals &= rows.layouts == row.layout
        both = rows.where((is_mine & rows.scored) | reals)
        draws = bootstrap_intervals(both.fake, both.scores, both.called_fake, both.group_numbers)
        auc = draws.intervals["auc"]
    correct = share_interval(right, mine.group_numbers)
    return replace(row, correct_interval=correct, auc_interval=auc)


def _auc_against_reals(
    rows: VideoRows | FaceRows,
    scores: Floats,
    weights: Integers,
    fakes: npt.NDArray[np.bool_],
    layout: str,
) -> tuple[float | None, str | None, int]:
    """Return the AUC of these fakes, whose reals it is against, and how many reals."""
    reals = (rows.labels == Label.REAL.value) & (weights > 0)
    near = reals & (rows.layouts == layout)
    chosen, against = (near, SAME_LAYOUT) if near.any() else (reals, "all layouts")
    if not chosen.any():
        return None, None, 0
    both = chosen | fakes
    auc = auc_or_none(rows.fake[both], scores[both], weights[both])
    return auc, against, int(weights[chosen].sum())


def _method_names(rows: VideoRows | FaceRows) -> Texts:
    is_fake = rows.labels == Label.FAKE.value
    unnamed = np.where(is_fake, UNNAMED, ORIGINAL).astype(object)
    names: Texts = np.where(is_known(rows.methods), rows.methods, unnamed)
    return names
