"""Accuracy of a bundle on labelled faces: scores, verdicts, figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from framejury.archive.face_sets import FACE_SET_LAYOUTS
from framejury.evaluation.crossfit import ScoredVideo
from framejury.evaluation.metrics import (
    SliceMetrics,
    face_metrics,
    true_class_probability,
    video_metrics,
)
from framejury.evaluation.rows import VIDEO_COLUMNS, count_faces, report_table
from framejury.evaluation.rule_fitting import FIXED_REDUCERS, TARGET_FPR, FittedRule, fit_rule
from framejury.labelled.videos import LabelledVideo
from framejury.model.manifest import Bundle, Measurement
from framejury.schemas.statuses import Label, Status
from framejury.settings import VerdictSettings
from framejury.verdict.judge import FaceScores, judge, unscored
from framejury.verdict.rule import Reducer, Rule, rule_in_use

FrameLabels = Mapping[tuple[str, int], Literal[0, 1]]
"""(video_id, frame_index) -> 1 for FAKE, 0 for REAL."""

_VIDEO_FIGURES = ("auc", "accuracy", "eer", "fpr", "recall_fake", "log_loss")


def judge_labelled(
    scored: pa.Table,
    bundle: Bundle,
    videos: Sequence[LabelledVideo],
    settings: VerdictSettings,
    *,
    run_id: str,
    in_use: pa.Table | None = None,
    frame_labels: FrameLabels | None = None,
    apart: Collection[str] = (),
) -> tuple[pa.Table, pa.Table]:
    """Judge labelled videos, and count their face scores.

    Args:
        scored: from `labelled.scoring.score_faces`; each face counts.
        bundle: its rule judges; its network is not run.
        videos: each gets a row, with or without faces.
        settings: minimum faces, interval, and what overrides the bundle's rule (`rule_in_use`).
        run_id: written into the rows.
        in_use: the rows of `scored` that verdicts come from (`faces_in_use`); None: all.
        frame_labels: labels of single frames, for the faces; videos keep their own label.
        apart: ids of videos whose faces are not counted, as their model had seen them.

    Returns:
        verdicts: columns `evaluation.rows.REPORT_COLUMNS`, one row per video, by path.
        face_counts: columns `evaluation.rows.FACE_COUNT_COLUMNS`.

    Raises:
        ConfigError: the settings name an aggregation that the bundle does not carry.
    """
    rule = rule_in_use(bundle.rule, settings)
    faces = _by_video(scored if in_use is None else in_use)
    with_faces = set(scored["video_id"].to_pylist())
    rows = []
    for video in sorted(videos, key=lambda video: str(video.row["path"])):
        video_id = video.row["video_id"]
        found = faces.get(video_id)
        if found is not None:
            result = judge(found, rule, settings)
        else:  # with faces only in frames that would not have been sampled: without a face
            result = unscored(Status.NO_FACE if video_id in with_faces else _status(video))
        rows.append(
            asdict(result)
            | {name: video.row[name] for name in ("video_id", *VIDEO_COLUMNS)}
            | {
                "run_id": run_id,
                "model_id": bundle.model_id,
                "error": None,
                "threshold": rule.threshold,
                "reducer": rule.reducer.name,
            }
        )
    counted = [video for video in videos if video.row["video_id"] not in apart]
    return report_table(rows), _face_counts(scored, counted, frame_labels or {})


def scored_videos(scored: pa.Table, videos: Sequence[LabelledVideo]) -> list[ScoredVideo]:
    """Return labelled videos with face scores, for `fit_rule`.

    Args:
        scored: from `labelled.scoring.score_faces`.
        videos: those without scored faces are left out.
    """
    faces = _by_video(scored)
    return [
        ScoredVideo(
            score=np.asarray(found.score, np.float32),
            person=found.person,
            label=1 if video.row["label"] == Label.FAKE else 0,
            group=video.row["group"],
            frames=len(set(found.frame_index)),
            source=video.dataset,
            sampled=video.row["layout"] in FACE_SET_LAYOUTS,
        )
        for video in sorted(videos, key=lambda video: str(video.row["path"]))
        if (found := faces.get(video.row["video_id"])) is not None
    ]


def fit_rule_on(
    scored: pa.Table,
    videos: Sequence[LabelledVideo],
    settings: VerdictSettings,
    *,
    data: str,
    target_fpr: float = TARGET_FPR,
) -> FittedRule:
    """Fit a verdict rule on these videos; settings that name a part of the rule fix it.

    Args:
        scored: from `labelled.scoring.score_faces`.
        videos: of these faces, none of them held out.
        settings: minimum faces; aggregation and threshold, where they are fixed.
        data: description of the videos.
        target_fpr: share of real videos that may be called fake, above 0 to below 1.

    Raises:
        CalibrationError: too few videos or groups with enough faces.
    """
    reducers: Sequence[Reducer] = FIXED_REDUCERS
    if settings.reducer is not None:
        named = settings.reducer != "learned"
        reducers = [rule_in_use(Rule(), settings).reducer] if named else []
    return fit_rule(
        scored_videos(scored, videos),
        target_fpr=target_fpr,
        min_faces=settings.min_faces,
        data=data,
        reducers=reducers,
        learned=settings.reducer in (None, "learned"),
        threshold=settings.threshold,
    )


def cross_fitted_figures(fitted: FittedRule) -> dict[str, Measurement]:
    """Return the rule's figures on the videos of the fit, each judged without its group."""
    chosen = fitted.chosen
    return {
        f"video_{name}_cross_fitted": Measurement(value=getattr(chosen, name))
        for name in ("auc", "log_loss", "ece", "fpr", "tpr")
    }


