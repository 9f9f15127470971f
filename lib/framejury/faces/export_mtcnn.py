"""Convert the weights of the `mtcnn` 1.0.0 package into the three ONNX files beside this module.

    python -m framejury.faces.export_mtcnn [--out DIR]

Run by maintainers only; the files it writes are committed. It needs `onnx`, `joblib`,
`lz4` and the installed `mtcnn` package (extra `train`), and imports no TensorFlow: the
package's weight files are read, its code is not run.

Each network takes `input` float32 (count, height, width, 3) RGB, pixels mapped to
(value - 127.5) / 128, and gives NCHW inside. The outputs:

    pnet   offsets (count, 4, h, w)   face (count, h, w)     any input of 12 pixels or more
    rnet   offsets (count, 4)         face (count,)          input 24 x 24
    onet   offsets (count, 4)         face (count,)          input 48 x 48
           landmarks (count, 10): five x, then five y

`face` is the probability of a face, 0 to 1: the second value of the package's softmax
over two classes, written as the sigmoid of their difference, which it equals.
Source: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", 2016; weights MIT, see weights/LICENSE-mtcnn.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import numpy.typing as npt
from onnx import TensorProto, checker, helper, numpy_helper

from framejury.errors import SetupError

MTCNN_VERSION = "1.0.0"
OPSET = 17
IR_VERSION = 8  # read by every ONNX Runtime since 1.12
NETWORKS = ("pnet", "rnet", "onet")
WEIGHTS_DIR = Path(__file__).resolve().parent / "weights"
SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
"""Digests of the package's weight files; joblib unpickles, so nothing else is opened."""

Array = npt.NDArray[np.float32]
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
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def take(self, count: int) -> list[Array]:
        """The next arrays of the package's list, which is in the order of the layers."""
        return [next(self._weights) for _ in range(count)]

    def conv(self, source: str, name: str) -> str:
        """Valid convolution; Keras keeps HWIO, ONNX wants OIHW."""
        kernel, bias = self.take(2)
        return self._conv(source, name, kernel, bias)

    def conv_face(self, source: str, name: str) -> str:
        """1x1 convolution to two classes and softmax, as one sigmoid: (count, 1, h, w)."""
        kernel, bias = self.take(2)
        logit = self._conv(
            source, f"{name}_logit", kernel[..., 1:] - kernel[..., :1], bias[1:] - bias[:1]
        )
        return self.op("Sigmoid", [logit], name)

    def _conv(self, source: str, name: str, kernel: Array, bias: Array) -> str:
        weight = self.constant(kernel.transpose(3, 2, 0, 1), f"{name}_w")
        return self.op("Conv", [source, weight, self.constant(bias, f"{name}_b")], name)

    def dense(self, source: str, name: str) -> str:
        return self._dense(source, name, *self.take(2))

    def dense_face(self, source: str, name: str) -> str:
        """Dense layer of two classes and softmax, as one sigmoid: (count, 1)."""
        kernel, bias = self.take(2)
        logit = self._dense(
            source, f"{name}_logit", kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
        )
        return self.op("Sigmoid", [logit], name)

    def _dense(self, source: str, name: str, kernel: Array, bias: Array) -> str:
        weight = self.constant(kernel, f"{name}_w")
        return self.op("Gemm", [source, weight, self.constant(bias, f"{name}_b")], name)

    def prelu(self, source: str, name: str) -> str:
        """One slope a channel (convolutions, given as (1, 1, C)) or a unit (dense, (U,))."""
        (slope,) = self.take(1)
        shaped = slope.transpose(2, 0, 1) if slope.ndim == 3 else slope
        return self.op("PRelu", [source, self.constant(shaped, f"{name}_slope")], name)

    def max_pool(self, source: str, name: str, pool: Pool) -> str:
        """Stride 2. Keras' `same` pads at the end only, which ONNX calls SAME_UPPER."""
        side, padding = pool
        return self.op(
            "MaxPool",
            [source],
            name,
            kernel_shape=[side, side],
            strides=[2, 2],
            auto_pad=padding,
        )

    def conv_blocks(self, source: str, pools: Sequence[Pool | None]) -> str:
        for number, pool in enumerate(pools, start=1):
            source = self.prelu(self.conv(source, f"conv{number}"), f"prelu{number}")
            if pool is not None:
                source = self.max_pool(source, f"pool{number}", pool)
        return source

    def flatten(self, source: str) -> str:
        """NCHW to the (width, height, channel) order of the package's Permute and Flatten."""
        turned = self.op("Transpose", [source], "turned", perm=[0, 3, 2, 1])
        return self.op("Flatten", [turned], "flat", axis=1)

    def squeeze(self, source: str, name: str) -> str:
        axes = self.constant(np.array([1], np.int64), f"{name}_axes")
        return self.op("Squeeze", [source, axes], name)


