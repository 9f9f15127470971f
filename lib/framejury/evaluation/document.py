"""`report.json`: everything the report knows, for machines. Null where undefined."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from framejury.evaluation.binary import RocCurve
from framejury.evaluation.findings import DEMO_BANNER, SOUND, Findings

SCHEMA_VERSION = 1
"""Raised when a key changes its meaning or goes away."""

ROC_POINTS = 500


def json_report(findings: Findings) -> bytes:
    """UTF-8 JSON with `schema_version`; the rows of the videos are in `predictions.json`."""
    f = findings
    content = {
        "schema_version": SCHEMA_VERSION,
        "title": f.title,
        "warning": DEMO_BANNER if f.is_demo else None,
        "sound": SOUND,
        "notes": f.notes,
        "run": f.run,
        "counts": {
            "videos": f.video.videos,
            "outcomes": f.outcomes,
            "statuses": f.statuses,
            "inconclusive": f.inconclusive,
        },
        "threshold": f.threshold,
        "reducers": f.reducers,
        "why_no_accuracy": f.why_no_accuracy,
        "videos": f.video,
        "faces": f.face,
        "roc": {"videos": _roc(f.video_roc), "faces": _roc(f.face_roc)},
        "predictions": "predictions.json",
    }
    text = json.dumps(plain(content), ensure_ascii=False, allow_nan=False, indent=2)
    return (text + "\n").encode("utf-8", errors="backslashreplace")


def plain(value: Any) -> Any:
    """Values that JSON knows: records as objects, times as ISO 8601, NaN and infinity as null."""
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


def _roc(curve: RocCurve | None) -> dict[str, Any] | None:
    """At most `ROC_POINTS` corners, both ends kept."""
    if curve is None:
        return None
    count = len(curve.fpr)
    chosen = np.unique(np.linspace(0, count - 1, min(count, ROC_POINTS)).astype(int))
    return {
        "fpr": curve.fpr[chosen],
        "tpr": curve.tpr[chosen],
        "thresholds": curve.thresholds[chosen],
    }
