"""Examine videos on executors: one pass over each gives rows of five tables."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_schema

from framejury import logs
from framejury.examine.costs import (
    Seconds,
    estimate_costs_s,
    estimate_survey_costs_s,
    grows_with_length,
)
from framejury.examine.messages import ROWS, ExaminePlan, Segment, VideoJob
from framejury.schemas.statuses import FAILURE_STATUSES
from framejury.settings.loading import settings_from
from framejury.tables.resources import task_gpu
from framejury.tables.staging import settle_segments, write_staged
from framejury.tables.store import Store
from framejury.tables.task_progress import Done, dealt
from framejury.warehouse.commits import Run

if TYPE_CHECKING:
    from framejury.examine.worker import Examiner

IN_ONE_ROUND = "in_one_round"
"""Column of videos to examine: whether no further round of frames may follow; may be missing."""

_VIDEO = pa.schema(
    [
        ("video_id", pa.string()),
        ("uri", pa.string()),
        ("bytes", pa.int64()),
        ("modified_at", pa.timestamp("us", tz="UTC")),
        (IN_ONE_ROUND, pa.bool_()),
    ]
)
_CUT = [("segment", pa.int32()), ("first", pa.int64()), ("stop", pa.int64())]
_UNIT = pa.schema([*_VIDEO, ("content_id", pa.string()), *_CUT])
_SURVEYED = pa.schema(
    [("video_id", pa.string()), ("content_id", pa.string()), *_CUT, ("cost_s", pa.float64())]
)


@dataclass(frozen=True)
class Units:
    """Units of work of a stage: whole videos, and segments of videos that were cut.

    Attributes:
        rows: one row per unit, columns of `_UNIT`.
        costs_s: float64 (n,), estimated seconds of each unit on one core.
        segments: number of segments by `video_id`, for videos that were cut.
    """

    rows: pa.Table
    costs_s: Seconds
    segments: dict[str, int]


def write_examined(
    store: Store,
    run: Run,
    videos: DataFrame,
    plan: ExaminePlan,
    bundle: str | None = None,
) -> list[str]:
    """Examine videos and write the run's rows of the tables `staging.STAGED_TABLES`.

    Args:
        store: of the warehouse.
        run: the run under way.
        videos: rows with `video_id`, `uri`, `bytes`, `modified_at`, and perhaps `IN_ONE_ROUND`.
        plan: what to do with each; `bundle_dir` and `device` are filled in on the executor, and
            `sound_dir` is the sound model from `ship_bundle`.
        bundle: from `ship_bundle`, to score with; None: only extract.

    Returns:
        parts of the decoders' sandbox that were not in force, by machine, in words.
    """
    units = plan_units(videos, plan, bundle)
    done = Done.of(videos.sparkSession)
    rows = examine_units(videos.sparkSession, units, plan, bundle, done)
    noun = "videos and segments" if units.segments else "videos"
    with done.shown(noun, units.rows.num_rows, float(units.costs_s.sum())):
        store.stage(rows, run)
    write_staged(store, run)
    if units.segments:
        evidence = settings_from(plan.settings).evidence
        settle_segments(videos.sparkSession, store, run, units.segments, evidence)
    run.location.filesystem.delete_dir(run.staging_location().path)
    return sorted(done.lacking.value)


def plan_units(videos: DataFrame, plan: ExaminePlan, bundle: str | None = None) -> Units:
    """Turn videos into units of work; open long videos in a stage of their own and cut them.

    Videos are cut only if longer ones have more frames to sample. A video whose survey fails stays
    whole; the pass over it finds its status.

    Args:
        videos, plan, bundle: as in `write_examined`.
    """
    settings = settings_from(plan.settings)
    if IN_ONE_ROUND not in videos.columns:
        videos = videos.withColumn(IN_ONE_ROUND, F.lit(False))
    rows = videos.select(*_VIDEO.names).toArrow().cast(_VIDEO)
    sizes = rows["bytes"].to_numpy()
    costs_s = estimate_costs_s(sizes, settings.sampling, settings.detection.detector)
    rows = _with_nulls(rows)
    large = sizes >= settings.spark.survey_bytes
    if not grows_with_length(settings.sampling) or not large.any():
        return Units(rows, costs_s, {})
    surveyed = _survey(videos.sparkSession, rows.filter(pa.array(large)), plan, bundle)
    place = pc.index_in(rows["video_id"], surveyed["video_id"].combine_chunks())
    known = place.is_valid().to_numpy()
    costs_s[known] = surveyed["cost_s"].to_numpy()[place.drop_null().to_numpy()]
    counts = Counter(surveyed["video_id"].to_pylist())
    cut = {video_id: count for video_id, count in counts.items() if count > 1}
    ids = pa.array(list(cut), pa.string())
    whole = pc.invert(pc.is_in(rows["video_id"], ids))
    parts = surveyed.filter(pc.is_in(surveyed["video_id"], ids))
    parts = parts.join(rows.select(_VIDEO.names), "video_id")
    return Units(
        pa.concat_tables([rows.filter(whole), parts.select(_UNIT.names).cast(_UNIT)]),
        np.concatenate([costs_s[whole.to_numpy()], parts["cost_s"].to_numpy()]),
        cut,
    )


def examine_units(
    spark: SparkSession,
    units: Units,
    plan: ExaminePlan,
    bundle: str | None = None,
    done: Done | None = None,
) -> DataFrame:
    """Return rows of the tables `staging.STAGED_TABLES` (schema `messages.ROWS`).

    Rows of segments are addressed to the staging table `SEGMENTS`; see `settle_segments`.

    Args:
        spark: the session.
        units: from `plan_units`.
        plan, bundle: as in `write_examined`.
        done: counts finished units, for progress.
    """

    def examine(examiner: Examiner, row: dict[str, Any]) -> pa.RecordBatch:
        batch = examiner.examine(_job(row))
        _log_outcome(row, batch)
        return batch

    rows = dealt(spark, units.rows, units.costs_s, settings_from(plan.settings).spark)
    work = _partition_function(examine, plan, bundle, done)
    return rows.mapInArrow(work, from_arrow_schema(ROWS))


def _survey(
    spark: SparkSession, videos: pa.Table, plan: ExaminePlan, bundle: str | None
) -> pa.Table:
    """Return rows of `_SURVEYED`, one per segment; no row for a video whose survey failed."""

    def survey(examiner: Examiner, row: dict[str, Any]) -> pa.RecordBatch:
        found = examiner.survey(_job(row))
        parts = [] if found is None else zip(found.segments, found.costs_s, strict=True)
        segments = [
            {
                "video_id": row["video_id"],
                "content_id": found.content_id if found is not None else None,
                "segment": segment.number,
                "first": segment.first,
                "stop": segment.stop,
                "cost_s": cost_s,
            }
            for segment, cost_s in parts
        ]
        return pa.RecordBatch.from_pylist(segments, schema=_SURVEYED)

    done = Done.of(spark)
    costs_s = estimate_survey_costs_s(videos["bytes"].to_numpy())
    rows = dealt(spark, videos, costs_s, settings_from(plan.settings).spark)
    # Use the plan of the main pass, with the bundle: its child processes are then already loaded.
    work = _partition_function(survey, plan, bundle, done)
    with done.shown("long videos surveyed", videos.num_rows, float(costs_s.sum())):
        return rows.mapInArrow(work, from_arrow_schema(_SURVEYED)).toArrow().cast(_SURVEYED)


def _with_nulls(videos: pa.Table) -> pa.Table:
    """Return whole videos as rows of `_UNIT`."""
    for field in list(_UNIT)[len(_VIDEO) :]:
        videos = videos.append_column(field, pa.nulls(videos.num_rows, field.type))
    return videos


def _job(row: Mapping[str, Any]) -> VideoJob:
    segment = None
    if row["segment"] is not None:
        segment = Segment(row["segment"], row["first"], row["stop"])
    return VideoJob(
        row["video_id"],
        row["uri"],
        row["bytes"],
        row["modified_at"],
        segment,
        row["content_id"],
        in_one_round=row[IN_ONE_ROUND],
    )


def _partition_function(
    work: Callable[[Examiner, dict[str, Any]], pa.RecordBatch],
    plan: ExaminePlan,
    bundle: str | None,
    done: Done | None,
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def examine_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        logs.start("examine", run_id=plan.run_id)
        local = plan if bundle is None else replace(plan, bundle_dir=SparkFiles.get(bundle))
        if plan.sound_dir is not None:
            local = replace(local, sound_dir=SparkFiles.get(plan.sound_dir))
        gpu = task_gpu()
        examiner = _examiner(replace(local, device="cpu" if gpu is None else "cuda"), gpu)
        if done is not None:
            done.add_lockdown(examiner.lockdown())
        for batch in batches:
            for row in batch.to_pylist():
                with logs.bound(video_id=row["video_id"]):
                    rows = work(examiner, row)
                yield rows
                if done is not None:
                    done.add(row)

    return examine_partition


def _log_outcome(row: Mapping[str, Any], rows: pa.RecordBatch) -> None:
    """Log one line per video or segment, so that its outcome can be found by its id."""
    place = pc.index(rows["status"].is_valid(), pa.scalar(True)).as_py()
    outcome = rows.slice(place, 1).select(["status", "error", "wall_s"]).to_pylist()[0]
    failed = outcome["status"] in FAILURE_STATUSES
    logs.event(
        "video_examined",
        logging.WARNING if failed else logging.INFO,
        **{"uri": row["uri"], "segment": row["segment"], **outcome},
    )


_examiners: dict[str, Examiner] = {}


def _examiner(plan: ExaminePlan, gpu: str | None) -> Examiner:
    """Return this worker's examiner for the plan; it is kept between tasks, so models load once."""
    # Imported on the executor, never before the worker forks.
    from framejury.examine.worker import Examiner

    key = repr((plan, gpu))
    if key not in _examiners:
        for old in _examiners.values():
            old.close()
        _examiners.clear()
        _examiners[key] = Examiner(plan, gpu)
    return _examiners[key]
