"""Runs and their commit records, as plain values; `framejury.warehouse` reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from framejury.storage import Location

DECIDE_JOB = "decide"
"""Job of runs that only record decisions of people. They hold no lock (decision 24)."""


class _Record(BaseModel):
    """Part of a commit record: immutable, and keeps keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="allow")


class BatchFacts(_Record):
    """Which batch of which nightly run a commit publishes.

    Attributes:
        night: id of the nightly run's first run.
        number: rank of the batch, from 1.
        of: number of batches.
    """

    night: str
    number: int
    of: int


class CostFacts(_Record):
    """Core seconds of a run's videos.

    Attributes:
        estimated_s: estimated from file sizes before the work.
        measured_s: wall-clock time that the workers spent.
    """

    estimated_s: float
    measured_s: float


class ScoreFacts(_Record):
    """Histograms of scores, lowest bin first; see `runs.drift.ScoreHistograms`.

    Attributes:
        videos: count of scored videos per bin of `p_fake`.
        faces: count of scored faces per bin of `score`.
    """

    videos: tuple[int, ...]
    faces: tuple[int, ...]


class Counts(_Record):
    """Counts of a run or one of its batches; of videos unless named otherwise.

    Attributes:
        videos_in_archive: videos listed; None if the archive was not listed.
        planned: videos worked on, by `Reason`.
        statuses: videos by `Status`.
        failed_again: videos planned as `retried` that failed once more.
        verdicts: videos by `Verdict`.
        faces_found: faces above the detector's threshold.
        faces_scored: faces behind the verdicts.
        videos_cpu_s: processor time of the videos, summed, seconds.
        videos_wall_s: wall-clock time that workers spent on them, summed, seconds.
        read_bytes: bytes of the files opened.
        scoring_s: time that each network took, summed, seconds by model_id.
    """

    videos_in_archive: int | None = None
    planned: dict[str, int] = Field(default_factory=dict)
    statuses: dict[str, int] = Field(default_factory=dict)
    failed_again: int = 0
    verdicts: dict[str, int] = Field(default_factory=dict)
    faces_found: int = 0
    faces_scored: int = 0
    videos_cpu_s: float = 0.0
    videos_wall_s: float = 0.0
    read_bytes: int = 0
    scoring_s: dict[str, float] = Field(default_factory=dict)


class CountFacts(Counts):
    """Counts of one batch: `runs.run_metrics.RunCounts` in plain form."""

    drift: dict[str, Any] | None = None
    failures: dict[str, int] = Field(default_factory=dict)
    failure_share: float | None = None


class CommitFacts(_Record):
    """What a commit record holds about its run besides rows and settings. No job sets all of it.

    Keys on disk are the names here. A key that an older framejury did not write has its default;
    one that a newer framejury added is kept and not used.

    Attributes:
        keeps_crops: whether the run kept the crops of its faces.
        left_out: files of the archive left out by their names, by ending, as
            `archive.layouts.ArchiveIndex` counts them; None for a job that lists no archive.
        bundle: the bundle that scored, as `runs.provenance.bundle_facts` gives it.
        rule: the verdict rule in use, as `verdict.rule.rule_facts` gives it.
        statuses: videos by status; None for a job that examines no videos.
        seconds: duration of each phase, seconds.
        versions: versions of framejury and of the libraries it uses.
        jail_lacking: parts of the sandbox that were not in force, by machine, in words.
        scores: histograms of the run's scores.
        cost: estimated and measured core seconds.
        batch: which batch of a nightly run this is.
        counts: counts of the batch.
        merged: how many folders of small files became one, by table.
        videos_run: the run whose `videos` were used to pair fakes and originals.
        compared: pairs of a fake and its original that were compared.
    """

    keeps_crops: bool = False
    left_out: dict[str, int] | None = None
    bundle: dict[str, Any] | None = None
    rule: dict[str, Any] | None = None
    statuses: dict[str, int] | None = None
    seconds: dict[str, float] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    jail_lacking: tuple[str, ...] = ()
    scores: ScoreFacts | None = None
    cost: CostFacts | None = None
    batch: BatchFacts | None = None
    counts: CountFacts | None = None
    merged: dict[str, int] = Field(default_factory=dict)
    videos_run: str | None = None
    compared: int | None = None

    def counted(
        self, what: Literal["planned", "statuses", "verdicts", "failures"]
    ) -> Mapping[str, int]:
        """Return videos by name; empty when the run did not count them."""
        if self.counts is not None:
            counts: dict[str, int] = getattr(self.counts, what)
            return counts
        return (self.statuses or {}) if what == "statuses" else {}

    def to_plain(self) -> dict[str, Any]:
        """Return the facts as JSON values, without keys that were never set."""
        return self.model_dump(mode="json", exclude_unset=True)


@dataclass(frozen=True)
class Merged:
    """Rows of one or several runs, rewritten into fewer files.

    Attributes:
        place: folder below the warehouse, such as `runs/<run_id>/merged/table=verdicts`.
        runs: the runs whose rows of the table lie there: all of theirs, and no others.
    """

    place: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """A folder with Parquet files of one table.

    Attributes:
        place: the folder.
        exact: whether it holds rows of the requested runs only; otherwise filter by `run_id`.
    """

    place: Location
    exact: bool


@dataclass(frozen=True)
class Tombstone:
    """A row of `forgotten`; fields as there.

    Attributes:
        sequence: of its commit.
    """

    video_id: str
    path: str
    forgotten: bool
    at: datetime
    by: str
    reason: str | None
    sequence: int


@dataclass(frozen=True)
class Commit:
    """What one committed run published.

    Attributes:
        sequence: order of the commits, from 1.
        run_id: the run.
        job: which job ran, such as `extract`.
        created_at: when it was committed, ISO 8601, UTC.
        tables: number of rows written, by table.
        archive: the archive the run worked on, if any.
        model_id: the bundle it scored with, if any.
        settings: every setting of the run.
        facts: more about the run, such as seconds by phase and videos by status.
        merged: by table, the folder of the rows that this run merged.
    """

    sequence: int
    run_id: str
    job: str
    created_at: str
    tables: dict[str, int]
    archive: str | None = None
    model_id: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    facts: CommitFacts = field(default_factory=CommitFacts)
    merged: dict[str, Merged] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return the commit as its JSON record."""
        return asdict(self) | {"facts": self.facts.to_plain()}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Commit:
        """Return the commit of a JSON record.

        Raises:
            ValueError: it is not a commit record.
        """
        content = dict(record)
        try:
            facts = CommitFacts.model_validate(content.pop("facts", {}))
            merged = {
                table: Merged(one["place"], tuple(one["runs"]))
                for table, one in content.pop("merged", {}).items()
            }
            return cls(**content, facts=facts, merged=merged)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True)
class Run:
    """A run under way. Readers see nothing of it before `Warehouse.commit`.

    Attributes:
        run_id: its id.
        job: which job it is.
        started_at: when it began.
        location: its folder.
        after: sequence of the last commit when it began; it may only commit as the next one.
        merged: by table, what this run has merged so far.
    """

    run_id: str
    job: str
    started_at: datetime
    location: Location
    after: int
    merged: dict[str, Merged] = field(default_factory=dict)

    def table_location(self, table: str) -> Location:
        """Return the folder of this run's rows of `table`."""
        return self.location.child(f"table={table}")

    def staging_location(self, table: str | None = None) -> Location:
        """Return the folder of rows of several tables; with `table`, of those addressed to it."""
        staging = self.location.child("staging")
        return staging if table is None else staging.child(f"table={table}")
