"""Heat maps of bundles in formats 1 to 3, whose networks have no output for them.

From format 4 on, `framejury.training.network` puts that output into the network at export, and this
module is not used. Here the same map is added while an older network is loaded. An ONNX file is
a protocol buffer, and messages that follow each other are merged: the new nodes and the output
are appended, and the rest of the file stays as it is. `protobuf` comes with ONNX Runtime; the
`onnx` package is not on executors, so the few fields needed are declared here (onnx/onnx.proto).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from framejury.model.manifest import HEAT_NAME, OUTPUT_NAME

_SCHEMA = {
    "Attribute": "name:1:STRING s:4:BYTES *floats:7:FLOAT *ints:8:INT64 type:20:INT64",
    "Node": "*input:1:STRING *output:2:STRING op_type:4:STRING *attribute:5:Attribute",
    "Tensor": "*dims:1:INT64 name:8:STRING raw_data:9:BYTES",
    "Value": "name:1:STRING",
    "Graph": "*node:1:Node *initializer:5:Tensor *output:12:Value",
    "Model": "graph:7:Graph",
}
"""Message -> name, number and type of its fields; a star marks repeated ones."""
_ATTRIBUTES = {"equation": ("s", 3), "value_floats": ("floats", 6), "axes": ("ints", 7)}
"""Attribute of a node -> the field that holds it, and ONNX's number of its type."""
_NEAR_ZERO = 1e-37


def with_heat(content: bytes) -> bytes:
    """Return an ONNX file with the heat map as one more output; its scores keep every bit.

    The file comes back unchanged where the network is not as `framejury train` wrote it: a mean
    over places, dense layers with ReLU, then a sigmoid, or FAKE's part of a softmax of two.
    """
    try:
        activation, sign, layers = _head(_model_class().FromString(content).graph)
    except (DecodeError, LookupError, ValueError):
        return content
    addition = _model_class()()

    def add(op_type: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        output = name or f"{HEAT_NAME}/{len(addition.graph.node)}"
        node = addition.graph.node.add(op_type=op_type, input=inputs, output=[output])
        for key, value in attributes.items():
            field, number = _ATTRIBUTES[key]
            node.attribute.add(name=key, type=number, **{field: value})
        return output

    gradient, shape = add("Constant", value_floats=sign), "c"
    for kernel, active in layers:
        if active is not None:  # a ReLU passes the gradient where it is above 0
            gradient, shape = add("Mul", gradient, add("Sign", active)), "nc"
        gradient = add("MatMul", gradient, add("Transpose", kernel))
    heat = add("Einsum", gradient, activation, equation=f"{shape},nchw->nhw".encode())
    heat = add("Relu", heat)
    highest = add("ReduceMax", heat, axes=[1, 2])
    highest = add("Max", highest, add("Constant", value_floats=[_NEAR_ZERO]))
    add("Div", heat, highest, name=HEAT_NAME)
    addition.graph.output.add(name=HEAT_NAME)
    return content + bytes(addition.SerializeToString())


@cache
def _model_class() -> Any:
    """Return the class of an ONNX model, as far as `_SCHEMA` describes it."""
    file = descriptor_pb2.FileDescriptorProto(name="onnx_subset.proto", package="subset")
    for message, fields in _SCHEMA.items():
        described = file.message_type.add(name=message)
        for name, number, kind in (field.split(":") for field in fields.split()):
            field = described.field.add(name=name.lstrip("*"), number=int(number))
            field.label = field.LABEL_REPEATED if name.startswith("*") else field.LABEL_OPTIONAL
            if kind in _SCHEMA:
                field.type, field.type_name = field.TYPE_MESSAGE, f".subset.{kind}"
            else:
                field.type = getattr(field, f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("subset.Model"))


def _head(graph: Any) -> tuple[str, list[float], list[tuple[str, str | None]]]:
    """Find what lies between the last activation and the score.

    Returns:
        name of the activation, float32 (n, channels, rows, columns); the sign with which each
        logit counts for FAKE; and of each dense layer, the last first, the name of its kernel
        and of its output after ReLU (None for the last layer, which has none).

    Raises:
        LookupError, ValueError: the network is of another kind.
    """
    giving = {name: node for node in graph.node for name in node.output}
    weights = {tensor.name: tensor for tensor in graph.initializer}

    def node_of(name: str, *skipped: str) -> Any:
        """Return the node that gives `name`, or the first above it not of `skipped` types."""
        node = giving[name]
        return node_of(node.input[0], *skipped) if node.op_type in skipped else node

    def numbers(name: str) -> list[int]:
        values: list[int] = np.frombuffer(weights[name].raw_data, "<i8").tolist()
        return values

    sign, end = [1.0], node_of(OUTPUT_NAME, "Reshape", "Squeeze")
    if end.op_type == "Slice":
        first = dict(zip(numbers(end.input[3]), numbers(end.input[1]), strict=True))
        if first not in ({1: 1}, {0: 0, 1: 1}):
            raise ValueError("the score is not FAKE's column")
        sign, end = [-1.0, 1.0], node_of(end.input[0])
    name = end.input[0]
    layers: list[tuple[str, str | None]] = []
    while (node := node_of(name, "Relu")).op_type in ("Add", "MatMul"):
        if node.op_type == "Add":  # of the bias; tf2onnx leaves a bias of zeros out
            (node,) = (giving[one] for one in node.input if one in giving)
        layers.append((node.input[1], name if giving[name].op_type == "Relu" else None))
        name = node.input[0]
    pooled = node_of(name, "Squeeze", "Flatten", "Reshape")
    fits = (
        end.op_type == ("Sigmoid" if len(sign) == 1 else "Softmax")
        and pooled.op_type == "GlobalAveragePool"
        and all((active is None) == (rank == 0) for rank, (_, active) in enumerate(layers))
        and all(len(weights[kernel].dims) == 2 for kernel, _ in layers)
        and weights[layers[0][0]].dims[1] == len(sign)
    )
    if not fits:
        raise ValueError("the network is of another kind")
    return pooled.input[0], sign, layers
