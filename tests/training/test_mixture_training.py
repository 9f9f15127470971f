"""Training on a mixture: what a batch holds, and that it repeats after a kill to the last bit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from framejury.errors import ConfigError
from framejury.schemas.statuses import Side
from framejury.settings import TrainingSettings
from framejury.training.source import FaceSource, iter_faces
from framejury.training.source_counts import count_faces
from tests.builders.faces import face_rows, small_videos, source_of, write_rows
from tests.builders.networks import Killed, killed_at, silent, tiny_network

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

from framejury.training import train as training
from framejury.training.dataset import FaceDatasets
from framejury.training.epoch import class_weights, mixture_weights
from framejury.training.train import train

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


def uneven(source: FaceSource, sets: Mapping[str, str]) -> FaceSource:
    """The source with the val videos in these data sets."""
    truths = {
        key: replace(truth, dataset=sets[key]) if key in sets else truth
        for key, truth in source.videos.items()
    }
    return replace(source, videos=truths)


VAL = ("val-real-0", "val-real-1", "val-fake-0", "val-fake-1")


def test_validation_weighs_data_sets_as_the_mixture_does(source: FaceSource) -> None:
    """Each of the four val videos has four faces; `clips` has one real video, `other` no odds."""
    sets = uneven(source, dict(zip(VAL, ("films", "clips", "films", "films"), strict=True)))
    counts = count_faces(sets)
    weights = mixture_weights(counts, {"films": 1, "clips": 3})
    assert weights == {("films", 0): 0.5, ("clips", 0): 1.5, ("films", 1): 1.0}
    apart = count_faces(uneven(source, dict(zip(VAL, ("films", "other") * 2, strict=True))))
    assert mixture_weights(apart, {"films": 2}) == {
        **{("films", label): 2.0 for label in (0, 1)},
        **{("other", label): 0.0 for label in (0, 1)},
    }
    assert set(mixture_weights(apart, {"elsewhere": 1}).values()) == {1.0}

    videos = {key: truth for key, truth in sets.videos.items() if key != "val-fake-1"}
    fewer = count_faces(replace(sets, videos=videos))
    for balance in ("none", "class_weight", "sampling"):
        settings = SETTINGS.model_copy(update={"balance": balance})
        settings = settings.model_copy(update={"mixture": {"films": 1.0, "clips": 3.0}})
        assert class_weights(fewer, Side.VAL, settings) == (1.0, 1.0)
        shown = FaceDatasets(settings, sets, counts, 8).validation()
        found = np.concatenate([batch[2] for batch in shown])
        assert sorted(found) == [0.5] * 4 + [1.0] * 8 + [1.5] * 4


def test_figures_of_validation_are_of_the_mixture(
    source: FaceSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "build_network", tiny_network)
    sets = uneven(source, dict(zip(VAL, ("films", "clips", "films", "clips"), strict=True)))
    # The labels of one set are the wrong way round, so the figures of the sets differ.
    wrong = {
        key: replace(truth, label=1 - truth.label)
        for key, truth in sets.videos.items()
        if key in VAL and truth.dataset == "films"
    }
    sets = replace(sets, videos=sets.videos | wrong)
    mixture = {"films": 1.0, "clips": 9.0}
    settings = SETTINGS.model_copy(update={"finetune_epochs": 1, "mixture": mixture})
    trained = train(settings, sets, tmp_path, silent)
    shown = FaceDatasets(settings, sets, count_faces(sets), 8).validation()
    batches = [tuple(part.numpy() for part in batch) for batch in shown]
    truth = np.concatenate([batch[1] for batch in batches])[:, 0]
    score = np.concatenate([trained.model.predict(b[0], verbose=0) for b in batches])[:, 0]
    sets_of = [sets.videos[face.video_id].dataset for face in iter_faces(sets, Side.VAL)]
    weights = np.array([mixture[name] for name in sets_of])
    losses = -np.log(np.where(truth == 1, score, 1 - score))
    (record,) = trained.history
    assert record.val_loss == pytest.approx(np.average(losses, weights=weights), rel=1e-3)
    assert abs(record.val_loss - losses.mean()) > 1e-3
    auc = roc_auc_score(truth, score, sample_weight=weights)
    assert record.val_auc == pytest.approx(auc, abs=0.01)
    assert abs(auc - roc_auc_score(truth, score)) > 0.1
    right = (score > 0.5) == (truth == 1)
    assert record.val_accuracy == pytest.approx(np.average(right, weights=weights), abs=1e-5)


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
