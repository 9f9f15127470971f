"""ONNX files without the `onnx` package, which executors lack: nodes, constants, and appending.

An ONNX file is a protocol buffer, and messages that follow each other are merged: new nodes and
outputs are appended, and the rest of the file stays as it is. `protobuf` comes with ONNX Runtime;
the few fields needed are declared here (onnx/onnx.proto).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_SCHEMA = {
    "Attribute": "name:1:STRING f:2:FLOAT i:3:INT64 s:4:BYTES t:5:Tensor *floats:7:FLOAT "
    "*ints:8:INT64 type:20:INT64",
    "Node": "*input:1:STRING *output:2:STRING op_type:4:STRING *attribute:5:Attribute",
    "Tensor": "*dims:1:INT64 data_type:2:INT64 *float_data:4:FLOAT *int32_data:5:INT64 "
    "*int64_data:7:INT64 name:8:STRING raw_data:9:BYTES",
    "Value": "name:1:STRING",
    "Graph": "*node:1:Node *initializer:5:Tensor *output:12:Value",
    "Operators": "domain:1:STRING version:2:INT64",
    "Model": "graph:7:Graph *opset_import:8:Operators",
}
"""Message -> name, number and type of its fields; a star marks repeated ones."""
_ATTRIBUTES = {
    **{"equation": ("s", 3), "value_floats": ("floats", 6)},
    **dict.fromkeys(("alpha", "beta"), ("f", 1)),
    **dict.fromkeys(("axis", "keepdims"), ("i", 2)),
    **dict.fromkeys(("axes", "value_ints"), ("ints", 7)),
}
"""Attribute of a new node -> the field that holds it, and ONNX's number of its type."""
_FIELDS = {1: ("f4", "float_data"), 6: ("i4", "int32_data"), 7: ("i8", "int64_data")}
"""ONNX's number of an element type -> NumPy's name for it, and the field if it is not raw."""


class Network:
    """The nodes and constants of an ONNX file, and what is to be appended to it.

    Args:
        content: the file.

    Raises:
        ValueError: it is not an ONNX file.
    """

    def __init__(self, content: bytes) -> None:
        try:
            model = _model_class().FromString(content)
        except DecodeError as error:
            raise ValueError(str(error)) from None
        self._content = content
        self._giving = {name: node for node in model.graph.node for name in node.output}
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._constants = set(self._weights)
        for node in model.graph.node:  # each comes after those that give its inputs
            if all(name in self._constants for name in node.input if name):
                self._constants.update(node.output)
        own = (one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
        self.opset = max(own, default=0)
        self._addition = _model_class()()

    @property
    def size(self) -> int:
        """Number of values that its nodes give."""
        return len(self._giving)

    def node_of(self, name: str) -> Any:
        """Return the node that gives a value; LookupError for inputs and weights."""
        return self._giving[name]

    def is_constant(self, name: str) -> bool:
        """Return whether a value is the same for every input of the network."""
        return name in self._constants

    def variable_of(self, node: Any) -> str:
        """Return the only input of a node that is no constant.

        Raises:
            ValueError: it has none, or several.
        """
        (name,) = (one for one in node.input if one and not self.is_constant(one))
        return str(name)

    def values(self, name: str) -> npt.NDArray[Any]:
        """Return a constant of type float32, int32 or int64.

        Raises:
            LookupError, ValueError: it is computed, or of another type.
        """
        tensor = self._tensor(name)
        kind, field = _FIELDS[tensor.data_type]
        if tensor.raw_data:
            flat = np.frombuffer(tensor.raw_data, f"<{kind}")
        else:
            flat = np.array(getattr(tensor, field), kind)
        return flat.reshape(tuple(tensor.dims))

    def dims(self, name: str) -> tuple[int, ...]:
        """Return the shape of a stored constant; LookupError for a computed one."""
        return tuple(self._tensor(name).dims)

    def _tensor(self, name: str) -> Any:
        if name in self._weights:
            return self._weights[name]
        node = self.node_of(name)
        for one in node.attribute:
            if node.op_type == "Constant" and one.name == "value":
                return one.t
        raise LookupError(f"{name} is not stored")

    def add(self, op_type: str, *inputs: str, name: str, **attributes: Any) -> str:
        """Append a node, and return the name of its output."""
        node = self._addition.graph.node.add(op_type=op_type, input=inputs, output=[name])
        for key, value in attributes.items():
            field, number = _ATTRIBUTES[key]
            made = node.attribute.add(name=key, type=number)
            if field.endswith("s") and field != "s":
                getattr(made, field).extend(value)
            else:
                setattr(made, field, value)
        return name

    @property
    def added(self) -> int:
        """Number of appended nodes."""
        return len(self._addition.graph.node)

    def with_output(self, name: str) -> bytes:
        """Return the file with the appended nodes, one of whose outputs the network then gives."""
        self._addition.graph.output.add(name=name)
        return self._content + bytes(self._addition.SerializeToString())


def attribute(node: Any, name: str, default: Any) -> Any:
    """Return an attribute of a node: a number, or a list of whole numbers."""
    for one in node.attribute:
        if one.name == name:
            return {1: one.f, 2: one.i, 7: list(one.ints)}[one.type]
    return default


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
