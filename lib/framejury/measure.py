"""How good a bundle is on labelled faces: scores, verdicts, figures. No Spark, no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.evaluation.metrics import face_metrics, video_metrics
from framejury.evaluation.rows import REPORT_COLUMNS
from framejury.labelled import LabelledVideo
from framejury.model.manifest import Figure
from framejury.model.runtime import Scorer
from framejury.model.scoring import score_faces
from framejury.model.source import FaceSource
from framejury.schemas import VERDICTS, Side, Status
from framejury.settings import VerdictSettings
from framejury.verdict import judge, unscored

_VIDEO_FIGURES = ("auc", "accuracy", "eer", "fpr", "log_loss")
_KNOWN = ("path", "uri", "layout", "label", "method", "group")


def judge_labelled(
    scorer: Scorer,
    source: FaceSource,
    videos: Sequence[LabelledVideo],
    settings: VerdictSettings,
    run_id: str,
) -> tuple[pa.Table, pa.Table]:
    """Verdicts on labelled videos, and the histogram of their face scores.

    Args:
        scorer: of the bundle to measure.
        source: their faces.
        videos: every one of them gets a row, faces or not.
        settings: reducer, least faces, interval, threshold (None: the bundle's).
        run_id: written into the rows.

    Returns:
        verdicts: columns `evaluation.rows.REPORT_COLUMNS`, one row a video, by path.
        face_counts: columns `evaluation.rows.FACE_COUNT_COLUMNS`.
    """
    bundle = scorer.bundle
    threshold = settings.threshold_or(bundle.threshold)
    scored = score_faces(scorer, source)
    faces = {
        row["video_id"]: row
        for row in scored.group_by("video_id")
        .aggregate([(name, "list") for name in ("p_fake", "frame_index", "person")])
        .to_pylist()
    }
    rows = []
    for video in sorted(videos, key=lambda video: str(video.row["path"])):
        found = faces.get(video.row["video_id"])
        if found is None:
            result = unscored(_status(video))
        else:
            result = judge(
                found["p_fake_list"],
                found["frame_index_list"],
                found["person_list"],
                settings,
                threshold,
            )
        rows.append(
            asdict(result)
            | {name: video.row[name] for name in ("video_id", *_KNOWN)}
            | {
                "run_id": run_id,
                "model_id": bundle.model_id,
                "error": None,
                "threshold": threshold,
                "reducer": settings.reducer,
            }
        )
    return _verdict_table(rows), _face_counts(scored, videos)


def figures_for_card(verdicts: pa.Table, face_counts: pa.Table) -> dict[str, Figure]:
    """Figures of one side for `bundle.json` and the model card; undefined ones are left out."""
    overall = video_metrics(verdicts).overall
    intervals = overall.bootstrap.intervals
    figures: dict[str, Figure] = {}
    for name in _VIDEO_FIGURES:
        value = getattr(overall.scored, name)
        if value is None:
            continue
        ends = intervals.get(name)
        figures[f"video_{name}"] = Figure(
            value=value,
            low=ends.low if ends else None,
            high=ends.high if ends else None,
            level=overall.bootstrap.level if ends else None,
        )
    threshold = verdicts["threshold"][0].as_py()
    faces = face_metrics(face_counts, threshold).labelled
    for name in ("auc", "accuracy"):
        value = getattr(faces, name)
        if value is not None:
            figures[f"face_{name}"] = Figure(value=value)
    return figures


def on_side(videos: Sequence[LabelledVideo], source: FaceSource, side: Side) -> list[LabelledVideo]:
    """The videos whose faces stand on one side."""
    return [
        video
        for video in videos
        if (truth := source.videos.get(video.row["video_id"])) and truth.side is side
    ]


def _status(video: LabelledVideo) -> Status:
    """How a video without scored faces ended."""
    if video.extraction is None or video.extraction["status"] == Status.EXTRACTED:
        return Status.NOT_SCORED
    return Status(video.extraction["status"])


def _verdict_table(rows: list[dict[str, Any]]) -> pa.Table:
    texts = [pa.field(name, pa.string()) for name in _KNOWN]
    schema = pa.schema([*VERDICTS, *texts])
    return pa.Table.from_pylist(rows, schema=schema).select(list(REPORT_COLUMNS))


def _face_counts(scored: pa.Table, videos: Sequence[LabelledVideo]) -> pa.Table:
    names = ("video_id", "label", "method", "layout")
    truth = pa.table({name: pa.array([v.row[name] for v in videos], pa.string()) for name in names})
    rounded = pc.round(scored["p_fake"].cast(pa.float64()), 4)
    both = pa.table({"video_id": scored["video_id"], "p_fake": rounded}).join(
        truth, keys="video_id", join_type="inner"
    )
    keys = ["label", "method", "layout", "p_fake"]
    counts = both.group_by(keys).aggregate([([], "count_all")])
    return counts.rename_columns([*keys, "faces"]).sort_by([(key, "ascending") for key in keys])
