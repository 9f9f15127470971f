"""MTCNN's three networks as ONNX graphs that ONNX Runtime runs in its fast layout.

Each network takes `input` float32 (count, 3, height, width), RGB planes of values 0 to 255 (the
package's mapping to (value - 127.5) / 128 is part of the first convolution), and returns one output
`heads`, the concatenation of the package's heads:

    pnet   (count, 5, h, w)   four offsets, logit               any input of 12 pixels or more
    rnet   (count, 5)         four offsets, logit               input 24 x 24
    onet   (count, 15)        four offsets, five x, five y, logit   input 48 x 48

The package's softmax over two classes is the sigmoid of their difference, the logit.

The layers differ from the package's. ONNX Runtime runs PReLU slowly and outside its blocked layout,
so every layer would be converted to the other layout and back. Convolutions, ReLU, sums and max
pools stay in the blocked layout. Two transformations, both exact except for rounding, express PReLU
(f(x) = x for x > 0 and a * x below) by these operations:

* `_activate`. For a < 1, f(x) = b * z + relu(z) with z = (1 - a) * x and b = a / (1 - a).
  The preceding kernel computes z directly; b * z is a depthwise 1 x 1 convolution, into which the
  runtime fuses the sum. A channel with a >= 1 becomes two lanes, relu(x) and x + relu(x), of which
  f is a linear combination. Both lanes increase with x, so a max pool may follow.
* `_activate_pooled`, for few input channels followed by a max pool. For a >= 0, f increases with
  x, so it can be applied after the pool, to a quarter of the pixels. For a < 0,
  f(x) = max(x, a * x): a * x becomes a further channel of the convolution, and after the pool
  max(p, q) = q + relu(p - q). Six of PNet's ten channels have such a slope, which fills a block
  of 16.

The remaining linear parts (combinations, signs) become part of the next kernel.
Source: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", 2016; weights MIT, see weights/LICENSE-mtcnn. It needs `onnx`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, checker, helper, numpy_helper

MTCNN_VERSION = "1.0.0"
OPSET = 17
IR_VERSION = 8  # read by every ONNX Runtime since 1.12
PIXEL_MEAN, PIXEL_SPREAD = 127.5, 128.0
"""The package maps a pixel to (value - mean) / spread."""

BLOCK = 16
"""Channels per block in ONNX Runtime's blocked layout with AVX-512; with AVX2 it is 8."""

SLOPE_MARGIN = 1e-3
"""Slopes above 1 or this close to it get two lanes, because a / (1 - a) would lose digits."""

Array = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Pool = tuple[int, Literal["SAME_UPPER", "VALID"]]


class _Graph:
    """Collects nodes and weights; each method appends one layer and returns its output name."""

    def __init__(self, weights: Iterator[Array]) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._weights = weights

    def op(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: npt.NDArray[Any], name: str) -> str:
        """Add weights, which are computed in float64 and rounded only here."""
        array = np.ascontiguousarray(value, np.float32)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def take(self, count: int) -> list[Doubles]:
        """Return the next arrays of the package's list, which is in the order of the layers."""
        return [next(self._weights).astype(np.float64) for _ in range(count)]

    def conv(
        self, source: str, name: str, kernel: Doubles, bias: Doubles | None = None, group: int = 1
    ) -> str:
        """Valid convolution; `kernel` is (outputs, inputs, height, width)."""
        inputs = [source, self.constant(kernel, f"{name}_w")]
        if bias is not None:
            inputs.append(self.constant(bias, f"{name}_b"))
        return self.op("Conv", inputs, name, group=group)

    def dense(self, source: str, name: str, kernel: Doubles, bias: Doubles) -> str:
        """Append a dense layer; `kernel` is (inputs, outputs)."""
        inputs = [source, self.constant(kernel, f"{name}_w"), self.constant(bias, f"{name}_b")]
        return self.op("Gemm", inputs, name)

    def max_pool(self, source: str, name: str, pool: Pool) -> str:
        """Append a max pool of stride 2. Keras' `same` pads at the end only: SAME_UPPER in ONNX."""
        side, padding = pool
        return self.op(
            "MaxPool",
            [source],
            name,
            kernel_shape=[side, side],
            strides=[2, 2],
            auto_pad=padding,
        )


