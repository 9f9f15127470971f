"""Where in a face the network sees the manipulation: Grad-CAM on the Keras model.

Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017. The map is ReLU(sum_k a_k A_k) over the channels A_k of the last
activation that still has a height and a width; a_k is the mean over the picture of the
gradient of the logit (the score before the sigmoid, which saturates) with respect to A_k. Of a
softmax over REAL and FAKE it is the difference of the two logits, whose sigmoid the score is.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import cv2
import efficientnet.tfkeras  # noqa: F401 - registers the layers of a saved B0
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from framejury.errors import BundleError
from framejury.model.manifest import KERAS_NAME, Bundle
from framejury.model.network import backbone_of


def load_keras(bundle: Bundle) -> keras.Model:
    """The Keras network of a bundle; the bytes that are checked are the bytes that load.

    Args:
        bundle: checked by `load_bundle`.

    Raises:
        BundleError: it carries no Keras model, the file changed, or Keras refuses it.
    """
    if bundle.keras_path is None:
        raise BundleError(
            f"{bundle.directory} has no {KERAS_NAME}, and heat maps need its gradients; "
            "train anew, or name another bundle"
        )
    content = bundle.keras_path.read_bytes()
    if hashlib.sha256(content).hexdigest() != bundle.files[KERAS_NAME].sha256:
        raise BundleError(f"{bundle.keras_path} changed after the bundle was checked")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / KERAS_NAME
        copy.write_bytes(content)
        try:
            # Safe mode: a saved network may carry code, which is refused.
            return keras.models.load_model(copy, compile=False, safe_mode=True)
        except (ValueError, TypeError, OSError) as error:
            raise BundleError(f"Keras cannot load {bundle.keras_path}: {error}") from error


def heat_map(model: keras.Model, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What speaks for FAKE in each picture, as far as the last activation tells places apart.

    Args:
        model: of `build_network`, or `load_keras`.
        pixels: uint8 (n, input_px, input_px, 3) RGB, as `network_input.picture_of` makes.

    Returns:
        float32 (n, input_px, input_px), 0 to 1: each picture's own highest value is 1, so maps
        of two pictures do not compare. All 0 where nothing speaks for FAKE. The last activation
        has a cell every 32 pixels in EfficientNet and ResNet; between them the map is interpolated.

    Raises:
        ValueError: `pixels` is not such an array.
    """
    side = model.input_shape[1]
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (side, side, 3):
        raise ValueError(
            f"pixels must be uint8 (n, {side}, {side}, 3), got {pixels.dtype} {pixels.shape}"
        )
    if len(pixels) == 0:
        return np.zeros((0, side, side), np.float32)
    cells = _cells(model, pixels)
    heats = [cv2.resize(cell, (side, side), interpolation=cv2.INTER_LINEAR) for cell in cells]
    return np.stack(heats).astype(np.float32)


def _cells(model: keras.Model, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The map before it is enlarged: float32 (n, rows, columns), 0 to 1."""
    backbone = backbone_of(model)
    at = model.layers.index(backbone)
    last = max(
        number for number, layer in enumerate(model.layers) if isinstance(layer, keras.layers.Dense)
    )
    activation = next(
        layer.output for layer in reversed(backbone.layers) if len(layer.output.shape) == 4
    )
    features = keras.Model(backbone.inputs, activation)
    rest = keras.Model(activation, backbone.output)
    x = tf.cast(pixels, tf.float32)
    for layer in model.layers[1:at]:
        x = layer(x, training=False)
    shown = features(x, training=False)
    with tf.GradientTape() as tape:
        tape.watch(shown)
        x = rest(shown, training=False)
        for layer in model.layers[at + 1 : last]:
            x = layer(x, training=False)
        score = model.layers[last]
        logits = tf.matmul(tf.cast(x, tf.float32), score.kernel) + score.bias
        logit = logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits
    gradient = tf.cast(tape.gradient(logit, shown), tf.float32)
    weight = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weight * tf.cast(shown, tf.float32), axis=-1)).numpy()
    highest = heat.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0))
