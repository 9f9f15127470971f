"""Files of `report.outputs` after a training."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from framejury.storage import Location, write_whole
from framejury.warehouse import OUTPUTS, Warehouse

if TYPE_CHECKING:
    from framejury.model.training import TrainedNetwork


def write_training_outputs(
    warehouse: Warehouse,
    trained: TrainedNetwork,
    tested: pa.Table | None,
    videos: Sequence[Mapping[str, Any]],
    frame_labels: Mapping[tuple[str, int], int],
) -> Location:
    """Write the files that recipe face_frames publishes after a training; return the folder.

    Args:
        warehouse: gets the files.
        trained: history, and the network with the weights of its best epoch.
        tested: faces of split test from `model.scoring.score_faces`; None without such a split.
        videos: rows of `videos` in that split.
        frame_labels: as of `FaceSource`.
    """
    from framejury.report.published_files import WEIGHTS, predictions_of, training_outputs

    faces = [] if tested is None else predictions_of(tested, videos, frame_labels)
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / WEIGHTS
        trained.model.save_weights(weights)
        history = [asdict(epoch) for epoch in trained.history]
        files = training_outputs(history, faces, weights.read_bytes())
    place = warehouse.location.child(OUTPUTS)
    for name, content in files.items():
        write_whole(place.child(name), content)
    return place
