"""The heat map that an exported network gives: on networks whose answer is known, and real ones."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest
import skimage.data

from framejury.errors import BundleError
from framejury.model.bundle import load_bundle, write_bundle
from framejury.model.input_contract import PixelContract
from framejury.model.runtime import Scorer
from framejury.records import Image
from framejury.settings import TrainingSettings
from framejury.signals.rgb import network_input
from framejury.training.export import export_onnx
from framejury.training.network import CLASSES_NAME, build_network
from tests.builders.bundles import MANIFEST, brightness_network
from tests.builders.gradcam import reference_heat

SIDE = 64
CELL = 8
RED, GREEN = range(2)
START = Path(__file__).resolve().parents[2] / "conf" / "training" / "start"


def heat_maps(model: keras.Model, *batches: np.ndarray) -> list[np.ndarray]:
    """The heat maps of the exported network for each batch; its scores are the network's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        cells = export_onnx(model, path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    maps = []
    for pixels in batches:
        feed = {"pixels": pixels.astype(np.float32)}
        score, heat = session.run(None, feed)
        np.testing.assert_allclose(score, np.asarray(model(feed["pixels"])), atol=1e-4)
        assert heat.shape == (len(pixels), cells, cells) and heat.dtype == np.float32
        maps.append(np.asarray(heat))
    return maps


