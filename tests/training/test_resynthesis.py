"""Networks that draw real faces anew: they learn, are stored, and a training uses them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framejury.errors import ConfigError
from framejury.records import Image
from framejury.schemas.statuses import Side
from framejury.settings import TrainingSettings
from framejury.training.source import FaceSource, iter_faces
from tests.builders.faces import face_rows, small_videos, source_of, write_rows
from tests.builders.networks import Killed, killed_at, silent, tiny_network

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

from framejury.training import train as training
from framejury.training.resynthesis import Resynthesizer
from framejury.training.train import train

SETTINGS = TrainingSettings(
    weights="none",
    input_px=64,
    batch_size=8,
    head_units=(8,),
    head_epochs=0,
    finetune_epochs=2,
    made_fakes={"resynthesis": 1.0},
    resynthesis_steps=2,
)
POINTS = [
    {"x": x, "y": y}
    for x, y in ((22.0, 25.0), (42.0, 25.0), (32.0, 36.0), (24.0, 46.0), (40.0, 46.0))
]
REGION = {"x": 0, "y": 0, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FaceSource:
    videos = small_videos(train_each=4, val_each=2)
    rows = [
        {**row, "landmarks": POINTS, "crop_region": REGION}
        for video in videos
        for row in face_rows(video)
    ]
    return source_of([write_rows(tmp_path_factory.mktemp("set") / "faces.parquet", rows)], videos)


@pytest.fixture(scope="module")
def face(source: FaceSource) -> Image:
    return next(one for one in iter_faces(source, Side.TRAIN) if not one.label).decoded()


def error_of(networks: Resynthesizer, face: Image) -> float:
    drawn = [networks.drawn_anew(face, np.random.default_rng(seed)) for seed in range(12)]
    return float(np.mean([np.abs(one.astype(float) - face).mean() for one in drawn]))


def test_networks_learn_to_repeat_a_face(source: FaceSource, face: Image, tmp_path: Path) -> None:
    lines: list[str] = []
    raw = Resynthesizer.trained(source, SETTINGS, tmp_path, lines.append)
    assert [line.partition(",")[0] for line in lines] == [
        "resynthesis network 1/2: step 2/2",
        "resynthesis network 2/2: step 2/2",
    ]
    longer = SETTINGS.model_copy(update={"resynthesis_steps": 80})
    place = tmp_path / "longer"
    place.mkdir()
    learned = Resynthesizer.trained(source, longer, place, silent)
    assert error_of(learned, face) < 0.6 * error_of(raw, face)


def test_any_shape_comes_back_as_it_was(source: FaceSource, tmp_path: Path) -> None:
    networks = Resynthesizer.trained(source, SETTINGS, tmp_path, silent)
    for shape in ((64, 64, 3), (33, 61, 3), (9, 200, 3), (1, 1, 3)):
        drawn = networks.drawn_anew(np.full(shape, 90, np.uint8), np.random.default_rng(0))
        assert drawn.shape == shape
        assert drawn.dtype == np.uint8


def test_a_network_is_trained_once(source: FaceSource, face: Image, tmp_path: Path) -> None:
    """Also if the training was killed between the two."""
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = error_of(Resynthesizer.trained(source, SETTINGS, whole, silent), face)
    with pytest.raises(Killed):
        Resynthesizer.trained(source, SETTINGS, tmp_path, killed_at("resynthesis network 2/2"))
    assert [place.name for place in tmp_path.glob("*.onnx")] == ["resynthesis-transposed.onnx"]
    lines: list[str] = []
    resumed = Resynthesizer.trained(source, SETTINGS, tmp_path, lines.append)
    assert lines
    assert all(line.startswith("resynthesis network 2/2") for line in lines)
    assert error_of(resumed, face) == expected


def test_a_training_that_uses_them_repeats(
    source: FaceSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "build_network", tiny_network)
    whole = train(SETTINGS, source, tmp_path / "whole", silent)
    for cut, moment in (("first", "resynthesis network 2/2"), ("second", "fine-tune epoch 1")):
        with pytest.raises(Killed):
            train(SETTINGS, source, tmp_path / cut, killed_at(moment))
        resumed = train(SETTINGS, source, tmp_path / cut, silent)
        assert [r.loss for r in whole.history] == [r.loss for r in resumed.history]
    plain = SETTINGS.model_copy(update={"made_fakes": {"self_blend": 1.0}})
    other = train(plain, source, tmp_path / "plain", silent)
    assert [record.loss for record in whole.history] != [record.loss for record in other.history]


def test_networks_of_another_training_are_not_used(source: FaceSource, tmp_path: Path) -> None:
    """They may have learned from faces that are now in another split."""
    with pytest.raises(Killed):
        train(SETTINGS, source, tmp_path, killed_at("resynthesis network 2/2"))
    lines: list[str] = []

    def note(line: str) -> None:
        lines.append(line)
        killed_at("resynthesis network 2/2")(line)

    with pytest.raises(Killed):
        train(SETTINGS.model_copy(update={"seed": 1}), source, tmp_path, note)
    assert any(line.startswith("resynthesis network 1/2") for line in lines)


def test_no_network_is_trained_for_fakes_that_are_never_made(
    source: FaceSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "build_network", tiny_network)
    none = SETTINGS.model_copy(update={"self_blend_ratio": 0.0, "finetune_epochs": 1})
    train(none, source, tmp_path, silent)
    assert not list(tmp_path.glob("resynthesis*"))


def test_a_mixture_is_checked_before_networks_are_trained(
    source: FaceSource, tmp_path: Path
) -> None:
    truths = {
        key: replace(truth, dataset="fakes" if truth.label else "films")
        for key, truth in source.videos.items()
    }
    wrong = SETTINGS.model_copy(update={"mixture": {"films": 1.0, "fakes": 1.0}})
    lines: list[str] = []
    with pytest.raises(ConfigError, match="real faces of fakes"):
        train(wrong, replace(source, videos=truths), tmp_path, lines.append)
    assert not any("resynthesis" in line for line in lines)


def test_fakes_alone_cannot_be_drawn_anew(source: FaceSource, tmp_path: Path) -> None:
    fakes = {key: truth for key, truth in source.videos.items() if truth.label}
    only = replace(source, videos=fakes)
    with pytest.raises(ConfigError, match="no real face"):
        Resynthesizer.trained(only, SETTINGS, tmp_path, silent)
