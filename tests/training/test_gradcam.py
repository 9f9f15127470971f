"""Heat maps: on networks whose answer is known, and of a bundle's network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import skimage.data

from framejury.cli.main import main
from framejury.errors import BundleError
from framejury.faces.crop import decode_crop
from framejury.model.bundle import load_bundle, write_bundle
from framejury.model.gradcam import heat_map, load_keras
from framejury.model.manifest import Bundle, PixelContract
from framejury.model.network import build_network
from framejury.model.runtime import Scorer
from framejury.records import Image
from framejury.settings import Resize, Signal, TrainingSettings
from framejury.signals.rgb import network_input
from tests.builders import clips
from tests.builders.bundles import MANIFEST, brightness_bundle, brightness_network

SIDE = 64
CELL = 8
RED, GREEN = range(2)


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
    pixels = keras.Input((side_px, side_px, 3))
    x = backbone(keras.layers.Rescaling(1 / 255)(pixels))
    x = keras.layers.Dropout(0.5)(x)
    weights = np.array([[red], [green], [0]], np.float32)
    if hidden:
        dense = keras.layers.Dense(2, activation="relu")
        x = dense(x)
        dense.set_weights([np.eye(3, 2, dtype=np.float32), np.zeros(2, np.float32)])
        weights = weights[:2]
    score = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Model(pixels, score(x))
    score.set_weights([weights, np.array([30.0], np.float32)])  # a sigmoid of 1, all but exactly
    return model


def random_network(backbone: str, *head_units: int) -> keras.Model:
    """Fresh weights, those of the head above 0: so something speaks for FAKE everywhere."""
    keras.utils.set_random_seed(1)
    model = build_network(
        TrainingSettings(
            backbone=backbone, weights="none", input_px=SIDE, head_units=head_units, head_epochs=0
        )
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            kernel, bias = layer.get_weights()
            layer.set_weights([np.abs(kernel), bias])
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
    assert heat.shape == (2, SIDE, SIDE)
    assert heat.dtype == np.float32
    assert heat[0, 12:20, 44:52].min() == heat[1, 52:60, 4:12].min() == 1
    for one, (top, left) in zip(heat, [(8, 40), (48, 0)], strict=True):
        around = np.ones((SIDE, SIDE), bool)
        around[max(top - 4, 0) : top + 20, max(left - 4, 0) : left + 20] = False
        assert one[around].max() == 0


def test_what_speaks_for_real_is_cold() -> None:
    both = with_patch(GREEN, 0, 0) + with_patch(RED, 48, 48)
    heat = heat_map(patch_network(red=-2, green=2), both[np.newaxis])[0]
    assert heat[:16, :16].max() == 1
    assert heat[40:, 40:].max() == 0
    only_real = with_patch(RED, 48, 48)[np.newaxis]
    assert heat_map(patch_network(red=-2, green=2), only_real).max() == 0


def test_heat_is_in_proportion_to_the_cue() -> None:
    strong, weak = with_patch(GREEN, 0, 0), with_patch(GREEN, 48, 48) // 4
    heat = heat_map(patch_network(red=0, green=2), (strong + weak)[np.newaxis])[0]
    assert heat[52:60, 52:60] == pytest.approx(63 / 255, abs=1e-3)


@pytest.mark.parametrize(
    "backbone", ["efficientnet_lite0", pytest.param("efficientnet_b0", marks=pytest.mark.long)]
)
def test_real_networks_give_a_map_in_range(backbone: str) -> None:
    model = random_network(backbone, 8)
    faces = skimage.data.astronaut()[None, 60:124, 180:244].repeat(2, axis=0)
    faces[1] = faces[1, ::-1]
    both = heat_map(model, faces)
    assert both.shape == (2, SIDE, SIDE)
    assert np.isfinite(both).all()
    assert both.min() >= 0
    assert both.max(axis=(1, 2)) == pytest.approx([1, 1])
    # Each picture's map is its own, whatever else is in the batch.
    assert heat_map(model, faces[1:])[0] == pytest.approx(both[1], abs=1e-3)


def test_without_hidden_layers_it_is_the_class_activation_map() -> None:
    """Zhou et al., CVPR 2016, which Grad-CAM equals there: the last weights over the channels."""
    model = random_network("efficientnet_lite0")
    backbone = model.get_layer("efficientnet-lite0")
    top = keras.Model(backbone.inputs, backbone.get_layer("top_activation").output)
    face = np.ascontiguousarray(skimage.data.astronaut()[None, 60:124, 180:244])
    activation = top.predict(
        model.get_layer("imagenet_normalisation")(face.astype(np.float32)), verbose=0
    )[0]
    kernel = model.layers[-1].get_weights()[0][:, 0]
    wanted = np.maximum(activation @ kernel, 0)
    assert wanted.max() > 0
    heat = heat_map(model, face)[0]
    corners = heat[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners == pytest.approx((wanted / wanted.max()).ravel(), abs=1e-4)


def test_executors_see_the_same_map_without_tensorflow() -> None:
    """`Scorer.score_and_explain` on the shipped network agrees with `heat_map` on its Keras."""
    bundle = load_bundle(Path(__file__).resolve().parents[2] / "models" / "detector")
    side = bundle.input_px
    portrait = skimage.data.astronaut()[:240, 100:340]
    faces = [portrait, portrait[:, ::-1], np.roll(portrait, 60, axis=0)]
    pixels = np.stack([network_input(np.ascontiguousarray(face), side) for face in faces])
    _, cells = Scorer(bundle).score_and_explain(list(pixels))
    assert cells is not None and cells.max() == 1
    large = [cv2.resize(cell, (side, side), interpolation=cv2.INTER_LINEAR) for cell in cells]
    np.testing.assert_allclose(large, heat_map(load_keras(bundle), pixels), atol=0.01)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, SIDE, SIDE, 3), np.float32),
        np.zeros((SIDE, SIDE, 3), np.uint8),
        np.zeros((1, 32, 32, 3), np.uint8),
    ],
)
def test_wrong_pixels_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pixels must be uint8"):
        heat_map(patch_network(0, 1), pixels)
    assert heat_map(patch_network(0, 1), np.zeros((0, SIDE, SIDE, 3), np.uint8)).shape[0] == 0


# ---------------------------------------------------------------- the network of a bundle


def test_a_bundle_gives_its_network(tmp_path: Path) -> None:
    model = patch_network(red=0, green=2)
    model.save(tmp_path / "own.keras")
    onnx = brightness_network(tmp_path / "own.onnx")
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, onnx, tmp_path / "own.keras")
    pixels = with_patch(GREEN, 8, 40)[np.newaxis]
    assert np.array_equal(heat_map(load_keras(bundle), pixels), heat_map(model, pixels))
    assert bundle.keras_path is not None
    bundle.keras_path.write_bytes(b"another")
    with pytest.raises(BundleError, match="changed after the bundle was checked"):
        load_keras(bundle)
    with pytest.raises(BundleError, match="was altered"):
        load_bundle(bundle.directory)


def test_a_bundle_without_a_keras_model(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has no model\.keras"):
        load_keras(brightness_bundle(tmp_path / "bundle"))


def test_a_network_with_code_in_it_is_refused(tmp_path: Path) -> None:
    """Keras' safe mode: a Lambda layer could run anything when it is loaded."""
    pixels = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(pixels, keras.layers.Lambda(lambda x: x * 2)(pixels))
    model.save(tmp_path / "own.keras")
    onnx = brightness_network(tmp_path / "own.onnx")
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, onnx, tmp_path / "own.keras")
    with pytest.raises(BundleError, match="Keras cannot load"):
        load_keras(bundle)


