"""What published recipes need of a training: signals, backbones, optimizers, hand labels."""

from __future__ import annotations

import os
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file

from framejury.augmentation.augment import sample_rng
from framejury.augmentation.fastai_augment import apply_fastai, draw_fastai
from framejury.errors import ConfigError, WarehouseError
from framejury.faces.crop import decode_crop, encode_crop
from framejury.labelled.scoring import score_faces
from framejury.model.bundle import load_bundle
from framejury.model.input_contract import Framing
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.schemas.statuses import Side
from framejury.settings import TrainingSettings
from framejury.signals.delta import delta
from framejury.signals.network_input import picture_of, square_face
from framejury.signals.rgb import square_of, stretched
from framejury.training.source import FaceSource, iter_faces
from framejury.training.source_counts import count_faces, sample_faces
from tests.builders.faces import Video, face_rows, small_videos, source_of, write_rows, write_source
from tests.builders.networks import torchvision_arrays

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

import keras
import tensorflow as tf

from framejury.training import export, network
from framejury.training import train as training
from framejury.training.dataset import FaceDatasets
from framejury.training.optimizer import settle_averages
from framejury.training.train import TrainedNetwork, train
from tests.builders.gradcam import reference_heat
from tests.builders.networks import Killed, killed_at, silent, tiny_network

PX = 32
FRAMING = Framing(margin_ratio=0.3, shape="square", margin_px=40, pair="same")
POINTS = [{"x": float(x), "y": float(y)} for x, y in ((16, 19), (31, 19), (24, 27), (18, 35))]
LANDMARKS = [*POINTS, {"x": 30.0, "y": 35.0}]


def settings_of(**changes: object) -> TrainingSettings:
    base = {
        "weights": "none",
        "input_px": PX,
        "head_units": (8,),
        "batch_size": 16,
        "head_epochs": 0,
        "finetune_epochs": 2,
        "finetune_learning_rate": 1e-2,
        "self_blend_ratio": 0.0,
        "augment": "none",
    }
    return TrainingSettings.model_validate({**base, **changes})


def pair_rows(video: Video) -> list[dict[str, object]]:
    """Each face with itself two pixels on, and in a fake with a middle that is turned over."""
    rows = face_rows(video)
    for row in rows:
        following = np.roll(decode_crop(row["crop"])[:, :56], 2, axis=1)  # type: ignore[arg-type]
        if video.label:
            following[16:48, 16:48] = following[16:48, 16:48][::-1]
        row |= {"next_crop": encode_crop(following, "png"), "landmarks": LANDMARKS}
    return rows


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> FaceSource:
    videos = small_videos(train_each=4, val_each=2)
    rows = [row for video in videos for row in pair_rows(video)]
    return source_of([write_rows(tmp_path_factory.mktemp("p") / "a.parquet", rows)], videos)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> FaceSource:
    return write_source(tmp_path_factory.mktemp("single"), small_videos(4, 2))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "build_network", tiny_network)


def packed(trained: TrainedNetwork, directory: Path, leak: str | None = None) -> Bundle:
    return export.pack_bundle(
        trained,
        directory,
        framing=FRAMING,
        threshold=0.5,
        data_description="One face, half of it turned.",
        leak=leak,
    )


def pixels_of(trained: TrainedNetwork, count: int = 6) -> np.ndarray:
    settings = trained.settings
    faces = sample_faces(trained.source, Side.VAL, count)
    how = settings.signal, PX, settings.resize, settings.jpeg_quality
    return np.stack([picture_of(face.cropped(), *how) for face in faces])


# ---------------------------------------------------------------- signals


@pytest.mark.parametrize("signal", ["rgb", "marked", "delta", "flow_fusion"])
def test_each_signal_is_learned_and_scored_from_the_same_pictures(
    signal: str, tiny: None, pairs: FaceSource, tmp_path: Path
) -> None:
    settings = settings_of(
        signal=signal, resize="stretch", normalisation="unit", finetune_learning_rate=0.1
    )
    trained = train(settings, pairs, tmp_path / "work", silent)
    bundle = packed(trained, tmp_path / "bundle")
    assert (bundle.signal, bundle.pixels.resize) == (signal, "stretch")
    assert load_bundle(bundle.directory).model_id == bundle.model_id
    data = FaceDatasets(settings, pairs, count_faces(pairs), 16).validation()
    seen = np.concatenate([batch[0].numpy() for batch in data])
    rows = list(iter_faces(pairs, Side.VAL))
    expected = np.stack([picture_of(row.cropped(), signal, PX, "stretch") for row in rows])
    assert np.array_equal(seen, expected)
    scores = np.asarray(trained.model(seen, training=False)).ravel()
    table = score_faces(Scorer(bundle), pairs, Side.VAL).to_pylist()
    found = {(row["video_id"], row["frame_index"]): row["score"] for row in table}
    assert [found[row.video_id, row.frame_index] for row in rows] == pytest.approx(
        scores.tolist(), abs=1e-4
    )
    assert np.ptp(scores) > 1e-3  # else any constant would pass


