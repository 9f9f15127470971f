"""Accuracy of the verdicts: per video, per face, per method and per layout.

Three views are reported together, because each alone misleads: the call at the threshold over the
scored videos, the three-way verdict against the label, and the coverage. A video that failed is
never correct, never scored 0.5, and never left out of the totals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from framejury.evaluation.binary import (
    BinaryMetrics,
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

FACE_SCORE_CLIP = 5e-5
"""Half a step: face scores are rounded to 4 decimals."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many labelled videos got a verdict, and how many verdicts are correct.

    Attributes:
        labelled, scored, decided: videos, count; decided: the verdict is fake or real.
        scored_share, decided_share: of the labelled videos, 0 to 1.
        accuracy_decided: share of decided videos with a correct verdict, with interval.
        correct_share: share of all labelled videos with a correct verdict; undecided videos
            count as misses.
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
        name: of the set.
        scored: metrics at the threshold over the scored videos.
        bootstrap: their intervals, resampled by group.
        verdicts: outcomes by label, keys FAKE and REAL.
    """

    name: str
    scored: BinaryMetrics
    bootstrap: Bootstrap
    verdicts: dict[str, VerdictCounts]
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class VideoMetrics:
    """Metrics of all videos of one run.

    Attributes:
        videos: rows in the table; unlabelled: those without a label, which no metric includes.
        overall: all labelled videos; layouts: the same by layout, in name order.
        methods: one row per layout, label and method.
    """

    videos: int
    unlabelled: int
    overall: SliceMetrics
    layouts: tuple[SliceMetrics, ...]
    methods: tuple[BreakdownRow, ...]


@dataclass(frozen=True, slots=True)
class FaceMetrics:
    """Metrics of single faces against the label of their video.

    Attributes:
        faces: all scored faces; unlabelled: those of videos without a label.
        labelled: the metrics, without intervals, because faces of one video are not independent
            and not every face in a fake video is fake.
        methods: one row per layout, label and method.
    """

    faces: int
    unlabelled: int
    labelled: BinaryMetrics
    methods: tuple[BreakdownRow, ...]


def video_metrics(table: pa.Table) -> VideoMetrics:
    """Compute the metrics of a verdict table.

    Args:
        table: columns `rows.REPORT_COLUMNS`, one row per video.

    Raises:
        ValueError: as `rows.video_rows`.
    """
    rows = video_rows(table)
    labelled = rows.where(rows.known)
    layouts = tuple(
        slice_metrics(str(name), labelled.where(labelled.layouts == name))
        for name in sorted(set(labelled.layouts))
    )
    return VideoMetrics(
        videos=len(rows),
        unlabelled=len(rows) - len(labelled),
        overall=slice_metrics("all labelled videos", labelled),
        layouts=layouts,
        methods=video_breakdown(labelled),
    )


def face_metrics(face_counts: pa.Table, threshold: float) -> FaceMetrics:
    """Compute the metrics of a face histogram.

    Args:
        face_counts: columns `rows.FACE_COUNT_COLUMNS`, `score` rounded to 4 decimals.
        threshold: faces from here on are called fake, 0 to 1.

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


def slice_metrics(name: str, labelled: VideoRows) -> SliceMetrics:
    """Compute the metrics of one set of labelled videos.

    Args:
        name: of the set.
        labelled: rows with a label, scored or not.
    """
    scored = labelled.where(labelled.scored)
    return SliceMetrics(
        name=name,
        scored=binary_metrics(scored.fake, scored.scores, scored.thresholds),
        bootstrap=_bootstrap(scored, scored.called_fake),
        verdicts={
            label.value: verdict_counts(labelled.outcomes[labelled.labels == label.value])
            for label in (Label.FAKE, Label.REAL)
        },
        coverage=_coverage(labelled),
    )


def video_roc(table: pa.Table) -> RocCurve | None:
    """Return the ROC curve of the labelled, scored videos; None when a class is missing."""
    rows = video_rows(table)
    rows = rows.where(rows.known & rows.scored)
    return roc_points(rows.fake, rows.scores)


def face_roc(face_counts: pa.Table) -> RocCurve | None:
    """Return the ROC curve of the faces of labelled videos; None when a class is missing."""
    rows = face_rows(face_counts)
    rows = rows.where(rows.known)
    return roc_points(rows.fake, rows.scores, rows.weights)


def _bootstrap(rows: VideoRows, called_fake: npt.NDArray[np.bool_]) -> Bootstrap:
    return bootstrap_intervals(rows.fake, rows.scores, called_fake, rows.group_numbers)


def _coverage(labelled: VideoRows) -> Coverage:
    decided = labelled.where(np.isin(labelled.outcomes, [Verdict.FAKE.value, Verdict.REAL.value]))
    says_fake = decided.outcomes == Verdict.FAKE.value
    right = int((says_fake == (decided.fake == 1)).sum())
    everything, scored = len(labelled), int((labelled.outcomes != NOT_SCORED).sum())
    intervals = _bootstrap(decided, says_fake).intervals
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


def true_class_probability(
    labels: pa.ChunkedArray, p_fake: pa.ChunkedArray, faces: pa.ChunkedArray
) -> dict[str, float]:
    """Return the mean probability of the true class over faces, which some recipes call accuracy.

    Args:
        labels: REAL or FAKE; rows without a label do not count.
        p_fake: of each row, 0 to 1.
        faces: how many faces have it, count.

    Returns:
        `p_true` of all, `p_true_fake` and `p_true_real` of one class; no entry where no face is.
    """
    known = np.asarray(labels.to_pylist(), object)
    scores, weights = p_fake.to_numpy(), faces.to_numpy()
    of_class = {"fake": known == Label.FAKE.value, "real": known == Label.REAL.value}
    true = np.where(of_class["fake"], scores, 1 - scores)
    parts = {"p_true": of_class["fake"] | of_class["real"]}
    parts |= {f"p_true_{name}": rows for name, rows in of_class.items()}
    return {
        name: float(np.average(true[rows], weights=weights[rows]))
        for name, rows in parts.items()
        if weights[rows].sum()
    }
