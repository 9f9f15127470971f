"""What reduce, nightly and report share: the rules of a run, and the report's facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from framejury import __version__
from framejury.errors import WarehouseError
from framejury.evaluation.inputs import BundleInfo, RunInfo, RunReport
from framejury.model.manifest import CARD_NAME, Bundle
from framejury.storage import Location
from framejury.tables.summary import described, face_counts
from framejury.warehouse import Commit, Warehouse

_LIBRARIES = ("pyspark", "av", "onnxruntime", "opencv-python-headless", "numpy", "pyarrow")


def bundle_facts(bundle: Bundle) -> dict[str, Any]:
    """What later runs and reports need to know of a bundle, as plain values."""
    return {
        "model_id": bundle.model_id,
        "purpose": bundle.purpose,
        "threshold": bundle.threshold,
        "metrics": {
            side: {name: asdict(figure) for name, figure in figures.items()}
            for side, figures in bundle.metrics.items()
        },
        "card": (bundle.directory / CARD_NAME).read_text(encoding="utf-8"),
    }


def latest_bundle(warehouse: Warehouse) -> dict[str, Any]:
    """`bundle_facts` of the latest run that scored.

    Raises:
        WarehouseError: nothing was scored yet.
    """
    for commit in reversed(warehouse.with_table("face_scores")):
        facts: dict[str, Any] = commit.facts["bundle"]
        return facts
    raise WarehouseError(warehouse.missing("face_scores"))


def versions() -> dict[str, str]:
    """Versions of framejury and what it stands on."""
    return {"framejury": __version__, **{name: version(name) for name in _LIBRARIES}}


def make_report(
    warehouse: Warehouse,
    commit: Commit,
    *,
    verdicts: DataFrame,
    scores: DataFrame,
    videos: DataFrame,
    now: datetime,
) -> RunReport:
    """The report on the verdicts as they stand after a commit.

    Args:
        warehouse: where they are.
        commit: the run that wrote verdicts last.
        verdicts: one row a video.
        scores: rows of `face_scores` behind them.
        videos: the snapshot.
        now: when the report is made, UTC.
    """
    facts = commit.facts
    bundle: Mapping[str, Any] = facts["bundle"]
    info = RunInfo(
        run_id=commit.run_id,
        created_at=now,
        archive=_archive(warehouse),
        warehouse=warehouse.location.uri,
        model_id=str(commit.model_id),
        bundle=BundleInfo(bundle["purpose"], bundle["card"], bundle["metrics"]),
        settings=commit.settings,
        versions=facts.get("versions", {}),
        seconds=facts.get("seconds", {}),
        statuses=facts.get("statuses"),
    )
    table: pa.Table = described(verdicts, videos)
    return RunReport(table, face_counts(scores, videos), info)


def write_report(warehouse: Warehouse, report: RunReport) -> Location:
    """Build the report's files and write them below the warehouse."""
    from framejury.evaluation.report import build_report

    return warehouse.write_report(report.run.run_id, build_report(report))


def _archive(warehouse: Warehouse) -> str:
    return next((str(c.archive) for c in reversed(warehouse.commits()) if c.archive), "")
