"""Grad-CAM without TensorFlow: from what ONNX Runtime gives, for executors.

Source and formula as in `framejury.model.gradcam`, which does the same on the Keras model; a test
holds the two together. The last activation goes through the mean over places and dense layers,
so the gradient of the logit is a product of their weights, by the chain rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from framejury.model.onnx_graph import Graph, Node, read_graph

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """One dense layer: `weight` float32 (inputs, outputs), `bias` (outputs,), ReLU or not."""

    weight: Floats
    bias: Floats
    relu: bool


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What follows the last activation of a network, up to the logit.

    Attributes:
        activation: name of its value in the graph, float32 (n, channels, rows, columns).
        layers: from the pooled activation to the one logit.
    """

    activation: str
    layers: tuple[Dense, ...]


def find_head(content: bytes, output: str) -> Head | None:
    """The head of an ONNX network; None where it is not pooling, dense layers and an output.

    The output is a sigmoid, or FAKE's part of a softmax over REAL and FAKE: that is a sigmoid of
    the difference of the two, so the last layer becomes that difference.

    Args:
        content: the file.
        output: name of the score.
    """
    try:
        graph = read_graph(content)
    except ValueError:
        return None
    found_end = _end(graph, output)
    if found_end is None:
        return None
    name, classes = found_end
    layers: list[Dense] = []
    while True:
        found = _dense(graph, name)
        if found is None:
            break
        name, layer = found
        layers.insert(0, layer)
    pooled = graph.giving(name)
    while pooled is not None and pooled.op_type in ("Squeeze", "Flatten", "Reshape"):
        pooled = graph.giving(pooled.inputs[0])
    if pooled is None or pooled.op_type != "GlobalAveragePool" or not layers:
        return None
    fits = all(
        one.weight.shape[1] == next_one.weight.shape[0] for one, next_one in pairwise(layers)
    )
    if not fits or layers[-1].weight.shape[1] != classes or layers[-1].relu:
        return None
    if classes == 2:
        layers[-1] = _difference(layers[-1])
    return Head(pooled.inputs[0], tuple(layers))


def heat_cells(activation: Floats, head: Head) -> Floats:
    """What speaks for FAKE in each picture, by cell.

    Args:
        activation: float32 (n, channels, rows, columns).
        head: of the network that gave it.

    Returns:
        float32 (n, rows, columns), 0 to 1: each picture's own highest value is 1; all 0 where
        nothing speaks for FAKE.
    """
    x = activation.mean(axis=(2, 3))
    active = []
    for layer in head.layers:
        x = x @ layer.weight + layer.bias
        active.append(x > 0 if layer.relu else np.ones_like(x, bool))
        x = np.where(active[-1], x, 0)
    gradient = np.ones((len(activation), 1), np.float32)
    for layer, on in zip(reversed(head.layers), reversed(active), strict=True):
        gradient = (gradient * on) @ layer.weight.T
    heat = np.maximum(np.einsum("nc,nchw->nhw", gradient, activation), 0)
    highest = heat.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0))


def _end(graph: Graph, output: str) -> tuple[str, int] | None:
    """The name of the logits behind the score, and how many there are."""
    node = graph.giving(output)
    if node is not None and node.op_type == "Sigmoid":
        return node.inputs[0], 1
    while node is not None and node.op_type in ("Reshape", "Squeeze"):
        node = graph.giving(node.inputs[0])
    if node is None or node.op_type != "Slice" or not _takes_fake(graph, node):
        return None
    softmax = graph.giving(node.inputs[0])
    if softmax is None or softmax.op_type != "Softmax":
        return None
    return softmax.inputs[0], 2


def _takes_fake(graph: Graph, node: Node) -> bool:
    """Whether a slice of (n, 2) is the second column."""
    if len(node.inputs) != 4:  # data, starts, ends, axes
        return False
    starts, axes = graph.numbers(node.inputs[1]), graph.numbers(node.inputs[3])
    if starts is None or axes is None or len(starts) != len(axes):
        return False
    return dict(zip(axes, starts, strict=True)) in ({1: 1}, {0: 0, 1: 1})


def _difference(layer: Dense) -> Dense:
    """FAKE less REAL."""
    return Dense(
        layer.weight[:, 1:] - layer.weight[:, :1], layer.bias[1:] - layer.bias[:1], relu=False
    )


def _dense(graph: Graph, name: str) -> tuple[str, Dense] | None:
    """The dense layer that gives `name`, and the name of what it takes.

    tf2onnx leaves a bias of zeros out.
    """
    node = graph.giving(name)
    relu = node is not None and node.op_type == "Relu"
    if node is not None and relu:
        node = graph.giving(node.inputs[0])
    if node is None or node.op_type not in ("Add", "MatMul"):
        return None
    if node.op_type == "MatMul":
        weight = graph.weight(node.inputs[1])
        if weight is None or weight.ndim != 2:
            return None
        return node.inputs[0], Dense(weight, np.zeros(weight.shape[1], np.float32), relu)
    for taken, bias_name in (node.inputs, node.inputs[::-1]):
        product, bias = graph.giving(taken), graph.weight(bias_name)
        if product is None or product.op_type != "MatMul" or bias is None:
            continue
        weight = graph.weight(product.inputs[1])
        if weight is not None and weight.ndim == 2:
            return product.inputs[0], Dense(weight, bias.ravel(), relu)
    return None
