"""Runs and commits: where tables lie, and which rows count. No Spark.

```
WAREHOUSE/
  framejury.json                     what this folder is, and its format
  commits/00000007.json              one record a committed run; exists or does not
  runs/<run_id>/table=<name>/*.parquet
  reports/<run_id>/report.html ...
```

A run writes below its own `runs/<run_id>` and publishes everything by creating the
next commit record. On a local disk that is one `link(2)`, which fails when the name
is taken; on other file systems one put of a small file. Readers start from the commit
records, so a run killed half way leaves files that nobody reads.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, fs, parquet

from framejury import __version__
from framejury.errors import CommitError, UsageError, WarehouseError
from framejury.schemas import TABLES
from framejury.storage import (
    Location,
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

KEEPS_CROPS = "keeps_crops"
"""In `Commit.facts`: whether the run's faces were kept with their crops."""

_MARKER = "framejury.json"


@dataclass(frozen=True)
class Commit:
    """What one committed run published.

    Attributes:
        sequence: order of the commits, from 1.
        run_id: the run.
        job: which job ran, such as `extract`.
        created_at: when it was committed, ISO 8601, UTC.
        tables: rows written, by table.
        archive: the archive it worked on, where it did.
        model_id: the bundle it scored with, where it did.
        settings: every setting of the run.
        facts: more about the run: seconds by phase, videos by status, versions.
    """

    sequence: int
    run_id: str
    job: str
    created_at: str
    tables: dict[str, int]
    archive: str | None = None
    model_id: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run that is under way. Nothing of it is seen before `Warehouse.commit`."""

    run_id: str
    job: str
    started_at: datetime
    location: Location

    def table_uri(self, table: str) -> str:
        """Where this run's rows of `table` go."""
        return self.location.child(f"table={table}").uri


class Warehouse:
    """A folder of committed runs, local or on any file system of `framejury.storage`."""

    def __init__(self, location: Location) -> None:
        self.location = location

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
        if is_file(warehouse._marker):
            warehouse._check_format()
        elif is_taken(warehouse.location):
            raise WarehouseError(f"{uri} is not empty and no warehouse; give a new or empty folder")
        warehouse._check_writable()
        return warehouse

    def begin(self, job: str, now: datetime) -> Run:
        """Start a run; makes the warehouse when this is its first.

        Raises:
            WarehouseError: it cannot be written.
        """
        run_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        run = Run(run_id, job, now, self.location.child("runs", run_id))
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

        Raises:
            CommitError: another run committed first, or the record cannot be written.
        """
        before = self.commits()
        record = Commit(
            sequence=before[-1].sequence + 1 if before else 1,
            run_id=run.run_id,
            job=run.job,
            created_at=now.astimezone(UTC).isoformat(timespec="seconds"),
            tables=self.rows_written(run),
            archive=archive,
            model_id=model_id,
            settings=dict(settings or {}),
            facts=dict(facts or {}),
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
    def running(self, job: str, now: datetime) -> Iterator[Run]:
        """A run whose files are removed again when the body raises before its commit."""
        run = self.begin(job, now)
        try:
            yield run
        except BaseException:
            # What went wrong first is what is told; files left behind are never read.
            with suppress(OSError, WarehouseError):
                if all(commit.run_id != run.run_id for commit in self.commits()):
                    run.location.filesystem.delete_dir(run.location.path)
            raise

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
        return [_commit_at(folder.child(name)) for name in names]

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
        """Committed runs that extracted and kept the crops; a plain night keeps scores only."""
        return [c for c in self.with_table("extractions") if c.facts.get(KEEPS_CROPS, False)]

    def table_location(self, run_id: str, table: str) -> Location:
        """Where a run's rows of `table` lie."""
        return self.location.child("runs", run_id, f"table={table}")

    def read_run(
        self,
        run_id: str,
        table: str,
        columns: list[str] | None = None,
    ) -> pa.Table:
        """One run's rows of `table`, with the columns of `schemas.TABLES[table]`."""
        place = self.table_location(run_id, table)
        rows = dataset.dataset(
            place.path, filesystem=place.filesystem, format="parquet", schema=TABLES[table]
        )
        return rows.to_table(columns=columns)

    def read_snapshot(self, table: str) -> pa.Table:
        """`videos` or `splits`: the rows of the latest run that wrote the table.

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
        wanted = None if columns is None else list(dict.fromkeys(["video_id", *columns]))
        parts: list[pa.Table] = []
        seen = pa.array([], pa.string())
        for commit in reversed(self.require(table) if commits is None else commits):
            rows = self.read_run(commit.run_id, table, wanted)
            newer = rows.filter(pc.invert(pc.is_in(rows["video_id"], value_set=seen)))
            seen = pa.concat_arrays([seen, newer["video_id"].combine_chunks()])
            parts.append(newer)
        return pa.concat_tables(parts)

    def parquet_files(self, table: str) -> list[Location]:
        """Every Parquet file of committed rows of `table`, oldest run first."""
        files: list[Location] = []
        for commit in self.with_table(table):
            place = self.table_location(commit.run_id, table)
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

    def rows_written(self, run: Run) -> dict[str, int]:
        """Rows by table, from the Parquet footers."""
        counts: dict[str, int] = {}
        for table in TABLES:
            place = self.table_location(run.run_id, table)
            info = place.filesystem.get_file_info(place.path)
            if info.type == fs.FileType.Directory:
                rows = dataset.dataset(
                    place.path, filesystem=place.filesystem, format="parquet"
                ).count_rows()
                counts[table] = rows
        return counts

    def _missing(self, table: str) -> str:
        verb = {
            "videos": "index ARCHIVE",
            "extractions": "extract",
            "faces": "extract",
            "splits": "split",
            "face_scores": "score --bundle BUNDLE",
            "verdicts": "reduce --bundle BUNDLE",
        }[table]
        return (
            f"the warehouse {self.location.uri} has no {table} yet; "
            f"run: framejury {verb} --warehouse {self.location.uri}"
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
        return Commit(**_read(place))
    except TypeError as error:
        raise WarehouseError(f"{place.uri} is no commit record: {error}") from error


def _read(place: Location) -> dict[str, Any]:
    try:
        return read_json(place)
    except (OSError, ValueError) as error:
        raise WarehouseError(f"cannot read {place.uri}: {error}") from error


def _locate(uri: str) -> Location:
    try:
        return locate(uri)
    except UsageError as error:
        raise WarehouseError(str(error)) from error