def test_signals_are_what_they_say(pairs: FaceSource) -> None:
    row = next(face for face in iter_faces(pairs, Side.TRAIN) if face.label == 1)
    face = row.cropped()
    assert face.next_crop is not None and face.landmarks is not None

    def shown(signal: str) -> np.ndarray:
        settings = settings_of(signal=signal, resize="stretch")
        data = FaceDatasets(settings, pairs, count_faces(pairs), 64).training(0)
        ((pixels, _, _),) = data.as_numpy_iterator()
        return np.asarray(pixels)

    first, second = stretched(face.crop, PX), stretched(face.next_crop, PX)
    wanted = {"rgb": first, "delta": delta(first, second)}
    for signal, picture in wanted.items():
        assert any(np.array_equal(one, picture) for one in shown(signal))
    assert not any(np.array_equal(one, first) for one in shown("marked"))
    red = (shown("marked") - shown("rgb"))[..., 0].max(axis=(1, 2))
    assert (red > 30).mean() > 0.9


def test_a_fake_is_blended_before_it_is_marked(pairs: FaceSource) -> None:
    settings = settings_of(signal="marked", self_blend_ratio=1.0)
    data = FaceDatasets(settings, pairs, count_faces(pairs), 64).training(0)
    ((pixels, labels, _),) = data.as_numpy_iterator()
    assert int(labels.sum()) == 16 + 16
    plain = {p.tobytes() for p in pixels}
    assert len(plain) == 48  # each blend is another picture
    marks = sum(((p[..., 0] > 180) & (p[..., 1:].max(axis=-1) < 90)).any() for p in pixels)
    assert marks > 40


@pytest.mark.parametrize(
    ("signal", "said"), [("delta", "sampling.pairs=true"), ("marked", "detector=mtcnn")]
)
def test_faces_without_what_the_signal_needs_are_refused_at_once(
    signal: str, said: str, tiny: None, single: FaceSource, tmp_path: Path
) -> None:
    with pytest.raises(WarehouseError, match=rf"signal {signal} needs .*{said}"):
        train(settings_of(signal=signal), single, tmp_path / "work", silent)
    assert not (tmp_path / "work").exists()


def test_stills_are_not_shown_to_a_network_of_pairs(pairs: FaceSource) -> None:
    videos = dict(pairs.videos)
    videos["train-real-0"] = replace(videos["train-real-0"], still=True)
    source = replace(pairs, videos=videos)
    for signal, shown in (("delta", 28), ("rgb", 28 + 2 * 4)):
        faces = FaceDatasets(settings_of(signal=signal), source, count_faces(source), 64)
        ((pixels, _, _),) = faces.training(0).as_numpy_iterator()
        assert len(pixels) == faces.training_faces == shown


# ---------------------------------------------------------------- augmentation


def test_fastai_cuts_the_square_anywhere_and_changes_it(pairs: FaceSource) -> None:
    """Each picture is the drawn change of its face; in validation the middle is cut."""
    settings = settings_of(augment="fastai", resize="crop", signal="delta")
    data = FaceDatasets(settings, pairs, count_faces(pairs), 64)
    ((pixels, _, _),) = data.training(3).as_numpy_iterator()
    expected = []
    for face in iter_faces(pairs, Side.TRAIN):
        number = zlib.crc32(face.video_id.encode())
        rng = sample_rng(settings.seed, 3, number, face.frame_index, face.face_index, 0)
        change = draw_fastai(rng)
        square = square_face(face.cropped(), change.place)
        assert square.next_crop is not None
        both = [stretched(one, PX) for one in (square.crop, square.next_crop)]
        expected.append(apply_fastai(delta(*both), change).tobytes())
    assert sorted(one.astype(np.uint8).tobytes() for one in pixels) == sorted(expected)
    seen = np.concatenate([batch[0].numpy() for batch in data.validation()])
    middles = []
    for face in iter_faces(pairs, Side.VAL):
        shown = face.cropped()
        assert shown.next_crop is not None
        parts = [stretched(square_of(one), PX) for one in (shown.crop, shown.next_crop)]
        middles.append(delta(*parts))
    assert np.array_equal(seen, np.stack(middles))


