"""Settings of nightly runs and of Spark."""

from __future__ import annotations

from pydantic import Field

from framejury.settings.section import Section


class RunSettings(Section):
    """How a nightly run commits its work."""

    commit_s: float = Field(
        1800.0,
        gt=0,
        description="Work aimed at between two commits of a nightly run, estimated seconds on all "
        "cores; at most this much is lost when its driver is killed.",
    )
    failures_ratio: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest share of a nightly run's videos that may end as timeout, crashed, "
        "unreadable or missing, not counting videos that had failed before, 0 to 1; beyond: exit "
        "code 3.",
    )
    merge_runs: int = Field(
        32,
        ge=2,
        le=100_000,
        description="Runs with small files of their own after which a nightly run merges them, "
        "count.",
    )


class SparkSettings(Section):
    """How Spark divides the work; all else belongs in `conf/spark/*.conf`."""

    task_s: float = Field(
        10.0,
        gt=0,
        le=86_400,
        description="Work aimed at per task, estimated seconds on one core; less towards the end "
        "of a stage.",
    )
    max_tasks: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Most tasks per stage, count; larger archives get more work per task.",
    )
    survey_bytes: int = Field(
        16 * 2**20,
        ge=1,
        description="Files of this size or more are opened in advance and cut into segments if "
        "many of their frames are sampled, bytes.",
    )
    segment_s: float = Field(
        10.0,
        gt=0,
        le=86_400,
        description="Work aimed at per segment of a long video, estimated seconds on one core.",
    )
    row_group_bytes: int = Field(
        16 * 2**20, ge=2**20, description="Size aimed at per Parquet row group, bytes."
    )
