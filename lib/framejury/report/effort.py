"""Speed of the run, time per phase, and formats of the videos. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.report.inputs import Context, RunInfo

SLOWEST = 10
KINDS = 12
"""Codecs, containers and resolutions that are listed by name."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of the run: seconds of wall-clock time, and their share, 0 to 1."""

    name: str
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Effort:
    """Time and formats of a run.

    Attributes:
        rates: name with unit -> value; only those that are known.
        slowest: rows with path, video_id and columns of `inputs.EXTRACTION_COLUMNS`, slowest
            first.
        kinds: property (codec, container, resolution) -> value -> videos, most frequent first.
        unlisted: property -> videos whose value is not listed.
    """

    phases: tuple[Phase, ...]
    rates: dict[str, float]
    slowest: tuple[Mapping[str, Any], ...]
    kinds: dict[str, dict[str, int]]
    unlisted: dict[str, int]


def find_effort(predictions: pa.Table, context: Context, run: RunInfo) -> Effort:
    """Compute it from the run and the rows of `extractions`."""
    total_s = sum(run.seconds.values())
    phases = tuple(
        Phase(name, seconds, seconds / total_s if total_s else 0.0)
        for name, seconds in run.seconds.items()
    )
    kinds, unlisted = _kinds(context.extractions)
    return Effort(
        phases=phases,
        rates=_rates(context.work, total_s),
        slowest=_slowest(context.extractions, predictions),
        kinds=kinds,
        unlisted=unlisted,
    )


def _rates(work: Mapping[str, float], total_s: float) -> dict[str, float]:
    found: dict[str, float] = {}
    if total_s:
        found["wall_s"] = total_s
    videos = work.get("videos")
    if videos and total_s:
        found["videos_per_minute"] = 60 * videos / total_s
    if work.get("faces_scored") and total_s:
        found["faces_per_s"] = work["faces_scored"] / total_s
    if work.get("read_bytes"):
        found["read_bytes"] = work["read_bytes"]
    for name in ("cpu", "wall"):
        if videos and f"videos_{name}_s" in work:
            found[f"{name}_s_per_video"] = work[f"videos_{name}_s"] / videos
    return found


def _slowest(extractions: pa.Table | None, predictions: pa.Table) -> tuple[Mapping[str, Any], ...]:
    if extractions is None:
        return ()
    is_here = pc.is_in(extractions["video_id"], predictions["video_id"])
    timed = extractions.filter(pc.and_(is_here, pc.is_valid(extractions["wall_s"])))
    rows: list[dict[str, Any]] = (
        timed.sort_by([("wall_s", "descending"), ("video_id", "ascending")])
        .slice(0, SLOWEST)
        .to_pylist()
    )
    ids = pa.array([row["video_id"] for row in rows], pa.string())
    places = pc.index_in(ids, predictions["video_id"].combine_chunks())
    paths = predictions["path"].take(places).to_pylist()
    return tuple(row | {"path": path} for row, path in zip(rows, paths, strict=True))


def _kinds(extractions: pa.Table | None) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    if extractions is None:
        return {}, {}
    sizes = pc.binary_join_element_wise(
        extractions["width_px"].cast(pa.string()),
        extractions["height_px"].cast(pa.string()),
        " x ",
    )
    columns = {
        "codec": extractions["codec"],
        "container": extractions["container"],
        "resolution": sizes,
    }
    listed, unlisted = {}, {}
    for name, column in columns.items():
        counts = pc.value_counts(column.drop_null()).to_pylist()
        ranked = sorted(counts, key=lambda one: (-one["counts"], one["values"]))
        listed[name] = {one["values"]: one["counts"] for one in ranked[:KINDS]}
        unlisted[name] = sum(one["counts"] for one in ranked[KINDS:])
    return listed, unlisted