def test_levels_of_augmentation(pairs: FaceSource) -> None:
    def epoch(level: str) -> np.ndarray:
        settings = settings_of(augment=level, resize="stretch")
        data = FaceDatasets(settings, pairs, count_faces(pairs), 64).training(0)
        ((pixels, _, _),) = data.as_numpy_iterator()
        return np.asarray(pixels)

    plain, mirrored, moved = epoch("none"), epoch("mirror"), epoch("affine")
    as_is = np.array([np.array_equal(a, b) for a, b in zip(mirrored, plain, strict=True)])
    turned = [np.array_equal(a, b[:, ::-1]) for a, b in zip(mirrored, plain, strict=True)]
    assert (as_is | turned).all()
    assert 5 < as_is.sum() < 27
    same = np.array([np.array_equal(a, b) for a, b in zip(moved, mirrored, strict=True)])
    assert 5 < same.sum() < 27  # moved as often as not, and mirrored as before
    assert np.abs(moved - mirrored)[~same].mean() < 40
    assert np.array_equal(moved, epoch("affine"))
    assert not np.array_equal(epoch("full"), moved)


# ---------------------------------------------------------------- backbones and outputs


@pytest.mark.long
@pytest.mark.parametrize(
    ("backbone", "output"), [("efficientnet_lite0", "softmax"), ("efficientnet_b4", "sigmoid")]
)
def test_each_backbone_learns_and_exports(
    backbone: str, output: str, tmp_path: Path, pairs: FaceSource
) -> None:
    model = network.build_network(settings_of(backbone=backbone, output=output))
    inner = network.backbone_of(model)
    assert inner.name == network.BACKBONE_LAYERS[backbone]
    before = inner.get_layer("stem_conv").get_weights()[0]
    faces = sample_faces(pairs, Side.TRAIN, 4)
    pixels = np.stack([stretched(face.decoded(), PX) for face in faces])
    model.compile("sgd", "binary_crossentropy", run_eagerly=False)
    model.train_on_batch(pixels.astype(np.float32), np.array([[0.0], [1.0], [0.0], [1.0]]))
    assert not np.array_equal(inner.get_layer("stem_conv").get_weights()[0], before)
    export.export_onnx(model, tmp_path / "a.onnx")
    assert export.check_parity(model, tmp_path / "a.onnx", pixels) <= 1e-4
    sizes = {"efficientnet_b4": 17_673_816, "efficientnet_lite0": 3_413_024}  # Tan and Le; Liu
    assert inner.count_params() == sizes[backbone]


def test_a_softmax_of_two_learns_as_cross_entropy_over_two() -> None:
    keras.utils.set_random_seed(3)
    model = tiny_network(settings_of(output="softmax"))
    both = keras.Model(model.input, model.get_layer(network.CLASSES_NAME).output)
    pixels = tf.constant(np.random.default_rng(0).uniform(0, 255, (8, PX, PX, 3)), tf.float32)
    labels = np.array([0, 1, 1, 0, 1, 0, 0, 0])
    kernel = model.get_layer(network.CLASSES_NAME).kernel
    with tf.GradientTape(persistent=True) as tape:
        ours = keras.losses.BinaryCrossentropy()(labels[:, None], model(pixels))
        theirs = keras.losses.SparseCategoricalCrossentropy()(labels, both(pixels))
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
    found, expected = tape.gradient(ours, kernel.value), tape.gradient(theirs, kernel.value)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected).max() > 0.01
    scores = np.asarray(model(pixels))
    assert scores.shape == (8, 1) and scores.dtype == np.float32
    np.testing.assert_allclose(scores[:, 0], np.asarray(both(pixels))[:, 1], atol=1e-7)


def test_unit_normalisation_divides_by_255_and_no_more() -> None:
    model = tiny_network(settings_of(normalisation="unit"))
    colour = np.array([[[[255.0, 0.0, 51.0]]]], np.float32)
    assert np.asarray(model.layers[1](colour)).ravel() == pytest.approx([1.0, 0.0, 0.2])


# ---------------------------------------------------------------- recipe flow_fusion, small


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("start") / "resnet18.safetensors"
    save_file(torchvision_arrays(), path)
    return path


