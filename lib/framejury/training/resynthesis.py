"""Real faces drawn anew by small networks: what generated faces share, without any generator.

Whatever makes a fake, a network draws its pixels at the end, with upsampling layers that leave
traces and with less texture than a camera records. An autoencoder that was trained to repeat real
faces leaves the same kinds of traces, and the fake differs from its original in nothing else. The
idea: Cozzolino et al., "Towards Universal GAN Image Detection" (2021) and Zhang et al.,
"Detecting and Simulating Artifacts in GAN Fake Images" (WIFS 2019); the networks are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import keras
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

from framejury.errors import ConfigError
from framejury.records import Image
from framejury.schemas.statuses import Side
from framejury.settings import TrainingSettings
from framejury.training.source import FaceRow, FaceSource, iter_faces

Floats = npt.NDArray[np.float32]
Upsampling = Literal["transposed", "nearest"]

_KINDS: tuple[Upsampling, ...] = ("transposed", "nearest")
"""The two usual ways to upsample, each with traces of its own."""
_CHANNELS = 32
_CODE = {"transposed": 8, "nearest": 16}
"""Channels of the code, which has a quarter or an eighth of the side."""
_CUT_PX, _BATCH, _LEARNING_RATE = 96, 12, 1.5e-3
_FACES = 6000
"""Real faces that the networks are trained on, at most, count."""
_SIZES = (0.75, 1.0, 1.25)
"""Sides at which a face is drawn, as shares of the detector's input."""
_STRIDE_PX = 8
_OPSET = 17
_STREAM = 3
"""Separates these random numbers from those of the detector's training."""
_LINE_STEPS = 100


