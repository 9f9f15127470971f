"""From verdicts in Spark to report and evidence on disk: what reduce, nightly, report share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from framejury.commits import Commit
from framejury.config import settings_from
from framejury.evaluation.inputs import BundleInfo, Context, RunInfo, RunReport
from framejury.rule import rule_of_facts
from framejury.settings import ReportSettings
from framejury.storage import Location, local_path
from framejury.tables.context import context_of, night_commits, shown_faces
from framejury.tables.evidence import page_link, write_pages, written_pages
from framejury.tables.store import Store
from framejury.tables.summary import described, face_counts, with_videos
from framejury.verdict import face_threshold
from framejury.warehouse import Warehouse

if TYPE_CHECKING:
    from framejury.evaluation.evidence_page import About


@dataclass(frozen=True)
class Publisher:
    """Writes the report on the verdicts as they stand after a commit, and evidence pages.

    Attributes:
        store: of the warehouse.
        warehouse: where the tables are.
        commit: the run that reports; its facts may know more than what was committed.
        videos: the snapshot.
        settings: how much is shown.
        now: when the report is made, UTC.
        folder: where to write; None: the warehouse's own `reports/<run_id>` and `evidence`.
    """

    store: Store
    warehouse: Warehouse
    commit: Commit
    videos: DataFrame
    settings: ReportSettings
    now: datetime
    folder: Location | None = None

    def publish(self, verdicts: DataFrame) -> Location:
        """Write everything and return the report's folder.

        Args:
            verdicts: rows of `latest("verdicts")`, cached: they are read several times.
        """
        from framejury.evaluation.report import build_report, write_files

        report = self.report(verdicts)
        report = replace(report, context=self._with_evidence(verdicts, report))
        files = build_report(report, max_rows=self.settings.rows)
        if self.folder is None:
            return self.warehouse.write_report(self.commit.run_id, files)
        write_files(files, local_path(self.folder.uri))
        return self.folder

    def report(self, verdicts: DataFrame) -> RunReport:
        """The report without evidence."""
        facts, warehouse = self.commit.facts, self.warehouse
        commits = warehouse.commits()
        # A night that found nothing new judged nothing: the verdicts are an earlier run's.
        judged = warehouse.require("verdicts")[-1]
        bundle: Mapping[str, Any] = judged.facts["bundle"]
        info = RunInfo(
            run_id=self.commit.run_id,
            created_at=self.now,
            archive=warehouse.archive or "",
            warehouse=warehouse.location.uri,
            model_id=str(judged.model_id),
            bundle=BundleInfo(bundle["purpose"], bundle["card"], bundle["metrics"]),
            settings=self.commit.settings,
            versions=facts.get("versions", {}),
            seconds=facts.get("seconds", {}),
            statuses=facts.get("statuses"),
        )
        table: pa.Table = described(verdicts, self.videos)
        # The rule that was in use; runs before rules were known have the bundle's threshold.
        rule = rule_of_facts({**bundle, **{k: v for k, v in judged.facts.items() if k == "rule"}})
        night = night_commits(commits, self.commit)
        return RunReport(
            table,
            face_counts(self.store.scores_behind(verdicts), self.videos),
            info,
            notes=_notes(warehouse),
            face_threshold=face_threshold(rule),
            context=context_of(self.store, commits, night, verdicts, nights=self.settings.nights),
        )

    def _with_evidence(self, verdicts: DataFrame, report: RunReport) -> Context:
        """The context with links to evidence pages, those made now among them, and with faces."""
        from framejury.evaluation.evidence_choice import evidence_order

        root = self.warehouse.location if self.folder is None else self.folder
        order = evidence_order(report.verdicts, report.context.judged_now)
        there = written_pages(root, order)
        lacking = order.filter(
            pc.invert(pc.is_in(order["video_id"], pa.array(list(there), pa.string())))
        )
        chosen = lacking.slice(0, self.settings.evidence_pages)
        if chosen.num_rows:
            known = with_videos(verdicts, self.videos)
            write_pages(self.store, known, chosen, root, self._about(report))
        there |= set(chosen["video_id"].to_pylist())
        prefix = "../../" if self.folder is None else ""
        links = {
            row["video_id"]: prefix + page_link(row["run_id"], row["video_id"])
            for row in order.to_pylist()
            if row["video_id"] in there
        }
        ids = order["video_id"].slice(0, self.settings.rows).combine_chunks()
        faces = shown_faces(self.store.pictures_behind(verdicts), ids)
        return replace(report.context, evidence=links, faces=faces)

    def _about(self, report: RunReport) -> About:
        """What all pages say alike, `ROOT/evidence/<run_id>/` being where they are read."""
        from framejury.evaluation.evidence_page import About

        judged = self.warehouse.require("verdicts")[-1]
        place = f"reports/{self.commit.run_id}/" if self.folder is None else ""
        return About(
            created_at=self.now,
            bundle=report.run.bundle,
            rule=rule_of_facts(judged.facts),
            settings=settings_from(judged.settings).verdict,
            report=f"../../{place}report.html",
        )


def _notes(warehouse: Warehouse) -> tuple[str, ...]:
    if not warehouse.with_table("splits"):
        return ()
    return (
        "Videos of this archive were split for training here, so a bundle trained on them may "
        "know some of these videos. Held-out figures: framejury evaluate --side test.",
    )
