"""Small files of many runs merged into few.

Each nightly run adds its own files to every table. After a year these are thousands of files of
some kilobytes, and readers and object stores pay for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from framejury.errors import ReconcileError
from framejury.storage import Location
from framejury.tables.store import Store
from framejury.warehouse import MERGED_TABLES, Warehouse
from framejury.warehouse.commits import Merged, Run
from framejury.warehouse.reader import count_rows, file_sizes

FILE_BYTES = 64 * 2**20
"""Target size of a file, bytes."""


def merge_runs(store: Store, warehouse: Warehouse, run: Run, least_runs: int) -> dict[str, int]:
    """Merge small files of earlier runs into this run's folder; the old files stay for now.

    Args:
        store: of the warehouse.
        warehouse: the warehouse.
        run: the run under way; its commit leads readers to the merged rows.
        least_runs: a table is merged once this many folders hold small files.

    Returns:
        How many folders became one, by table.

    Raises:
        ReconcileError: the row count changed.
    """
    done: dict[str, int] = {}
    for table in MERGED_TABLES:
        runs: dict[Location, list[str]] = {}
        for commit in warehouse.with_table(table):
            (stored,) = warehouse.stored(table, [commit.run_id])
            runs.setdefault(stored.place, []).append(commit.run_id)
        small = {place: ids for place, ids in runs.items() if sum(file_sizes(place)) < FILE_BYTES}
        if len(small) < least_runs:
            continue
        run.merged[table] = _merge(store, warehouse, run, table, small)
        done[table] = len(small)
    return done


def files_aimed_at(sizes: Sequence[int]) -> int:
    """Return how many files of `FILE_BYTES` files of these sizes (bytes) fit into."""
    return max(1, math.ceil(sum(sizes) / FILE_BYTES))


def _merge(
    store: Store, warehouse: Warehouse, run: Run, table: str, runs: Mapping[Location, list[str]]
) -> Merged:
    """Write all rows of `table` in these folders (each with its runs) to one folder of `run`."""
    target = run.location.child("merged", f"table={table}")
    sources = list(runs)
    rows = store.at(table, sources)
    sizes = [size for place in sources for size in file_sizes(place)]
    store.write_to(rows.coalesce(files_aimed_at(sizes)), table, target)
    before, after = sum(map(count_rows, sources)), count_rows(target)
    if before != after:
        raise ReconcileError(f"merging {table}: {before:,} rows became {after:,}")
    root = warehouse.location.path.rstrip("/") + "/"
    return Merged(
        target.path.removeprefix(root), tuple(run_id for ids in runs.values() for run_id in ids)
    )