# ---------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Calls red faces fake, in ONNX and in Keras."""
    folder = tmp_path_factory.mktemp("bundle")
    patch_network(red=2, green=0, side_px=32).save(folder / "own.keras")
    onnx = brightness_network(folder / "own.onnx")
    return write_bundle(folder / "bundle", MANIFEST, onnx, folder / "own.keras")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that gets darker: the first frames are the most suspicious."""
    frames = [
        (frame * (1 - 0.02 * number)).astype(np.uint8)
        for number, frame in enumerate(clips.face_frames(25))
    ]
    return clips.write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", frames)


def explain(clip: Path, bundle: Bundle, output: Path, *more: str) -> int:
    named = ["--bundle", str(bundle.directory), "--output", str(output)]
    return main(["explain", str(clip), *named, "--set", "sampling.frames=5", *more])


def test_explain_writes_the_most_suspicious_faces(
    bundle: Bundle, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "heat"
    assert explain(clip, bundle, output, "--faces", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(path.name for path in output.iterdir()) == sorted(
        Path(line.partition(":")[0]).name for line in lines
    )
    frames = [int(line.partition("frame ")[2].split()[0]) for line in lines]
    scores = [float(line.rpartition(" ")[2]) for line in lines]
    assert len(frames) == 3
    assert frames == sorted(frames)  # the brightest come first
    assert frames[-1] < 20
    assert scores == sorted(scores, reverse=True)
    assert (output / f"face-{frames[0]:06d}-1.png").is_file()
    sheet = decode_crop((output / f"face-{frames[0]:06d}-1.png").read_bytes())
    assert sheet.shape == (348, 640, 3)
    crop, heated = sheet[:320, :320], sheet[:320, 320:]
    scorer = Scorer(bundle)
    # Enlarged for people and reduced again, the picture scores what the line says.
    assert scorer.score([crop])[0] == pytest.approx(scores[0], abs=0.02)
    hot = np.abs(heated.astype(int) - crop).mean(axis=2)
    assert hot.max() > 40
    assert sheet[320:].min() < 128 < sheet[320:].mean()  # text on white


@pytest.mark.parametrize(
    ("signal", "resize"),
    [("marked", "letterbox"), ("delta", "letterbox"), ("flow_fusion", "stretch")],
)
def test_explain_shows_what_the_network_saw(
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    signal: Signal,
    resize: Resize,
) -> None:
    """The very square that was scored and that the heat map is of."""
    patch_network(red=2, green=0, side_px=32).save(tmp_path / "own.keras")
    onnx = brightness_network(tmp_path / "own.onnx")
    manifest = replace(MANIFEST, signal=signal, pixels=PixelContract(input_px=32, resize=resize))
    bundle = write_bundle(tmp_path / "bundle", manifest, onnx, tmp_path / "own.keras")
    assert explain(clip, bundle, tmp_path / "heat", "--faces", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    red_points = 0
    for line in lines:
        sheet = decode_crop(Path(line.partition(":")[0]).read_bytes())
        seen, heated = sheet[:320, :320].astype(int), sheet[:320, 320:].astype(int)
        # The test bundle's score is the mean of red.
        score = float(line.rpartition(" ")[2])
        assert seen[..., 0].mean() / 255 == pytest.approx(score, abs=0.02)
        assert np.abs(heated - seen).max() > 40
        red_points += int(((seen[..., 0] > 180) & (seen[..., 1:] < 70).all(axis=2)).sum())
        if signal == "delta":
            assert score == pytest.approx(0.5, abs=0.05)  # grey: little changes in 40 ms
    assert (red_points > 200) == (signal == "marked")


def test_explain_refuses(
    bundle: Bundle, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said() -> str:
        return capsys.readouterr().err

    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    assert explain(clip, bundle, tmp_path / "taken") == 2
    assert "not an empty folder" in said()
    assert explain(clip, bundle, tmp_path / "x", "--faces", "0") == 2
    assert "--faces must be at least 1" in said()
    assert explain(clip, brightness_bundle(tmp_path / "plain"), tmp_path / "x") == 2
    assert "has no model.keras" in said()
    plain = clips.write_clip(tmp_path / "plain.mp4", clips.plain_frames(5))
    assert explain(plain, bundle, tmp_path / "x") == 2
    assert "has no face to explain (no_face)" in said()
    assert explain(tmp_path / "none.mp4", bundle, tmp_path / "x") == 2
    assert "has no face to explain (missing" in said()
    assert not (tmp_path / "x").exists()
