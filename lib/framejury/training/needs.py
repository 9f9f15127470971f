"""Check that faces have what a signal needs, before training or scoring starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from framejury.errors import WarehouseError
from framejury.schemas.statuses import Side
from framejury.settings import PAIR_SIGNALS, Signal
from framejury.training.source import FaceSource, open_faces, read_batches

_REMEDIES = {
    "next_crop": "the face in two frames. Extract again with --set sampling.pairs=true",
    "landmarks": "landmarks. Extract again with --set detection.detector=mtcnn",
}
_ROWS_AT_ONCE = 64


def require_signal(source: FaceSource, signal: Signal, side: Side | None = None) -> None:
    """Check that the faces of a source have what a signal is made from.

    The column is read only for row groups in which some rows may lack it.

    Args:
        source: faces; the same rows count as in `iter_faces`.
        signal: the signal to make from them.
        side: split to check; all faces that are not excluded when None.

    Raises:
        WarehouseError: a face lacks it; the message names the face and the remedy.
    """
    if signal == "marked":
        column = "landmarks"
    elif signal in PAIR_SIGNALS:
        column = "next_crop"
    else:
        return
    for path in source.files:
        for row in _lacking(source, path, column):
            truth = source.videos.get(row["video_id"])
            if truth is None or truth.run_id != row["run_id"]:
                continue
            if truth.still and column == "next_crop":
                continue  # a photograph, which is never shown to a network of pairs
            own = truth.side_of(row["video_id"], row["frame_index"], row["face_index"])
            if own in (None, Side.EXCLUDED) or side not in (None, own):
                continue
            raise WarehouseError(
                f"video {row['video_id']}, frame {row['frame_index']} in {path} was extracted "
                f"without {column}, but signal {signal} needs {_REMEDIES[column]}"
            )


def _lacking(source: FaceSource, path: str, column: str) -> Iterator[dict[str, Any]]:
    """Yield the keys of each face without the column, in file order."""
    with open_faces(source, path) as file:
        known = column in file.schema_arrow.names
        groups = [
            group for group in range(file.num_row_groups) if not _is_whole(file, group, column)
        ]
    if not groups:
        return
    keys = ["video_id", "run_id", "frame_index", "face_index"]
    for batch in read_batches(source, path, [*keys, column], groups, _ROWS_AT_ONCE):
        rows = batch.filter(pc.is_null(batch[column])) if known else batch
        yield from rows.select(keys).to_pylist()


def _is_whole(file: pq.ParquetFile, group: int, column: str) -> bool:
    """Return whether the statistics of a row group guarantee that no row lacks the column."""
    part = file.metadata.row_group(group)
    for number in range(part.num_columns):
        leaf = part.column(number)
        if leaf.path_in_schema == column:
            figures = leaf.statistics
            return figures is not None and figures.has_null_count and figures.null_count == 0
    return False  # missing, or nested: check the rows
