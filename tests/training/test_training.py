"""Network, data, training, export: everything that loads TensorFlow, in one module."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from framejury.errors import (
    ConfigError,
    FramejuryError,
    ParityError,
    SetupError,
    SplitError,
    UsageError,
    WarehouseError,
)
from framejury.labelled.scoring import score_faces
from framejury.model.bundle import load_bundle
from framejury.model.curves import curves_of, read_curves
from framejury.model.input_contract import Framing
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.schemas.statuses import Side
from framejury.settings import TrainingSettings
from framejury.signals.rgb import network_input
from framejury.training.source import FaceSource, iter_faces
from framejury.training.source_counts import count_faces, sample_faces
from tests.builders.curves import EPOCHS
from tests.builders.faces import Video, face_rows, small_videos, source_of, write_rows, write_source
from tests.builders.networks import Killed, killed_at, silent, tiny_network

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

import keras
import tensorflow as tf
from tensorflow.python.framework import config

from framejury.training import export, network, training_log, weights
from framejury.training import train as training
from framejury.training.dataset import FaceDatasets
from framejury.training.train import TrainedNetwork, train

PX = 32
SETTINGS = TrainingSettings(
    weights="none",
    input_px=PX,
    head_units=(32,),
    batch_size=16,
    head_epochs=0,
    finetune_epochs=6,
    finetune_learning_rate=1e-3,
    patience=6,
)
# Two phases on a network that compiles in a second.
TINY = SETTINGS.model_copy(
    update={"head_epochs": 2, "finetune_epochs": 3, "head_learning_rate": 1e-2, "patience": 4}
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "build_network", tiny_network)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FaceSource:
    videos = small_videos(train_each=16, val_each=4, test_each=4)
    return write_source(tmp_path_factory.mktemp("faces"), videos)


@pytest.fixture(scope="module")
def small_source(tmp_path_factory: pytest.TempPathFactory) -> FaceSource:
    return write_source(tmp_path_factory.mktemp("small"), small_videos(4, 2))


@dataclass(frozen=True)
class Outcome:
    trained: TrainedNetwork
    lines: list[str]


@pytest.fixture(scope="module")
def outcome(source: FaceSource, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    lines: list[str] = []
    trained = train(SETTINGS, source, tmp_path_factory.mktemp("work"), lines.append)
    return Outcome(trained, lines)


@pytest.fixture(scope="module")
def bundle(outcome: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return export.pack_bundle(
        outcome.trained,
        tmp_path_factory.mktemp("bundles") / "demo",
        framing=Framing(margin_ratio=0.3, shape="square"),
        threshold=0.5,
        data_description="One face, half of it turned.",
        purpose="demo",
    )


def val_pixels(source: FaceSource, count: int = 12) -> np.ndarray:
    faces = sample_faces(source, Side.VAL, count)
    return np.stack([network_input(face.decoded(), PX) for face in faces])


# The whole way, with the real network


def test_learns_what_is_easy_on_videos_it_has_not_seen(bundle: Bundle, source: FaceSource) -> None:
    table = score_faces(Scorer(bundle), source, Side.TEST).to_pylist()
    right = [(row["score"] >= 0.5) == ("fake" in row["video_id"]) for row in table]
    assert len(right) == 32
    assert np.mean(right) >= 0.85


def test_history_and_progress(outcome: Outcome) -> None:
    history = outcome.trained.history
    assert [record.epoch for record in history] == [0, 1, 2, 3, 4, 5]
    assert {record.phase for record in history} == {"finetune"}
    assert history[-1].loss < history[0].loss
    assert all(record.learning_rate == pytest.approx(1e-3) for record in history)
    assert outcome.trained.best_epoch == int(np.argmin([record.val_loss for record in history]))
    assert "64 FAKE in train" in outcome.lines[0]
    assert "8 steps of 16 faces" in outcome.lines[0]
    epochs = [line for line in outcome.lines if "validation loss" in line]
    assert len(epochs) == 6
    assert epochs[0].startswith("fine-tune epoch 1/6: loss ")
    assert epochs[0].endswith("(best so far)")


def test_best_epoch_is_what_comes_back(outcome: Outcome, source: FaceSource) -> None:
    trained = outcome.trained
    trained.model.compile(loss="binary_crossentropy", metrics=["accuracy"])
    datasets = FaceDatasets(SETTINGS, source, count_faces(source), 16)
    loss, accuracy = trained.model.evaluate(datasets.validation(), verbose=0)
    best = trained.history[trained.best_epoch]
    assert loss == pytest.approx(best.val_loss, abs=2e-3)  # packing rounds kernels
    assert accuracy == pytest.approx(best.val_accuracy, abs=1e-6)


def test_bundle_repeats_the_network(bundle: Bundle, outcome: Outcome, source: FaceSource) -> None:
    assert bundle.parity is not None
    assert bundle.parity.faces == 32
    assert 0 < bundle.parity.max_abs_difference <= 1e-4
    pixels = val_pixels(source)
    expected = np.asarray(outcome.trained.model(pixels.astype(np.float32))).ravel()
    assert np.ptp(expected) > 0.2  # else any constant would pass
    for batch in (pixels, pixels[:1], pixels[:5]):
        scores = Scorer(bundle).score(list(batch))
        assert scores == pytest.approx(expected[: len(batch)], abs=1e-4)


def test_bundle_says_what_was_trained(bundle: Bundle, outcome: Outcome, source: FaceSource) -> None:
    assert load_bundle(bundle.directory).model_id == bundle.model_id
    assert bundle.data.fingerprint == count_faces(source).fingerprint
    assert bundle.data.methods == {"not named": 20}
    assert bundle.settings["training"]["input_px"] == PX
    assert bundle.settings["training"]["epochs_done"] == 6
    assert read_curves(bundle) == outcome.trained.history
    assert bundle.libraries["keras"] == keras.__version__
    card = (bundle.directory / "MODEL_CARD.md").read_text()
    assert "mean nothing" in card.splitlines()[0]
    assert "`training.finetune_epochs`: 6" in card


@pytest.mark.long
def test_keras_model_reloads_in_a_fresh_process_without_spark(
    bundle: Bundle, outcome: Outcome, source: FaceSource, tmp_path: Path
) -> None:
    pixels = val_pixels(source).astype(np.float32)
    np.save(tmp_path / "pixels.npy", pixels)
    code = (
        "import sys, numpy, keras, efficientnet.tfkeras\n"
        "model = keras.models.load_model(sys.argv[1], safe_mode=True)\n"
        "numpy.save(sys.argv[3], numpy.asarray(model(numpy.load(sys.argv[2]))))\n"
        "import framejury.training.export\n"
        "print('pyspark' in sys.modules)\n"
    )
    files = [str(bundle.keras_path), str(tmp_path / "pixels.npy"), str(tmp_path / "scores.npy")]
    done = subprocess.run(
        [sys.executable, "-c", code, *files], check=True, capture_output=True, text=True
    )
    assert done.stdout.split()[-1] == "False"
    expected = np.asarray(outcome.trained.model(pixels))
    assert np.load(tmp_path / "scores.npy") == pytest.approx(expected, abs=1e-6)


def test_pixels_are_normalised_plane_by_plane(bundle: Bundle) -> None:
    """ONNX Runtime is slow where three channels come last; the scores are the same (parity)."""
    graph = onnx.load(str(bundle.onnx_path)).graph
    assert [node.op_type for node in graph.node[:4]] == ["Transpose", "Mul", "Add", "Conv"]


def test_parity_is_refused_when_the_export_is_of_other_weights(
    bundle: Bundle, outcome: Outcome, source: FaceSource
) -> None:
    other = keras.models.clone_model(outcome.trained.model)
    other.set_weights(outcome.trained.model.get_weights())
    kernel, bias = other.get_layer("p_fake").get_weights()
    pixels = val_pixels(source)
    assert export.check_parity(other, bundle.onnx_path, pixels) <= 1e-4
    other.get_layer("p_fake").set_weights([kernel, bias + 0.01])
    with pytest.raises(ParityError, match="No bundle was written"):
        export.check_parity(other, bundle.onnx_path, pixels)
    other.get_layer("p_fake").set_weights([kernel, bias * np.nan])
    with pytest.raises(ParityError):
        export.check_parity(other, bundle.onnx_path, pixels)


def test_a_failed_parity_writes_no_bundle(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "export_onnx", lambda model, path: path.write_bytes(b"?"))

    def differs(*_: object) -> float:
        raise ParityError("differs")

    monkeypatch.setattr(export, "check_parity", differs)
    with pytest.raises(ParityError):
        export.pack_bundle(
            outcome.trained,
            tmp_path / "b",
            framing=Framing(margin_ratio=0.3, shape="square"),
            threshold=0.5,
            data_description="x",
        )
    assert not (tmp_path / "b").exists()


# The network


@pytest.fixture(scope="module")
def fresh() -> keras.Model:
    keras.utils.set_random_seed(1)
    return network.build_network(SETTINGS)


def test_normalisation_is_the_first_layer(fresh: keras.Model) -> None:
    colour = np.array([[[[255.0, 0.0, 127.5]]]], np.float32)
    layer = fresh.get_layer("imagenet_normalisation")
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.5 - 0.406) / 0.225]
    assert np.asarray(layer(colour)).ravel() == pytest.approx(expected, abs=1e-5)
    assert fresh.layers[1] is layer
    assert fresh.input_shape == (None, PX, PX, 3)
    assert fresh.output_shape == (None, 1)


def test_head_follows_the_settings() -> None:
    settings = SETTINGS.model_copy(update={"head_units": (7, 5), "dropout": 0.25})
    model = network.build_network(settings)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [7, 5, 1]
    drops = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.rate for layer in drops] == [0.25, 0.25]


def test_mixed_precision_ends_in_float32_and_leaves_the_policy(fresh: keras.Model) -> None:
    model = network.build_network(SETTINGS, "mixed_float16")
    assert model.get_layer("head_dense_1").compute_dtype == "float16"
    assert model.output.dtype == "float32"
    assert all(w.dtype == "float32" for w in model.trainable_weights)
    assert keras.config.dtype_policy().name == "float32"
    assert fresh.get_layer("head_dense_1").compute_dtype == "float32"


@pytest.fixture(scope="module")
def applications_network() -> keras.Model:
    return keras.applications.EfficientNetB0(
        include_top=False, pooling="avg", weights=None, input_shape=(PX, PX, 3)
    )


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".keras"])
def test_weights_come_from_a_file_of_the_same_backbone(
    fresh: keras.Model, tmp_path: Path, suffix: str
) -> None:
    backbone = network.backbone_of(fresh)
    path = tmp_path / f"start{suffix}"
    save = backbone.save_weights if suffix == ".weights.h5" else backbone.save
    save(path)
    started = network.build_network(SETTINGS.model_copy(update={"weights": str(path)}))
    for found, expected in zip(
        network.backbone_of(started).get_weights(), backbone.get_weights(), strict=True
    ):
        assert np.array_equal(found, expected)


def test_weights_come_from_a_bundle(bundle: Bundle, outcome: Outcome) -> None:
    assert bundle.keras_path is not None
    settings = SETTINGS.model_copy(update={"weights": str(bundle.keras_path)})
    started = network.backbone_of(network.build_network(settings)).get_weights()
    trained = network.backbone_of(outcome.trained.model).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(started, trained, strict=True))
    later = replace(outcome.trained, settings=settings)
    assert export.methods_of(later) == {"not named": 20}
    elsewhere = settings.model_copy(update={"weights": "/weights/of/unknown.h5"})
    assert export.methods_of(replace(later, settings=elsewhere)) is None


def test_weights_are_drawn_back_to_the_start(bundle: Bundle) -> None:
    keras.utils.set_random_seed(1)
    model = network.build_network(SETTINGS)
    start = keras.models.load_model(bundle.keras_path, compile=False).get_weights()
    own = model.get_weights()
    weights.average_with_start(model, str(bundle.keras_path), 0.25)
    assert any(np.abs(a - b).max() > 0.01 for a, b in zip(start, own, strict=True))
    for mean, a, b in zip(model.get_weights(), start, own, strict=True):
        assert np.allclose(mean, 0.25 * a + 0.75 * b, atol=1e-6)


@pytest.mark.usefixtures("tiny")
def test_a_training_ends_between_its_start_and_its_best_epoch(
    small_source: FaceSource, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(5)
    start = tiny_network(TINY)
    start.save(tmp_path / "start.keras")
    with_start = {"weights": str(tmp_path / "start.keras"), "start_share": 0.25}
    settings = TINY.model_copy(update=with_start)
    ended = train(settings, small_source, tmp_path / "ended", print).model
    # The training itself is the same without.
    plain = settings.model_copy(update={"start_share": 0.0})
    best = train(plain, small_source, tmp_path / "plain", print).model
    parts = zip(ended.get_weights(), start.get_weights(), best.get_weights(), strict=True)
    for mean, a, b in parts:
        assert np.allclose(mean, 0.25 * a + 0.75 * b, atol=1e-6)


@pytest.mark.usefixtures("tiny")
def test_an_unfit_start_is_refused_before_training(
    small_source: FaceSource, tmp_path: Path
) -> None:
    network.backbone_of(tiny_network(TINY)).save(tmp_path / "headless.keras")
    with_start = {"weights": str(tmp_path / "headless.keras"), "start_share": 0.25}
    lines: list[str] = []
    with pytest.raises(ConfigError, match="head included"):
        settings = TINY.model_copy(update=with_start)
        train(settings, small_source, tmp_path / "work", lines.append)
    assert not [line for line in lines if "validation loss" in line]


def test_a_start_of_another_network_is_refused(fresh: keras.Model, tmp_path: Path) -> None:
    network.backbone_of(fresh).save(tmp_path / "headless.keras")
    with pytest.raises(ConfigError, match="head included"):
        weights.average_with_start(fresh, str(tmp_path / "headless.keras"), 0.5)


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".keras"])
def test_weights_of_the_other_efficientnet_are_refused(
    fresh: keras.Model, applications_network: keras.Model, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"applications{suffix}"
    save = (
        applications_network.save_weights if suffix == ".weights.h5" else applications_network.save
    )
    save(path)
    with pytest.raises(ConfigError, match=r"files of keras\.applications do not fit"):
        weights.load_backbone_weights(network.backbone_of(fresh), str(path))


def test_weights_of_other_shapes_are_refused(fresh: keras.Model, tmp_path: Path) -> None:
    small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    small.save_weights(tmp_path / "small.weights.h5")
    with pytest.raises(ConfigError, match="does not hold weights"):
        weights.load_backbone_weights(
            network.backbone_of(fresh), str(tmp_path / "small.weights.h5")
        )


@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5", "a.keras", "a.ckpt"])
def test_files_that_are_no_weights_are_refused(
    fresh: keras.Model, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=r"a\."):
        weights.load_backbone_weights(network.backbone_of(fresh), str(tmp_path / name))


def test_weights_that_are_not_there() -> None:
    with pytest.raises(ConfigError, match="neither noisy-student, imagenet, lite0 or none"):
        network.build_network(SETTINGS.model_copy(update={"weights": "nowhere.h5"}))


def test_a_network_with_code_in_it_is_refused(fresh: keras.Model, tmp_path: Path) -> None:
    """Keras' safe mode: a Lambda layer could run anything when it is loaded."""
    pixels = keras.Input((32, 32, 3))
    keras.Model(pixels, keras.layers.Lambda(lambda x: x * 2)(pixels)).save(tmp_path / "own.keras")
    with pytest.raises(ConfigError, match="cannot read weights from"):
        weights.load_backbone_weights(network.backbone_of(fresh), str(tmp_path / "own.keras"))


