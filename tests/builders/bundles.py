"""A small real bundle for tests of what comes after training; made without TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from framejury.model.bundle import write_bundle
from framejury.model.class_activation import with_heat
from framejury.model.input_contract import Framing, PixelContract
from framejury.model.manifest import (
    Adopted,
    Bundle,
    Manifest,
    TrainingData,
)
from framejury.settings import TEMPLATES

MANIFEST = Manifest(
    purpose="detector",
    backbone="efficientnet_b0",
    signal="rgb",
    pixels=PixelContract(input_px=32),
    framing=Framing(margin_ratio=0.3, shape="square"),
    threshold=0.5,
    data=TrainingData(description="No data.", fingerprint="a" * 64, counts=()),
    settings={},
    libraries={},
    created_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
)


ADOPTED = Adopted(
    name="Meso-4",
    source="Afchar et al., WIFS 2018",
    file_format="onnx",
    file_sha256="b" * 64,
    reading={
        "input": {"side_px": 32, "layout": "NHWC", "colours": "RGB", "scale": "0..1"},
        "output": {"gives": "probability", "index_of_fake": 0},
    },
)
"""Of a network trained elsewhere, on unknown data."""


def brightness_network(
    path: Path, scale: float = 1 / 255, input_px: int = 32, batch: str | int = "n"
) -> Path:
    """An ONNX network whose score is the mean of the red channel times `scale`."""
    pick = np.array([[scale], [0.0], [0.0]], dtype=np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "pick"], ["p_fake"]),
    ]
    shape = [batch, input_px, input_px, 3]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("p_fake", TensorProto.FLOAT, [batch, 1])],
        [numpy_helper.from_array(pick, "pick")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def headed_network(path: Path, *, units: int = 5, side: int = 32) -> Path:
    """A convolution, ReLU, pooling, two hidden dense layers, one logit, a sigmoid."""
    rng = np.random.default_rng(3)
    weights = {
        "kernel": rng.normal(0, 0.02, (6, 3, 8, 8)),
        "w1": rng.normal(0, 1, (6, units)),
        "b1": rng.normal(0, 0.2, units),
        "w2": rng.normal(0, 1, (units, units)),
        "b2": rng.normal(0, 0.2, units),
        "w3": rng.normal(0, 1, (units, 1)),
        "b3": np.array([0.1]),
    }
    nodes = [
        helper.make_node("Transpose", ["pixels"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "kernel"], ["conv"], strides=[8, 8]),
        helper.make_node("Relu", ["conv"], ["activation"]),
        helper.make_node("GlobalAveragePool", ["activation"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w1"], ["m1"]),
        helper.make_node("Add", ["m1", "b1"], ["a1"]),
        helper.make_node("Relu", ["a1"], ["h1"]),
        helper.make_node("MatMul", ["h1", "w2"], ["m2"]),
        helper.make_node("Add", ["b2", "m2"], ["a2"]),
        helper.make_node("Relu", ["a2"], ["h2"]),
        helper.make_node("MatMul", ["h2", "w3"], ["m3"]),
        helper.make_node("Add", ["m3", "b3"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["p_fake"]),
    ]
    return _written(path, nodes, weights, side)


def _written(
    path: Path, nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], side: int
) -> Path:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", side, side, 3])],
        [helper.make_tensor_value_info("p_fake", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def red_network(path: Path) -> Path:
    """A network with a heat map whose score is sigmoid(4 * mean of red, 0 to 1, - 2)."""
    pick = np.zeros((1, 3, 8, 8), np.float32)
    pick[0, 0] = 1 / (255 * 64)
    weights = {"pick": pick, "w": np.full((1, 1), 4), "b": np.full(1, -2)}
    nodes = [
        helper.make_node("Transpose", ["pixels"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "pick"], ["red"], strides=[8, 8]),
        helper.make_node("GlobalAveragePool", ["red"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["p_fake"]),
    ]
    return _written(path, nodes, weights, side=32)


def places_network(path: Path, weights: np.ndarray) -> Path:
    """A network without places in its activations: the sigmoid of a weighted sum of red, 0 to 1.

    Args:
        weights: (side, side) of its input.
    """
    kernel = np.zeros((*weights.shape, 3))
    kernel[..., 0] = weights / 255
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "kernel"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["p_fake"]),
    ]
    return _written(path, nodes, {"kernel": kernel.reshape(-1, 1)}, weights.shape[0])


def adopted_bundle(directory: Path, **changes: Any) -> Bundle:
    """A bundle of `red_network` as `framejury adopt` writes it.

    Args:
        changes: of `ADOPTED`, such as `trained_on`.
    """
    network = red_network(directory.with_name(f"{directory.name}.onnx"))
    added, cells = with_heat(network.read_bytes()) or (b"", 0)
    network.write_bytes(added)
    manifest = replace(
        MANIFEST, backbone="foreign", heat_cells=cells, adopted=replace(ADOPTED, **changes)
    )
    return write_bundle(directory, manifest, network)


def brightness_bundle(directory: Path, scale: float = 1 / 255) -> Bundle:
    """A bundle that calls bright faces fake; another `scale` is another model."""
    network = brightness_network(directory.with_name(f"{directory.name}.onnx"), scale)
    return write_bundle(directory, MANIFEST, network)


def clip_bundle(directory: Path, frames: int, stride: int = 1, **pixels: int) -> Bundle:
    """A bundle that looks at clips: the mean of red, twice as heavy in each frame as before it."""
    weights = 2.0 ** np.arange(frames)
    nodes = [
        helper.make_node("Gather", ["pixels", "red"], ["reds"], axis=4),
        helper.make_node("ReduceMean", ["reds"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["p_fake"]),
    ]
    network = directory.with_name(f"{directory.name}.onnx")
    scaled = (weights / weights.sum() / 255).reshape(-1, 1).astype(np.float32)
    graph = helper.make_graph(
        nodes,
        "clip",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", frames, 32, 32, 3])],
        [helper.make_tensor_value_info("p_fake", TensorProto.FLOAT, ["n", 1])],
        [
            numpy_helper.from_array(np.array(0, np.int64), "red"),
            numpy_helper.from_array(scaled, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, network)
    contract = PixelContract(input_px=32, clip_frames=frames, clip_stride=stride, **pixels)
    return write_bundle(directory, replace(MANIFEST, pixels=contract), network)


def aligned_bundle(directory: Path, margin_ratio: float = 0.15) -> Bundle:
    """The bundle that calls bright faces fake, of aligned faces."""
    framing = Framing(margin_ratio=margin_ratio, shape="square", template=TEMPLATES["arcface"])
    network = brightness_network(directory.with_name(f"{directory.name}.onnx"))
    return write_bundle(directory, replace(MANIFEST, framing=framing), network)
