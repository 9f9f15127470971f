"""Settings of nights and of Spark."""

from __future__ import annotations

from pydantic import Field

from framejury.settings.section import Section


class RunSettings(Section):
    """How a night goes."""

    commit_s: float = Field(
        1800.0,
        gt=0,
        description="Work aimed at between two commits of a night, estimated seconds on all "
        "cores: the most that is lost when its driver is killed.",
    )
    failures_ratio: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of a night's videos that may end as timeout, crashed, unreadable or "
        "missing, without those that had failed before; beyond, exit code 3.",
    )
    merge_runs: int = Field(
        32,
        ge=2,
        le=100_000,
        description="After so many runs with small files of their own, nightly merges them, count.",
    )


class SparkSettings(Section):
    """How Spark divides the work; everything else belongs in `conf/spark/*.conf`."""

    task_s: float = Field(
        10.0,
        gt=0,
        le=86_400,
        description="Work aimed at for one task, estimated seconds on one core; less towards the "
        "end of a stage.",
    )
    max_tasks: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Most tasks of one stage, count; larger archives get more work a task.",
    )
    survey_bytes: int = Field(
        16 * 2**20,
        ge=1,
        description="From this size on, videos of which many frames are looked at are opened "
        "beforehand and cut into segments, bytes.",
    )
    segment_s: float = Field(
        10.0,
        gt=0,
        le=86_400,
        description="Work aimed at for one segment of a long video, estimated seconds on one core.",
    )
    row_group_bytes: int = Field(
        16 * 2**20, ge=2**20, description="Size aimed at for a Parquet row group, bytes."
    )
