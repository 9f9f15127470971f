"""Metrics of a run as a file for node_exporter's textfile collector.

One file per warehouse and job holds gauges of the last run; each run replaces it. Names follow
https://prometheus.io/docs/practices/naming/ : base units, `_ratio` for shares. Every series has
the labels `warehouse` and `verb` (Prometheus reserves `job`), so files of several warehouses can
share a folder. Statuses, reasons and verdicts that did not occur are 0: a rule on a series that
comes and goes does not fire.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from framejury import __version__
from framejury.errors import UsageError
from framejury.redaction import printable, redacted
from framejury.runs.drift import Drift
from framejury.runs.run_metrics import RunCounts, RunMetrics
from framejury.schemas.statuses import FAILURE_STATUSES, VERDICT_STATUSES, Reason, Verdict

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_SUFFIX = ".prom"


@dataclass(frozen=True)
class Sample:
    """One gauge.

    Attributes:
        name: name without the prefix `framejury_`.
        help: its help text.
        values: values by label value; under "" if it has no label.
        label: name of the label; empty if it has none.
    """

    name: str
    help: str
    values: Mapping[str, float]
    label: str = ""


def check_textfile(path: Path) -> None:
    """Check before the work that the file can be written and that node_exporter will read it.

    Raises:
        UsageError: its name does not end in `.prom`, or its folder does not exist or is read-only.
    """
    if path.suffix != _SUFFIX:
        raise UsageError(f"{path} must end in {_SUFFIX}, or node_exporter does not read it")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(
            f"cannot write {path}: {path.parent} is not a folder that framejury may write to"
        )


def write_textfile(metrics: RunMetrics, path: Path) -> None:
    """Write the file by a rename within its folder, so that no scrape sees half of it.

    Raises:
        OSError: it cannot be written; the old one is still there.
    """
    # Imported here: only the driver of a run that is watched needs it.
    from prometheus_client import write_to_textfile

    write_to_textfile(str(path), registry_of(metrics))


def registry_of(metrics: RunMetrics) -> CollectorRegistry:
    """Return the run's gauges in a registry of their own."""
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    # A hostile path must neither break out of the label nor contain what UTF-8 cannot hold.
    common = {"warehouse": printable(redacted(metrics.warehouse)), "verb": metrics.job}
    for sample in samples_of(metrics):
        names = [*common, *([sample.label] if sample.label else [])]
        gauge = Gauge(f"framejury_{sample.name}", sample.help, names, registry=registry)
        for value, number in sample.values.items():
            labels = common | ({sample.label: value} if sample.label else {})
            gauge.labels(**labels).set(number)
    about = Gauge(
        "framejury_run_info",
        "Always 1; the labels identify the last run.",
        [*common, "run_id", "model_id", "version"],
        registry=registry,
    )
    run_id = metrics.run_ids[-1] if metrics.run_ids else ""
    model_id = printable(metrics.model_id or "")
    about.labels(**common, run_id=run_id, model_id=model_id, version=__version__).set(1)
    return registry


def samples_of(metrics: RunMetrics) -> Iterator[Sample]:
    """Yield every gauge but `run_info`; unknown values are left out."""
    yield from _of_time(metrics)
    yield from _of_published(metrics)
    if metrics.counts is not None:
        yield from _of_counts(metrics.counts)
        yield from _of_drift(metrics.counts)


def _of_time(metrics: RunMetrics) -> Iterator[Sample]:
    yield _one("run_exit_code", "Exit code of the last run.", metrics.exit_code)
    yield _one(
        "run_start_timestamp_seconds",
        "When the last run started, seconds since 1970.",
        metrics.started_at.timestamp(),
    )
    yield _one(
        "run_end_timestamp_seconds",
        "When the last run ended, seconds since 1970.",
        metrics.ended_at.timestamp(),
    )
    yield _one("run_wall_seconds", "Duration of the last run.", metrics.wall_s)
    yield Sample(
        "run_phase_seconds", "Duration of the last run by phase.", metrics.phase_s, "phase"
    )
    for name, help_text, value in (
        (
            "run_videos_per_second",
            "Videos with an outcome per second of the last run.",
            metrics.videos_per_s,
        ),
        ("run_faces_per_second", "Faces scored per second of the last run.", metrics.faces_per_s),
    ):
        if value is not None:
            yield _one(name, help_text, value)


