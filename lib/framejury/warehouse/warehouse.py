"""Runs and commits: where tables are stored, and which rows count. No Spark.

```
WAREHOUSE/
  framejury.json                     marks the folder as a warehouse, with its format
  commits/00000007.json              one record per committed run
  lock/00000007.json                 which process holds the lock
  runs/<run_id>/table=<name>/*.parquet
  current/verdicts.parquet ...       the latest verdicts for other programs (`current`)
  reports/<run_id>/report.html ...
  outputs/<step>-<model_id>/*.png    a published recipe's files, of training or verdicts
  inspections/<time>/inspect.html    pages of `framejury inspect`; no run reads them
  evidence/<run_id>/<video_id>.html  the evidence behind a verdict
  models/<model_id>/seen.parquet     the videos that a model which judged here has learned from
  logs/<run_id>.jsonl                the log, one event per line
```

A run writes below its own `runs/<run_id>` and publishes everything by creating the next commit
record, in one atomic step (`storage.create_json`). Readers start from the commit records, so a run
that is killed leaves files that nobody reads.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs, parquet

from framejury import logs
from framejury.errors import CommitError, WarehouseError
from framejury.schemas.tables import TABLES
from framejury.storage import Location, create_json, is_taken
from framejury.warehouse.commits import DECIDE_JOB, Commit, CommitFacts, Merged, Run
from framejury.warehouse.current import FOLDER, refresh_current
from framejury.warehouse.lock import Lock, hold
from framejury.warehouse.marker import (
    check_format,
    check_may_hold,
    check_writable,
    is_warehouse,
    mark,
    place_of,
)
from framejury.warehouse.reader import Committed, count_rows

MERGED_TABLES = ("extractions", "face_scores", "pictures", "sounds", "verdicts", "decisions")
"""Tables with many small files. Files of `faces` hold crops and are large."""

OUTPUTS = "outputs"
"""Folder of the files of `report.outputs`, written by the latest run."""

_READERS_DONE = timedelta(days=1)
_RUN_TIME = "%Y%m%dT%H%M%SZ"
_DECIDE_END = f"-{DECIDE_JOB}"
"""End of the id of a run that works without the lock: another run must not remove its folder."""


class Warehouse(Committed):
    """A folder of committed runs, local or on any file system of `framejury.storage`."""

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self._lock: Lock | None = None

    @classmethod
    def open(cls, uri: str) -> Warehouse:
        """Open an existing warehouse.

        Raises:
            WarehouseError: there is none at `uri`.
        """
        place = place_of(uri)
        if not is_warehouse(place):
            raise WarehouseError(
                f"no warehouse at {uri}; make one with: framejury nightly ARCHIVE --warehouse "
                f"{uri} (or index instead of nightly, to list the videos and judge none)"
            )
        check_format(place)
        return cls(place)

    @classmethod
    def open_or_plan(cls, uri: str) -> Warehouse:
        """Open an existing warehouse, or a place where one can be made. Write nothing.

        Raises:
            WarehouseError: the place holds something else, or cannot be written.
        """
        place = place_of(uri)
        check_may_hold(place)
        check_writable(place)
        return cls(place)

    @contextmanager
    def locked(
        self, job: str, now: datetime, say: Callable[[str], None] = lambda message: None
    ) -> Iterator[None]:
        """Hold the warehouse's lock while the body runs, and remove what dead runs left behind.

        `running` inside the body uses this lock, so several runs can follow each other.

        Raises:
            LockError: another run holds it.
            WarehouseError: it cannot be written.
        """
        if self._lock is not None:
            yield
            return
        with self._tidied(), hold(self.location, job, now, say=say) as lock:
            self._lock = lock
            try:
                for left in [*self.abandoned(), *self._never_decided(now)]:
                    self._delete(left)
                for superseded in self._superseded(now):
                    self._delete(superseded)
                yield
            finally:
                self._lock = None

    def begin(self, job: str, now: datetime) -> Run:
        """Start a run; its first run also makes the warehouse.

        Raises:
            WarehouseError: it cannot be written.
        """
        run_id = f"{now.astimezone(UTC):{_RUN_TIME}}-{secrets.token_hex(3)}"
        run_id += _DECIDE_END if job == DECIDE_JOB else ""
        before = self.commits()
        after = before[-1].sequence if before else 0
        run = Run(run_id, job, now, self.location.child("runs", run_id), after)
        try:
            for folder in (self.location.child("commits"), run.location):
                folder.filesystem.create_dir(folder.path, recursive=True)
            if not is_warehouse(self.location):
                mark(self.location)
        except OSError as error:
            raise WarehouseError(f"cannot write {self.location.uri}: {error}") from error
        return run

    def commit(
        self,
        run: Run,
        now: datetime,
        *,
        archive: str | None = None,
        model_id: str | None = None,
        settings: Mapping[str, Any] | None = None,
        facts: CommitFacts | None = None,
    ) -> Commit:
        """Publish everything the run wrote, in one step.

        The record's number follows the last commit when the run began, and decisions that people
        recorded meanwhile. So a run that was overtaken by another cannot commit, even if it lost
        the lock without noticing. A run of decisions reads nothing that others write, so it takes
        the next free number.

        Raises:
            CommitError: another run committed first, or the record cannot be written.
            LockError: the lock was lost.
        """
        if self._lock is not None:
            self._lock.check()
        record = Commit(
            sequence=run.after + 1,
            run_id=run.run_id,
            job=run.job,
            created_at=now.astimezone(UTC).isoformat(timespec="seconds"),
            tables=self.rows_written(run),
            archive=archive,
            model_id=model_id,
            settings=dict(settings or {}),
            facts=facts or CommitFacts(),
            merged=run.merged,
        )
        while True:
            try:
                place = self.location.child("commits", f"{record.sequence:08d}.json")
                create_json(place, record.to_record())
                break
            except FileExistsError:
                record = replace(record, sequence=self._next_sequence(run))
            except OSError as error:
                raise CommitError(f"cannot commit {run.run_id}: {error}") from error
        self.refresh_current(only_decisions=run.job == DECIDE_JOB)
        return record

    def _next_sequence(self, run: Run) -> int:
        """Return the number after the commits since the run began.

        Raises:
            CommitError: the run must not follow one of them.
        """
        since = [commit for commit in self.commits() if commit.sequence > run.after]
        if run.job == DECIDE_JOB:
            if any(commit.tables.get("forgotten") for commit in since):
                raise CommitError("a video was forgotten meanwhile; run this again")
        elif any(commit.job != DECIDE_JOB for commit in since):
            raise CommitError(
                f"another run was committed to {self.location.uri} while {run.run_id} ran; "
                "run it again"
            )
        return since[-1].sequence + 1

    def refresh_current(self, *, only_decisions: bool = False) -> None:
        """Bring the files of `current/` up to date; a failure is only a warning."""
        try:
            refresh_current(self, only_decisions=only_decisions)
        except (OSError, pa.ArrowException, WarehouseError) as error:
            logs.say(
                f"warning: {self.location.child(FOLDER).uri} could not be refreshed ({error}); the "
                "next run or framejury report does it",
                "not_told",
                logging.WARNING,
            )

    @contextmanager
    def running(
        self, job: str, now: datetime, say: Callable[[str], None] = lambda message: None
    ) -> Iterator[Run]:
        """Start a run under the lock; remove its files if the body raises before its commit.

        Raises:
            LockError: another run holds the warehouse.
            WarehouseError: it cannot be written.
        """
        with self.locked(job, now, say):
            run = self.begin(job, now)
            try:
                yield run
            except BaseException:
                # Report the first error; files left behind are never read.
                with suppress(OSError, WarehouseError):
                    if all(commit.run_id != run.run_id for commit in self.commits()):
                        run.location.filesystem.delete_dir(run.location.path)
                raise

    def abandoned(self) -> list[Location]:
        """Return the folders of runs without a commit: killed, or under way in another process.

        Runs of decisions are left out: they are under way without the lock.
        """
        return [place for place in self._uncommitted() if not place.path.endswith(_DECIDE_END)]

    def _never_decided(self, now: datetime) -> list[Location]:
        """Return folders of decisions that were killed before their commit, a day ago or more."""
        latest = f"{now.astimezone(UTC) - _READERS_DONE:{_RUN_TIME}}"
        places = [place for place in self._uncommitted() if place.path.endswith(_DECIDE_END)]
        return [place for place in places if place.path.rpartition("/")[2] < latest]

    def _uncommitted(self) -> list[Location]:
        folder = self.location.child("runs")
        infos = folder.filesystem.get_file_info(fs.FileSelector(folder.path, allow_not_found=True))
        committed = {commit.run_id for commit in self.commits()}
        names = sorted(info.base_name for info in infos if info.type == fs.FileType.Directory)
        return [folder.child(name) for name in names if name not in committed]

    def write(self, run: Run, table: str, rows: pa.Table) -> None:
        """Write a run's rows of a table that fits into memory."""
        place = self.table_location(run.run_id, table)
        place.filesystem.create_dir(place.path, recursive=True)
        parquet.write_table(
            rows.cast(TABLES[table]),
            place.child("part-0.parquet").path,
            filesystem=place.filesystem,
            compression="zstd",
        )

    def write_report(self, run_id: str, files: Mapping[str, bytes]) -> Location:
        """Write report files below `reports/<run_id>` and return that folder."""
        folder = self.location.child("reports", run_id)
        folder.filesystem.create_dir(folder.path, recursive=True)
        for name, data in files.items():
            with folder.filesystem.open_output_stream(folder.child(name).path) as stream:
                stream.write(data)
        return folder

    def write_log(self, run_id: str, log: Path) -> Location:
        """Store a run's log, a local file of JSON lines, as `logs/<run_id>.jsonl`."""
        place = self.location.child("logs", f"{run_id}.jsonl")
        place.filesystem.create_dir(place.path.rpartition("/")[0], recursive=True)
        with log.open("rb") as source, place.filesystem.open_output_stream(place.path) as sink:
            while block := source.read(1 << 20):
                sink.write(block)
        return place

    def rows_written(self, run: Run) -> dict[str, int]:
        """Return the number of rows by table, from the Parquet footers."""
        counts: dict[str, int] = {}
        for table in TABLES:
            (stored,) = self.stored(table, [run.run_id], run)
            place = stored.place
            info = place.filesystem.get_file_info(place.path)
            if info.type == fs.FileType.Directory:
                counts[table] = count_rows(place)
        return counts

    def _superseded(self, now: datetime) -> list[Location]:
        """Return folders whose rows were merged so long ago that no reader still uses them."""
        old: dict[str, Location] = {}
        earlier: dict[str, list[Merged]] = {}
        for commit in self.commits():
            done = now - datetime.fromisoformat(commit.created_at) > _READERS_DONE
            for table, merged in commit.merged.items():
                before = earlier.setdefault(table, [])
                if done:
                    places = [self.table_location(run_id, table) for run_id in merged.runs]
                    inside = [one for one in before if set(one.runs) <= set(merged.runs)]
                    places += [self.location.child(one.place) for one in inside]
                    old |= {place.path: place for place in places if is_taken(place)}
                before.append(merged)
        return list(old.values())

    @contextmanager
    def _tidied(self) -> Iterator[None]:
        """Remove the folder if a first run fails before it begins and only a lock is there."""
        new = not is_warehouse(self.location)
        try:
            yield
        finally:
            if new and not is_warehouse(self.location):
                self._delete(self.location.child("lock"))
                if not is_taken(self.location):
                    self._delete(self.location)

    def _delete(self, place: Location) -> None:
        """Remove a folder that nobody reads; the next run tries again if this fails."""
        with suppress(OSError):
            place.filesystem.delete_dir(place.path)
