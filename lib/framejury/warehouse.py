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

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, fs, parquet

from framejury import __version__
from framejury.commits import KEEPS_CROPS, Commit, Merged, Run, Stored, commit_of
from framejury.errors import CommitError, UsageError, WarehouseError
from framejury.lock import Lock, hold
from framejury.schemas import TABLES
from framejury.storage import (
    Location,
    check_no_secret,
    create_json,
    is_file,
    is_local,
    is_taken,
    local_path,
    locate,
    read_json,
    write_json,
)

FORMAT_VERSION = 1

MERGED_TABLES = ("extractions", "face_scores", "pictures", "verdicts")
"""Tables that every night adds small files to. `faces` has crops and large files by itself."""

OUTPUTS = "outputs"
"""Folder of the files of `report.outputs`; each is that of the latest run."""

_MARKER = "framejury.json"
_READ_TOGETHER = 16
_READERS_DONE = timedelta(days=1)


class Warehouse:
    """A folder of committed runs, local or on any file system of `framejury.storage`."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._lock: Lock | None = None
        self._known: dict[str, Commit] = {}

    @classmethod
    def open(cls, uri: str) -> Warehouse:
        """An existing warehouse.

        Raises:
            WarehouseError: there is none at `uri`.
        """
        warehouse = cls(_locate(uri))
        if not is_file(warehouse._marker):
            raise WarehouseError(
                f"no warehouse at {uri}; `framejury index ARCHIVE --warehouse {uri}` makes one"
            )
        warehouse._check_format()
        return warehouse

    @classmethod
    def open_or_plan(cls, uri: str) -> Warehouse:
        """An existing warehouse, or a place where one may be made. Writes nothing.

        Raises:
            WarehouseError: the place is taken by something else, or cannot be written.
        """
        warehouse = cls(_locate(uri))
        # Another first run may make it between the two looks.
        others = not is_file(warehouse._marker) and warehouse._holds_others()
        if is_file(warehouse._marker):
            warehouse._check_format()
        elif others:
            raise WarehouseError(f"{uri} is not empty and no warehouse; give a new or empty folder")
        warehouse._check_writable()
        return warehouse

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
            if not is_file(self._marker):
                write_json(
                    self._marker, {"format_version": FORMAT_VERSION, "framejury": __version__}
                )
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
        facts: Mapping[str, Any] | None = None,
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
            facts=dict(facts or {}),
            merged=run.merged,
        )
        try:
            create_json(
                self.location.child("commits", f"{record.sequence:08d}.json"), asdict(record)
            )
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

    def commits(self) -> list[Commit]:
        """Every committed run, oldest first.

        Raises:
            WarehouseError: a commit record is damaged.
        """
        folder = self.location.child("commits")
        infos = folder.filesystem.get_file_info(fs.FileSelector(folder.path, allow_not_found=True))
        names = sorted(info.base_name for info in infos if info.extension == "json")
        unknown = [name for name in names if name not in self._known]  # a record never changes
        # An object store takes its time for each, and years have thousands.
        with ThreadPoolExecutor(_READ_TOGETHER) as pool:
            places = [folder.child(name) for name in unknown]
            self._known |= dict(zip(unknown, pool.map(_commit_at, places), strict=True))
        return [self._known[name] for name in names]

    def with_table(self, table: str) -> list[Commit]:
        """Committed runs that wrote rows of `table`, oldest first."""
        return [commit for commit in self.commits() if commit.tables.get(table, 0) > 0]

    def require(self, table: str) -> list[Commit]:
        """Committed runs that wrote rows of `table`, oldest first, at least one.

        Raises:
            WarehouseError: there is none; the message says which command makes one.
        """
        commits = self.with_table(table)
        if not commits:
            raise WarehouseError(self._missing(table))
        return commits

    @property
    def archive(self) -> str | None:
        """The archive that was indexed last; None before that."""
        return next((c.archive for c in reversed(self.commits()) if c.archive), None)

    def with_crops(self) -> list[Commit]:
        """Committed runs that extracted and kept all crops; a plain night keeps a few pictures."""
        return [c for c in self.with_table("extractions") if c.facts.get(KEEPS_CROPS, False)]

    def table_location(self, run_id: str, table: str) -> Location:
        """Where a run writes its rows of `table`; `stored` says where they lie now."""
        return self.location.child("runs", run_id, f"table={table}")

    def stored(self, table: str, run_ids: Sequence[str], run: Run | None = None) -> list[Stored]:
        """Where rows of `table` of these runs lie now, in their order, each place once.

        Args:
            table: which.
            run_ids: of committed runs that wrote the table, and of `run`.
            run: under way, when its rows are wanted too.
        """
        places: dict[str, Merged] = {}
        merges = [commit.merged for commit in self.commits()]
        for merged in [*merges, *([run.merged] if run is not None else [])]:
            if table in merged:
                places |= dict.fromkeys(merged[table].runs, merged[table])
        wanted = set(run_ids)
        found: dict[str, Stored] = {}
        for run_id in run_ids:
            if run_id not in places:
                found[run_id] = Stored(self.table_location(run_id, table), exact=True)
                continue
            place = places[run_id]
            exact = set(place.runs) <= wanted
            found[place.place] = Stored(self.location.child(place.place), exact)
        return list(found.values())

    def read_run(
        self,
        run_id: str,
        table: str,
        columns: list[str] | None = None,
    ) -> pa.Table:
        """One run's rows of `table`, with the columns of `schemas.TABLES[table]`."""
        return self._read(table, [run_id], columns)

    def read_snapshot(self, table: str) -> pa.Table:
        """`videos`, `splits`, `modalities`: the rows of the latest run that wrote the table.

        Raises:
            WarehouseError: no committed run wrote it.
        """
        return self.read_run(self.require(table)[-1].run_id, table)

    def read_latest(
        self,
        table: str,
        columns: list[str] | None = None,
        commits: list[Commit] | None = None,
    ) -> pa.Table:
        """`extractions` or `verdicts`: for each video the row of the latest run that has one.

        Args:
            table: which.
            columns: those wanted beside `video_id`; all when None.
            commits: only these runs, oldest first, at least one; all when None.

        Raises:
            WarehouseError: no committed run wrote the table.
        """
        commits = self.require(table) if commits is None else commits
        order = {commit.run_id: commit.sequence for commit in commits}
        wanted = TABLES[table].names if columns is None else columns
        names = list(dict.fromkeys(["video_id", *wanted]))
        rows = self._read(table, list(order), list(dict.fromkeys([*names, "run_id"])))
        runs = pa.array(list(order), pa.string())
        sequences = pa.array(list(order.values()), pa.int64())
        sequence = sequences.take(pc.index_in(rows["run_id"], runs).combine_chunks())
        keys = pa.table(
            {
                "video_id": rows["video_id"],
                "sequence": sequence,
                "row": pa.array(range(rows.num_rows), pa.int64()),
            }
        )
        newest = keys.group_by("video_id").aggregate([("sequence", "max")])
        kept = keys.join(
            newest, ["video_id", "sequence"], ["video_id", "sequence_max"], join_type="left semi"
        )
        return rows.select(names).take(kept["row"].sort())

    def parquet_files(self, table: str) -> list[Location]:
        """Every Parquet file of committed rows of `table`, oldest run first."""
        files: list[Location] = []
        for stored in self.stored(table, [commit.run_id for commit in self.with_table(table)]):
            place = stored.place
            infos = place.filesystem.get_file_info(fs.FileSelector(place.path))
            names = sorted(info.base_name for info in infos if info.extension == "parquet")
            files += [place.child(name) for name in names]
        return files

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
                rows = dataset.dataset(
                    place.path, filesystem=place.filesystem, format="parquet"
                ).count_rows()
                counts[table] = rows
        return counts

    def _read(self, table: str, run_ids: Sequence[str], columns: list[str] | None) -> pa.Table:
        parts = []
        for stored in self.stored(table, run_ids):
            rows = dataset.dataset(
                stored.place.path,
                filesystem=stored.place.filesystem,
                format="parquet",
                schema=TABLES[table],
            )
            only = None if stored.exact else pc.field("run_id").isin(list(run_ids))
            parts.append(rows.to_table(columns=columns, filter=only))
        return pa.concat_tables(parts)

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
        new = not is_file(self._marker)
        try:
            yield
        finally:
            if new and not is_file(self._marker):
                self._delete(self.location.child("lock"))
                if not is_taken(self.location):
                    self._delete(self.location)

    def _delete(self, place: Location) -> None:
        """Remove a folder that nobody reads; one that stays is tried again next time."""
        with suppress(OSError):
            place.filesystem.delete_dir(place.path)

    def _missing(self, table: str) -> str:
        verb = {
            "videos": "index ARCHIVE",
            "extractions": "extract",
            "faces": "extract",
            "splits": "split",
            "face_scores": "score --bundle BUNDLE",
            "pictures": "score --bundle BUNDLE",
            "verdicts": "reduce --bundle BUNDLE",
            "modalities": "modality",
        }[table]
        return (
            f"the warehouse {self.location.uri} has no {table} yet; "
            f"run: framejury {verb} --warehouse {self.location.uri}"
        )

    def _holds_others(self) -> bool:
        """Whether something is there that no run killed at its beginning left, nor `inspect`."""
        if is_file(self.location):
            return True
        selector = fs.FileSelector(self.location.path, allow_not_found=True)
        infos = self.location.filesystem.get_file_info(selector)
        ours = ("lock", "commits", "runs", "inspections")
        draft = f".{_MARKER}."
        return any(
            info.base_name not in ours and not info.base_name.startswith(draft) for info in infos
        )

    @property
    def _marker(self) -> Location:
        return self.location.child(_MARKER)

    def _check_format(self) -> None:
        found = _read(self._marker).get("format_version")
        if found != FORMAT_VERSION:
            raise WarehouseError(
                f"{self.location.uri} has warehouse format {found}; this framejury "
                f"{__version__} reads format {FORMAT_VERSION}"
            )

    def _check_writable(self) -> None:
        if not is_local(self.location.uri):
            return  # an object store tells only when written to
        place = local_path(self.location.uri)
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise WarehouseError(
                f"cannot make a warehouse at {self.location.uri}: {place} is a file"
            )
        if not os.access(place, os.W_OK | os.X_OK):
            raise WarehouseError(f"cannot write below {place}; choose another --warehouse")


def _commit_at(place: Location) -> Commit:
    try:
        return commit_of(_read(place))
    except ValueError as error:
        raise WarehouseError(f"{place.uri} is no commit record: {error}") from error


def _read(place: Location) -> dict[str, Any]:
    try:
        return read_json(place)
    except (OSError, ValueError) as error:
        raise WarehouseError(f"cannot read {place.uri}: {error}") from error


def _locate(uri: str) -> Location:
    try:
        return locate(check_no_secret(uri))
    except UsageError as error:
        raise WarehouseError(str(error)) from error
