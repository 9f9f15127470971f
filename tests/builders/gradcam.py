"""Grad-CAM as its paper defines it, by TensorFlow's gradients: what heat maps are compared with.

Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017.
"""

from __future__ import annotations

import efficientnet.tfkeras  # noqa: F401 - registers the layers of a saved B0
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from framejury.training.network import backbone_of


def reference_heat(model: keras.Model, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the heat map of each picture: float32 (n, rows, columns), 0 to 1.

    Args:
        model: laid out as `build_network` does.
        pixels: uint8 (n, input_px, input_px, 3) RGB.
    """
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