def _pnet(graph: _Graph, source: str) -> dict[str, list[int | str]]:
    top = graph.conv_blocks(source, [(2, "SAME_UPPER"), None, None])
    graph.conv(top, "offsets")
    graph.squeeze(graph.conv_face(top, "face_map"), "face")
    return {"offsets": ["count", 4, "h", "w"], "face": ["count", "h", "w"]}


def _rnet(graph: _Graph, source: str) -> dict[str, list[int | str]]:
    top = graph.conv_blocks(source, [(3, "SAME_UPPER"), (3, "VALID"), None])
    top = graph.prelu(graph.dense(graph.flatten(top), "fc"), "fc_prelu")
    graph.dense(top, "offsets")
    graph.squeeze(graph.dense_face(top, "face_column"), "face")
    return {"offsets": ["count", 4], "face": ["count"]}


def _onet(graph: _Graph, source: str) -> dict[str, list[int | str]]:
    top = graph.conv_blocks(source, [(3, "SAME_UPPER"), (3, "VALID"), (2, "SAME_UPPER"), None])
    top = graph.prelu(graph.dense(graph.flatten(top), "fc"), "fc_prelu")
    graph.dense(top, "offsets")
    graph.dense(top, "landmarks")
    graph.squeeze(graph.dense_face(top, "face_column"), "face")
    return {"offsets": ["count", 4], "landmarks": ["count", 10], "face": ["count"]}


def network_bytes(name: str, weights: Sequence[Array]) -> bytes:
    """One network as a serialised ONNX model; the same weights give the same bytes.

    Args:
        name: pnet, rnet or onet.
        weights: float32 arrays in the order of the package's `set_weights`.

    Raises:
        ValueError: more or fewer arrays than the network has.
    """
    build, side = {"pnet": (_pnet, None), "rnet": (_rnet, 24), "onet": (_onet, 48)}[name]
    remaining = iter(weights)
    graph = _Graph(remaining)
    source = graph.op("Transpose", ["input"], "nchw", perm=[0, 3, 1, 2])
    try:
        outputs = build(graph, source)
    except StopIteration:
        raise ValueError(f"{name} needs more than {len(weights)} weight arrays") from None
    if next(remaining, None) is not None:
        raise ValueError(f"{name} does not use all of {len(weights)} weight arrays")
    shape = ["count", side or "height", side or "width", 3]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [
                helper.make_tensor_value_info(key, TensorProto.FLOAT, dims)
                for key, dims in outputs.items()
            ],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="framejury.faces.export_mtcnn",
        doc_string=f"{name} of mtcnn {MTCNN_VERSION} (MIT), Copyright Iván de Paz Centeno",
    )
    model.ir_version = IR_VERSION
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def read_package_weights(name: str) -> list[Array]:
    """The weight arrays of one network as the installed `mtcnn` package ships them.

    Raises:
        SetupError: the package is missing, of another version, or its file was altered.
    """
    try:
        package = distribution("mtcnn")
    except PackageNotFoundError:
        raise SetupError(f"mtcnn is not installed; pip install mtcnn=={MTCNN_VERSION}") from None
    path = Path(str(package.locate_file(f"mtcnn/assets/weights/{name}.lz4")))
    if not path.is_file():
        raise SetupError(f"{path} is missing; pip install mtcnn=={MTCNN_VERSION}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256[name]:
        raise SetupError(
            f"{path} of mtcnn {package.version} has SHA-256 {digest}, not {SHA256[name]}; "
            f"pip install --force-reinstall mtcnn=={MTCNN_VERSION}"
        )
    arrays: list[Array] = joblib.load(path)
    return arrays


def export(out_dir: Path) -> list[Path]:
    """Write the three networks into `out_dir`; returns their paths.

    Raises:
        SetupError: the `mtcnn` package cannot be used.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in NETWORKS:
        path = out_dir / f"{name}.onnx"
        path.write_bytes(network_bytes(name, read_package_weights(name)))
        paths.append(path)
    return paths


def main(argv: Sequence[str]) -> int:
    """Export and print one line a file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m framejury.faces.export_mtcnn")
    parser.add_argument("--out", type=Path, default=WEIGHTS_DIR, help="folder (%(default)s)")
    for path in export(parser.parse_args(argv).out):
        print(f"{path} {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