@dataclass(frozen=True)
class _Layer:
    """A tensor of the graph, and its relation to the package's channels.

    Attributes:
        tensor: its name.
        mix: (channels, lanes); the channels are `mix` times the lanes of the tensor.
    """

    tensor: str
    mix: Doubles

    def absorbed(self, kernel: Doubles) -> Doubles:
        """Convert a kernel (outputs, channels, height, width) to the lanes."""
        kernel_of_lanes: Doubles = np.einsum("ochw,cl->olhw", kernel, self.mix)
        return kernel_of_lanes


def _first(source: str) -> _Layer:
    return _Layer(source, np.eye(3))


def _conv_weights(graph: _Graph, source: _Layer) -> tuple[Doubles, Doubles, Doubles]:
    """Return kernel for the lanes, bias and slopes of one convolution with its PReLU.

    Keras stores HWIO. The first convolution includes the mapping of the pixels.
    """
    kernel, bias, slope = graph.take(3)
    kernel = kernel.transpose(3, 2, 0, 1)
    if source.tensor == "input":
        bias = bias - PIXEL_MEAN / PIXEL_SPREAD * kernel.sum(axis=(1, 2, 3))
        kernel = kernel / PIXEL_SPREAD
    return source.absorbed(kernel), bias, slope.ravel()


def _activate(graph: _Graph, source: _Layer, name: str) -> _Layer:
    """Append a convolution and PReLU, as described in the module's docstring."""
    kernel, bias, slope = _conv_weights(graph, source)
    steep = np.flatnonzero(slope >= 1 - SLOPE_MARGIN)
    channels = len(slope)
    lanes = _up_to_a_block(channels + len(steep))
    gain, share, mix = np.zeros(lanes), np.zeros(lanes), np.zeros((channels, lanes))
    gain[:channels] = 1 - slope
    gain[steep] = gain[channels : channels + len(steep)] = 1
    share[:channels] = slope / np.where(slope >= 1 - SLOPE_MARGIN, 1, 1 - slope)
    share[steep], share[channels : channels + len(steep)] = 0, 1
    mix[:, :channels] = np.eye(channels)
    for rank, channel in enumerate(steep):  # lanes relu(x) and x + relu(x)
        mix[channel, channel] = 1 - 2 * slope[channel]
        mix[channel, channels + rank] = slope[channel]
    origin = np.concatenate([np.arange(channels), steep, np.zeros(lanes, np.int64)])[:lanes]
    scaled = graph.conv(
        source.tensor,
        name,
        gain[:, None, None, None] * kernel[origin],
        gain * bias[origin],
    )
    above = graph.op("Relu", [scaled], f"{name}_relu")
    shared = graph.conv(scaled, f"{name}_share", share[:, None, None, None], group=lanes)
    return _Layer(graph.op("Add", [shared, above], f"{name}_prelu"), mix)


def _activate_pooled(graph: _Graph, source: _Layer, name: str, pool: Pool) -> _Layer:
    """Append convolution, max pool and PReLU, as described in the module's docstring."""
    kernel, bias, slope = _conv_weights(graph, source)
    channels = len(slope)
    falling = np.flatnonzero(slope < 0)
    lanes = _up_to_a_block(channels + len(falling))
    spread = np.zeros((lanes, channels))  # x, then a * x where a < 0
    spread[:channels] = np.eye(channels)
    spread[channels + np.arange(len(falling)), falling] = slope[falling]
    spread_kernel = np.einsum("lo,oihw->lihw", spread, kernel)
    pooled = graph.max_pool(
        graph.conv(source.tensor, name, spread_kernel, spread @ bias), f"{name}_pool", pool
    )
    # f = sign * (linear + relu(bend)), both linear in the pooled lanes.
    sign = np.where(slope > 1, -1.0, 1.0)
    linear, bend = np.zeros((channels, lanes)), np.zeros((channels, lanes))
    linear[:, :channels] = np.diag(sign * np.maximum(slope, 0))
    bend[:, :channels] = np.diag(np.where(slope < 0, 1, np.abs(1 - slope)))
    linear[falling, channels + np.arange(len(falling))] = 1
    bend[falling, channels + np.arange(len(falling))] = -1
    bent = graph.conv(pooled, f"{name}_bend", bend[:, :, None, None])
    above = graph.op("Relu", [bent], f"{name}_relu")
    straight = graph.conv(pooled, f"{name}_linear", linear[:, :, None, None])
    return _Layer(graph.op("Add", [straight, above], f"{name}_prelu"), np.diag(sign))


