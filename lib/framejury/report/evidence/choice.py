"""Of which videos evidence pages are made, where not all can have one."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from framejury.report.predictions import predictions_table


def evidence_order(verdicts: pa.Table, judged_now: Collection[str] | None) -> pa.Table:
    """Videos in the order in which they should get an evidence page.

    Wrong verdicts first, then those that were judged now, each most suspicious first: so a real
    video that was called fake comes before all.

    Args:
        verdicts: columns `rows.REPORT_COLUMNS`.
        judged_now: ids of the videos of this run; None: all are equal in this.

    Returns:
        the same rows and columns.
    """
    table = predictions_table(verdicts)
    wrong = pc.fill_null(pc.invert(table["correct"]), False)
    now = pc.is_in(table["video_id"], pa.array(list(judged_now or ()), pa.string()))
    ranked = table.select(["video_id"])
    for name, column in (("wrong", wrong), ("now", now)):
        ranked = ranked.append_column(name, pc.cast(column, pa.int8()))
    ranked = ranked.append_column("place", pa.array(range(table.num_rows), pa.int64()))
    keys = [(name, "descending") for name in ("wrong", "now")]
    order = ranked.sort_by([*keys, ("place", "ascending")])["video_id"].combine_chunks()
    return verdicts.take(pc.index_in(order, verdicts["video_id"].combine_chunks()))


def whose_faces(verdicts: pa.Table, rows: int) -> pa.Array:
    """Ids of the videos whose faces a report shows: wrong verdicts, and those of its first page.

    Args:
        verdicts: columns `rows.REPORT_COLUMNS`.
        rows: of the first page; of wrong verdicts as many at most.
    """
    table = predictions_table(verdicts)
    wrong = table.filter(pc.fill_null(pc.invert(table["correct"]), False))
    ids = [part["video_id"].slice(0, rows).combine_chunks() for part in (table, wrong)]
    return pa.concat_arrays(ids).unique()
