"""Small files of a run, or of many runs, merged into few.

One task of a night writes one file a table, and each night adds its own: after a year that is
many thousand files of some kilobytes, which readers and object stores pay for one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pyarrow import fs

from framejury.errors import ReconcileError
from framejury.storage import Location
from framejury.tables.store import Store
from framejury.warehouse import MERGED_TABLES, Warehouse
from framejury.warehouse.commits import Merged, Run

FILE_BYTES = 64 * 2**20
"""Size aimed at for a merged file."""

_FEW = 4


def merge_run(store: Store, warehouse: Warehouse, run: Run) -> None:
    """Merge what a run under way has written so far, table by table.

    Raises:
        ReconcileError: the merged rows are not as many as before.
    """
    for table in MERGED_TABLES:
        place = warehouse.table_location(run.run_id, table)
        sizes = file_sizes([place])
        if len(sizes) <= _FEW or files_aimed_at(sizes) > len(sizes) / 2:
            continue
        run.merged[table] = _merge(store, warehouse, run, table, {place: [run.run_id]})
        place.filesystem.delete_dir(place.path)


def merge_runs(store: Store, warehouse: Warehouse, run: Run, least_runs: int) -> dict[str, int]:
    """Merge small files of earlier runs into this run's folder; nothing is deleted yet.

    Args:
        store: of the warehouse.
        warehouse: where.
        run: under way; its commit makes readers find the merged rows.
        least_runs: a table is merged when so many places have small files.

    Returns:
        By table, how many places became one.

    Raises:
        ReconcileError: the merged rows are not as many as before.
    """
    done: dict[str, int] = {}
    for table in MERGED_TABLES:
        runs: dict[Location, list[str]] = {}
        for commit in warehouse.with_table(table):
            (stored,) = warehouse.stored(table, [commit.run_id])
            runs.setdefault(stored.place, []).append(commit.run_id)
        small = {place: ids for place, ids in runs.items() if sum(file_sizes([place])) < FILE_BYTES}
        if len(small) < least_runs:
            continue
        run.merged[table] = _merge(store, warehouse, run, table, small)
        done[table] = len(small)
    return done


def files_aimed_at(sizes: Sequence[int]) -> int:
    """How many files of `FILE_BYTES` hold files of these sizes (bytes)."""
    return max(1, math.ceil(sum(sizes) / FILE_BYTES))


def file_sizes(places: Sequence[Location]) -> list[int]:
    """Bytes of every Parquet file directly in these folders."""
    return [
        info.size
        for place in places
        for info in place.filesystem.get_file_info(
            fs.FileSelector(place.path, allow_not_found=True)
        )
        if info.extension == "parquet"
    ]


def _merge(
    store: Store, warehouse: Warehouse, run: Run, table: str, runs: Mapping[Location, list[str]]
) -> Merged:
    """Write all rows of `table` in these folders, each with its runs, to one of `run`'s own."""
    target = run.location.child("merged", f"table={table}")
    sources = list(runs)
    rows = store.at(table, sources)
    store.write_to(rows.coalesce(files_aimed_at(file_sizes(sources))), table, target)
    before, after = rows.count(), store.at(table, [target]).count()
    if before != after:
        raise ReconcileError(f"merging {table}: {before:,} rows became {after:,}")
    root = warehouse.location.path.rstrip("/") + "/"
    return Merged(
        target.path.removeprefix(root), tuple(run_id for ids in runs.values() for run_id in ids)
    )