def _up_to_a_block(lanes: int) -> int:
    return -(-lanes // BLOCK) * BLOCK


def _heads(weights: Sequence[Doubles]) -> tuple[Doubles, Doubles]:
    """Concatenate kernels and biases of all heads, with the two classes as their difference."""
    kernels, biases = list(weights[0::2]), list(weights[1::2])
    kernels[-1] = kernels[-1][..., 1:] - kernels[-1][..., :1]
    biases[-1] = biases[-1][1:] - biases[-1][:1]
    return np.concatenate(kernels, axis=-1), np.concatenate(biases)


def _pnet(graph: _Graph) -> list[int | str]:
    layer = _activate_pooled(graph, _first("input"), "conv1", (2, "SAME_UPPER"))
    layer = _activate(graph, layer, "conv2")
    layer = _activate(graph, layer, "conv3")
    kernel, bias = _heads(graph.take(4))
    graph.conv(layer.tensor, "heads", layer.absorbed(kernel.transpose(3, 2, 0, 1)), bias)
    return ["count", 5, "h", "w"]


def _rnet(graph: _Graph) -> list[int | str]:
    return _dense_network(graph, [(3, "SAME_UPPER"), (3, "VALID"), None], heads=2)


def _onet(graph: _Graph) -> list[int | str]:
    pools: list[Pool | None] = [(3, "SAME_UPPER"), (3, "VALID"), (2, "SAME_UPPER"), None]
    return _dense_network(graph, pools, heads=3)


def _dense_network(graph: _Graph, pools: Sequence[Pool | None], heads: int) -> list[int | str]:
    layer = _first("input")
    for number, pool in enumerate(pools, start=1):
        layer = _activate(graph, layer, f"conv{number}")
        if pool is not None:
            pooled = graph.max_pool(layer.tensor, f"pool{number}", pool)
            layer = _Layer(pooled, layer.mix)
    kernel, bias, slope = graph.take(3)
    # The package's Permute and Flatten order values by width, height, channel.
    channels = len(layer.mix)
    side = round((len(kernel) / channels) ** 0.5)
    kernel = kernel.reshape(side, side, channels, -1).transpose(3, 2, 1, 0)
    kernel = layer.absorbed(kernel).reshape(len(bias), -1).T
    flat = graph.op("Flatten", [layer.tensor], "flat", axis=1)
    dense = graph.dense(flat, "fc", kernel, bias)
    # For so few values PReLU itself is fast.
    top = graph.op("PRelu", [dense, graph.constant(slope, "fc_slope")], "fc_prelu")
    kernel, bias = _heads(graph.take(2 * heads))
    graph.dense(top, "heads", kernel, bias)
    return ["count", len(bias)]


def network_bytes(name: str, weights: Sequence[Array]) -> bytes:
    """Return one network as a serialised ONNX model; the same weights give the same bytes.

    Args:
        name: pnet, rnet or onet.
        weights: float32 arrays in the order of the package's `set_weights`.

    Raises:
        ValueError: there are more or fewer arrays than the network takes.
    """
    build, side = {"pnet": (_pnet, None), "rnet": (_rnet, 24), "onet": (_onet, 48)}[name]
    remaining = iter(weights)
    graph = _Graph(remaining)
    try:
        heads = build(graph)
    except StopIteration:
        raise ValueError(f"{name} takes more than {len(weights)} weight arrays") from None
    if next(remaining, None) is not None:
        raise ValueError(f"{name} takes fewer than {len(weights)} weight arrays")
    shape: list[int | str] = ["count", 3, side or "height", side or "width"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("heads", TensorProto.FLOAT, heads)],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="framejury.faces.export_mtcnn",  # as in the files that ship
        doc_string=f"{name} of mtcnn {MTCNN_VERSION} (MIT), Copyright Iván de Paz Centeno",
    )
    model.ir_version = IR_VERSION
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))
