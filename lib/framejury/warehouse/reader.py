"""Reading committed runs: their records, and which of their rows count."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, fs

from framejury.errors import UsageError, WarehouseError
from framejury.redaction import printable
from framejury.schemas.tables import FORMER_NAMES, TABLES, stored_schema
from framejury.storage import Location
from framejury.warehouse.commits import Commit, Merged, Run, Stored, Tombstone
from framejury.warehouse.marker import read_record

SEQUENCE = "commit_sequence"
"""Sequence of a row's commit; a column while rows of several runs are compared."""

_READ_TOGETHER = 16
_ROWS_AT_ONCE = 32_768
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
    "forgotten": "framejury forget VIDEO",
    "decisions": "framejury decide VIDEO",
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

    def tombstones(self) -> dict[str, Tombstone]:
        """Return the latest tombstone of each video that was ever forgotten, by its id.

        Rows of a video from before its tombstone do not count, in any table.
        """
        found: dict[str, Tombstone] = {}
        for commit in self.with_table("forgotten"):
            for row in self.read_run(commit.run_id, "forgotten").to_pylist():
                del row["run_id"]
                found[row["video_id"]] = Tombstone(**row, sequence=commit.sequence)
        return found

    def forgotten(self) -> dict[str, Tombstone]:
        """Return the tombstones of the videos that no run may judge, by their ids."""
        return {key: stone for key, stone in self.tombstones().items() if stone.forgotten}

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

    def read_snapshot(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """Read `videos`, `splits` or `modalities`: the rows of the latest run that wrote it.

        Args:
            table: the table.
            columns: columns to read; all when None.

        Raises:
            WarehouseError: no committed run wrote it.
        """
        return self.read_run(self.require(table)[-1].run_id, table, columns)

    def read_latest(
        self,
        table: str,
        columns: list[str] | None = None,
        commits: list[Commit] | None = None,
        where: pc.Expression | None = None,
    ) -> pa.Table:
        """Read `extractions` or `verdicts`: each video's row of the latest run that has one.

        Rows from before a video was forgotten do not count. Memory holds the keys of every row,
        and the other columns of the returned rows only.

        Args:
            table: the table.
            columns: columns to read beside `video_id`; all when None.
            commits: only these runs, oldest first, at least one; all when None.
            where: of these rows, return only those that this is true for; on `columns`.

        Raises:
            WarehouseError: no committed run wrote the table.
        """
        wanted = TABLES[table].names if columns is None else columns
        names = list(dict.fromkeys(["video_id", *wanted]))
        parts = [stored_schema(table).empty_table().select(names)]
        for latest in self.latest_batches(table, names, commits):
            parts.append(latest if where is None else latest.filter(where))
        return pa.concat_tables(parts)

    def latest_batches(
        self, table: str, columns: list[str], commits: list[Commit] | None = None
    ) -> Iterator[pa.Table]:
        """Yield these columns of the rows of `read_latest`, some thousand at a time.

        Memory holds the keys of every row.

        Raises:
            WarehouseError: no committed run wrote the table.
        """
        commits = self.require(table) if commits is None else commits
        # Both passes read the same files in the same order, even if a merge is committed meanwhile.
        folders = list(self._folders(table, [commit.run_id for commit in commits]))
        counts = self._is_latest(table, folders, commits)
        start = 0
        for rows in _scanned(table, folders, columns):
            yield rows.filter(counts.slice(start, rows.num_rows))
            start += rows.num_rows

    def read_history(
        self, table: str, columns: Sequence[str], commits: Sequence[Commit] | None = None
    ) -> pa.Table:
        """Read all committed rows of `table` that count, oldest first, with `SEQUENCE`.

        Rows from before a video was forgotten do not count.

        Args:
            table: the table.
            columns: columns to read beside `video_id`.
            commits: only these runs; every run that wrote the table when None.
        """
        commits = self.with_table(table) if commits is None else commits
        names = list(dict.fromkeys(["video_id", *columns]))
        if not commits:
            empty = stored_schema(table).empty_table().select(names)
            return empty.append_column(SEQUENCE, pa.array([], pa.int64()))
        run_ids = [commit.run_id for commit in commits]
        rows = self._read(table, run_ids, list(dict.fromkeys([*names, "run_id"])))
        sequences = _sequences(rows["run_id"], commits)
        is_alive = self._is_alive(rows["video_id"], sequences)
        return rows.select(names).append_column(SEQUENCE, sequences).filter(is_alive)

    def _is_latest(
        self, table: str, folders: Sequence[_Folder], commits: Sequence[Commit]
    ) -> pa.BooleanArray:
        """Return for each row of these folders whether it counts: its video has no later one."""
        keys = _read(table, folders, ["video_id", "run_id"])
        keys = keys.set_column(1, SEQUENCE, _sequences(keys["run_id"], commits))
        is_alive = self._is_alive(keys["video_id"], keys[SEQUENCE])
        newest = keys.filter(is_alive).group_by("video_id").aggregate([(SEQUENCE, "max")])
        place = pc.index_in(keys["video_id"], newest["video_id"].combine_chunks())
        last = newest[f"{SEQUENCE}_max"].take(place)
        counts = pc.and_(is_alive, pc.fill_null(pc.equal(keys[SEQUENCE], last), False))
        return counts.combine_chunks()

    def _is_alive(self, video_ids: pa.ChunkedArray, sequences: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return for each row whether its video was not forgotten since its commit."""
        stones = self.tombstones()
        at = pc.index_in(video_ids, pa.array(list(stones), pa.string()))
        buried = pa.array([stone.sequence for stone in stones.values()], pa.int64()).take(at)
        return pc.fill_null(pc.greater(sequences, buried), True)

    def read_decisions(self) -> pa.Table:
        """Read every row of `decisions` that counts, in the order of the commits.

        Rows from before a video was forgotten do not count. Empty if nobody has decided.
        """
        if not self.with_table("decisions"):
            return TABLES["decisions"].empty_table()
        names = TABLES["decisions"].names
        return self.read_history("decisions", names).sort_by(SEQUENCE).select(names)

    def parquet_files(self, table: str) -> list[Location]:
        """Return every Parquet file of committed rows of `table`, oldest run first."""
        files: list[Location] = []
        for stored in self.stored(table, [commit.run_id for commit in self.with_table(table)]):
            place = stored.place
            infos = place.filesystem.get_file_info(fs.FileSelector(place.path))
            names = sorted(info.base_name for info in infos if info.extension == "parquet")
            files += [place.child(name) for name in names]
        return files

    def batches(self, table: str, run_ids: Sequence[str], columns: list[str]) -> Iterator[pa.Table]:
        """Yield these columns of the rows of `table` of committed runs, some thousand at a time."""
        return _scanned(table, list(self._folders(table, run_ids)), columns)

    def _read(self, table: str, run_ids: Sequence[str], columns: list[str] | None) -> pa.Table:
        return _read(table, list(self._folders(table, run_ids)), columns)

    def _folders(self, table: str, run_ids: Sequence[str]) -> Iterator[_Folder]:
        """Yield each folder with rows of these runs, and which of its rows those are."""
        for stored in self.stored(table, run_ids):
            rows = dataset.dataset(
                stored.place.path,
                filesystem=stored.place.filesystem,
                format="parquet",
                schema=stored_schema(table),
            )
            only = None if stored.exact else pc.field("run_id").isin(list(run_ids))
            yield rows, only


_Folder = tuple[dataset.Dataset, pc.Expression | None]


def _scanned(table: str, folders: Sequence[_Folder], columns: list[str]) -> Iterator[pa.Table]:
    for rows, only in folders:
        found = rows.scanner(
            _stored_names(table, columns),
            filter=only,
            batch_size=_ROWS_AT_ONCE,
            batch_readahead=1,
            fragment_readahead=1,
        )
        for batch in found.to_batches():
            if batch.num_rows:
                yield _renamed(pa.Table.from_batches([batch]), table)


def _read(table: str, folders: Sequence[_Folder], columns: list[str] | None) -> pa.Table:
    names = _stored_names(table, columns)
    parts = [rows.to_table(names, filter=only) for rows, only in folders]
    return _renamed(pa.concat_tables(parts), table)


def _sequences(run_ids: pa.ChunkedArray, commits: Sequence[Commit]) -> pa.ChunkedArray:
    """Return the sequence numbers of the commits that wrote rows with these run ids."""
    runs = pa.array([commit.run_id for commit in commits], pa.string())
    sequences = pa.array([commit.sequence for commit in commits], pa.int64())
    return sequences.take(pc.index_in(run_ids, runs))


def latest_rows(rows: pa.Table) -> pa.Table:
    """Return each video's rows of the latest commit that has any, in order.

    Args:
        rows: columns `video_id`, `SEQUENCE` and others.
    """
    at = pa.array(range(rows.num_rows), pa.int64())
    keys = rows.select(["video_id", SEQUENCE]).append_column("row", at)
    newest = keys.group_by("video_id").aggregate([(SEQUENCE, "max")])
    kept = keys.join(
        newest, ["video_id", SEQUENCE], ["video_id", f"{SEQUENCE}_max"], join_type="left semi"
    )
    return rows.take(kept["row"].sort())


def _stored_names(table: str, columns: list[str] | None) -> list[str]:
    """Return the names under which files may hold these columns (all when None)."""
    names = TABLES[table].names if columns is None else columns
    former = FORMER_NAMES.get(table, {})
    return [*names, *(former[name] for name in names if name in former)]


def _renamed(rows: pa.Table, table: str) -> pa.Table:
    """Return values that stand under a column's former name under its name of now."""
    for now, then in FORMER_NAMES.get(table, {}).items():
        if then in rows.column_names:
            values = pc.coalesce(rows[now], rows[then])
            rows = rows.set_column(rows.column_names.index(now), TABLES[table].field(now), values)
            rows = rows.drop_columns(then)
    return rows


def find_videos(videos: pa.Table, names: Sequence[str]) -> list[str]:
    """Return ids of the videos with these names, each once.

    Args:
        videos: the snapshot; columns `video_id`, `path`.
        names: paths or ids.

    Raises:
        UsageError: an unknown name; the message suggests similar ones.
    """
    found: dict[str, None] = {}
    for name in names:
        named = pc.or_(pc.equal(videos["path"], name), pc.equal(videos["video_id"], name))
        ids = videos.filter(named)["video_id"].to_pylist()
        if not ids:
            near = difflib.get_close_matches(name, videos["path"].to_pylist(), n=3, cutoff=0.3)
            hint = f"; did you mean {', '.join(map(printable, near))}?" if near else ""
            raise UsageError(f"no video {printable(name)} in this warehouse{hint}")
        found |= dict.fromkeys(ids)
    return list(found)


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
