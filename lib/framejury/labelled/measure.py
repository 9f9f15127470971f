"""How good a bundle is on labelled faces: scores, verdicts, figures. No Spark, no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from framejury.archive.face_sets import PAIRED_LAYOUT
from framejury.evaluation.crossfit import ScoredVideo
from framejury.evaluation.metrics import face_metrics, video_metrics
from framejury.evaluation.rows import REPORT_COLUMNS
from framejury.evaluation.rule_fitting import FIXED_REDUCERS, TARGET_FPR, FittedRule, fit_rule
from framejury.labelled.videos import LabelledVideo
from framejury.model.manifest import Bundle, Measurement
from framejury.schemas.statuses import Label, Side, Status
from framejury.schemas.tables import VERDICTS
from framejury.settings import VerdictSettings
from framejury.verdict.judge import FaceScores, face_threshold, judge, unscored
from framejury.verdict.rule import Reducer, Rule, rule_in_use

FrameLabels = Mapping[tuple[str, int], Literal[0, 1]]
"""(video_id, frame_index) -> 1 for FAKE, 0 for REAL."""

_VIDEO_FIGURES = ("auc", "accuracy", "eer", "fpr", "log_loss")
_KNOWN = ("path", "uri", "layout", "label", "method", "group")


def judge_labelled(
    scored: pa.Table,
    bundle: Bundle,
    videos: Sequence[LabelledVideo],
    settings: VerdictSettings,
    *,
    run_id: str,
    frame_labels: FrameLabels | None = None,
) -> tuple[pa.Table, pa.Table]:
    """Verdicts on labelled videos, and the histogram of their face scores.

    Args:
        scored: as `model.scoring.score_faces` gives it, or some of its rows.
        bundle: whose rule judges; the network is not asked again.
        videos: every one of them gets a row, faces or not.
        settings: least faces and interval; reducer and threshold where they are not to be the
            bundle's (`rule_in_use`).
        run_id: written into the rows.
        frame_labels: as of `FaceSource`: faces of those frames are judged against them, videos
            against their own label.

    Returns:
        verdicts: columns `evaluation.rows.REPORT_COLUMNS`, one row a video, by path.
        face_counts: columns `evaluation.rows.FACE_COUNT_COLUMNS`.

    Raises:
        ConfigError: the settings ask for a reducer that the bundle does not carry.
    """
    rule = rule_in_use(bundle.rule, settings)
    faces = _by_video(scored)
    rows = []
    for video in sorted(videos, key=lambda video: str(video.row["path"])):
        found = faces.get(video.row["video_id"])
        result = unscored(_status(video)) if found is None else judge(found, rule, settings)
        rows.append(
            asdict(result)
            | {name: video.row[name] for name in ("video_id", *_KNOWN)}
            | {
                "run_id": run_id,
                "model_id": bundle.model_id,
                "error": None,
                "threshold": rule.threshold,
                "reducer": rule.reducer.name,
            }
        )
    return _verdict_table(rows), _face_counts(scored, videos, frame_labels or {})


def scored_videos(scored: pa.Table, videos: Sequence[LabelledVideo]) -> list[ScoredVideo]:
    """Labelled videos with their face scores, for `fit_rule`; those without faces are left out.

    Args:
        scored: as `model.scoring.score_faces` gives it.
        videos: whose faces they are.
    """
    faces = _by_video(scored)
    return [
        ScoredVideo(
            p_fake=np.asarray(found.p_fake, np.float32),
            person=found.person,
            label=1 if video.row["label"] == Label.FAKE else 0,
            group=video.row["group"],
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
    """The verdict rule that fits these videos; what the settings name is not chosen but kept.

    Args:
        scored: as `model.scoring.score_faces` gives it.
        videos: whose faces they are, none of them held out.
        settings: least faces; reducer and threshold where a person has decided.
        data: what the videos are, in words.
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
    """What the fit's own videos say of the rule, each judged without its group, for the card."""
    chosen = fitted.chosen
    return {
        f"video_{name}_cross_fitted": Measurement(value=getattr(chosen, name))
        for name in ("auc", "log_loss", "ece", "fpr", "tpr")
    }


