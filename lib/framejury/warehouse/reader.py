"""Reading committed runs: their records, and which of their rows count."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, fs

from framejury.errors import WarehouseError
from framejury.schemas.tables import TABLES
from framejury.storage import Location
from framejury.warehouse.commits import Commit, Merged, Run, Stored
from framejury.warehouse.marker import read_record

_READ_TOGETHER = 16
_MADE_BY = {
    "videos": "framejury index ARCHIVE",
    "extractions": "framejury extract",
    "faces": "framejury extract",
    "splits": "framejury split",
    "face_scores": "framejury score",
    "pictures": "framejury score",
    "sounds": "framejury nightly ARCHIVE --set audio.model=DIR",
    "verdicts": "framejury reduce",
    "modalities": "framejury modality",
}
"""The command that writes a table."""


class Committed:
    """The committed runs of a folder, local or on any file system of `framejury.storage`."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._known: dict[str, Commit] = {}

    def commits(self) -> list[Commit]:
        """Return every committed run, oldest first.

        Raises:
            WarehouseError: a commit record is damaged.
        """
        folder = self.location.child("commits")
        infos = folder.filesystem.get_file_info(fs.FileSelector(folder.path, allow_not_found=True))
        names = sorted(info.base_name for info in infos if info.extension == "json")
        unknown = [name for name in names if name not in self._known]  # a record never changes
        # Read in parallel: an object store takes a while for each, and there may be thousands.
        with ThreadPoolExecutor(_READ_TOGETHER) as pool:
            places = [folder.child(name) for name in unknown]
            self._known |= dict(zip(unknown, pool.map(_commit_at, places), strict=True))
        return [self._known[name] for name in names]

    def with_table(self, table: str) -> list[Commit]:
        """Return the committed runs that wrote rows of `table`, oldest first."""
        return [commit for commit in self.commits() if commit.tables.get(table, 0) > 0]

    def require(self, table: str) -> list[Commit]:
        """Return the committed runs that wrote rows of `table`, oldest first, at least one.

        Raises:
            WarehouseError: there is none; the message names the command that makes the table.
        """
        commits = self.with_table(table)
        if not commits:
            raise WarehouseError(
                f"the warehouse {self.location.uri} has no {table} yet; "
                f"run: {_MADE_BY[table]} --warehouse {self.location.uri}"
            )
        return commits

    @property
    def archive(self) -> str | None:
        """The archive that was indexed last; None before the first."""
        return next((c.archive for c in reversed(self.commits()) if c.archive), None)

    def with_crops(self) -> list[Commit]:
        """Return the committed runs that extracted faces and kept their crops."""
        return [c for c in self.with_table("extractions") if c.facts.keeps_crops]

    def table_location(self, run_id: str, table: str) -> Location:
        """Return where a run writes its rows of `table`; `stored` returns where they are now."""
        return self.location.child("runs", run_id, f"table={table}")

    def stored(self, table: str, run_ids: Sequence[str], run: Run | None = None) -> list[Stored]:
        """Return the folders that hold rows of `table` of these runs now, in order, each once.

        Args:
            table: the table.
            run_ids: ids of committed runs that wrote the table, and of `run`.
            run: a run under way, to include its rows.
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
        """Read one run's rows of `table`, with the columns of `schemas.tables.TABLES[table]`."""
        return self._read(table, [run_id], columns)

    def read_snapshot(self, table: str) -> pa.Table:
        """Read `videos`, `splits` or `modalities`: the rows of the latest run that wrote it.

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
        """Read `extractions` or `verdicts`: each video's row of the latest run that has one.

        Args:
            table: the table.
            columns: columns to read beside `video_id`; all when None.
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
        """Return every Parquet file of committed rows of `table`, oldest run first."""
        files: list[Location] = []
        for stored in self.stored(table, [commit.run_id for commit in self.with_table(table)]):
            place = stored.place
            infos = place.filesystem.get_file_info(fs.FileSelector(place.path))
            names = sorted(info.base_name for info in infos if info.extension == "parquet")
            files += [place.child(name) for name in names]
        return files

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


def file_sizes(place: Location) -> list[int]:
    """Return the size in bytes of every Parquet file directly in a folder."""
    infos = place.filesystem.get_file_info(fs.FileSelector(place.path, allow_not_found=True))
    return [info.size for info in infos if info.extension == "parquet"]


def count_rows(place: Location) -> int:
    """Return the number of rows in the Parquet files of a folder, from their footers."""
    files = dataset.dataset(place.path, filesystem=place.filesystem, format="parquet")
    return int(files.count_rows())


def _commit_at(place: Location) -> Commit:
    try:
        return Commit.of_record(read_record(place))
    except ValueError as error:
        raise WarehouseError(f"{place.uri} is not a commit record: {error}") from error
