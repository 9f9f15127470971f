"""EfficientNet-Lite0: its shape, and how ImageNet weights come into it and into B0."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from framejury.errors import ConfigError, SetupError
from framejury.settings import TrainingSettings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

import keras

from framejury.training import lite0
from framejury.training.export import round_kernels, save_compact
from framejury.training.network import backbone_of, build_network
from framejury.training.pretrained import LITE0_ARRAYS

PX = 64


@pytest.fixture(scope="module")
def arrays() -> lite0.Arrays:
    """Random numbers under the names and shapes that the package's file has."""
    rng = np.random.default_rng(0)
    backbone = lite0.build_lite0(PX)
    made: dict[str, np.ndarray] = {}
    for layer, prefix in lite0._names(backbone):
        if isinstance(layer, keras.layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            for part, weight in zip(parts, layer.get_weights(), strict=True):
                made[f"{prefix}.{part}"] = rng.uniform(0.5, 1.5, weight.shape).astype(np.float32)
        else:
            (kernel,) = layer.get_weights()
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            turned = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
            made[f"{prefix}.weight"] = rng.normal(0, 0.1, turned.shape).astype(np.float32)
    return made


def write_home(home: Path, arrays: lite0.Arrays) -> None:
    (home / "models").mkdir(parents=True)
    np.savez(home / "models" / LITE0_ARRAYS, **arrays)


def settings_of(backbone: str) -> TrainingSettings:
    return TrainingSettings.model_validate(
        {"backbone": backbone, "weights": "lite0", "input_px": PX, "head_units": ()}
    )


def test_lite0_has_the_published_size() -> None:
    # 4,652,008 with the classifier of 1,000 classes (Liu 2020: 4.7 M) less 1,281,000.
    assert lite0.build_lite0(224).count_params() == 3_413_024
    assert len(list(lite0.blocks())) == 16


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "efficientnet_b0"])
def test_both_backbones_start_from_the_same_arrays(
    backbone: str, arrays: lite0.Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_home(tmp_path, arrays)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    inner = backbone_of(build_network(settings_of(backbone)))
    kernel = inner.get_layer("block4b_expand_conv").get_weights()[0]
    stored = arrays["_blocks.6._expand_conv.weight"]
    assert np.array_equal(kernel[0, 0], stored[:, :, 0, 0].T)
    depthwise = inner.get_layer("block3a_dwconv").get_weights()[0]
    assert np.array_equal(
        depthwise[1, 4, :, 0], arrays["_blocks.3._depthwise_conv.weight"][:, 0, 1, 4]
    )
    norm = inner.get_layer("top_bn").get_weights()
    assert np.array_equal(norm[3], arrays["_bn1.running_var"])


def test_b0s_gates_let_nearly_everything_pass(
    arrays: lite0.Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_home(tmp_path, arrays)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    inner = backbone_of(build_network(settings_of("efficientnet_b0")))
    gate = keras.Model(inner.input, inner.get_layer("block2a_se_expand").output)
    values = gate.predict(np.random.default_rng(0).normal(size=(2, PX, PX, 3)), verbose=0)
    assert np.allclose(values, 1 / (1 + np.exp(-4)), atol=1e-5)


def test_missing_weights_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(SetupError, match="make lite0"):
        build_network(settings_of("efficientnet_lite0"))


def test_damaged_weights_are_refused(
    arrays: lite0.Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    write_home(tmp_path, {name: a for name, a in arrays.items() if not name.startswith("_bn1.")})
    with pytest.raises(ConfigError, match=r"not the weights of EfficientNet-Lite0.*_bn1"):
        build_network(settings_of("efficientnet_lite0"))
    (tmp_path / "models" / LITE0_ARRAYS).write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ConfigError, match="Delete it"):
        build_network(settings_of("efficientnet_lite0"))


def test_weights_of_b0_are_refused_for_lite0() -> None:
    with pytest.raises(ValueError, match="allowed: lite0"):
        TrainingSettings(backbone="efficientnet_lite0", weights="noisy-student")


def test_a_compact_file_is_half_as_large_and_gives_the_same_scores(tmp_path: Path) -> None:
    settings = settings_of("efficientnet_lite0").model_copy(update={"weights": "none"})
    model = build_network(settings)
    with pytest.raises(ValueError, match="not rounded"):
        save_compact(model, tmp_path / "early.keras")
    round_kernels(model)
    model.save(tmp_path / "plain.keras")
    save_compact(model, tmp_path / "compact.keras")
    sizes = [(tmp_path / f"{name}.keras").stat().st_size for name in ("plain", "compact")]
    assert sizes[1] < 0.6 * sizes[0]
    faces = np.random.default_rng(0).uniform(0, 255, (3, PX, PX, 3)).astype(np.float32)
    again = keras.models.load_model(tmp_path / "compact.keras", compile=False, safe_mode=True)
    assert np.array_equal(np.asarray(again(faces)), np.asarray(model(faces)))
