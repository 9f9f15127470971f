"""Grad-CAM as a second output of a network, built when the network is exported.

Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017. The map is ReLU(sum_k a_k A_k) over the channels A_k of the last
activation that still has a height and a width; a_k is the mean over the picture of the gradient
of the logit (the score before the sigmoid, which saturates) with respect to A_k. With a softmax
over REAL and FAKE the logit is the difference of the two. Between that activation and the logit
lie a mean over places and dense layers, so by the chain rule the gradient is a product of their
weights, and a graph without gradients computes it.
"""

from __future__ import annotations

import keras
from keras import ops

from framejury.model.manifest import HEAT_NAME
from framejury.model.network import backbone_of


def with_heat(model: keras.Model) -> keras.Model:
    """Return the network with a heat map as its second output; both share their weights.

    The heat map is float32 (n, rows, columns), 0 to 1: each picture's own maximum is 1, so maps
    of two pictures do not compare. It is 0 everywhere where nothing points to FAKE.

    Args:
        model: from `build_network`, float32.
    """
    backbone = backbone_of(model)
    at = model.layers.index(backbone)
    dense = [layer for layer in model.layers[at:] if isinstance(layer, keras.layers.Dense)]
    activation = next(
        layer.output for layer in reversed(backbone.layers) if len(layer.output.shape) == 4
    )
    x = model.input
    for layer in model.layers[1:at]:
        x = layer(x)
    activation, x = keras.Model(backbone.inputs, [activation, backbone.output])(x)
    hidden = []
    for layer in dense[:-1]:
        x = layer(x)
        hidden.append((layer.kernel, x))
    kernel = dense[-1].kernel
    gradient = ops.transpose(kernel if kernel.shape[1] == 1 else kernel[:, 1:] - kernel[:, :1])
    for kernel, x in reversed(hidden):  # a ReLU passes the gradient where it is above 0
        gradient = ops.matmul(gradient * ops.cast(x > 0, "float32"), ops.transpose(kernel))
    heat = ops.relu(ops.sum(activation * gradient[:, None, None, :], axis=-1))
    highest = ops.max(heat, axis=(1, 2), keepdims=True)
    heat = heat / ops.where(highest > 0, highest, 1.0)
    return keras.Model(
        model.input, [model.output, keras.layers.Identity(name=HEAT_NAME)(heat)], name=model.name
    )
