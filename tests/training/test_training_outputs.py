"""What recipe face_frames leaves behind a training, with real Keras weights."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framejury.errors import UsageError
from framejury.labelled.bundling import _published
from framejury.labelled.recipe_outputs import training_files
from framejury.model.schedule import EpochRecord
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
from framejury.settings import TrainingSettings
from framejury.settings.loading import settings_from
from framejury.training.source_counts import count_faces
from framejury.verdict.rule import Rule
from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.faces import small_videos, write_source
from tests.builders.networks import tiny_network
from tests.builders.rows import verdict_row, verdict_table

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

import keras

from framejury.training import best_weights
from framejury.training.train import TrainedNetwork


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


def test_the_weights_file_is_read_back_with_its_settings(tmp_path: Path) -> None:
    found = trained(tmp_path)
    files = training_files(found)
    assert set(files) == {"Loss.png", "Accuracy.png", "best_weights.weights.h5"}
    place = tmp_path / "best_weights.weights.h5"
    place.write_bytes(files[place.name])
    # Into a network that was made otherwise, by Keras alone.
    other = network(2)
    pixels = np.random.default_rng(0).random((4, 8, 8, 3), np.float32)
    assert not np.allclose(other(pixels), found.model(pixels))
    other.load_weights(place)
    assert np.array_equal(other(pixels), found.model(pixels))


def test_the_network_comes_back_from_its_weights_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the size and scale of its training, whatever the settings of today."""
    settings = TrainingSettings(
        weights="none", input_px=40, head_units=(3,), normalisation="unit", output="softmax"
    )
    made = tiny_network(settings)
    drawn = np.random.default_rng(1)  # averages of batch norms too
    made.set_weights([drawn.uniform(0.1, 0.5, w.shape) for w in made.get_weights()])
    place = tmp_path / "mine.weights.h5"
    whole = replace(trained(tmp_path), model=made, settings=settings)
    best_weights.save_best_weights(whole, place)
    monkeypatch.setattr(best_weights, "build_network", tiny_network)
    model, read, fingerprint = best_weights.load_best_weights(place)
    assert (read, fingerprint) == (settings, whole.counts.fingerprint)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 40, 40, 3)).astype(np.float32)
    pixels *= np.arange(4)[:, None, None, None] / 40
    scores = np.asarray(made(pixels))
    assert np.ptp(scores) > 0
    assert np.array_equal(np.asarray(model(pixels)), scores)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.weights.h5", "holds no settings of its training"),
        ("plain.weights.h5", "holds no settings of its training"),
        ("text.weights.h5", "holds no settings of its training"),
        ("other.weights.h5", "does not fit its own settings"),
        ("best_model.h5", "does not end with .weights.h5"),
    ],
)
def test_other_files_are_refused(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best_weights, "build_network", tiny_network)
    network(1).save_weights(tmp_path / "plain.weights.h5")  # as Keras writes it
    (tmp_path / "text.weights.h5").write_text("weights")
    best_weights.save_best_weights(trained(tmp_path), tmp_path / "other.weights.h5")
    with pytest.raises(UsageError, match=re.escape(words)):
        best_weights.load_best_weights(tmp_path / name)


def test_files_of_two_models_never_mix(tmp_path: Path) -> None:
    """Train, judge, train again: the second training replaced the night's predictions before."""
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    outputs = tmp_path / "w" / "outputs"
    found = trained(tmp_path)
    bundle = brightness_bundle(tmp_path / "bundle")
    first, second = (replace(bundle, model_id=name) for name in ("b0-a", "b0-b"))
    settings = settings_from({"report": {"outputs": "face_frames"}})
    assert _published(first, warehouse, found, [], settings) is first
    judged = verdict_outputs(
        verdict_table([verdict_row(0, p_fake=0.9)]), confusion_of({}), Rule(), "all"
    )
    judged[PREDICTIONS] = b"".join(predictions_json([FacePrediction("a.mp4", 0, 0, 0.9)]))
    write_files(judged, outputs / outputs_folder("verdicts", "b0-a"))
    before = {path: path.read_bytes() for path in outputs.rglob("*") if path.is_file()}
    _published(second, warehouse, found, [], settings)
    after = {path: path.read_bytes() for path in outputs.rglob("*") if path.is_file()}
    assert before.items() < after.items()
    assert {path.parent.name for path in set(after) - set(before)} == {"train-b0-b"}
    for folder in outputs.iterdir():
        files = {path.name for path in folder.iterdir()}
        assert (MAPREDUCE in files) is folder.name.startswith("verdicts-")


def test_no_files_are_written_unasked(tmp_path: Path) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    bundle = brightness_bundle(tmp_path / "bundle")
    _published(bundle, warehouse, trained(tmp_path), [], settings_from({}))
    assert not (tmp_path / "w").exists()