@pytest.mark.parametrize("kind", ["noisy-student", "imagenet"])
def test_failed_download_says_what_to_do(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name: str, origin: str, **_: object) -> str:
        raise Exception(f"URL fetch failure on {origin}: None -- name resolution")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    with pytest.raises(SetupError) as caught:
        network.build_network(SETTINGS.model_copy(update={"weights": kind}))
    for part in (
        "notop.h5",
        "cannot be downloaded",
        "training.weights=none",
        "training.weights=PATH",
        "`make lite0`",
        "--set training.weights=lite0",
    ):
        assert part in str(caught.value)


# The data


def datasets_of(source: FaceSource, **changes: object) -> FaceDatasets:
    settings = TINY.model_copy(update=changes)
    return FaceDatasets(settings, source, count_faces(source), settings.batch_size)


def all_of(data: object) -> tuple[np.ndarray, ...]:
    return tuple(np.concatenate(part) for part in zip(*data.as_numpy_iterator(), strict=True))


def test_shapes_types_and_labels(small_source: FaceSource) -> None:
    pixels, labels, face_weights = all_of(datasets_of(small_source).training(0))
    assert pixels.shape == (32, PX, PX, 3)
    assert pixels.dtype == labels.dtype == face_weights.dtype == np.float32
    assert pixels.max() > 100  # 0..255, not 0..1
    assert labels.shape == (32, 1)
    assert labels.sum() == 16
    assert (face_weights == 1).all()


