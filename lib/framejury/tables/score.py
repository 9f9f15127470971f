"""Scoring of crops with ONNX Runtime on executors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from pyspark import SparkFiles
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from framejury.errors import SetupError
from framejury.records import CroppedFace
from framejury.schemas.tables import FACE_SCORES
from framejury.tables.resources import task_gpu

if TYPE_CHECKING:
    from framejury.model.runtime import Scorer

SIGNAL_COLUMNS = ("crop", "next_crop", "clip_crops", "landmarks", "crop_region", "alignment")
"""Columns of `faces` that signals are computed from."""

_COLUMNS = (
    *("video_id", "frame_index", "pts_s", "face_index", "person", "box", "confidence"),
    *SIGNAL_COLUMNS,
)


def score_faces(
    faces: DataFrame,
    bundle: str,
    run_id: str,
    threads: int,
    batch_size: int | None,
) -> DataFrame:
    """Return rows of `face_scores`, one per row of `faces`, and with an ensemble one per member.

    Faces are scored on a GPU if Spark assigns one.

    `bundle` is from `ship_bundle`.

    Raises (in a task, which fails the job):
        ValueError: a stored crop is damaged, or lacks what the bundle's signal needs; the message
            names video and frame.
        SetupError: the GPU that Spark assigned is not usable.
    """

    def score_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorer = scorer_of(SparkFiles.get(bundle), threads, batch_size, task_gpu())
        for batch in batches:
            own, _, members = scorer.score_members(
                [cropped(row, scorer) for row in batch.to_pylist()]
            )
            count = batch.num_rows
            columns = {name: batch.column(name) for name in _COLUMNS[: -len(SIGNAL_COLUMNS)]}
            bundle_ = scorer.bundle
            ids = [bundle_.model_id, *(one.model_id for one in bundle_.members)]
            for model_id, scores in zip(ids, [own, *members.T], strict=True):
                columns |= {
                    "run_id": pa.repeat(run_id, count),
                    "model_id": pa.repeat(model_id, count),
                    "score": pa.array(scores, pa.float32()),
                    "ssim": pa.nulls(count, pa.float32()),  # faces are not in order here
                }
                yield pa.RecordBatch.from_pydict(
                    {name: columns[name] for name in FACE_SCORES.names}, schema=FACE_SCORES
                )

    return faces.select(*_COLUMNS).mapInArrow(score_partition, from_arrow_schema(FACE_SCORES))


def cropped(row: dict[str, Any], scorer: Scorer) -> CroppedFace:
    """Return the face of a row of `faces` with everything that the network's signal needs.

    Raises:
        ValueError: a crop is damaged, or a part that the signal needs was not kept; the message
            names video and frame.
    """
    from framejury.faces.crop import cropped_face
    from framejury.signals.network_input import check_clip, check_signal

    try:
        face = cropped_face(row)
        check_signal(face, scorer.bundle.signal)
        if scorer.bundle.pixels.clip_frames > 1:
            check_clip(face, scorer.bundle.pixels.clip_frames)
    except ValueError as error:
        raise ValueError(
            f"crop of video {row['video_id']}, frame {row['frame_index']}: {error}"
        ) from error
    return face


_scorers: dict[tuple[str, int, int | None, str | None], Scorer] = {}


def scorer_of(bundle_dir: str, threads: int, batch_size: int | None, gpu: str | None) -> Scorer:
    """Return this worker's network; it is kept between tasks."""
    from framejury.model.bundle import load_bundle
    from framejury.model.ensemble_scorer import scorer_for

    key = (bundle_dir, threads, batch_size, gpu)
    if key not in _scorers:
        if gpu is not None:
            _claim(gpu)
        _scorers.clear()
        bundle = load_bundle(bundle_dir)
        device: Literal["cpu", "cuda"] = "cpu" if gpu is None else "cuda"
        _scorers[key] = scorer_for(bundle, threads, batch_size, device)
    return _scorers[key]


def _claim(gpu: str) -> None:
    """Restrict this process to one GPU. CUDA reads the variable once, so it cannot change later."""
    claimed = next((key[-1] for key in _scorers if key[-1] is not None), gpu)
    if claimed != gpu:
        raise SetupError(
            f"this Python worker scores on GPU {claimed} and was then assigned GPU {gpu}; give "
            "each executor one GPU: spark.executor.resource.gpu.amount=1"
        )
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
