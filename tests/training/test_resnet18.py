"""ResNet-18: torchvision's arithmetic, and torchvision's weights under its names."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from safetensors.numpy import save_file

from framejury.errors import ConfigError, SetupError
from framejury.settings import TrainingSettings
from tests.builders.networks import Arrays, torchvision_arrays

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

import keras

from framejury.training import network, pretrained, resnet18, weights

PX = 37  # odd, so that padding on one side and on both differ in every stage


def torchvision_features(arrays: Arrays, x: np.ndarray) -> np.ndarray:
    """What PyTorch computes, in NumPy: float32 (n, 3, height, width) to (n, 512).

    Compared once with torchvision 0.28 on PyTorch 2.13: they differ by at most 1e-5.
    """

    def conv(x: np.ndarray, name: str, stride: int) -> np.ndarray:
        kernel = arrays[f"{name}.weight"]
        side = kernel.shape[2]
        x = np.pad(x, ((0, 0), (0, 0), *[(side // 2, side // 2)] * 2))
        windows = sliding_window_view(x, (side, side), (2, 3))[:, :, ::stride, ::stride]
        return np.tensordot(windows, kernel, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        gain, bias, mean, variance = (
            arrays[f"{name}.{part}"][:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * gain + bias

    x = np.maximum(norm(conv(x, "conv1", 2), "bn1"), 0)
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    x = sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2].max(axis=(4, 5))
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            inner = np.maximum(norm(conv(x, f"{name}.conv1", stride), f"{name}.bn1"), 0)
            inner = norm(conv(inner, f"{name}.conv2", 1), f"{name}.bn2")
            if stride == 2:
                x = norm(conv(x, f"{name}.downsample.0", 2), f"{name}.downsample.1")
            x = np.maximum(inner + x, 0)
    return x.mean(axis=(2, 3))


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    return torchvision_arrays()


@pytest.fixture(scope="module")
def file(arrays: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "start.safetensors"
    counted = np.array(7, np.int64)  # PyTorch counts batches, which nothing needs
    save_file({**arrays, "bn1.num_batches_tracked": counted}, path)
    return path


def settings_of(weights: object, backbone: str = "resnet18") -> TrainingSettings:
    return TrainingSettings.model_validate(
        {"backbone": backbone, "weights": str(weights), "input_px": PX, "head_units": ()}
    )


@pytest.fixture(scope="module")
def filled(file: Path) -> keras.Model:
    return network.backbone_of(network.build_network(settings_of(file)))


def test_it_computes_what_torchvision_computes(arrays: Arrays, filled: keras.Model) -> None:
    x = np.random.default_rng(1).normal(size=(2, 3, PX, PX)).astype(np.float32)
    expected = torchvision_features(arrays, x)
    assert expected.shape == (2, 512) and expected.std() > 0.1
    found = np.asarray(filled(x.transpose(0, 2, 3, 1), training=False))
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)


def test_it_has_torchvisions_size_and_names(arrays: Arrays) -> None:
    backbone = resnet18.build_resnet18(64)
    learned = sum(int(np.prod(w.shape)) for w in backbone.trainable_weights)
    assert learned == 11_689_512 - 513_000  # torchvision's, less its classifier
    named = {layer.name for layer in backbone.layers if layer.weights}
    assert named == {name.rpartition(".")[0] for name in arrays} - {"fc"}
    for norm in ("bn1", "layer4.1.bn2"):  # what no picture tells while weights stand still
        assert backbone.get_layer(norm).momentum == pytest.approx(0.9)


def test_random_weights_are_drawn_as_torchvision_draws_them() -> None:
    keras.utils.set_random_seed(0)
    (kernel,) = resnet18.build_resnet18(64).get_layer("layer3.0.conv1").get_weights()
    assert kernel.std() == pytest.approx(np.sqrt(2 / (256 * 9)), rel=0.02)  # 9 values of 256


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layer2.0.downsample.0.weight": None}, r"missing are layer2\.0\.downsample\.0\.weight"),
        ({"layer1.0.conv3.weight": np.zeros(3, np.float32)}, r"unexpected are layer1\.0\.conv3"),
        ({"conv1.weight": np.zeros((64, 3, 3, 3), np.float32)}, r"conv1\.weight has shape \(64"),
    ],
)
def test_weights_of_another_network_are_refused(
    arrays: Arrays, tmp_path: Path, change: dict[str, np.ndarray | None], said: str
) -> None:
    kept = {name: a for name, a in {**arrays, **change}.items() if a is not None}
    save_file(kept, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match=rf"does not hold weights of resnet18.*{said}"):
        weights.load_backbone_weights(
            resnet18.build_resnet18(PX), str(tmp_path / "other.safetensors")
        )


def test_a_damaged_file_and_another_backbone_are_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r"cannot read weights from .*cut"):
        network.build_network(settings_of(tmp_path / "cut.safetensors"))
    with pytest.raises(ConfigError, match=r"only training\.backbone=resnet18 reads"):
        network.build_network(settings_of(file, "efficientnet_lite0"))


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".keras"])
def test_it_starts_from_its_own_files_too(filled: keras.Model, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"start{suffix}"
    save = filled.save_weights if suffix == ".weights.h5" else filled.save
    save(path)
    started = network.backbone_of(network.build_network(settings_of(path)))
    for found, expected in zip(started.get_weights(), filled.get_weights(), strict=True):
        assert np.array_equal(found, expected)


def test_imagenet_is_downloaded_once_with_its_digest(
    file: Path, filled: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def get_file(name: str, origin: str, **rest: object) -> str:
        asked.append({"name": name, "origin": origin, **rest})
        return str(file)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    started = network.backbone_of(network.build_network(settings_of("imagenet")))
    (one,) = asked
    assert one["origin"] == pretrained._RESNET18_ORIGIN
    assert str(one["file_hash"]).startswith("694f673d") and len(str(one["file_hash"])) == 64
    assert np.array_equal(
        started.get_layer("layer4.1.conv2").get_weights()[0],
        filled.get_layer("layer4.1.conv2").get_weights()[0],
    )


def test_without_the_network_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name: str, origin: str, **_: object) -> str:
        raise Exception(f"URL fetch failure on {origin}: None -- name resolution")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    with pytest.raises(
        SetupError, match=r"resnet18_imagenet\.safetensors.*backbone=efficientnet_b0"
    ):
        network.build_network(settings_of("imagenet"))


@pytest.mark.parametrize("kind", ["noisy-student", "imagenet"])
def test_b4_asks_for_its_own_files(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, object]] = []

    def offline(name: str, origin: str, **rest: object) -> str:
        asked.append((name, rest["file_hash"]))
        raise Exception("offline")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    with pytest.raises(SetupError, match="efficientnet-b4"):
        weights.downloaded(settings_of(kind, "efficientnet_b4"))
    ((name, digest),) = asked
    assert name.startswith("efficientnet-b4_") and name.endswith("notop.h5")
    known = {"noisy-student": "47c10902", "imagenet": "7942c140"}  # of the efficientnet package
    assert str(digest).startswith(known[kind])
