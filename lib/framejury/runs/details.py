"""All details of one past run. No Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.errors import SetupError
from framejury.redaction import redacted
from framejury.runs.drift import RunDrift, ScoreHistograms, drift_of, summed
from framejury.runs.history import PastRun
from framejury.schemas.statuses import Status
from framejury.settings import Settings
from framejury.storage import is_file
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts
from framejury.warehouse.marker import read_record
from framejury.warehouse.reader import file_sizes

_JUDGED = [Status.SCORED.value, Status.EXTRACTED.value, Status.NO_FACE.value]


@dataclass(frozen=True)
class Unjudged:
    """A video without a score.

    Attributes:
        path: path below the archive; the id if no listing has it.
        status: outcome.
        error: what went wrong, in words; None if nothing did.
        video_id: its id.
    """

    path: str
    status: str
    error: str | None
    video_id: str


@dataclass(frozen=True)
class TableFiles:
    """Rows that a run wrote to one table.

    Attributes:
        rows: number of rows.
        files: number of files that hold them now.
        size_bytes: size of those files.
        is_shared: whether the files also hold rows of other runs.
    """

    rows: int
    files: int
    size_bytes: int
    is_shared: bool


@dataclass(frozen=True)
class Details:
    """All details of one run, read from its warehouse.

    Attributes:
        run: the run.
        settings: settings that differ from the defaults, by dotted key.
        phase_s: seconds by phase.
        planned, statuses: videos by reason and by status.
        drift: as `RunDrift.to_plain` gives it; None for a run without scores.
        tables: rows and files by table.
        places: URIs of its report, metrics and log, if they exist.
        unjudged: videos without a score, by path.
        exit_code: its exit code; None if unknown.
        training: what is known of its model's training data, if it was trained elsewhere.
        versions: versions of framejury and of the libraries it uses.
    """

    run: PastRun
    settings: dict[str, Any]
    phase_s: dict[str, float]
    planned: dict[str, int]
    statuses: dict[str, int]
    drift: dict[str, Any] | None
    tables: dict[str, TableFiles]
    places: dict[str, str]
    unjudged: list[Unjudged]
    exit_code: int | None
    training: str | None
    versions: dict[str, str]

    @property
    def archive(self) -> str | None:
        """The archive it worked on, without secrets."""
        archive = self.run.commits[-1].archive if self.run.commits else None
        return None if archive is None else redacted(archive)

    def to_plain(self) -> dict[str, Any]:
        """Return the details as JSON values."""
        return {
            **self.run.to_plain(),
            "exit_code": self.exit_code,
            "archive": self.archive,
            "training": self.training,
            "settings": self.settings,
            "phase_s": self.phase_s,
            "planned": self.planned,
            "statuses": self.statuses,
            "drift": self.drift,
            "tables": {name: asdict(files) for name, files in self.tables.items()},
            "places": self.places,
            "versions": self.versions,
            "unjudged": [asdict(one) for one in self.unjudged],
        }


def details(run: PastRun, warehouse: Warehouse) -> Details:
    """Read all details of a run."""
    metrics = metrics_of(run, warehouse) or {}
    facts = run.commits[-1].facts if run.commits else CommitFacts()
    return Details(
        run=timed(run, warehouse),
        settings=changed_settings(run),
        phase_s=metrics.get("phase_s", facts.seconds),
        planned=run.counted("planned"),
        statuses=run.counted("statuses"),
        drift=_drift(run, warehouse, metrics),
        tables=table_files(run, warehouse),
        places=written_beside(run, warehouse),
        unjudged=unjudged(run, warehouse),
        exit_code=metrics.get("exit_code"),
        training=(facts.bundle or {}).get("training"),
        versions=facts.versions,
    )


def changed_settings(run: PastRun) -> dict[str, Any]:
    """Return the settings that differ from the defaults of this framejury, by dotted key."""
    if not run.commits:
        return {}
    defaults = _flat(Settings().model_dump(mode="json"))
    used = _flat(run.commits[-1].settings)
    return {key: value for key, value in used.items() if (key, value) not in defaults.items()}


def run_drift(run: PastRun, warehouse: Warehouse) -> RunDrift | None:
    """Compute the drift of a run's scores against earlier runs; None for a run without scores.

    Raises:
        SetupError: SciPy is not installed.
    """
    found = [ScoreHistograms.of_commit(commit) for commit in run.commits]
    scores = [one for one in found if one is not None]
    if not scores or run.model_id is None:
        return None
    before = [c for c in warehouse.commits() if c.sequence < run.commits[0].sequence]
    first = run.commits[0]
    sampling = first.settings.get("sampling")
    try:
        return drift_of(summed(scores), before, run.model_id, first.facts.rule, sampling)
    except ModuleNotFoundError as error:
        raise SetupError(f"{error.name} is missing; pip install 'framejury[report]'") from error


def unjudged(run: PastRun, warehouse: Warehouse) -> list[Unjudged]:
    """Return the run's videos that were opened but neither scored nor extracted, by path.

    Videos without a face count as judged; deleted files were not opened.

    Raises:
        WarehouseError: its rows cannot be read.
    """
    judges = any("verdicts" in commit.tables for commit in run.commits)
    table = "verdicts" if judges else "extractions"
    parts = [
        warehouse.read_run(commit.run_id, table, ["video_id", "status", "error"])
        for commit in run.commits
        if commit.tables.get(table, 0)
    ]
    if not parts:
        return []
    rows = pa.concat_tables(parts)
    rows = rows.filter(pc.invert(pc.is_in(rows["status"], pa.array(_JUDGED))))
    known = _known(run, warehouse, rows["video_id"].combine_chunks())
    found = []
    for row in rows.to_pylist():
        video = known.get(row["video_id"], {})
        if video.get("missing_since") is None:
            path = video.get("path", row["video_id"])
            found.append(Unjudged(path, row["status"], row["error"], row["video_id"]))
    return sorted(found, key=lambda one: (one.path, one.status))


def table_files(run: PastRun, warehouse: Warehouse) -> dict[str, TableFiles]:
    """Return the rows written by the run and the files that hold them now, by table."""
    found = {}
    for table in dict.fromkeys(name for commit in run.commits for name in commit.tables):
        wrote = [commit for commit in run.commits if table in commit.tables]
        places = warehouse.stored(table, [commit.run_id for commit in wrote])
        sizes = [size for stored in places for size in file_sizes(stored.place)]
        found[table] = TableFiles(
            rows=sum(commit.tables[table] for commit in wrote),
            files=len(sizes),
            size_bytes=sum(sizes),
            is_shared=not all(stored.exact for stored in places),
        )
    return found


def written_beside(run: PastRun, warehouse: Warehouse) -> dict[str, str]:
    """Return the URIs of its `report`, `metrics` and `log`, of those that exist."""
    found = {}
    for run_id in run.run_ids:
        report = warehouse.location.child("reports", run_id)
        for name, place in (
            ("report", report.child("report.html")),
            ("metrics", report.child("metrics.json")),
            ("log", warehouse.location.child("logs", f"{run_id}.jsonl")),
        ):
            if is_file(place):
                found[name] = place.uri
    return found


def metrics_of(run: PastRun, warehouse: Warehouse) -> dict[str, Any] | None:
    """Read the metrics a run wrote at its end; None if it did not get that far.

    Raises:
        WarehouseError: the file cannot be read.
    """
    for run_id in reversed(run.run_ids):
        place = warehouse.location.child("reports", run_id, "metrics.json")
        if is_file(place):
            return read_record(place)
    return None


def timed(run: PastRun, warehouse: Warehouse) -> PastRun:
    """Return the run with its `times`, if it stored metrics.

    Raises:
        WarehouseError: the file cannot be read.
    """
    metrics = metrics_of(run, warehouse) or {}
    if not {"started_at", "ended_at"} <= metrics.keys():
        return run
    start, end = (datetime.fromisoformat(metrics[name]) for name in ("started_at", "ended_at"))
    return replace(run, times=(start, end))


def _drift(run: PastRun, warehouse: Warehouse, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the drift from the run's metrics; without metrics compute it from the commits."""
    if (counts := metrics.get("counts")) is not None:
        drift: dict[str, Any] = counts["drift"]
        return drift
    found = run_drift(run, warehouse)
    return None if found is None else found.to_plain()


def _known(run: PastRun, warehouse: Warehouse, video_ids: pa.Array) -> dict[str, dict[str, Any]]:
    """Return `path` and `missing_since` of these videos, from the listing of that time."""
    last = run.commits[-1].sequence
    listings = [c for c in warehouse.with_table("videos") if c.sequence <= last]
    if not listings:
        return {}
    columns = ["video_id", "path", "missing_since"]
    videos = warehouse.read_run(listings[-1].run_id, "videos", columns)
    listed = videos.filter(pc.is_in(videos["video_id"], video_ids))
    return {row["video_id"]: row for row in listed.to_pylist()}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted key."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = isinstance(value, Mapping)
        found |= _flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found
