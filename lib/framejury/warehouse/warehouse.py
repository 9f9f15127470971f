"""Runs and commits: where tables lie, and which rows count. No Spark.

```
WAREHOUSE/
  framejury.json                     what this folder is, and its format
  commits/00000007.json              one record a committed run; exists or does not
  lock/00000007.json                 who works on it
  runs/<run_id>/table=<name>/*.parquet
  reports/<run_id>/report.html ...
  outputs/Confusion.png ...          a published recipe's files, of the latest run
  inspections/<time>/inspect.html    what `framejury inspect` saw; no run reads it
  evidence/<run_id>/<video_id>.html  what a verdict rests on
  logs/<run_id>.jsonl                what happened, a line each
```

A run writes below its own `runs/<run_id>` and publishes everything by creating the
next commit record. On a local disk that is one `link(2)`, which fails when the name
is taken; on other file systems one put of a small file. Readers start from the commit
records, so a run killed half way leaves files that nobody reads.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs, parquet

from framejury.errors import CommitError, WarehouseError
from framejury.schemas.tables import TABLES
from framejury.storage import Location, create_json, is_taken
from framejury.warehouse.commits import Commit, CommitFacts, Merged, Run
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

MERGED_TABLES = ("extractions", "face_scores", "pictures", "verdicts")
"""Tables that every night adds small files to. `faces` has crops and large files by itself."""

OUTPUTS = "outputs"
"""Folder of the files of `report.outputs`; each is that of the latest run."""

_READERS_DONE = timedelta(days=1)


class Warehouse(Committed):
    """A folder of committed runs, local or on any file system of `framejury.storage`."""

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self._lock: Lock | None = None

    @classmethod
    def open(cls, uri: str) -> Warehouse:
        """An existing warehouse.

        Raises:
            WarehouseError: there is none at `uri`.
        """
        place = place_of(uri)
        if not is_warehouse(place):
            raise WarehouseError(
                f"no warehouse at {uri}; `framejury index ARCHIVE --warehouse {uri}` makes one"
            )
        check_format(place)
        return cls(place)

    @classmethod
    def open_or_plan(cls, uri: str) -> Warehouse:
        """An existing warehouse, or a place where one may be made. Writes nothing.

        Raises:
            WarehouseError: the place is taken by something else, or cannot be written.
        """
        place = place_of(uri)
        check_may_hold(place)
        check_writable(place)
        return cls(place)

    @contextmanager
    def locked(
        self, job: str, now: datetime, say: Callable[[str], None] = lambda message: None
    ) -> Iterator[None]:
        """Hold the warehouse's lock while the body runs; what dead runs left is removed.

        Inside, `running` needs no lock of its own, so several runs can follow each other.

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
                for left in self.abandoned():
                    self._delete(left)
                for superseded in self._superseded(now):
                    self._delete(superseded)
                yield
            finally:
                self._lock = None

    def begin(self, job: str, now: datetime) -> Run:
        """Start a run; makes the warehouse when this is its first.

        Raises:
            WarehouseError: it cannot be written.
        """
        run_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
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

        The record's number follows the last commit that the run has seen at its beginning, so a
        run that another has overtaken meanwhile cannot commit, whatever became of its lock.

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
        try:
            place = self.location.child("commits", f"{record.sequence:08d}.json")
            create_json(place, record.to_record())
        except FileExistsError:
            raise CommitError(
                f"another run was committed to {self.location.uri} while {run.run_id} ran; "
                "run it again"
            ) from None
        except OSError as error:
            raise CommitError(f"cannot commit {run.run_id}: {error}") from error
        return record

    @contextmanager
    def running(
        self, job: str, now: datetime, say: Callable[[str], None] = lambda message: None
    ) -> Iterator[Run]:
        """A run, under the lock, whose files are removed when the body raises before its commit.

        Raises:
            LockError: another run holds the warehouse.
            WarehouseError: it cannot be written.
        """
        with self.locked(job, now, say):
            run = self.begin(job, now)
            try:
                yield run
            except BaseException:
                # What went wrong first is what is told; files left behind are never read.
                with suppress(OSError, WarehouseError):
                    if all(commit.run_id != run.run_id for commit in self.commits()):
                        run.location.filesystem.delete_dir(run.location.path)
                raise

    def abandoned(self) -> list[Location]:
        """Folders of runs that no commit names: killed, or still under way elsewhere."""
        folder = self.location.child("runs")
        infos = folder.filesystem.get_file_info(fs.FileSelector(folder.path, allow_not_found=True))
        committed = {commit.run_id for commit in self.commits()}
        names = sorted(info.base_name for info in infos if info.type == fs.FileType.Directory)
        return [folder.child(name) for name in names if name not in committed]

    def write(self, run: Run, table: str, rows: pa.Table) -> None:
        """Write a run's rows of a table that fits in memory."""
        place = self.table_location(run.run_id, table)
        place.filesystem.create_dir(place.path, recursive=True)
        parquet.write_table(
            rows.cast(TABLES[table]),
            place.child("part-0.parquet").path,
            filesystem=place.filesystem,
            compression="zstd",
        )

    def write_report(self, run_id: str, files: Mapping[str, bytes]) -> Location:
        """Write report files below `reports/<run_id>` and return that place."""
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
        """Rows by table, from the Parquet footers."""
        counts: dict[str, int] = {}
        for table in TABLES:
            (stored,) = self.stored(table, [run.run_id], run)
            place = stored.place
            info = place.filesystem.get_file_info(place.path)
            if info.type == fs.FileType.Directory:
                counts[table] = count_rows(place)
        return counts

    def _superseded(self, now: datetime) -> list[Location]:
        """Folders whose rows were merged into others long enough ago that no reader is left."""
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
        """A first run that fails before it begins leaves no folder with nothing but a lock."""
        new = not is_warehouse(self.location)
        try:
            yield
        finally:
            if new and not is_warehouse(self.location):
                self._delete(self.location.child("lock"))
                if not is_taken(self.location):
                    self._delete(self.location)

    def _delete(self, place: Location) -> None:
        """Remove a folder that nobody reads; one that stays is tried again next time."""
        with suppress(OSError):
            place.filesystem.delete_dir(place.path)
