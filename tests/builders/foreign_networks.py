"""Networks that others trained, as `framejury adopt` gets them; made without TensorFlow.

`foreign_network` writes a small network of any layout and head. `mesonet_network` writes MesoNet
(Afchar et al., WIFS 2018) with its published weights, which lie beside the checkout.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

Gives = Literal["probability", "logit", "softmax", "logits"]

_MESONET = Path(__file__).resolve().parents[3] / "shared" / "models" / "mesonet"
MESONET_ANSWERS = {
    "Meso4_DF": (0.051301, 0.024241, 0.989748, 0.997144),
    "Meso4_F2F": (0.824709, 0.701825, 0.881023, 0.949380),
}
"""What the networks give for `MESONET_PICTURES`; 1 means REAL."""
MESONET_PICTURES = ("df00204.jpg", "df01254.jpg", "real00240.jpg", "real00772.jpg")
MESONET_BLOCKS = ((8, 3, 2), (8, 5, 2), (16, 5, 2), (16, 5, 4))
"""Filters, side of the kernel and of the pooling window of its four blocks."""


def mesonet_folder() -> Path:
    """The published weights and pictures; the test is skipped where they are not."""
    if not _MESONET.is_dir():
        pytest.skip("no networks beside the checkout (../shared/models)")
    return _MESONET


def foreign_network(
    path: Path,
    *,
    side: int = 32,
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    gives: Gives = "logits",
    classes: int = 2,
    fake: int = 1,
    batch: int | str = "n",
    bound: bool = False,
    frames: int | None = None,
    frames_first: bool = True,
) -> Path:
    """Write a network whose logit of FAKE is 6 * (red - blue of its input, mean over places).

    So colour order, range and the index all matter. It ends in a convolution, ReLU, mean over
    places and one dense layer. Later pictures of a clip count more, so their order matters, too.

    Args:
        side: of the input, pixels.
        layout: of one picture.
        gives: probability and logit: one number; softmax and logits: one per class.
        classes: of softmax and logits.
        fake: the index of FAKE.
        batch: the first dimension of the input: a name, or faces per call.
        bound: a constant in the graph holds `batch`, so that no other number can be used.
        frames: the network sees clips of so many pictures; None: one picture.
        frames_first: frames stand before the channels of NCHW, otherwise after them.
    """
    picture = [3, side, side] if layout == "NCHW" else [side, side, 3]
    nodes, current = _pictures(layout, frames, frames_first, picture)
    kernel = np.zeros((2, 3, 8, 8), np.float32)
    kernel[0, 0] = kernel[1, 2] = 1 / 64
    # The bias keeps inputs below zero (-1..1, ImageNet) from being cut off by the ReLU.
    weights = {"kernel": kernel, "bias": np.full(2, 4, np.float32)}
    nodes += [
        helper.make_node("Conv", [current, "kernel", "bias"], ["conv"], strides=[8, 8]),
        helper.make_node("Relu", ["conv"], ["activation"]),
        helper.make_node("GlobalAveragePool", ["activation"], ["pooled"]),
    ]
    features = 2 if frames is None else 2 * frames
    weights["rows"] = np.array([batch if bound else -1, features], np.int64)
    nodes.append(helper.make_node("Reshape", ["pooled", "rows"], ["flat"]))
    single = gives in ("probability", "logit")
    dense = np.zeros((features, 1 if single else classes), np.float32)
    shares = np.arange(1, (frames or 1) + 1) / sum(range(1, (frames or 1) + 1))
    column = 0 if single else fake
    dense[0::2, column], dense[1::2, column] = 6 * shares, -6 * shares
    weights |= {"dense": dense, "zero": np.zeros(dense.shape[1], np.float32)}
    last = {"probability": "Sigmoid", "softmax": "Softmax"}.get(gives)
    nodes.append(
        helper.make_node("Gemm", ["flat", "dense", "zero"], ["product" if last else "answer"])
    )
    if last:
        nodes.append(helper.make_node(last, ["product"], ["answer"]))
    shape = picture
    if frames is not None:
        before = 0 if layout == "NHWC" or frames_first else 1
        shape = [*picture[:before], frames, *picture[before:]]
    return _save(path, nodes, weights, [batch, *shape], [batch, dense.shape[1]])


def mesonet_network(path: Path, weights: str = "Meso4_DF") -> Path:
    """Write MesoNet as ONNX: input (n, 256, 256, 3) RGB, 0 to 1; output (n, 1), 1 means REAL."""
    arrays: dict[str, list[np.ndarray]] = {}
    with h5py.File(mesonet_folder() / f"{weights}.h5") as file:
        for layer in file.attrs["layer_names"]:
            group = file[layer]
            kind = layer.decode().rpartition("_")[0]
            found = [np.asarray(group[name]) for name in group.attrs["weight_names"]]
            arrays.setdefault(kind, []).extend(found)
    made: dict[str, np.ndarray] = {}
    nodes = [helper.make_node("Transpose", ["pixels"], ["b0"], perm=[0, 3, 1, 2])]
    for block, (_, _, pool) in enumerate(MESONET_BLOCKS):
        kernel, bias = arrays["conv2d"][2 * block : 2 * block + 2]
        made |= {f"k{block}": kernel.transpose(3, 2, 0, 1), f"c{block}": bias}
        names = [f"{name}{block}" for name in ("gamma", "beta", "mean", "variance")]
        made |= dict(
            zip(names, arrays["batch_normalization"][4 * block : 4 * block + 4], strict=True)
        )
        side = [pool, pool]
        nodes += [
            helper.make_node(
                "Conv",
                [f"b{block}", f"k{block}", f"c{block}"],
                [f"v{block}"],
                auto_pad="SAME_UPPER",
            ),
            helper.make_node("Relu", [f"v{block}"], [f"r{block}"]),
            helper.make_node(
                "BatchNormalization", [f"r{block}", *names], [f"n{block}"], epsilon=0.001
            ),
            helper.make_node(
                "MaxPool", [f"n{block}"], [f"b{block + 1}"], kernel_shape=side, strides=side
            ),
        ]
    made |= dict(zip(("w1", "d1", "w2", "d2"), arrays["dense"], strict=True))
    nodes += [
        helper.make_node("Transpose", ["b4"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Flatten", ["last"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w1", "d1"], ["hidden"]),
        helper.make_node("LeakyRelu", ["hidden"], ["active"], alpha=0.1),
        helper.make_node("Gemm", ["active", "w2", "d2"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["real"]),
    ]
    return _save(path, nodes, made, ["n", 256, 256, 3], ["n", 1], given="pixels", answer="real")


def mesonet_architecture(path: Path) -> Path:
    """Write the architecture of MesoNet as Keras does (`to_json`)."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    x = given = keras.Input((256, 256, 3))
    for filters, side, pool in MESONET_BLOCKS:
        x = layers.Conv2D(filters, side, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(pool, padding="same")(x)
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    x = layers.LeakyReLU(negative_slope=0.1)(layers.Dense(16)(x))
    x = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(x))
    path.write_text(keras.Model(given, x).to_json())
    return path