def test_validation_is_the_faces_as_they_are_in_order(small_source: FaceSource) -> None:
    pixels, labels, _ = all_of(datasets_of(small_source, augment="full").validation())
    faces = list(iter_faces(small_source, Side.VAL))
    expected = np.stack([network_input(face.decoded(), PX) for face in faces])
    assert np.array_equal(pixels, expected)
    assert labels.ravel().tolist() == [face.label for face in faces]


def test_a_dataset_can_be_read_twice(small_source: FaceSource) -> None:
    data = datasets_of(small_source).validation()
    assert np.array_equal(all_of(data)[0], all_of(data)[0])


def test_each_training_face_once_when_nothing_is_augmented(small_source: FaceSource) -> None:
    pixels, _, _ = all_of(datasets_of(small_source, augment="none").training(0))
    faces = [network_input(f.decoded(), PX) for f in iter_faces(small_source, Side.TRAIN)]
    assert sorted(p.tobytes() for p in pixels.astype(np.uint8)) == sorted(
        f.tobytes() for f in faces
    )


def test_an_epoch_repeats_and_epochs_differ(small_source: FaceSource) -> None:
    datasets = datasets_of(small_source)
    first, again, second = (all_of(datasets.training(epoch))[0] for epoch in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
    other_seed = all_of(datasets_of(small_source, seed=1).training(0))[0]
    assert not np.array_equal(first, other_seed)


@pytest.fixture(scope="module")
def uneven_source(tmp_path_factory: pytest.TempPathFactory) -> FaceSource:
    videos = [Video(f"f{n}", 1, Side.TRAIN) for n in range(5)]
    videos += [Video("r", 0, Side.TRAIN, 6), Video("vf", 1, Side.VAL, 6), Video("vr", 0, Side.VAL)]
    return write_source(tmp_path_factory.mktemp("uneven"), videos)


def test_class_weights_even_out_the_loss(uneven_source: FaceSource) -> None:
    datasets = datasets_of(uneven_source)
    _, labels, face_weights = all_of(datasets.training(0))
    fake = labels.ravel() == 1
    assert (fake.sum(), (~fake).sum()) == (20, 6)
    assert face_weights[fake].sum() == pytest.approx(13, rel=1e-5)
    assert face_weights[~fake].sum() == pytest.approx(13, rel=1e-5)
    _, labels, face_weights = all_of(datasets.validation())
    fake = labels.ravel() == 1
    assert face_weights[fake].sum() == pytest.approx(face_weights[~fake].sum(), rel=1e-5)


def test_sampling_shows_both_classes_as_often(uneven_source: FaceSource) -> None:
    datasets = datasets_of(uneven_source, balance="sampling", augment="none")
    assert datasets.training_faces == 40
    assert datasets.steps_per_epoch == 3
    pixels, labels, face_weights = all_of(datasets.training(0))
    fake = labels.ravel() == 1
    assert (fake.sum(), (~fake).sum()) == (20, 20)
    assert (face_weights == 1).all()
    shown = [p.tobytes() for p in pixels[~fake]]
    assert len(set(shown)) == 6
    assert {shown.count(p) for p in shown} == {3, 4}


def test_repeated_faces_are_changed_anew(uneven_source: FaceSource) -> None:
    pixels, labels, _ = all_of(datasets_of(uneven_source, balance="sampling").training(0))
    reals = {p.tobytes() for p in pixels[labels.ravel() == 0]}
    assert len(reals) > 15


def test_no_balance_leaves_everything(uneven_source: FaceSource) -> None:
    datasets = datasets_of(uneven_source, balance="none")
    for data in (datasets.training(0), datasets.validation()):
        assert (all_of(data)[2] == 1).all()
    assert datasets.training_faces == 26


def test_global_batch_size_is_the_batch(small_source: FaceSource) -> None:
    datasets = replace(datasets_of(small_source), global_batch_size=20)
    sizes = [len(batch[1]) for batch in datasets.training(0).as_numpy_iterator()]
    assert sizes == [20, 12]
    assert datasets.steps_per_epoch == 2


# The training loop, with the tiny network


def weights_of(trained: TrainedNetwork) -> list[np.ndarray]:
    return list(trained.model.get_weights())


def same_figures(one: TrainedNetwork, other: TrainedNetwork) -> bool:
    return [replace(r, seconds=0.0) for r in one.history] == [
        replace(r, seconds=0.0) for r in other.history
    ]


@pytest.fixture
def counted_epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs that are really run, in order."""
    ran: list[int] = []
    original = FaceDatasets.training

    def noting(self: FaceDatasets, epoch: int) -> object:
        ran.append(epoch)
        return original(self, epoch)

    monkeypatch.setattr(FaceDatasets, "training", noting)
    return ran


@pytest.fixture(scope="module")
def whole(small_source: FaceSource, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A training of the tiny network that nothing interrupted."""
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training, "build_network", tiny_network)
        trained = train(TINY, small_source, tmp_path_factory.mktemp("whole"), lines.append)
    return Outcome(trained, lines)