def figures_for_card(
    verdicts: pa.Table, face_counts: pa.Table, face_threshold: float | None = None
) -> dict[str, Measurement]:
    """Return the figures of one split for `bundle.json` and the model card.

    Undefined figures are left out.

    Args:
        verdicts, face_counts: from `judge_labelled`.
        face_threshold: faces from here on are called fake (faces are not calibrated, see
            `verdict.judge.face_threshold`); None: the videos' threshold.
    """
    overall = video_metrics(verdicts).overall
    labels = verdicts["label"].to_pylist()
    # Counts give the figures their weight: a perfect score on four videos means little.
    figures = {
        "real_videos": Measurement(value=labels.count(Label.REAL)),
        "fake_videos": Measurement(value=labels.count(Label.FAKE)),
    }
    for name in _VIDEO_FIGURES:
        figure = bounded_figure(overall, name)
        if figure is not None:
            figures[f"video_{name}"] = figure
    if face_threshold is None:
        face_threshold = verdicts["threshold"][0].as_py()
    faces = face_metrics(face_counts, face_threshold).labelled
    for name in ("auc", "accuracy"):
        value = getattr(faces, name)
        if value is not None:
            figures[f"face_{name}"] = Measurement(value=value)
    p_true = true_class_probability(*(face_counts[name] for name in ("label", "score", "faces")))
    return figures | {f"face_{name}": Measurement(value=value) for name, value in p_true.items()}


def bounded_figure(metrics: SliceMetrics, name: str) -> Measurement | None:
    """Return a metric of scored videos with its interval; None where it is undefined."""
    value, ends = getattr(metrics.scored, name), metrics.bootstrap.intervals.get(name)
    if value is None or ends is None:
        return None if value is None else Measurement(value=value)
    return Measurement(value=value, low=ends.low, high=ends.high, level=metrics.bootstrap.level)


def figure_text(figure: Measurement | None) -> str:
    """Return a figure with its interval as text; a dash for None."""
    if figure is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _by_video(scored: pa.Table) -> dict[str, FaceScores]:
    names = [part.name for part in fields(FaceScores)]
    lists = scored.group_by("video_id").aggregate([(name, "list") for name in names]).to_pylist()
    return {
        row["video_id"]: FaceScores(**{name: row[f"{name}_list"] for name in names})
        for row in lists
    }


def _status(video: LabelledVideo) -> Status:
    """Return the status of a video without scored faces."""
    if video.extraction is None or video.extraction["status"] == Status.EXTRACTED:
        return Status.NOT_SCORED
    return Status(video.extraction["status"])


def _face_counts(
    scored: pa.Table, videos: Sequence[LabelledVideo], frame_labels: FrameLabels
) -> pa.Table:
    names = ("video_id", "label", "method", "layout")
    truth = pa.table({name: pa.array([v.row[name] for v in videos], pa.string()) for name in names})
    faces = scored.select(["video_id", "frame_index", "score"])
    both = faces.join(truth, keys="video_id", join_type="inner")
    if frame_labels:
        both = both.join(_by_hand(frame_labels), keys=["video_id", "frame_index"])
        label = pc.coalesce(both["by_hand"], both["label"])
        both = both.set_column(both.column_names.index("label"), "label", label)
    return count_faces(both)


def _by_hand(frame_labels: FrameLabels) -> pa.Table:
    """Return one row per frame: video_id, frame_index and its label, by_hand."""
    words = {0: Label.REAL.value, 1: Label.FAKE.value}
    return pa.table(
        {
            "video_id": pa.array([video_id for video_id, _ in frame_labels], pa.string()),
            "frame_index": pa.array([index for _, index in frame_labels], pa.int32()),
            "by_hand": pa.array([words[label] for label in frame_labels.values()], pa.string()),
        }
    )
