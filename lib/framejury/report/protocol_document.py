"""`metrics.json`: every figure of the protocol with its interval, for programs."""

from __future__ import annotations

import json
from typing import Any

from framejury.evaluation.protocol_numbers import Estimate, ProtocolFindings, ProtocolSlice
from framejury.evaluation.reliability import BINS
from framejury.report.document import plain
from framejury.report.inputs import RunInfo
from framejury.report.protocol_tables import FIGURES

SCHEMA_VERSION = 1
"""Incremented when a key changes its meaning or is removed."""


def metrics_json(p: ProtocolFindings, run: RunInfo, notes: tuple[str, ...]) -> bytes:
    """Return UTF-8 JSON; null where a figure or its interval is undefined.

    A figure is `{"value", "low", "high"}`; `figures` explains each name.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "run_id": run.run_id,
        "created_at": run.created_at,
        "model_id": run.model_id,
        "archive": run.archive,
        "leak": None if run.bundle is None else run.bundle.leak,
        "notes": notes,
        "versions": run.versions,
        "settings": run.settings,
        "interval_level": p.overall.metrics.bootstrap.level,
        "bootstrap_draws": p.overall.metrics.bootstrap.draws,
        "figures": {name: f"{figure.label}: {figure.meaning}" for name, figure in FIGURES.items()},
        "frames_per_video": p.headline,
        "overall": _slice(p.overall),
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
        "reliability": {
            "bins": BINS,
            "counts": p.reliability.counts,
            "mean_score": p.reliability.mean_score,
            "fake_share": p.reliability.fake_share,
            "ece_by_chance": p.ece_by_chance,
        },
        "det": {"videos": p.det_videos, "faces": p.det_faces},
    }
    text = json.dumps(plain(content), ensure_ascii=False, allow_nan=False, indent=1)
    return (text + "\n").encode("utf-8", errors="backslashreplace")


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