def test_two_phases_in_order(whole: Outcome) -> None:
    assert [r.phase for r in whole.trained.history] == ["head"] * 2 + ["finetune"] * 3
    rates = [r.learning_rate for r in whole.trained.history]
    assert rates == pytest.approx([1e-2] * 2 + [1e-3] * 3)


@pytest.mark.parametrize("line", ["head epoch 1", "head epoch 2", "fine-tune epoch 2"])
def test_a_killed_training_goes_on_and_ends_the_same(
    whole: Outcome,
    tiny: None,
    tmp_path: Path,
    counted_epochs: list[int],
    line: str,
) -> None:
    with pytest.raises(Killed):
        train(TINY, whole.trained.source, tmp_path / "cut", killed_at(line))
    resumed = train(TINY, whole.trained.source, tmp_path / "cut", silent)
    assert counted_epochs == [0, 1, 2, 3, 4]
    assert same_figures(whole.trained, resumed)
    for one, other in zip(weights_of(whole.trained), weights_of(resumed), strict=True):
        assert np.array_equal(one, other)


def test_a_kill_within_an_epoch_repeats_that_epoch_only(
    tiny: None,
    small_source: FaceSource,
    tmp_path: Path,
    counted_epochs: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = FaceDatasets.validation

    def die(self: FaceDatasets) -> object:
        if counted_epochs[-1] == 1:
            raise Killed
        return original(self)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(FaceDatasets, "validation", die)
        train(TINY, small_source, tmp_path, silent)
    resumed = train(TINY, small_source, tmp_path, silent)
    assert counted_epochs == [0, 1, 1, 2, 3, 4]
    assert len(resumed.history) == 5


def test_a_finished_training_is_not_done_again(
    tiny: None, small_source: FaceSource, tmp_path: Path, counted_epochs: list[int]
) -> None:
    first = train(TINY, small_source, tmp_path, silent)
    counted_epochs.clear()
    again = train(TINY, small_source, tmp_path, silent)
    assert counted_epochs == []
    assert again.history == first.history
    assert all(
        np.array_equal(a, b) for a, b in zip(weights_of(first), weights_of(again), strict=True)
    )


def test_other_settings_or_data_in_the_work_directory(
    tiny: None, small_source: FaceSource, uneven_source: FaceSource, tmp_path: Path
) -> None:
    train(TINY, small_source, tmp_path, silent)
    with pytest.raises(UsageError, match=r"training\.seed was 0 and is now 5"):
        train(TINY.model_copy(update={"seed": 5}), small_source, tmp_path, silent)
    with pytest.raises(UsageError, match="the faces or the split have changed"):
        train(TINY, uneven_source, tmp_path, silent)


def test_only_finetuning_changes_the_backbone(
    tiny: None, small_source: FaceSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[np.ndarray]] = []

    def noting(*args: object, **kwargs: object) -> keras.Model:
        model = tiny_network(*args, **kwargs)
        begun.append(network.backbone_of(model).get_weights())
        return model

    monkeypatch.setattr(training, "build_network", noting)
    head_only = TINY.model_copy(update={"finetune_epochs": 0})
    trained = train(head_only, small_source, tmp_path / "head", silent)
    after = network.backbone_of(trained.model).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(begun[0], after, strict=True))
    tune_only = TINY.model_copy(update={"head_epochs": 0, "finetune_epochs": 1})
    trained = train(tune_only, small_source, tmp_path / "tune", silent)
    after = network.backbone_of(trained.model).get_weights()
    assert len(after) == 6
    assert not any(np.array_equal(a, b) for a, b in zip(begun[2], after, strict=True))


