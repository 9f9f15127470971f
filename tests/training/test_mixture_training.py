"""Training on a mixture: what a batch holds, and that it repeats after a kill to the last bit."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framejury.errors import ConfigError
from framejury.model.source import FaceSource
from framejury.model.source_counts import count_faces
from framejury.schemas.statuses import Side
from framejury.settings import TrainingSettings
from tests.builders.faces import face_rows, small_videos, source_of, write_rows
from tests.builders.networks import Killed, killed_at, silent, tiny_network

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

from framejury.model import training
from framejury.model.dataset import FaceDatasets
from framejury.model.training import train

PX = 48
SETTINGS = TrainingSettings(
    weights="none",
    input_px=PX,
    batch_size=8,
    head_units=(8,),
    head_epochs=0,
    finetune_epochs=3,
    finetune_learning_rate=1e-2,
    mixture={"films": 1, "clips": 2},
    epoch_faces=44,
    real_fake_ratio=0.5,
)
LANDMARKS = [(22, 25), (42, 25), (32, 36), (24, 46), (40, 46)]
POINTS = [{"x": float(x), "y": float(y)} for x, y in LANDMARKS]
REGION = {"x": 0, "y": 0, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FaceSource:
    """Two sets, each with real and fake videos."""
    videos = small_videos(train_each=6, val_each=2)
    rows = [
        {**row, "landmarks": POINTS, "crop_region": REGION}
        for video in videos
        for row in face_rows(video)
    ]
    made = source_of([write_rows(tmp_path_factory.mktemp("sets") / "faces.parquet", rows)], videos)
    truths = {
        key: replace(truth, dataset="films" if key.endswith(("0", "1")) else "clips")
        for key, truth in made.videos.items()
    }
    return replace(made, videos=truths)


def epoch_of(
    source: FaceSource, settings: TrainingSettings, epoch: int = 0
) -> list[tuple[np.ndarray, ...]]:
    faces = FaceDatasets(settings, source, count_faces(source), settings.batch_size)
    assert faces.training_faces == settings.epoch_faces
    return [tuple(part.numpy() for part in batch) for batch in faces.training(epoch)]


def test_half_of_each_batch_is_real_and_a_fake_follows_each_real(source: FaceSource) -> None:
    batches = epoch_of(source, SETTINGS)
    assert [len(pixels) for pixels, _, _ in batches] == [8, 8, 8, 8, 8, 4]
    for _, labels, weights in batches:
        assert labels[:, 0].tolist() == [0.0, 1.0] * (len(labels) // 2)
        assert (weights == 1).all()


def test_both_of_a_pair_are_changed_alike(source: FaceSource) -> None:
    """A made fake differs from its real face less than from any other."""
    settings = SETTINGS.model_copy(update={"real_fake_ratio": 0.0, "degrade_ratio": 0.0})
    pixels = np.concatenate([pixels for pixels, _, _ in epoch_of(source, settings)])
    real, fake = pixels[0::2], pixels[1::2]
    own = np.abs(fake - real).mean(axis=(1, 2, 3))
    others = np.abs(fake - np.roll(real, 1, axis=0)).mean(axis=(1, 2, 3))
    assert np.median(own) < np.median(others) / 2
    plain = settings.model_copy(update={"augment": "none"})
    assert not np.array_equal(pixels, np.concatenate([b[0] for b in epoch_of(source, plain)]))


def test_an_epoch_repeats_and_epochs_differ(source: FaceSource) -> None:
    def pixels(epoch: int, seed: int = 0) -> np.ndarray:
        settings = SETTINGS.model_copy(update={"seed": seed})
        return np.concatenate([batch[0] for batch in epoch_of(source, settings, epoch)])

    first = pixels(0)
    assert np.array_equal(first, pixels(0))
    assert not np.array_equal(first, pixels(1))
    assert not np.array_equal(first, pixels(0, seed=1))


def test_validation_shows_every_face_once(source: FaceSource) -> None:
    faces = FaceDatasets(SETTINGS, source, count_faces(source), 8)
    labels = np.concatenate([batch[1] for batch in faces.validation()])
    assert len(labels) == count_faces(source).faces(Side.VAL)


def test_a_killed_training_ends_the_same_to_the_last_bit(
    source: FaceSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "build_network", tiny_network)
    whole = train(SETTINGS, source, tmp_path / "whole", silent)
    with pytest.raises(Killed):
        train(SETTINGS, source, tmp_path / "cut", killed_at("fine-tune epoch 1"))
    resumed = train(SETTINGS, source, tmp_path / "cut", silent)
    assert [r.loss for r in whole.history] == [r.loss for r in resumed.history]
    assert len({record.loss for record in whole.history}) == 3
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_errors_of_a_mixture_come_as_they_are(source: FaceSource, tmp_path: Path) -> None:
    truths = {
        key: replace(truth, dataset="fakes" if truth.label else "films")
        for key, truth in source.videos.items()
    }
    settings = SETTINGS.model_copy(update={"mixture": {"films": 1.0, "fakes": 1.0}})
    with pytest.raises(ConfigError, match="real faces of fakes"):
        train(settings, replace(source, videos=truths), tmp_path, silent)
