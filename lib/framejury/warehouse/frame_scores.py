"""The scores of single faces behind the latest verdicts, for archives of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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

_READ = ["video_id", "run_id", "model_id", "frame_index", "pts_s", "person", "score", "box"]


def frame_scores(warehouse: Committed) -> Iterator[pa.Table]:
    """Yield the scores behind the latest verdict on every video, one row per face.

    Memory holds one row per video, and one batch of faces at a time. Each table is ordered by
    `uri`, `frame_index` and `person`; videos come in the order in which they were scored.

    Args:
        warehouse: committed runs.

    Yields:
        columns `FRAME_SCORES`, at least one row each.

    Raises:
        WarehouseError: nothing has been judged yet.
    """
    videos = _Videos.of(warehouse)
    scored = warehouse.with_table("face_scores")
    run_ids = [commit.run_id for commit in scored]
    sequences = np.array([commit.sequence for commit in scored], np.int64)
    names = pa.array(run_ids, pa.string())
    newest = np.full(len(videos.ids), -1, np.int64)
    for rows in warehouse.batches("face_scores", run_ids, ["video_id", "run_id", "model_id"]):
        at, sequence = videos.places(rows), sequences[_place(rows["run_id"], names)]
        mine = (at >= 0) & (sequence <= videos.judged_in[at])
        np.maximum.at(newest, at[mine], sequence[mine])
    for rows in warehouse.batches("face_scores", run_ids, _READ):
        at, sequence = videos.places(rows), sequences[_place(rows["run_id"], names)]
        mine = (at >= 0) & (sequence == newest[at])
        if not mine.any():
            continue
        faces, whose = rows.filter(pa.array(mine)), pa.array(at[mine])
        faces = faces.rename_columns({"pts_s": "time_s"})
        for name in ("uri", "label"):
            faces = faces.append_column(name, videos.about[name].take(whose))
        order = [("uri", "ascending"), ("frame_index", "ascending"), ("person", "ascending")]
        keys = faces.select([name for name, _ in order])
        yield faces.take(pc.sort_indices(keys, order)).select(FRAME_SCORES.names).cast(FRAME_SCORES)


@dataclass(frozen=True, slots=True, eq=False)
class _Videos:
    """The videos of the archive whose latest verdict is based on scores.

    Attributes:
        about: columns `uri`, `label`.
        ids: of the videos; models: `model_id` of their verdicts.
        judged_in: int64 (n,), sequence of the commit with the verdict.
    """

    about: pa.Table
    ids: pa.Array
    models: pa.Array
    judged_in: npt.NDArray[np.int64]

    @classmethod
    def of(cls, warehouse: Committed) -> _Videos:
        columns = ["run_id", "model_id", "faces_scored"]
        verdicts = warehouse.read_latest("verdicts", columns)
        # The verdict on a missing video is based on no score, though it may have had one before.
        verdicts = verdicts.filter(pc.greater(verdicts["faces_scored"], 0))
        videos = warehouse.read_snapshot("videos").select(["video_id", "uri", "label"])
        ids = videos["video_id"].combine_chunks()
        verdicts = verdicts.filter(pc.is_in(verdicts["video_id"], ids))
        sequence = {commit.run_id: commit.sequence for commit in warehouse.commits()}
        judged_in = [sequence[run_id] for run_id in verdicts["run_id"].to_pylist()]
        return cls(
            about=videos.take(pc.index_in(verdicts["video_id"], ids)),
            ids=verdicts["video_id"].combine_chunks(),
            models=verdicts["model_id"].combine_chunks(),
            judged_in=np.array(judged_in, np.int64),
        )

    def places(self, rows: pa.Table) -> npt.NDArray[np.int64]:
        """Return the place of each row's video; -1 for other videos, and other models."""
        at = _place(rows["video_id"], self.ids)
        known = pa.array(np.where(at < 0, 0, at), mask=at < 0)
        same = pc.fill_null(pc.equal(rows["model_id"], self.models.take(known)), False)
        return np.where(np.asarray(same), at, -1)


def _place(values: pa.ChunkedArray, among: Any) -> npt.NDArray[np.int64]:
    """Return the place of each value in an array; -1 where it is not."""
    found = pc.fill_null(pc.index_in(values, among), -1)
    return np.asarray(found).astype(np.int64)