def _of_published(metrics: RunMetrics) -> Iterator[Sample]:
    """Yield nothing for a run that publishes nowhere."""
    if not metrics.published:
        return
    yield Sample(
        "run_publish_failed",
        "1 where tables for other tools could not be brought up to date, by target; else 0.",
        {one["target"]: int(one["error"] is not None) for one in metrics.published},
        "target",
    )
    yield Sample(
        "run_published_runs",
        "Runs that were missing in tables for other tools and are there now, by target.",
        {one["target"]: one["runs"] for one in metrics.published},
        "target",
    )
    yield Sample(
        "run_publish_seconds",
        "Time that bringing tables for other tools up to date took, by target.",
        {one["target"]: one["seconds"] for one in metrics.published},
        "target",
    )


def _of_counts(counts: RunCounts) -> Iterator[Sample]:
    if counts.videos_in_archive is not None:
        yield _one("archive_videos", "Videos in the archive.", counts.videos_in_archive)
    if counts.left_out is not None:
        yield Sample(
            "archive_left_out_files",
            "Files in the archive that were not opened, by the ending of their names.",
            counts.left_out,
            "ending",
        )
    yield Sample(
        "run_planned_videos",
        "Videos that the last run worked on, by reason.",
        {reason.value: counts.planned.get(reason, 0) for reason in Reason},
        "reason",
    )
    yield Sample(
        "run_videos",
        "Videos of the last run, by status.",
        {status.value: counts.statuses.get(status.value, 0) for status in VERDICT_STATUSES},
        "status",
    )
    yield Sample(
        "run_failed_videos",
        "Failed videos of the last run by status, without deleted files.",
        {status.value: counts.failures.get(status.value, 0) for status in FAILURE_STATUSES},
        "status",
    )
    if counts.failure_share is not None:
        yield _one(
            "run_failed_ratio",
            "Failed videos among the videos opened, without retried ones, 0 to 1.",
            counts.failure_share,
        )
    yield Sample(
        "run_verdicts",
        "Videos of the last run, by verdict.",
        {verdict.value: counts.verdicts.get(verdict.value, 0) for verdict in Verdict},
        "verdict",
    )
    yield _one("run_found_faces", "Faces found by the last run.", counts.faces_found)
    yield _one("run_scored_faces", "Faces scored by the last run.", counts.faces_scored)
    yield _one("run_read_bytes", "Bytes of the files opened by the last run.", counts.read_bytes)
    yield _one(
        "run_video_cpu_seconds", "Processor time of its videos, summed.", counts.videos_cpu_s
    )
    yield _one("run_video_wall_seconds", "Worker time of its videos, summed.", counts.videos_wall_s)
    if counts.scoring_s:
        yield Sample(
            "run_scoring_seconds",
            "Time that each network took to score faces, summed.",
            counts.scoring_s,
            "model_id",
        )


def _of_drift(counts: RunCounts) -> Iterator[Sample]:
    """Yield nothing if there are too few videos: then no alert can fire."""
    drifts: dict[str, Drift] = {
        of: found
        for of, found in (("videos", counts.drift.videos), ("faces", counts.drift.faces))
        if found is not None
    }
    if not drifts:
        return
    for field, help_text in (
        ("psi", "Population stability index of the scores against earlier runs of the model."),
        ("psi_chance", "Value that chance alone exceeds once in 1,000 runs of this size."),
        ("ks", "Kolmogorov-Smirnov distance of the scores to those of earlier runs."),
        ("ks_chance", "Value that chance alone exceeds once in 1,000 runs of this size."),
    ):
        values = {of: getattr(found, field) for of, found in drifts.items()}
        yield Sample(f"score_drift_{field}", help_text, values, "of")


def _one(name: str, help_text: str, value: float) -> Sample:
    return Sample(name, help_text, {"": value})