# At this rate the loss jumps about: best and last epoch are different ones.
WILD = TINY.model_copy(
    update={
        "head_epochs": 0,
        "finetune_epochs": 40,
        "finetune_learning_rate": 0.5,
        "patience": 2,
        "seed": 3,
        "augment": "none",
    }
)


def test_early_stopping_gives_the_best_epoch_not_the_last(
    tiny: None, small_source: FaceSource, tmp_path: Path
) -> None:
    trained = train(WILD, small_source, tmp_path, silent)
    assert len(trained.history) - 1 - trained.best_epoch == 2
    best, last = trained.history[trained.best_epoch], trained.history[-1]
    assert last.val_loss > best.val_loss + 0.01
    trained.model.compile(loss="binary_crossentropy")
    datasets = FaceDatasets(WILD, small_source, trained.counts, 16)
    loss = trained.model.evaluate(datasets.validation(), verbose=0)
    assert loss == pytest.approx(best.val_loss, abs=2e-3)  # packing rounds kernels


def test_a_resumed_phase_goes_on_from_its_last_epoch_not_its_best(
    tiny: None, small_source: FaceSource, tmp_path: Path
) -> None:
    whole = train(WILD, small_source, tmp_path / "whole", silent)
    with pytest.raises(Killed):
        train(WILD, small_source, tmp_path / "cut", killed_at("fine-tune epoch 2"))
    assert whole.history[1].val_loss > whole.history[0].val_loss
    assert same_figures(whole, train(WILD, small_source, tmp_path / "cut", silent))


