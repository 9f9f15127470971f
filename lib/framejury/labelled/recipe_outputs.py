"""The files of `report.outputs` about a training and about labelled videos."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from framejury.labelled.measure import FrameLabels
from framejury.labelled.videos import LabelledVideo
from framejury.storage import Location, write_whole
from framejury.verdict.rule import Rule
from framejury.warehouse import OUTPUTS

if TYPE_CHECKING:
    from framejury.training.train import TrainedNetwork


def training_files(trained: TrainedNetwork) -> dict[str, bytes]:
    """Return the curves and the best weights of a training by name."""
    from framejury.report.published_files import WEIGHTS, training_outputs
    from framejury.training.best_weights import save_best_weights

    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / WEIGHTS
        save_best_weights(trained, weights)
        return training_outputs([asdict(epoch) for epoch in trained.history], weights.read_bytes())


def measured_files(
    scored: pa.Table,
    videos: Sequence[LabelledVideo],
    verdicts: pa.Table,
    rule: Rule,
    *,
    frame_labels: FrameLabels,
    which: str,
) -> dict[str, bytes]:
    """Return the files about measured videos by name.

    Args:
        scored: from `labelled.scoring.score_faces`.
        videos: of these faces.
        verdicts: on them, from `labelled.measure.judge_labelled`.
        rule: of the verdicts.
        frame_labels: labels of single frames, for the faces.
        which: the videos in words, such as `split test`.
    """
    from framejury.report.published_files import measured_outputs, predictions_of

    faces = predictions_of(scored, [video.row for video in videos], frame_labels)
    return measured_outputs(faces, verdicts, rule, which)


def write_outputs(
    root: Location, step: Literal["train", "evaluate"], model_id: str, files: Mapping[str, bytes]
) -> Location:
    """Write files of a model below `outputs/` of a warehouse or folder; return their folder."""
    from framejury.report.published_files import outputs_folder

    place = root.child(OUTPUTS, outputs_folder(step, model_id))
    for name, content in files.items():
        write_whole(place.child(name), content)
    return place
