"""Nightly runs of a small archive on the tests' own Spark session."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from framejury.archive.video_rows import videos_table, with_missing
from framejury.cli.judging_options import Judging
from framejury.examine.messages import settings_id
from framejury.model.bundle import load_bundle
from framejury.night.night import NightlyRun, judge
from framejury.night.plan import NightPlan, PlanRules, make_plan, plan_night
from framejury.settings.loading import settings_from
from framejury.tables.index import index_archive
from framejury.warehouse import Warehouse

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
SETTINGS = {"sampling": {"frames": 3}, "detection": {"detector": "haar"}, "run": {"merge_runs": 3}}


@dataclass
class Place:
    """An archive of small clips, an empty warehouse, a bundle."""

    spark: SparkSession
    archive: Path
    warehouse: Warehouse
    bundle_dir: Path

    def night(self, **sections: Any) -> NightlyRun:
        settings = settings_from({**SETTINGS, **sections})
        judging = Judging.of(load_bundle(self.bundle_dir), settings)
        night = NightlyRun("nightly", str(self.archive), judging, self.warehouse)
        night.spark = self.spark
        return night

    def plan(self, night: NightlyRun, now: datetime = NOW) -> tuple[pa.Table, NightPlan]:
        entries, *_ = index_archive(self.spark, night.archive, night.judging.settings.index)
        known = self.warehouse.with_table("videos")
        before = self.warehouse.read_snapshot("videos") if known else None
        rows = with_missing(videos_table(entries, "planned"), before, now)
        rules = PlanRules(3, night.judging.bundle.model_id, settings_id(night.judging.settings))
        planned = plan_night(
            night.store.without_forgotten(self.spark.createDataFrame(rows)),
            night.store.history("extractions"),
            night.store.history("verdicts"),
            rules,
        )
        return rows, make_plan(planned, night.judging.settings, [])

    def run(self, now: datetime = NOW, **sections: Any) -> NightlyRun:
        night = self.night(**sections)
        rows, plan = self.plan(night, now)
        judge(night, plan, rows)
        return night

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """The latest, by name of the file; checked to be one to one with `videos`."""
        videos = Warehouse.open(self.warehouse.location.uri).read_snapshot("videos").to_pylist()
        rows = self.warehouse.read_latest("verdicts").to_pylist()
        assert Counter(row["video_id"] for row in rows) == Counter(v["video_id"] for v in videos)
        names = {video["video_id"]: video["path"] for video in videos}
        return {
            names[row["video_id"]]: {k: v for k, v in row.items() if k != "run_id"} for row in rows
        }