@pytest.fixture(scope="module")
def flow(
    pairs: FaceSource, start: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainedNetwork:
    """ResNet-18 on two frames and their flow: softmax, SGD by steps, the first layers frozen."""
    settings = settings_of(
        signal="flow_fusion",
        resize="stretch",
        backbone="resnet18",
        weights=str(start),
        frozen_layers=("conv1", "bn1"),
        output="softmax",
        head_units=(),
        dropout=0.0,
        optimizer="sgd",
        schedule="step",
        step_epochs=2,
        finetune_epochs=3,
        choose_by="last",
        jpeg_quality=75,
        augment="mirror",
    )
    return train(settings, pairs, tmp_path_factory.mktemp("flow"), silent)


@pytest.mark.long
def test_frozen_layers_stay_and_others_learn(flow: TrainedNetwork) -> None:
    started = torchvision_arrays()
    inner = network.backbone_of(flow.model)
    (kernel,) = inner.get_layer("conv1").get_weights()
    assert np.array_equal(kernel, started["conv1.weight"].transpose(2, 3, 1, 0))
    parts = ("weight", "bias", "running_mean", "running_var")
    for part, found in zip(parts, inner.get_layer("bn1").get_weights(), strict=True):
        assert np.array_equal(found, started[f"bn1.{part}"]), part
    for part, found in zip(parts, inner.get_layer("layer1.0.bn1").get_weights(), strict=True):
        assert not np.array_equal(found, started[f"layer1.0.bn1.{part}"]), part
    (kernel,) = inner.get_layer("layer4.1.conv2").get_weights()
    assert not np.array_equal(kernel, started["layer4.1.conv2.weight"].transpose(2, 3, 1, 0))


def test_the_rate_falls_by_steps(flow: TrainedNetwork) -> None:
    rates = [record.learning_rate for record in flow.history]
    assert rates == pytest.approx([1e-2, 1e-2, 1e-3])
    assert flow.best_epoch == 2


def test_the_mean_probability_of_the_true_class_is_printed_and_kept(flow: TrainedNetwork) -> None:
    """Of the last epoch in validation, by the network itself on every picture, as it reads it."""
    faces = list(iter_faces(flow.source, Side.VAL))
    settings = flow.settings
    pixels = [
        picture_of(face.cropped(), settings.signal, settings.input_px, settings.resize, 75)
        for face in faces
    ]
    p_fake = np.asarray(flow.model(np.stack(pixels).astype(np.float32))).ravel()
    fake = np.array([face.label == 1 for face in faces])
    p_true = np.where(fake, p_fake, 1 - p_fake)
    record = flow.history[-1]
    found = record.val_p_true, record.val_p_true_fake, record.val_p_true_real
    expected = p_true.mean(), p_true[fake].mean(), p_true[~fake].mean()
    assert found == pytest.approx(expected, abs=1e-3)  # a packed network is rounded
    assert record.p_true is not None and 0 < record.p_true < 1


@pytest.mark.long
def test_its_bundle_repeats_it_and_has_its_heat(flow: TrainedNetwork, tmp_path: Path) -> None:
    bundle = packed(flow, tmp_path / "b", leak="One video stands on two sides.")
    assert bundle.model_id.startswith("resnet18-")
    assert bundle.data.leak == "One video stands on two sides."
    card = (bundle.directory / "MODEL_CARD.md").read_text()
    limits = card.partition("## Limits")[2]
    assert limits.strip().startswith("- **One video stands on two sides.**")
    for part in ("softmax over REAL and FAKE", "conv1, bn1", "resized by stretch", "40 pixels"):
        assert part in card
    pixels = pixels_of(flow)
    scorer = Scorer(bundle)
    expected = np.asarray(flow.model(pixels.astype(np.float32))).ravel()
    faces = [face.cropped() for face in sample_faces(flow.source, Side.VAL, 6)]
    scores, cells = scorer.score_and_explain(faces)
    assert scores == pytest.approx(expected, abs=1e-4)
    assert cells is not None and cells.shape == (6, 1, 1)
    keras_model = keras.models.load_model(bundle.keras_path, compile=False, safe_mode=True)
    assert np.asarray(keras_model(pixels.astype(np.float32))).ravel() == pytest.approx(expected)
    np.testing.assert_allclose(cells, reference_heat(keras_model, pixels), atol=0.01)


# ---------------------------------------------------------------- freezing


def test_a_name_of_no_layer_is_refused_with_names() -> None:
    settings = settings_of(backbone="resnet18", frozen_layers=("conv1", "stem_*"))
    with pytest.raises(ConfigError, match=r"no layer of resnet18 is called 'stem_\*'.* conv1, bn1"):
        network.build_network(settings)


def test_names_with_stars_freeze_what_they_match_in_every_phase(
    single: FaceSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[set[str]] = []

    def watched(model: keras.Model, record: object) -> None:
        learned.append({weight.path for weight in model.trainable_weights})

    def build(*args: object, **kwargs: object) -> keras.Model:
        model = tiny_network(*args, **kwargs)  # type: ignore[arg-type]
        network.freeze(network.backbone_of(model), settings)
        return model

    settings = settings_of(frozen_layers=("batch_norm*",), head_epochs=1, finetune_epochs=1)
    monkeypatch.setattr(training, "build_network", build)
    original = training.WorkDir.finish_epoch

    def noting(self: object, model: keras.Model, record: object) -> None:
        watched(model, record)
        original(self, model, record)  # type: ignore[arg-type]

    monkeypatch.setattr(training.WorkDir, "finish_epoch", noting)
    train(settings, single, tmp_path, silent)
    head, whole = learned
    assert not any("conv" in name or "norm" in name for name in head)
    assert any("conv" in name for name in whole)
    assert not any("norm" in name for name in whole)


def test_frozen_averages_are_not_settled() -> None:
    inner = keras.Input((4, 4, 3))
    x = keras.layers.BatchNormalization(name="frozen")(inner)
    x = keras.layers.BatchNormalization(name="free")(x)
    backbone = keras.Model(inner, x, name=network.BACKBONE_LAYERS["efficientnet_b0"])
    outer = keras.Input((4, 4, 3))
    model = keras.Model(outer, backbone(outer))
    network.freeze(backbone, settings_of(frozen_layers=("frozen",)))

    class Faces:
        def training(self, epoch: int) -> tf.data.Dataset:
            pixels = np.full((8, 4, 4, 3), 5, np.float32)
            rest = np.zeros((8, 1), np.float32)
            return tf.data.Dataset.from_tensor_slices((pixels, rest, rest)).batch(8)

    assert settle_averages(model, Faces()) == 1  # type: ignore[arg-type]
    assert np.allclose(backbone.get_layer("frozen").moving_mean, 0)
    assert np.allclose(backbone.get_layer("free").moving_mean, 5, atol=0.01)


# ---------------------------------------------------------------- resuming, and labels by hand


@pytest.mark.long
def test_sgd_by_steps_goes_on_where_it_was_killed(
    tiny: None, single: FaceSource, tmp_path: Path
) -> None:
    settings = settings_of(
        optimizer="sgd", schedule="step", step_epochs=1, step_factor=0.5, finetune_epochs=4,
        patience=9, augment="affine",
    )  # fmt: skip
    whole = train(settings, single, tmp_path / "whole", silent)
    assert [r.learning_rate for r in whole.history] == pytest.approx([1e-2, 5e-3, 2.5e-3, 1.25e-3])
    with pytest.raises(Killed):
        train(settings, single, tmp_path / "cut", killed_at("fine-tune epoch 2"))
    resumed = train(settings, single, tmp_path / "cut", silent)
    assert [replace(r, seconds=0) for r in resumed.history] == [
        replace(r, seconds=0) for r in whole.history
    ]
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.long
def test_labels_by_hand_are_what_is_learned(tiny: None, single: FaceSource, tmp_path: Path) -> None:
    """All frames labelled the other way round: what was fake looks real to the network."""
    settings = settings_of(finetune_epochs=12, patience=12, finetune_learning_rate=3e-2)
    swapped = {(face.video_id, face.frame_index): 1 - face.label for face in iter_faces(single)}
    by_hand = replace(single, frame_labels=swapped)
    assert count_faces(by_hand).fingerprint != count_faces(single).fingerprint
    gaps = []
    for name, source in (("plain", single), ("swapped", by_hand)):
        trained = train(settings, source, tmp_path / name, silent)
        faces = list(iter_faces(single, Side.TRAIN))
        pixels = np.stack([cv2.resize(f.decoded(), (PX, PX)) for f in faces]).astype(np.float32)
        scores = np.asarray(trained.model(pixels)).ravel()
        fake = np.array([face.label == 1 for face in faces])
        gaps.append(scores[fake].mean() - scores[~fake].mean())
    assert gaps[0] > 0.1 and gaps[1] < -0.1
