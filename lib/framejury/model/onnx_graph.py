"""What Grad-CAM needs of an ONNX file: its nodes, its weights, and one more output.

The `onnx` package is not on executors, so the few fields are read from the wire format here
(https://protobuf.dev/programming-guides/encoding, onnx/onnx.proto). Tests compare with `onnx`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_OUTPUT = 1, 5, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP_TYPE = 1, 2, 4
_TENSOR_DIMS, _TENSOR_DATA_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 4, 8, 9
_TENSOR_INTS = 7
_VALUE_NAME = 1
_FLOAT, _INT64 = 1, 7


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: what it takes and gives, by name."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """The part of a graph that is read.

    Attributes:
        nodes: in topological order.
        weights: initializers by name, not yet read: bytes of each.
    """

    nodes: tuple[Node, ...]
    weights: dict[str, memoryview]

    def giving(self, name: str) -> Node | None:
        """The node whose output `name` is."""
        return next((node for node in self.nodes if name in node.outputs), None)

    def weight(self, name: str) -> npt.NDArray[np.float32] | None:
        """An initializer as float32 of its shape; None where it is none, or of another type."""
        return _tensor(self.weights[name]) if name in self.weights else None

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """An initializer of whole numbers from 0 (int64); None where it is none, or another."""
        return _numbers(self.weights[name]) if name in self.weights else None


def read_graph(content: bytes) -> Graph:
    """The graph of an ONNX file.

    Raises:
        ValueError: the bytes are no such file.
    """
    nodes: list[Node] = []
    weights: dict[str, memoryview] = {}
    for number, graph in _fields(memoryview(content)):
        if number != _MODEL_GRAPH or not isinstance(graph, memoryview):
            continue
        for field, value in _fields(graph):
            if field == _GRAPH_NODE and isinstance(value, memoryview):
                nodes.append(_node(value))
            elif field == _GRAPH_INITIALIZER and isinstance(value, memoryview):
                name = _text(value, _TENSOR_NAME)
                if name:
                    weights[name] = value
    if not nodes:
        raise ValueError(f"{len(content)} bytes are no ONNX file with a graph")
    return Graph(tuple(nodes), weights)


def with_output(content: bytes, name: str) -> bytes:
    """The same file with the value `name` as one more output, behind those that it has.

    Protocol buffers that follow each other are merged, repeated fields appended, so nothing of
    the file is written anew.
    """
    value_info = _field(_VALUE_NAME, name.encode())
    return content + _field(_MODEL_GRAPH, _field(_GRAPH_OUTPUT, value_info))


def _node(data: memoryview) -> Node:
    inputs, outputs, op_type = [], [], ""
    for field, value in _fields(data):
        if not isinstance(value, memoryview):
            continue
        if field == _NODE_INPUT:
            inputs.append(str(value, "utf-8"))
        elif field == _NODE_OUTPUT:
            outputs.append(str(value, "utf-8"))
        elif field == _NODE_OP_TYPE:
            op_type = str(value, "utf-8")
    return Node(op_type, tuple(inputs), tuple(outputs))


def _tensor(data: memoryview) -> npt.NDArray[np.float32] | None:
    dims: list[int] = []
    data_type, raw = 0, b""
    for field, value in _fields(data):
        if field == _TENSOR_DIMS:
            dims += _packed(value)
        elif field == _TENSOR_DATA_TYPE and isinstance(value, int):
            data_type = value
        elif field in (_TENSOR_RAW, _TENSOR_FLOATS) and isinstance(value, memoryview):
            raw += bytes(value)
    if data_type != _FLOAT or len(raw) != 4 * int(np.prod(dims)):
        return None
    return np.frombuffer(raw, "<f4").reshape(dims).astype(np.float32)


def _numbers(data: memoryview) -> tuple[int, ...] | None:
    numbers: list[int] = []
    data_type = 0
    for field, value in _fields(data):
        if field == _TENSOR_DATA_TYPE and isinstance(value, int):
            data_type = value
        elif field == _TENSOR_RAW and isinstance(value, memoryview) and len(value) % 8 == 0:
            numbers += np.frombuffer(value, "<i8").tolist()
        elif field == _TENSOR_INTS:
            numbers += _packed(value)
    return tuple(numbers) if data_type == _INT64 else None


def _packed(value: int | memoryview) -> list[int]:
    """A repeated number: one, or all of them in one field."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def _text(data: memoryview, wanted: int) -> str | None:
    for field, value in _fields(data):
        if field == wanted and isinstance(value, memoryview):
            return str(value, "utf-8")
    return None


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: whole numbers, or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"no ONNX file: wire type {kind}")
        if at + size > len(data):
            raise ValueError("no ONNX file: it ends within a field")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number and the place behind it."""
    number = shift = 0
    while at < len(data):
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise ValueError("no ONNX file: a number without end")


def _field(number: int, data: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(data)) + data


def _encoded(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