@dataclass
class Resynthesizer:
    """Draws faces anew with trained networks; safe to call from several threads.

    Attributes:
        input_px: side of the detector's input.
        networks: one session per kind.
    """

    input_px: int
    networks: list[onnxruntime.InferenceSession]

    @classmethod
    def trained(
        cls,
        source: FaceSource,
        settings: TrainingSettings,
        folder: Path,
        progress: Callable[[str], None],
    ) -> Resynthesizer:
        """Train the networks on real faces of split train, or load those that `folder` holds.

        Args:
            source: labelled faces.
            settings: `resynthesis_steps`, `input_px` and `seed` are used.
            folder: of these settings and this data alone.
            progress: called with one readable line at a time.

        Raises:
            ConfigError: no face is large enough to learn from.
            WarehouseError: faces cannot be read.
        """
        folder.mkdir(parents=True, exist_ok=True)
        places = [folder / f"resynthesis-{kind}.onnx" for kind in _KINDS]
        faces: list[FaceRow] = []
        for number, (kind, place) in enumerate(zip(_KINDS, places, strict=True)):
            if place.is_file():
                continue
            faces = faces or _real_faces(source, settings.seed)
            title = f"resynthesis network {number + 1}/{len(_KINDS)}"
            network = _learn(kind, faces, settings, title, progress)
            draft = place.with_suffix(".unfinished")
            _export(network, draft)
            draft.replace(place)
        return cls(settings.input_px, [_opened(place) for place in places])

    def drawn_anew(self, face: Image, rng: np.random.Generator) -> Image:
        """Return a face as one of the networks draws it, at one of several sizes.

        Args:
            face: uint8 (height, width, 3) RGB.
            rng: chooses the network and the size.

        Returns:
            uint8 of the same shape, RGB.
        """
        network = self.networks[int(rng.integers(len(self.networks)))]
        share = float(rng.choice(_SIZES)) * self.input_px / max(face.shape[:2])
        height, width = (
            max(round(side * min(share, 1.0) / _STRIDE_PX), 1) * _STRIDE_PX
            for side in face.shape[:2]
        )
        small = cv2.resize(face, (width, height), interpolation=cv2.INTER_AREA)
        given = small[np.newaxis].astype(np.float32) / 127.5 - 1
        (drawn,) = network.run(None, {network.get_inputs()[0].name: given})
        pixels = np.clip(np.rint((drawn[0] + 1) * 127.5), 0, 255).astype(np.uint8)
        back = cv2.resize(pixels, face.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        return np.asarray(back, np.uint8)


def build_autoencoder(kind: Upsampling) -> keras.Model:
    """Return a network from and to float32 (n, height, width, 3) RGB, -1 to 1; sides of 8 n pixels.

    Args:
        kind: how its decoder upsamples.
    """
    deep, wide = kind == "nearest", 2 * _CHANNELS
    taken = keras.Input((None, None, 3))
    x = _convolved(taken, _CHANNELS, side=5, stride=2)
    x = _residual(_convolved(x, wide, stride=2), wide)
    if deep:
        wide = 3 * _CHANNELS
        x = _residual(_convolved(x, wide, stride=2), wide)
    x = keras.layers.Conv2D(_CODE[kind], 1)(x)
    x = _residual(_convolved(x, wide), wide)
    if deep:
        wide = 2 * _CHANNELS
        x = _residual(_upsampled(x, wide, kind), wide)
    x = _upsampled(_upsampled(x, _CHANNELS, kind), _CHANNELS // 2, kind)
    return keras.Model(taken, keras.layers.Conv2D(3, 3, padding="same")(x))


def _convolved(x: tf.Tensor, channels: int, *, side: int = 3, stride: int = 1) -> tf.Tensor:
    return keras.layers.Conv2D(channels, side, stride, padding="same", activation="swish")(x)


def _residual(x: tf.Tensor, channels: int) -> tf.Tensor:
    y = keras.layers.Conv2D(channels, 3, padding="same")(_convolved(x, channels))
    return keras.layers.Add()([x, y])


def _upsampled(x: tf.Tensor, channels: int, kind: Upsampling) -> tf.Tensor:
    if kind == "nearest":
        return _convolved(keras.layers.UpSampling2D(2, interpolation="nearest")(x), channels)
    layer = keras.layers.Conv2DTranspose(channels, 4, 2, padding="same", activation="swish")
    return layer(x)


def _real_faces(source: FaceSource, seed: int) -> list[FaceRow]:
    """Return real training faces, drawn at random if there are too many.

    Raises:
        ConfigError: there is none.
    """
    rng = np.random.default_rng([seed, _STREAM])
    faces: list[FaceRow] = []
    seen = 0
    for face in iter_faces(source, Side.TRAIN):
        if face.label:
            continue
        seen += 1
        if len(faces) < _FACES:
            faces.append(face)
        elif (place := int(rng.integers(seen))) < _FACES:
            faces[place] = face
    if not faces:
        raise ConfigError("training.made_fakes has resynthesis, but split train has no real face")
    return faces


def _learn(
    kind: Upsampling,
    faces: list[FaceRow],
    settings: TrainingSettings,
    title: str,
    progress: Callable[[str], None],
) -> keras.Model:
    """Train one network on cuts of the faces, for pixels and for edges of three sizes."""
    keras.utils.set_random_seed(settings.seed)
    network = build_autoencoder(kind)
    steps = settings.resynthesis_steps
    rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps)
    optimizer = keras.optimizers.Adam(rate)

    @tf.function  # type: ignore[untyped-decorator]
    def step(cuts: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            error = network(cuts, training=True) - cuts
            loss = tf.reduce_mean(tf.abs(error))
            for _ in range(2):
                coarse = tf.nn.avg_pool2d(error, 2, 2, "SAME")
                fine = error - tf.repeat(tf.repeat(coarse, 2, axis=1), 2, axis=2)
                loss += tf.reduce_mean(tf.abs(fine))
                error = coarse
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    rng = np.random.default_rng([settings.seed, _STREAM, _KINDS.index(kind)])
    losses = []
    for number in range(1, steps + 1):
        chosen = rng.integers(len(faces), size=_BATCH)
        cuts = np.stack([_cut(faces[int(one)].decoded(), settings.input_px, rng) for one in chosen])
        losses.append(step(tf.constant(cuts)))
        if number % _LINE_STEPS == 0 or number == steps:
            mean = float(np.mean([float(one) for one in losses]))
            progress(f"{title}: step {number}/{steps}, loss {mean:.4f}")
            losses.clear()
    return network


def _cut(face: Image, input_px: int, rng: np.random.Generator) -> Floats:
    """Return a random square of a face at about the detector's scale: float32, -1 to 1."""
    share = float(rng.uniform(0.75, 1.25)) * input_px / max(face.shape[:2])
    least = _CUT_PX / min(face.shape[:2])
    share = max(min(share, 1.0), least)
    size = [max(round(side * share), _CUT_PX) for side in face.shape[1::-1]]
    scaled = cv2.resize(face, size, interpolation=cv2.INTER_AREA)
    top, left = (int(rng.integers(side - _CUT_PX + 1)) for side in scaled.shape[:2])
    cut = scaled[top : top + _CUT_PX, left : left + _CUT_PX]
    return np.asarray(cut, np.float32) / 127.5 - 1


def _export(network: keras.Model, place: Path) -> None:
    signature = [tf.TensorSpec((None, None, None, 3), tf.float32, name="faces")]
    exported, _ = tf2onnx.convert.from_keras(network, input_signature=signature, opset=_OPSET)
    onnx.save(exported, str(place))


def _opened(place: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # It is called from the threads of the pipeline, which use all cores already.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(place), options, providers=["CPUExecutionProvider"])
