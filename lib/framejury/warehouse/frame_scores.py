"""The scores of single faces behind the latest verdicts, for archives of any size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from framejury.schemas.tables import BOX
from framejury.warehouse.reader import Committed

FRAME_SCORES = pa.schema(
    [
        ("uri", pa.string()),
        ("label", pa.string()),
        ("video_id", pa.string()),
        ("model_id", pa.string()),
        ("frame_index", pa.int32()),
        ("time_s", pa.float64()),
        ("person", pa.int32()),
        ("score", pa.float32()),
        ("box", BOX),
    ]
)
"""Columns as in `videos` and `face_scores`; `time_s` is `pts_s` there."""

_KEYS = ["video_id", "run_id", "model_id"]
_READ = [*_KEYS, "frame_index", "pts_s", "person", "score", "box"]


def frame_scores(warehouse: Committed, verdicts: pa.Table) -> Iterator[pa.Table]:
    """Yield the scores behind verdicts, one row per face.

    Memory holds one row per video, and one batch of faces at a time. Each table is ordered by
    `uri`, `frame_index` and `person`; videos come in the order in which they were scored.

    Args:
        warehouse: committed runs.
        verdicts: one row per video; columns `video_id`, `uri`, `label`, `model_id`, `run_id` and
            `faces_scored`.

    Yields:
        columns `FRAME_SCORES`, at least one row each.
    """
    for rows, at in faces_behind(warehouse, verdicts, _READ):
        faces = rows.rename_columns({"pts_s": "time_s"})
        for name in ("uri", "label"):
            faces = faces.append_column(name, verdicts[name].take(at))
        order = [("uri", "ascending"), ("frame_index", "ascending"), ("person", "ascending")]
        keys = faces.select([name for name, _ in order])
        yield faces.take(pc.sort_indices(keys, order)).select(FRAME_SCORES.names).cast(FRAME_SCORES)


def faces_behind(
    warehouse: Committed, verdicts: pa.Table, columns: list[str]
) -> Iterator[tuple[pa.Table, pa.Array]]:
    """Yield the rows of `face_scores` behind these verdicts, a batch at a time.

    They are those of the verdict's model in the latest run up to the one that judged, as
    `tables.store.Store.scores_behind` reads them.

    Args:
        warehouse: committed runs.
        verdicts: one row per video; columns `video_id`, `model_id`, `run_id`, `faces_scored`.
        columns: to read; `video_id`, `model_id` and `run_id` among them.

    Yields:
        rows, at least one, and for each the place of its verdict, int64.
    """
    scored = warehouse.with_table("face_scores")
    run_ids = [commit.run_id for commit in scored]
    sequences = np.array([commit.sequence for commit in scored], np.int64)
    names = pa.array(run_ids, pa.string())
    order = {commit.run_id: commit.sequence for commit in warehouse.commits()}
    # The verdict on a video without a score is based on none, though it may have had one before.
    has = pc.fill_null(pc.greater(verdicts["faces_scored"], 0), False).to_pylist()
    if not any(has):
        return
    runs = zip(has, verdicts["run_id"].to_pylist(), strict=True)
    judged_in = np.array([order[run_id] if any_ else -1 for any_, run_id in runs], np.int64)
    ids, models = (verdicts[name].combine_chunks() for name in ("video_id", "model_id"))
    newest = np.full(len(judged_in), -1, np.int64)
    for rows in warehouse.batches("face_scores", run_ids, _KEYS):
        at, sequence = _verdict_of(rows, ids, models), sequences[_place(rows["run_id"], names)]
        mine = (at >= 0) & (sequence <= judged_in[at])
        np.maximum.at(newest, at[mine], sequence[mine])
    for rows in warehouse.batches("face_scores", run_ids, columns):
        at, sequence = _verdict_of(rows, ids, models), sequences[_place(rows["run_id"], names)]
        mine = (at >= 0) & (sequence == newest[at])
        if mine.any():
            yield rows.filter(pa.array(mine)), pa.array(at[mine])


def _verdict_of(rows: pa.Table, ids: pa.Array, models: pa.Array) -> npt.NDArray[np.int64]:
    """Return the place of each row's verdict; -1 for other videos, and other models."""
    at = _place(rows["video_id"], ids)
    known = pa.array(np.where(at < 0, 0, at), mask=at < 0)
    same = pc.fill_null(pc.equal(rows["model_id"], models.take(known)), False)
    return np.where(np.asarray(same), at, -1)


def _place(values: pa.ChunkedArray, among: Any) -> npt.NDArray[np.int64]:
    """Return the place of each value in an array; -1 where it is not."""
    found = pc.fill_null(pc.index_in(values, among), -1)
    return np.asarray(found).astype(np.int64)