def test_mixed_precision_trains_and_comes_back_in_float32(
    tiny: None, small_source: FaceSource, tmp_path: Path
) -> None:
    settings = TINY.model_copy(update={"mixed_precision": "on", "finetune_epochs": 1})
    lines: list[str] = []
    with pytest.raises(Killed):
        train(settings, small_source, tmp_path, killed_at("head epoch 1"))
    trained = train(settings, small_source, tmp_path, lines.append)
    assert "mixed_float16" in lines[0]
    assert "resumed after 1 finished epochs" in lines[0]
    assert len(trained.history) == 3
    assert trained.model.get_layer("head_dense_1").compute_dtype == "float32"


@pytest.mark.long
def test_xla_compiles_or_says_that_it_cannot(
    tiny: None, small_source: FaceSource, tmp_path: Path
) -> None:
    settings = TINY.model_copy(update={"xla": "on", "head_epochs": 1, "finetune_epochs": 0})
    config.enable_op_determinism()
    with pytest.raises(ConfigError, match=r"training\.xla=auto"):
        train(settings, small_source, tmp_path / "refused", silent)
    config.disable_op_determinism()
    assert len(train(settings, small_source, tmp_path / "done", silent).history) == 1


def test_a_damaged_crop_stops_training_with_its_name(tiny: None, tmp_path: Path) -> None:
    videos = small_videos(2, 1)
    rows = [row for video in videos for row in face_rows(video)]
    bad = next(row for row in rows if row["video_id"] == "train-fake-1")
    bad["crop"] = bad["crop"][:100]
    source = source_of([write_rows(tmp_path / "a.parquet", rows)], videos)
    with pytest.raises(WarehouseError, match="video train-fake-1, frame 0"):
        train(TINY, source, tmp_path / "work", silent)


