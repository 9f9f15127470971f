"""From rows that four tables share to files that hold the columns of one table.

One pass over a video yields rows of `extractions`, `faces`, `face_scores` and `pictures`. They
leave the executors together, with the columns of all four (schema `messages.ROWS`), because
Spark fans a stage out to one output only. `Store.stage` writes them below the run's `staging`
folder, one subfolder per table; `write_staged` then reads each subfolder with the columns of its
table and writes the files that readers see, a few large ones in place of one per task.

Each row is written exactly once although tasks are retried, killed or run twice by speculation:

* Both writes go through Spark's own commit protocol. The driver lets one attempt per task commit,
  and files of other attempts stay in `_temporary`, which the end of the job removes.
* The second write reads files, not tasks. A lost executor repeats the reading of a few files; no
  video is decoded again, and the tables cannot come from different passes over a video.
* Nothing of a run counts before its commit record exists. A driver that dies between the two
  writes leaves an abandoned folder, and the next run removes it.

Crops are streamed one row group at a time. See docs/decisions/0019-one-table-per-file.md.
"""

from __future__ import annotations

from framejury.errors import ReconcileError
from framejury.tables.merge import file_sizes, files_aimed_at
from framejury.tables.store import Store
from framejury.warehouse.commits import Run
from framejury.warehouse.reader import count_rows

STAGED_TABLES = ("extractions", "faces", "face_scores", "pictures")


def write_staged(store: Store, run: Run) -> None:
    """Write the staged rows of each table as that table's files; the staged files stay.

    Raises:
        ReconcileError: a table did not get as many rows as were staged for it.
    """
    for table in STAGED_TABLES:
        place = run.staging_location(table)
        sizes = file_sizes([place])
        if not sizes:
            continue
        rows = store.staged(run, table)
        store.write(rows.coalesce(files_aimed_at(sizes)), run, table)
        staged, written = count_rows(place), count_rows(run.table_location(table))
        if staged != written:
            raise ReconcileError(
                f"run {run.run_id} staged {staged:,} rows of {table} and wrote {written:,}; "
                "nothing is committed, run it again"
            )