def heat_map(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    return heat_maps(model, pixels)[0]


def patch_network(
    red: float, green: float, hidden: bool = False, side_px: int = SIDE
) -> keras.Model:
    """As `build_network` lays it out; its logit is the mean of red and green by these weights.

    The last activation has a cell every 8 pixels: the mean of each colour there.
    """
    inner = keras.Input((side_px, side_px, 3))
    means = keras.layers.Conv2D(3, CELL, CELL, use_bias=False, name="means")
    pooled = keras.layers.GlobalAveragePooling2D()(means(inner))
    backbone = keras.Model(inner, pooled, name="efficientnet-lite0")
    means.set_weights([np.tile(np.eye(3, dtype=np.float32) / CELL**2, (CELL, CELL, 1, 1))])
    pixels = keras.Input((side_px, side_px, 3), name="pixels")
    x = backbone(keras.layers.Rescaling(1 / 255)(pixels))
    x = keras.layers.Dropout(0.5)(x)
    weights = np.array([[red], [green], [0]], np.float32)
    if hidden:
        dense = keras.layers.Dense(2, activation="relu")
        x = dense(x)
        dense.set_weights([np.eye(3, 2, dtype=np.float32), np.zeros(2, np.float32)])
        weights = weights[:2]
    score = keras.layers.Dense(1, activation="sigmoid", name="p_fake")
    model = keras.Model(pixels, score(x))
    score.set_weights([weights, np.array([30.0], np.float32)])  # a sigmoid of 1, all but exactly
    return model


def random_network(backbone: str, *head_units: int, output: str = "sigmoid") -> keras.Model:
    """Fresh weights, those of the head above 0: so something points to FAKE everywhere."""
    keras.utils.set_random_seed(1)
    model = build_network(
        TrainingSettings(
            backbone=backbone,
            weights="none",
            input_px=SIDE,
            head_units=head_units,
            head_epochs=0,
            output=output,
        )
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            kernel, bias = layer.get_weights()
            towards = np.array([-1, 1] if layer.name == CLASSES_NAME else [1])
            layer.set_weights([np.abs(kernel) * towards, bias])
    return model


def with_patch(channel: int, top: int, left: int) -> Image:
    """Black, with a patch of two by two cells of one colour."""
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[top : top + 2 * CELL, left : left + 2 * CELL, channel] = 255
    return picture


@pytest.mark.parametrize("hidden", [False, True])
def test_the_heat_is_where_the_cue_is(hidden: bool) -> None:
    pixels = np.stack([with_patch(GREEN, 8, 40), with_patch(GREEN, 48, 0)])
    heat = heat_map(patch_network(red=0, green=2, hidden=hidden), pixels)
    expected = np.zeros((2, 8, 8))
    expected[0, 1:3, 5:7] = expected[1, 6:8, 0:2] = 1
    np.testing.assert_allclose(heat, expected, atol=1e-6)


def test_what_points_to_real_is_cold() -> None:
    both = with_patch(GREEN, 0, 0) + with_patch(RED, 48, 48)
    only_real = with_patch(RED, 48, 48)
    heat = heat_map(patch_network(red=-2, green=2), np.stack([both, only_real]))
    assert heat[0, :2, :2] == pytest.approx(1)
    assert heat[0].sum() == pytest.approx(4)
    assert heat[1].max() == 0


def test_heat_is_in_proportion_to_the_cue() -> None:
    strong, weak = with_patch(GREEN, 0, 0), with_patch(GREEN, 48, 48) // 4
    heat = heat_map(patch_network(red=0, green=2), (strong + weak)[np.newaxis])[0]
    assert heat[6:8, 6:8] == pytest.approx(63 / 255, abs=1e-5)


def faces_of(count: int) -> np.ndarray:
    portrait = skimage.data.astronaut()[60 : 60 + SIDE, 180 : 180 + SIDE]
    return np.stack([np.roll(portrait, 9 * number, axis=1) for number in range(count)])


@pytest.mark.parametrize(
    ("backbone", "head_units", "output"),
    [
        ("efficientnet_lite0", (), "sigmoid"),
        pytest.param("efficientnet_b0", (8, 4), "sigmoid", marks=pytest.mark.long),
        pytest.param("resnet18", (6,), "softmax", marks=pytest.mark.long),
    ],
)
def test_it_is_grad_cam(backbone: str, head_units: tuple[int, ...], output: str) -> None:
    model = random_network(backbone, *head_units, output=output)
    faces = faces_of(3)
    heat, alone = heat_maps(model, faces, faces[1:2])
    assert heat.max(axis=(1, 2)) == pytest.approx(1) and np.ptp(heat) > 0.01
    np.testing.assert_allclose(heat, reference_heat(model, faces), atol=1e-3)
    # Each picture's map is its own, whatever else is in the batch.
    np.testing.assert_allclose(alone[0], heat[1], atol=1e-3)


@pytest.mark.long
def test_without_hidden_layers_it_is_the_class_activation_map() -> None:
    """Zhou et al., CVPR 2016, which Grad-CAM equals there: the last weights over the channels."""
    model = random_network("efficientnet_lite0")
    backbone = model.get_layer("efficientnet-lite0")
    top = keras.Model(backbone.inputs, backbone.get_layer("top_activation").output)
    face = faces_of(1)
    activation = top.predict(
        model.get_layer("imagenet_normalisation")(face.astype(np.float32)), verbose=0
    )[0]
    kernel = model.layers[-1].get_weights()[0][:, 0]
    expected = np.maximum(activation @ kernel, 0)
    assert expected.max() > 0
    np.testing.assert_allclose(heat_map(model, face)[0], expected / expected.max(), atol=1e-4)


@pytest.mark.long
def test_a_bundle_of_an_old_format_gives_the_map_of_a_new_one(tmp_path: Path) -> None:
    """What `make train` begins with has no output for it; the same network exported today has."""
    old = load_bundle(START)
    assert old.heat_cells is None and old.keras_path is not None
    model = keras.models.load_model(old.keras_path, compile=False, safe_mode=True)
    side = old.input_px
    cells = export_onnx(model, tmp_path / "new.onnx")
    manifest = replace(MANIFEST, pixels=PixelContract(input_px=side), heat_cells=cells)
    new = write_bundle(tmp_path / "new", manifest, tmp_path / "new.onnx")
    portrait = skimage.data.astronaut()[:240, 100:340]
    faces = [portrait, portrait[:, ::-1], np.roll(portrait, 60, axis=0)]
    (old_scores, old_heat), (scores, heat) = (
        Scorer(bundle).score_and_explain(list(map(np.ascontiguousarray, faces)))
        for bundle in (old, new)
    )
    assert old_heat is not None and heat is not None and heat.max() == 1
    np.testing.assert_allclose(scores, old_scores, atol=1e-6)
    np.testing.assert_allclose(heat, old_heat, atol=1e-5)
    pixels = np.stack([network_input(np.ascontiguousarray(face), side) for face in faces])
    np.testing.assert_allclose(heat, reference_heat(model, pixels), atol=0.01)


def test_a_manifest_that_promises_another_map_is_refused(tmp_path: Path) -> None:
    cells = export_onnx(patch_network(1, 1), tmp_path / "a.onnx")
    manifest = replace(MANIFEST, pixels=PixelContract(input_px=SIDE))
    for number, promised in enumerate((cells, cells + 1)):
        bundle = write_bundle(
            tmp_path / str(number), replace(manifest, heat_cells=promised), tmp_path / "a.onnx"
        )
        if promised == cells:
            Scorer(bundle)
        else:
            with pytest.raises(BundleError, match="a heat map of 9 by 9 cells"):
                Scorer(bundle)
    plain = brightness_network(tmp_path / "b.onnx", input_px=SIDE)
    bundle = write_bundle(tmp_path / "plain", replace(manifest, heat_cells=cells), plain)
    with pytest.raises(BundleError, match="a heat map of 8 by 8 cells"):
        Scorer(bundle)
