"""Crops to scores: ONNX Runtime in the executors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import DataFrame

from framejury.schemas import FACE_SCORES
from framejury.tables.extract import ShippedBundle
from framejury.tables.schema import spark_schema

if TYPE_CHECKING:
    from framejury.model.runtime import Scorer

_COLUMNS = ("video_id", "frame_index", "pts_s", "face_index", "person", "crop")


def score_faces(
    faces: DataFrame,
    bundle: ShippedBundle,
    run_id: str,
    threads: int,
    batch_size: int,
) -> DataFrame:
    """Rows of `face_scores`, one for each row of `faces`.

    Raises (in a task, which fails the job):
        ValueError: a stored crop is damaged; the message names video and frame.
    """

    def score_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorer = _scorer(bundle.local_dir(), threads, batch_size)
        for batch in batches:
            scores = scorer.score([_decoded(row) for row in batch.to_pylist()])
            count = batch.num_rows
            columns = {name: batch.column(name) for name in _COLUMNS if name != "crop"}
            columns |= {
                "run_id": pa.repeat(run_id, count),
                "model_id": pa.repeat(scorer.bundle.model_id, count),
                "p_fake": pa.array(scores, pa.float32()),
            }
            yield pa.RecordBatch.from_pydict(
                {name: columns[name] for name in FACE_SCORES.names}, schema=FACE_SCORES
            )

    return faces.select(*_COLUMNS).mapInArrow(score_partition, spark_schema(FACE_SCORES))


def _decoded(row: dict[str, Any]) -> Any:
    from framejury.faces.crop import decode_crop

    try:
        return decode_crop(row["crop"])
    except ValueError as error:
        raise ValueError(
            f"crop of video {row['video_id']}, frame {row['frame_index']}: {error}"
        ) from error


_scorers: dict[tuple[str, int, int], Scorer] = {}


def _scorer(bundle_dir: str, threads: int, batch_size: int) -> Scorer:
    """This worker's network; kept between tasks."""
    from framejury.model.bundle import load_bundle
    from framejury.model.runtime import Scorer

    key = (bundle_dir, threads, batch_size)
    if key not in _scorers:
        _scorers.clear()
        _scorers[key] = Scorer(load_bundle(bundle_dir), threads=threads, batch_size=batch_size)
    return _scorers[key]
