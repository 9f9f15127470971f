"""`report.json` and `metrics.json`: all findings for machines, null where undefined."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from framejury.evaluation.binary import PrecisionRecall, RocCurve, thinned
from framejury.evaluation.protocol_numbers import Estimate, ProtocolFindings, ProtocolSlice
from framejury.evaluation.reliability import BINS
from framejury.report.findings import DEMO_BANNER, Findings
from framejury.report.opening import review_json
from framejury.report.protocol_tables import FIGURES
from framejury.report.summary import changes, summary_sentences

SCHEMA_VERSION, METRICS_SCHEMA_VERSION = 2, 2
"""Of `report.json` and `metrics.json`; raised when a key is removed or changes its meaning.

Since 2, figures on accuracy leave out labelled videos that the model had seen, except in `seen`;
`steps` has the settings behind the rows, in place of `settings`.
"""

ROC_POINTS = 500
CHANGES = 10_000
"""Most changed verdicts in `report.json`; `predictions.json` has all."""


def json_report(findings: Findings) -> bytes:
    """Return UTF-8 JSON with `schema_version`; `predictions.json` has the rows of the videos."""
    f = findings
    content = {
        "schema_version": SCHEMA_VERSION,
        "title": f.title,
        "warning": DEMO_BANNER if f.is_demo else None,
        "leak": None if f.run.bundle is None else f.run.bundle.leak,
        "training": None if f.run.bundle is None else f.run.bundle.training,
        "trust": f.trust,
        "sound": f.judged,
        "notes": f.notes,
        "summary": summary_sentences(f),
        "run": f.run,
        "counts": {
            "videos": f.videos,
            "outcomes": f.outcomes,
            "statuses": f.statuses,
            "inconclusive": f.inconclusive,
            "left_out": f.context.left_out,
            "file_notes": f.file_notes,
        },
        "threshold": f.threshold,
        "reducers": f.reducers,
        "why_no_accuracy": f.why_no_accuracy,
        "videos": f.video,
        "faces": f.face,
        "seen": f.seen,
        "known_methods": _apart(f),
        "not_tested": f.not_tested,
        "roc": {"videos": _roc(f.video_roc), "faces": _roc(f.face_roc)},
        "precision_recall": {"videos": _pr(f.video_pr), "faces": _pr(f.face_pr)},
        "calibration": f.calibration,
        "mistakes": {
            "reals_called_fake": f.mistakes.accused["video_id"].to_pylist(),
            "fakes_called_real": f.mistakes.missed["video_id"].to_pylist(),
        },
        "review": review_json(f),
        "judged_now": f.judged_now,
        "since": _since(f),
        "nights": f.runs,
        "effort": f.effort,
        "predictions": "predictions.json",
    }
    return _encoded(content, indent=2)


def _apart(f: Findings) -> dict[str, Any]:
    """Return figures of fakes of known and of unknown methods; null without such a fake."""
    a = f.apart
    if a is None:
        return {"note": f.why_not_apart, "known": None, "unknown": None}
    return {
        "note": None,
        "known": a.of_known and {"methods": a.known} | _slice(a.of_known),
        "unknown": a.of_unknown and {"methods": a.unknown} | _slice(a.of_unknown),
        "unnamed": a.unnamed,
        "trained_unnamed": a.trained_unnamed,
    }


def _encoded(content: Any, indent: int) -> bytes:
    text = json.dumps(plain(content), ensure_ascii=False, allow_nan=False, indent=indent)
    return (text + "\n").encode("utf-8", errors="backslashreplace")


def _since(f: Findings) -> dict[str, Any] | None:
    if f.since is None:
        return None
    return {
        "ended_at": f.since.ended_at,
        "outcomes": f.since.before,
        "new": f.since.new,
        "gone": f.since.gone,
        "changed": f.since.changed.num_rows,
        "changes": changes(f, CHANGES),
    }


def plain(value: Any) -> Any:
    """Return JSON values: records as objects, times as ISO 8601, NaN and infinity as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def _pr(curve: PrecisionRecall | None) -> dict[str, Any] | None:
    """Return at most `binary.POINTS` corners, both ends kept."""
    if curve is None:
        return None
    recall, precision = thinned(curve.recall, curve.precision)
    return {"recall": recall, "precision": precision, "share_fake": curve.share_fake}


def _roc(curve: RocCurve | None) -> dict[str, Any] | None:
    """Return at most `ROC_POINTS` corners, both ends kept."""
    if curve is None:
        return None
    count = len(curve.fpr)
    chosen = np.unique(np.linspace(0, count - 1, min(count, ROC_POINTS)).astype(int))
    return {
        "fpr": curve.fpr[chosen],
        "tpr": curve.tpr[chosen],
        "thresholds": curve.thresholds[chosen],
    }


def metrics_json(f: Findings, p: ProtocolFindings) -> bytes:
    """Return UTF-8 JSON; null where a figure or its interval is undefined.

    A figure is `{"value", "low", "high"}`; `figures` explains each name.
    """
    content = {
        "schema_version": METRICS_SCHEMA_VERSION,
        "run_id": f.run.run_id,
        "created_at": f.run.created_at,
        "model_id": f.run.model_id,
        "archive": f.run.archive,
        "leak": None if f.run.bundle is None else f.run.bundle.leak,
        "notes": f.notes,
        "versions": f.run.versions,
        "steps": f.run.steps,
        "interval_level": p.overall.metrics.bootstrap.level,
        "bootstrap_draws": p.overall.metrics.bootstrap.draws,
        "figures": {name: f"{figure.label}: {figure.meaning}" for name, figure in FIGURES.items()},
        "frames_per_video": p.headline,
        "rounds": p.rounds,
        "sampling_mode": p.mode,
        "overall": _slice(p.overall),
        "seen": f.seen,
        "data_set_rule": p.data_set_rule,
        "data_sets": {one.name: _slice(one) for one in p.data_sets},
        "methods": [
            {"data_set": m.data_set, "method": m.method, "reals_of": m.reals_of} | _slice(m.figures)
            for m in p.methods
        ],
        "by_frames": {str(count): _slice(one) for count, one in p.by_frames.items()},
        "robustness": {
            family: [{"strength": strength} | _slice(one) for strength, one in points.items()]
            for family, points in p.robustness.items()
        },
        "known_methods": _apart(f),
        "not_tested": f.not_tested,
        "reliability": {
            "bins": BINS,
            "counts": p.reliability.counts,
            "mean_score": p.reliability.mean_score,
            "fake_share": p.reliability.fake_share,
            "ece_by_chance": p.ece_by_chance,
        },
        "det": {"videos": p.det_videos, "faces": p.det_faces},
    }
    return _encoded(content, indent=1)


def _slice(one: ProtocolSlice) -> dict[str, Any]:
    scored, bootstrap = one.metrics.scored, one.metrics.bootstrap
    return {
        "labelled": one.metrics.coverage.labelled,
        "scored": {"reals": scored.reals, "fakes": scored.fakes},
        "groups": {"reals": bootstrap.groups_real, "fakes": bootstrap.groups_fake},
        "threshold": scored.threshold,
        "videos": {name: _figure(estimate) for name, estimate in one.videos.items()},
        "faces": {name: _figure(estimate) for name, estimate in one.faces.items()} or None,
        "face_count": one.face_count or None,
        "confusion": scored.confusion,
        "verdicts": one.metrics.verdicts,
    }


def _figure(estimate: Estimate) -> dict[str, float | None]:
    ends = estimate.interval
    return {
        "value": estimate.value,
        "low": None if ends is None else ends.low,
        "high": None if ends is None else ends.high,
    }
