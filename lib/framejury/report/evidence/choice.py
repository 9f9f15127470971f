"""Which videos get evidence pages, where not all can have one."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from framejury.report.predictions import predictions_table


def evidence_order(verdicts: pa.Table, judged_now: Collection[str] | None) -> pa.Table:
    """Return the videos in the order in which they should get an evidence page.

    Wrong verdicts come first, then videos judged in this run, each by falling score; false
    accusations thus come before all others.

    Args:
        verdicts: columns `rows.REPORT_COLUMNS`.
        judged_now: ids of the videos of this run; None: unknown.

    Returns:
        the same rows and columns.
    """
    table = predictions_table(verdicts)
    wrong = pc.fill_null(pc.invert(table["correct"]), False)
    now = pc.is_in(table["video_id"], pa.array(list(judged_now or ()), pa.string()))
    ranked = table.select(["video_id"])
    for name, column in (("wrong", wrong), ("now", now)):
        ranked = ranked.append_column(name, pc.cast(column, pa.int8()))
    ranked = ranked.append_column("rank", pa.array(range(table.num_rows), pa.int64()))
    keys = [(name, "descending") for name in ("wrong", "now")]
    order = ranked.sort_by([*keys, ("rank", "ascending")])["video_id"].combine_chunks()
    return verdicts.take(pc.index_in(order, verdicts["video_id"].combine_chunks()))


def whose_faces(verdicts: pa.Table, rows: int) -> pa.Array:
    """Return ids of the videos whose faces a report shows: its first page and wrong verdicts.

    Args:
        verdicts: columns `rows.REPORT_COLUMNS`.
        rows: of the first page; also the most wrong verdicts.
    """
    table = predictions_table(verdicts)
    wrong = table.filter(pc.fill_null(pc.invert(table["correct"]), False))
    ids = [part["video_id"].slice(0, rows).combine_chunks() for part in (table, wrong)]
    return pa.concat_arrays(ids).unique()
