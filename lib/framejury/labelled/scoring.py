"""Scores of every face of a labelled source, on which `framejury evaluate` measures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pyarrow as pa

from framejury.errors import WarehouseError
from framejury.model.runtime import Scorer
from framejury.schemas.statuses import Side
from framejury.schemas.tables import FACE_SCORES
from framejury.training.needs import require_signal
from framejury.training.source import FaceRow, FaceSource, iter_faces

SCORED_FACES = pa.schema(
    [
        FACE_SCORES.field(name)
        for name in ("video_id", "frame_index", "pts_s", "face_index", "person", "score")
    ]
)
"""Columns of `score_faces`, as in the table `face_scores`."""


def score_faces(scorer: Scorer, source: FaceSource, side: Side | None = None) -> pa.Table:
    """Score the faces of a source, with one batch of crops in memory at a time.

    Args:
        scorer: of the bundle to measure.
        source: labelled faces.
        side: split to score; every video of the source when None.

    Returns:
        one row per face, columns of `SCORED_FACES`, sorted by video, frame and face.

    Raises:
        WarehouseError: faces cannot be read, lack what the bundle's signal needs, or a crop is
            damaged.
        FramejuryError: the network returned an invalid score.
    """
    require_signal(source, scorer.bundle.signal, side)
    faces = iter_faces(source, side)
    parts = list(_score_batches(scorer, faces))
    table = pa.Table.from_batches(parts, schema=SCORED_FACES)
    return table.sort_by(
        [(name, "ascending") for name in ("video_id", "frame_index", "face_index")]
    )


def _score_batches(scorer: Scorer, faces: Iterator[FaceRow]) -> Iterator[pa.RecordBatch]:
    frames, stride = scorer.bundle.pixels.clip_frames, scorer.bundle.pixels.clip_stride
    while batch := list(islice(faces, scorer.batch_size)):
        short = next((face for face in batch if len(face.further) + 1 != frames > 1), None)
        if short is not None:
            raise WarehouseError(
                f"video {short.video_id}, frame {short.frame_index} was not extracted as a clip of "
                f"{frames} frames, which {scorer.bundle.model_id} looks at. Extract again with "
                f"--all --set sampling.clip_frames={frames} --set sampling.clip_stride={stride}"
            )
        scores = scorer.score([face.cropped() for face in batch])
        columns = {
            name: [getattr(face, name) for face in batch]
            for name in SCORED_FACES.names
            if name != "score"
        }
        yield pa.RecordBatch.from_pydict({**columns, "score": scores}, schema=SCORED_FACES)
