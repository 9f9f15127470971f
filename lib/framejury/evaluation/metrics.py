"""How good the verdicts are: per video, per face, per method and per layout.

Reported side by side, because each alone misleads: the call at the threshold over
the scored videos, the three-way verdict against the truth, and the coverage. A
video that failed is never correct, never 0.5, and never left out of the totals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from framejury.evaluation.binary import (
    BinaryMetrics,
    Confusion,
    RocCurve,
    binary_metrics,
    roc_points,
)
from framejury.evaluation.bootstrap import Bootstrap, Interval, bootstrap_intervals
from framejury.evaluation.breakdown import (
    BreakdownRow,
    VerdictCounts,
    face_breakdown,
    verdict_counts,
    video_breakdown,
)
from framejury.evaluation.rows import (
    NOT_SCORED,
    VideoRows,
    face_rows,
    video_rows,
)
from framejury.schemas.statuses import Label, Verdict

__all__ = [
    "BinaryMetrics",
    "Bootstrap",
    "BreakdownRow",
    "Confusion",
    "Coverage",
    "FaceMetrics",
    "Interval",
    "RocCurve",
    "SliceMetrics",
    "VerdictCounts",
    "VideoMetrics",
    "binary_metrics",
    "face_metrics",
    "face_roc",
    "roc_points",
    "slice_metrics",
    "video_metrics",
    "video_roc",
]

FACE_SCORE_CLIP = 5e-5
"""Face scores come rounded to 4 decimals; the log loss takes 0 and 1 as half a step away."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many labelled videos got an answer, and how the answers fare.

    Attributes:
        labelled, scored, decided: videos; decided means the verdict is fake or real.
        scored_share, decided_share: of the labelled videos, 0 to 1.
        accuracy_decided: share of decided videos whose verdict is right, with interval.
        correct_share: right verdicts among *all* labelled videos; no answer is not right.
    """

    labelled: int
    scored: int
    decided: int
    scored_share: float | None
    decided_share: float | None
    accuracy_decided: float | None
    accuracy_decided_interval: Interval | None
    correct_share: float | None


@dataclass(frozen=True, slots=True)
class SliceMetrics:
    """One set of labelled videos.

    Attributes:
        name: what is in it.
        scored: numbers at the threshold over the scored videos.
        bootstrap: intervals of those numbers, resampled by group.
        verdicts: outcome counts by truth, keys FAKE and REAL.
    """

    name: str
    scored: BinaryMetrics
    bootstrap: Bootstrap
    verdicts: dict[str, VerdictCounts]
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class VideoMetrics:
    """All that is known about the videos of one run.

    Attributes:
        videos: rows in the table; unlabelled: those without a truth, in no number below.
        overall: all labelled videos; layouts: the same by layout, in name order.
        methods: one row a layout, truth and method.
    """

    videos: int
    unlabelled: int
    overall: SliceMetrics
    layouts: tuple[SliceMetrics, ...]
    methods: tuple[BreakdownRow, ...]


@dataclass(frozen=True, slots=True)
class FaceMetrics:
    """Single faces against the label of their video.

    Attributes:
        faces: all scored faces; unlabelled: those of videos without a truth.
        labelled: the numbers. There are no intervals: faces of a video are not independent,
            and not every face in a fake video is fake.
    """

    faces: int
    unlabelled: int
    labelled: BinaryMetrics
    methods: tuple[BreakdownRow, ...]


def video_metrics(table: pa.Table, *, draws: int = 1000, seed: int = 0) -> VideoMetrics:
    """Numbers of a verdict table.

    Args:
        table: verdict rows with the columns `rows.REPORT_COLUMNS`; one row a video.
        draws, seed: of the bootstrap by `group`; `Bootstrap` says how many groups there were.

    Raises:
        ValueError: as `rows.video_rows`.
    """
    rows = video_rows(table)
    labelled = rows.where(rows.known)
    layouts = tuple(
        slice_metrics(str(name), labelled.where(labelled.layouts == name), draws=draws, seed=seed)
        for name in sorted(set(labelled.layouts))
    )
    return VideoMetrics(
        videos=len(rows),
        unlabelled=len(rows) - len(labelled),
        overall=slice_metrics("all labelled videos", labelled, draws=draws, seed=seed),
        layouts=layouts,
        methods=video_breakdown(labelled),
    )


def face_metrics(face_counts: pa.Table, threshold: float) -> FaceMetrics:
    """Numbers of a face histogram with the columns `rows.FACE_COUNT_COLUMNS`.

    Args:
        face_counts: `p_fake` rounded to 4 decimals; each row stands for `faces` faces.
        threshold: a face from here on is called fake, 0 to 1.

    Raises:
        ValueError: as `rows.face_rows`.
    """
    rows = face_rows(face_counts)
    known = rows.where(rows.known)
    return FaceMetrics(
        faces=int(rows.weights.sum()),
        unlabelled=int(rows.weights.sum() - known.weights.sum()),
        labelled=binary_metrics(
            known.fake, known.scores, threshold, known.weights, score_clip=FACE_SCORE_CLIP
        ),
        methods=face_breakdown(known, threshold),
    )


def slice_metrics(
    name: str, labelled: VideoRows, *, draws: int = 1000, seed: int = 0
) -> SliceMetrics:
    """Numbers of one set of labelled videos.

    Args:
        name: what is in it.
        labelled: rows with a truth, scored or not.
        draws, seed: of the bootstrap by `group`.
    """
    scored = labelled.where(labelled.scored)
    return SliceMetrics(
        name=name,
        scored=binary_metrics(scored.fake, scored.scores, scored.thresholds),
        bootstrap=_bootstrap(scored, scored.called_fake, draws, seed),
        verdicts={
            label.value: verdict_counts(labelled.outcomes[labelled.labels == label.value])
            for label in (Label.FAKE, Label.REAL)
        },
        coverage=_coverage(labelled, draws, seed),
    )


def video_roc(table: pa.Table) -> RocCurve | None:
    """ROC curve of the labelled, scored videos; None when a class is missing."""
    rows = video_rows(table)
    rows = rows.where(rows.known & rows.scored)
    return roc_points(rows.fake, rows.scores)


def face_roc(face_counts: pa.Table) -> RocCurve | None:
    """ROC curve of the faces of labelled videos; None when a class is missing."""
    rows = face_rows(face_counts)
    rows = rows.where(rows.known)
    return roc_points(rows.fake, rows.scores, rows.weights)


def _bootstrap(
    rows: VideoRows, called_fake: npt.NDArray[np.bool_], draws: int, seed: int
) -> Bootstrap:
    _, groups = np.unique(rows.groups.astype(str), return_inverse=True)
    return bootstrap_intervals(rows.fake, rows.scores, called_fake, groups, draws=draws, seed=seed)


def _coverage(labelled: VideoRows, draws: int, seed: int) -> Coverage:
    decided = labelled.where(np.isin(labelled.outcomes, [Verdict.FAKE.value, Verdict.REAL.value]))
    says_fake = decided.outcomes == Verdict.FAKE.value
    right = int((says_fake == (decided.fake == 1)).sum())
    everything, scored = len(labelled), int((labelled.outcomes != NOT_SCORED).sum())
    intervals = _bootstrap(decided, says_fake, draws, seed).intervals
    return Coverage(
        labelled=everything,
        scored=scored,
        decided=len(decided),
        scored_share=scored / everything if everything else None,
        decided_share=len(decided) / everything if everything else None,
        accuracy_decided=right / len(decided) if len(decided) else None,
        accuracy_decided_interval=intervals["accuracy"],
        correct_share=right / everything if everything else None,
    )