def figures_for_card(
    verdicts: pa.Table, face_counts: pa.Table, face_threshold: float | None = None
) -> dict[str, Measurement]:
    """Figures of one side for `bundle.json` and the model card; undefined ones are left out.

    Args:
        verdicts, face_counts: of `judge_labelled`.
        face_threshold: a face from here on is called fake (`judge.face_threshold` of the rule,
            for faces are not calibrated); the videos' threshold when None.
    """
    overall = video_metrics(verdicts).overall
    intervals = overall.bootstrap.intervals
    labels = verdicts["label"].to_pylist()
    # Beside every figure, for a perfect score on four videos is no perfect score.
    figures = {
        "real_videos": Measurement(value=labels.count(Label.REAL)),
        "fake_videos": Measurement(value=labels.count(Label.FAKE)),
    }
    for name in _VIDEO_FIGURES:
        value = getattr(overall.scored, name)
        if value is None:
            continue
        ends = intervals.get(name)
        figures[f"video_{name}"] = Measurement(
            value=value,
            low=ends.low if ends else None,
            high=ends.high if ends else None,
            level=overall.bootstrap.level if ends else None,
        )
    if face_threshold is None:
        face_threshold = verdicts["threshold"][0].as_py()
    faces = face_metrics(face_counts, face_threshold).labelled
    for name in ("auc", "accuracy"):
        value = getattr(faces, name)
        if value is not None:
            figures[f"face_{name}"] = Measurement(value=value)
    return figures


def figures_by_set(
    scored: pa.Table,
    bundle: Bundle,
    videos: Sequence[LabelledVideo],
    settings: VerdictSettings,
    *,
    side: Side,
    frame_labels: FrameLabels | None = None,
) -> dict[str, dict[str, Measurement]]:
    """Figures of a side, and of each data set on it, for `bundle.json` and the model card.

    Face sets have one picture a video, so they have figures of their own and do not count
    among the videos of the side, unless it has no others.

    Args:
        scored: as `model.scoring.score_faces` gives it.
        videos: of the side.
        side: names the figures: `test`, and `test, SET` for each set.
        frame_labels: as in `judge_labelled`.
    """
    whole = [video for video in videos if video.row["layout"] != PAIRED_LAYOUT]
    sets: dict[str, list[LabelledVideo]] = {}
    for video in sorted(videos, key=lambda video: video.dataset):
        sets.setdefault(video.dataset, []).append(video)
    parts = {side.value: whole or list(videos)}
    if len(sets) > 1:
        parts |= {f"{side.value}, {name}": members for name, members in sets.items()}
    figures = {}
    for name, members in parts.items():
        ids = pa.array([video.row["video_id"] for video in members], pa.string())
        faces = scored.filter(pc.is_in(scored["video_id"], value_set=ids))
        verdicts, counts = judge_labelled(
            faces, bundle, members, settings, run_id=name, frame_labels=frame_labels
        )
        figures[name] = figures_for_card(verdicts, counts, face_threshold(bundle.rule))
    return figures


def _by_video(scored: pa.Table) -> dict[str, FaceScores]:
    names = [part.name for part in fields(FaceScores)]
    lists = scored.group_by("video_id").aggregate([(name, "list") for name in names]).to_pylist()
    return {
        row["video_id"]: FaceScores(**{name: row[f"{name}_list"] for name in names})
        for row in lists
    }


def _status(video: LabelledVideo) -> Status:
    """How a video without scored faces ended."""
    if video.extraction is None or video.extraction["status"] == Status.EXTRACTED:
        return Status.NOT_SCORED
    return Status(video.extraction["status"])


def _verdict_table(rows: list[dict[str, Any]]) -> pa.Table:
    texts = [pa.field(name, pa.string()) for name in _KNOWN]
    schema = pa.schema([*VERDICTS, *texts])
    return pa.Table.from_pylist(rows, schema=schema).select(list(REPORT_COLUMNS))


def _face_counts(
    scored: pa.Table, videos: Sequence[LabelledVideo], frame_labels: FrameLabels
) -> pa.Table:
    names = ("video_id", "label", "method", "layout")
    truth = pa.table({name: pa.array([v.row[name] for v in videos], pa.string()) for name in names})
    rounded = pc.round(scored["p_fake"].cast(pa.float64()), 4)
    both = scored.select(["video_id", "frame_index"]).append_column("p_fake", rounded)
    both = both.join(truth, keys="video_id", join_type="inner")
    if frame_labels:
        both = both.join(_by_hand(frame_labels), keys=["video_id", "frame_index"])
        label = pc.coalesce(both["by_hand"], both["label"])
        both = both.set_column(both.column_names.index("label"), "label", label)
    keys = ["label", "method", "layout", "p_fake"]
    counts = both.group_by(keys).aggregate([([], "count_all")])
    return counts.rename_columns([*keys, "faces"]).sort_by([(key, "ascending") for key in keys])


def _by_hand(frame_labels: FrameLabels) -> pa.Table:
    """One row a frame: video_id, frame_index and its label, by_hand."""
    words = {0: Label.REAL.value, 1: Label.FAKE.value}
    return pa.table(
        {
            "video_id": pa.array([video_id for video_id, _ in frame_labels], pa.string()),
            "frame_index": pa.array([index for _, index in frame_labels], pa.int32()),
            "by_hand": pa.array([words[label] for label in frame_labels.values()], pa.string()),
        }
    )