def description(path: Path, text: str | dict[str, object]) -> Path:
    """Write a description for `framejury adopt`; YAML, of which JSON is a part."""
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def _pictures(
    layout: str, frames: int | None, frames_first: bool, picture: Sequence[int]
) -> tuple[list[onnx.NodeProto], str]:
    """Nodes from the input to single pictures, NCHW, and the name of these."""
    nodes, current = [], "input"
    if frames is not None and layout == "NCHW" and not frames_first:
        nodes.append(helper.make_node("Transpose", [current], ["turned"], perm=[0, 2, 1, 3, 4]))
        current = "turned"
    if frames is not None:
        single = numpy_helper.from_array(np.array([-1, *picture], np.int64), "single_shape")
        nodes.append(helper.make_node("Constant", [], ["single_shape"], value=single))
        nodes.append(helper.make_node("Reshape", [current, "single_shape"], ["single"]))
        current = "single"
    if layout == "NHWC":
        nodes.append(helper.make_node("Transpose", [current], ["nchw"], perm=[0, 3, 1, 2]))
        current = "nchw"
    return nodes, current


def _save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    shape: Sequence[int | str],
    answers: Sequence[int | str],
    *,
    given: str = "input",
    answer: str = "answer",
) -> Path:
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(answer, TensorProto.FLOAT, answers)],
        [numpy_helper.from_array(np.ascontiguousarray(w), name) for name, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path
