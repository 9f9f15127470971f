"""What recipe face_frames leaves behind a training, with real Keras weights."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from framejury.labelled.bundling import _published, write_training_outputs
from framejury.model.schedule import EpochRecord
from framejury.model.scoring import SCORED_FACES
from framejury.model.source_counts import count_faces
from framejury.report.published_files import (
    MAPREDUCE,
    PREDICTIONS,
    FacePrediction,
    confusion_of,
    outputs_folder,
    predictions_json,
    verdict_outputs,
)
from framejury.report.report import write_files
from framejury.schemas.statuses import Side
from framejury.settings import TrainingSettings
from framejury.settings.loading import settings_from
from framejury.storage import locate
from framejury.verdict.rule import Rule
from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.faces import small_videos, write_source
from tests.builders.rows import verdict_row, verdict_table

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

import keras

from framejury.model.training import TrainedNetwork


def network(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((8, 8, 3))
    dense = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(pixels))
    return keras.Model(pixels, dense)


def trained(place: Path) -> TrainedNetwork:
    source = write_source(place / "faces", small_videos(2, 1, 1))
    epoch = EpochRecord(
        epoch=0,
        phase="finetune",
        loss=0.7,
        accuracy=0.5,
        val_loss=0.6,
        val_accuracy=0.6,
        val_auc=0.7,
        learning_rate=1e-3,
        seconds=1.0,
    )
    history = (epoch, replace(epoch, epoch=1, loss=0.5))
    settings = TrainingSettings(weights="none")
    return TrainedNetwork(network(1), history, 1, settings, count_faces(source), source)


def test_the_weights_are_those_of_the_network(tmp_path: Path) -> None:
    found = trained(tmp_path)
    videos = [
        {"video_id": key, "path": f"{key}.mp4", "label": "FAKE" if truth.label else "REAL"}
        for key, truth in found.source.videos.items()
        if truth.side is Side.TEST
    ]
    rows = [
        {"video_id": video["video_id"], "frame_index": frame, "pts_s": 0.0, "face_index": 0}
        | {"person": 0, "score": 0.25}
        for video in videos
        for frame in (0, 10)
    ]
    scored = pa.Table.from_pylist(rows, schema=SCORED_FACES)
    folder = tmp_path / "new"
    write_training_outputs(locate(str(folder)), found, scored, videos, {})
    assert {path.name for path in folder.iterdir()} == {
        *("Loss.png", "Accuracy.png", "Confusion.png"),
        *("best_weights.weights.h5", "cnn_preds_values.json"),
    }
    predictions = json.loads((folder / "cnn_preds_values.json").read_text())
    assert predictions == {video["path"]: {"0_0": 0.25, "10_0": 0.25} for video in videos}
    # Into a network that was made otherwise.
    other = network(2)
    pixels = np.random.default_rng(0).random((4, 8, 8, 3), np.float32)
    assert not np.allclose(other(pixels), found.model(pixels))
    other.load_weights(folder / "best_weights.weights.h5")
    assert np.array_equal(other(pixels), found.model(pixels))


def test_without_a_test_side_there_are_no_predictions(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    write_training_outputs(locate(str(folder)), trained(tmp_path), None, [], {})
    assert json.loads((folder / "cnn_preds_values.json").read_text()) == {}


def test_files_of_two_models_never_mix(tmp_path: Path) -> None:
    """Train, judge, train again: the second training replaced the night's predictions before."""
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    outputs = tmp_path / "w" / "outputs"
    found = trained(tmp_path)
    bundle = brightness_bundle(tmp_path / "bundle")
    first, second = (replace(bundle, model_id=name) for name in ("b0-a", "b0-b"))
    settings = settings_from({"report": {"outputs": "face_frames"}})
    assert _published(first, warehouse, found, [], settings) is first
    judged = verdict_outputs(verdict_table([verdict_row(0, p_fake=0.9)]), confusion_of({}), Rule())
    judged[PREDICTIONS] = b"".join(predictions_json([FacePrediction("a.mp4", 0, 0, 0.9)]))
    write_files(judged, outputs / outputs_folder("verdicts", "b0-a"))
    before = {path: path.read_bytes() for path in outputs.rglob("*") if path.is_file()}
    _published(second, warehouse, found, [], settings)
    after = {path: path.read_bytes() for path in outputs.rglob("*") if path.is_file()}
    assert before.items() < after.items()
    assert {path.parent.name for path in set(after) - set(before)} == {"train-b0-b"}
    for folder in outputs.iterdir():
        files = {path.name for path in folder.iterdir()}
        assert PREDICTIONS in files
        assert (MAPREDUCE in files) is folder.name.startswith("verdicts-")


def test_no_files_are_written_unasked(tmp_path: Path) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    bundle = brightness_bundle(tmp_path / "bundle")
    _published(bundle, warehouse, trained(tmp_path), [], settings_from({}))
    assert not (tmp_path / "w").exists()
