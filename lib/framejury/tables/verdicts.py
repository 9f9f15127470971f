"""From verdicts in Spark to a report on disk: what reduce, nightly and report share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from framejury.commits import Commit
from framejury.evaluation.inputs import BundleInfo, RunInfo, RunReport
from framejury.rule import rule_of_facts
from framejury.storage import Location
from framejury.tables.summary import described, face_counts
from framejury.verdict import face_threshold
from framejury.warehouse import Warehouse


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
        commit: the run that reports.
        verdicts: one row a video.
        scores: rows of `face_scores` behind them.
        videos: the snapshot.
        now: when the report is made, UTC.
    """
    facts = commit.facts
    # A night that found nothing new judged nothing: the verdicts are an earlier run's.
    judged = warehouse.require("verdicts")[-1]
    bundle: Mapping[str, Any] = judged.facts["bundle"]
    info = RunInfo(
        run_id=commit.run_id,
        created_at=now,
        archive=warehouse.archive or "",
        warehouse=warehouse.location.uri,
        model_id=str(judged.model_id),
        bundle=BundleInfo(bundle["purpose"], bundle["card"], bundle["metrics"]),
        settings=commit.settings,
        versions=facts.get("versions", {}),
        seconds=facts.get("seconds", {}),
        statuses=facts.get("statuses"),
    )
    table: pa.Table = described(verdicts, videos)
    # The rule that was in use; runs before rules were known have the bundle's threshold.
    rule = rule_of_facts({**bundle, **{k: v for k, v in judged.facts.items() if k == "rule"}})
    return RunReport(
        table,
        face_counts(scores, videos),
        info,
        notes=_notes(warehouse),
        face_threshold=face_threshold(rule),
    )


def write_report(warehouse: Warehouse, report: RunReport) -> Location:
    """Build the report's files and write them below the warehouse."""
    from framejury.evaluation.report import build_report

    return warehouse.write_report(report.run.run_id, build_report(report))


def _notes(warehouse: Warehouse) -> tuple[str, ...]:
    if not warehouse.with_table("splits"):
        return ()
    return (
        "Videos of this archive were split for training here, so a bundle trained on them may "
        "know some of these videos. Held-out figures: framejury evaluate --side test.",
    )