def test_a_crop_that_was_not_kept_stops_training(tiny: None, tmp_path: Path) -> None:
    videos = small_videos(2, 1)
    rows = [row for video in videos for row in face_rows(video)]
    next(row for row in rows if row["video_id"] == "val-real-0")["crop"] = None
    source = source_of([write_rows(tmp_path / "a.parquet", rows)], videos)
    with pytest.raises(WarehouseError, match=r"val-real-0, frame 0 .*without its crop"):
        train(TINY, source, tmp_path / "work", silent)


def test_one_class_is_refused_before_anything_is_written(tiny: None, tmp_path: Path) -> None:
    videos = [video for video in small_videos(2, 1) if video.side is Side.TRAIN]
    source = write_source(tmp_path / "faces", videos)
    with pytest.raises(SplitError, match="split val"):
        train(TINY, source, tmp_path / "work", silent)
    assert not (tmp_path / "work").exists()


def test_divergence_is_an_error(
    small_source: FaceSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> keras.Model:
        model = tiny_network(*args, **kwargs)
        layer = model.get_layer("p_fake")
        layer.set_weights([w * np.nan for w in layer.get_weights()])
        return model

    monkeypatch.setattr(training, "build_network", broken)
    with pytest.raises(FramejuryError, match=r"diverged.*training\.head_learning_rate"):
        train(TINY, small_source, tmp_path, silent)


def test_long_epochs_report_speed_and_time_left(
    tiny: None, small_source: FaceSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock: Iterator[int] = iter(range(0, 100_000, 6))
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    lines: list[str] = []
    settings = TINY.model_copy(update={"batch_size": 4, "finetune_epochs": 0})
    train(settings, small_source, tmp_path, lines.append)
    within = [line for line in lines if ": step " in line]
    # 6 s a step: the first step starts the clock, a line comes every second step.
    assert within[0].startswith("head epoch 1/2: step 3/8, loss ")
    assert within[0].endswith("0.17 steps/s, 1 faces/s, 30 s left")
    assert len(within) == 2 * 3


# The log of a training


def scalars_of(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return tag -> (step, value) in the order of the event files."""
    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(folder.iterdir()):
        assert "tfevents" in file.name
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_the_log_shows_train_and_validation_as_keras_writes_them(
    whole: Outcome, tmp_path: Path
) -> None:
    (line,) = [line for line in whole.lines if "tensorboard --logdir" in line]
    log = Path(line.rpartition("--logdir ")[2])
    history = whole.trained.history
    shown = {part: scalars_of(log / part) for part in ("train", "validation")}
    for tag, part, name in (
        ("epoch_loss", "train", "loss"),
        ("epoch_auc", "train", "auc"),
        ("epoch_learning_rate", "train", "learning_rate"),
        ("epoch_loss", "validation", "val_loss"),
        ("epoch_auc", "validation", "val_auc"),
    ):
        expected = [(one.epoch, pytest.approx(getattr(one, name))) for one in history]
        assert shown[part][tag] == expected
    # 2 steps per epoch; the mean loss so far, after the last step that of the epoch.
    assert [step for step, _ in shown["train"]["batch_loss"]] == list(range(10))
    assert shown["train"]["batch_loss"][3][1] == pytest.approx(history[1].loss, rel=1e-4)
    rates = [rate for _, rate in shown["train"]["batch_learning_rate"]]
    assert rates == pytest.approx([1e-2] * 4 + [1e-3] * 6)

    kept = whole.trained.log
    assert curves_of(kept["curves.csv"], "curves.csv") == history
    for part in ("train", "validation"):
        (name,) = [name for name in kept if name.startswith(f"{part}/")]
        place = tmp_path / name
        place.parent.mkdir()
        place.write_bytes(kept[name])
        assert scalars_of(place.parent) == shown[part]


def test_a_resumed_log_equals_that_of_an_undisturbed_training(
    whole: Outcome, tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed within epoch 1, between an epoch and its log, and after an epoch."""
    original = FaceDatasets.validation
    finish = training_log.TrainingLog.finish_epoch
    calls = {"validation": 0, "finish": 0}

    def dies_in_epoch_1(self: FaceDatasets) -> object:
        calls["validation"] += 1
        if calls["validation"] == 2:
            raise Killed
        return original(self)

    def dies_before_its_second_line(self: object, record: object) -> None:
        calls["finish"] += 1
        if calls["finish"] == 2:
            raise Killed
        finish(self, record)

    monkeypatch.setattr(FaceDatasets, "validation", dies_in_epoch_1)
    monkeypatch.setattr(training_log.TrainingLog, "finish_epoch", dies_before_its_second_line)
    places = (tmp_path / "cut", silent, tmp_path / "logs" / "new")
    for progress in (silent, silent, killed_at("fine-tune epoch 2")):
        with pytest.raises(Killed):
            train(TINY, whole.trained.source, places[0], progress, places[2])
    resumed = train(TINY, whole.trained.source, *places)
    (log,) = (tmp_path / "logs").iterdir()
    assert log.name.startswith("new-")
    (line,) = [line for line in whole.lines if "tensorboard --logdir" in line]
    undisturbed = Path(line.rpartition("--logdir ")[2])
    for part in ("train", "validation"):
        assert scalars_of(log / part) == scalars_of(undisturbed / part)
    assert curves_of((log / "curves.csv").read_bytes(), "it") == resumed.history


def test_an_opened_log_has_the_finished_epochs_and_no_other(tmp_path: Path) -> None:
    log = training_log.TrainingLog(tmp_path, ())
    for epoch in EPOCHS:
        log.finish_epoch(epoch)
    (tmp_path / "train" / "events.out.tfevents.of-somebody-else").write_bytes(b"")
    training_log.TrainingLog(tmp_path, EPOCHS[:1])
    assert scalars_of(tmp_path / "train")["epoch_loss"] == [(0, pytest.approx(0.7))]
    assert curves_of((tmp_path / "curves.csv").read_bytes(), "it") == EPOCHS[:1]
    assert (tmp_path / "train" / "events.out.tfevents.of-somebody-else").exists()
    training_log.TrainingLog(tmp_path, EPOCHS)
    assert scalars_of(tmp_path / "train")["epoch_loss"][1] == (1, pytest.approx(0.4))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("name", ["train/{}.000000.batch", "validation/{}.000000.epoch", "{}"])
def test_a_full_disk_is_not_reported_as_too_little_device_memory(
    tiny: None,
    small_source: FaceSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    opened, log = training_log.TrainingLog, tmp_path / "log"
    file = "events.out.tfevents.framejury" if "/" in name else "curves.csv"

    def then_full(*args: object) -> training_log.TrainingLog:
        made = opened(*args)
        place = log / name.format(file)
        place.unlink(missing_ok=True)
        place.symlink_to("/dev/full")
        return made

    monkeypatch.setattr(training, "TrainingLog", then_full)
    with pytest.raises(UsageError, match=r"log of the training: .*No space left on device") as said:
        train(TINY, small_source, tmp_path, silent)
    assert "memory" not in str(said.value)


def test_the_files_of_a_log_are_closed_when_training_fails(tmp_path: Path) -> None:
    def open_below() -> list[str]:
        found = [str(one.resolve()) for one in Path("/proc/self/fd").iterdir()]
        return [place for place in found if place.startswith(str(tmp_path))]

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not list open files")
    log = training_log.TrainingLog(tmp_path / "faces", ())
    for opened, files in ((log.by_step(0, 2), 1), (training_log.plain_log(tmp_path / "sound"), 2)):
        with pytest.raises(Killed), opened:
            assert len(open_below()) == files
            raise Killed
        assert open_below() == []


def test_a_plain_log_is_replaced_and_a_full_disk_is_said(tmp_path: Path) -> None:
    for losses in ((0.9, 0.8, 0.7), (0.5, 0.4)):
        with training_log.plain_log(tmp_path) as curves:
            for epoch, loss in enumerate(losses):
                curves.on_epoch_end(epoch, {"val_loss": loss, "loss": 2 * loss})
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert lines == ["epoch,loss,val_loss", "0,1.0,0.5", "1,0.8,0.4"]
    assert scalars_of(tmp_path / "validation")["epoch_loss"] == [
        (0, pytest.approx(0.5)),
        (1, pytest.approx(0.4)),
    ]
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "curves.csv").unlink()
    (tmp_path / "curves.csv").symlink_to("/dev/full")
    with (
        pytest.raises(UsageError, match="No space left"),
        training_log.plain_log(tmp_path) as curves,
    ):
        curves.on_epoch_end(0, {"loss": 1.0})


def test_each_epoch_is_in_the_csv_as_soon_as_it_ends(
    tiny: None, small_source: FaceSource, tmp_path: Path
) -> None:
    seen: list[int] = []

    def look(line: str) -> None:
        if "validation loss" in line:
            seen.append(len((tmp_path / "log" / "curves.csv").read_text().splitlines()) - 1)

    train(TINY, small_source, tmp_path, look)
    assert seen == [1, 2, 3, 4, 5]
