"""A foreign network with framejury's own input and output, by nodes before and behind it.

The bundle's network then reads and gives what every bundle's does, so executors need nothing new:
float32 RGB pictures (n, side, side, 3) or clips (n, frames, side, side, 3), 0 to 255; one score per
face, near 1 for FAKE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from framejury.adoption.description import Description
from framejury.adoption.network_facts import NetworkFacts, all_nodes, output_type
from framejury.model.manifest import HEAT_NAME, OUTPUT_NAME

PIXELS_NAME = "pixels"
_OWN = "framejury/"
"""Begins the names of nodes and constants that are added."""
INDEX_NAME = f"{_OWN}index_of_fake"
_IR_VERSION = 8


@dataclass(frozen=True)
class Affine:
    """What happens to a pixel of 0 to 255 before the network: times `factor`, plus `shift`.

    Attributes:
        factor, shift: float64 (3,), in the network's order of colours.
        reverses: the network reads BGR.
    """

    factor: np.ndarray
    shift: np.ndarray
    reverses: bool

    @classmethod
    def of(cls, description: Description) -> Affine:
        """Read it from a completed description."""
        part = description.input
        assert part.scale is not None
        factor, shift = {"0..255": (1.0, 0.0), "0..1": (1 / 255, 0.0), "-1..1": (2 / 255, -1.0)}[
            part.scale
        ]
        mean = np.array(part.mean or (0, 0, 0), np.float64)
        deviation = np.array(part.deviation or (1, 1, 1), np.float64)
        return cls(
            np.full(3, factor) / deviation, (shift - mean) / deviation, part.colours == "BGR"
        )


def contract_model(
    model: onnx.ModelProto, facts: NetworkFacts, description: Description
) -> onnx.ModelProto:
    """Return the network with framejury's input and output, for any number of faces per call.

    Args:
        model: the network as it was given; it is not changed.
        facts: of this network, under the layout and output of the description.
        description: completed.
    """
    model = _without_clashes(model)
    made = _Additions(model)
    weights = {item.name for item in model.graph.initializer}
    given = next(item.name for item in model.graph.input if item.name not in weights)
    answer = model.graph.output[[item.name for item in facts.outputs].index(_name(description))]
    before = _before(made, facts, description, given)
    after = _after(made, description, answer.name, output_type(model, answer.name))
    nodes = [*before, *model.graph.node, *after]
    del model.graph.node[:], model.graph.input[:], model.graph.output[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    assert description.input.side_px is not None
    picture = [description.input.side_px, description.input.side_px, 3]
    frames = [] if description.clip is None else [description.frames]
    shape: list[str | int | None] = ["n", *frames, *picture]
    model.graph.input.append(helper.make_tensor_value_info(PIXELS_NAME, TensorProto.FLOAT, shape))
    model.graph.output.append(
        helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, ["n", 1])
    )
    model.ir_version = max(model.ir_version, _IR_VERSION)
    del model.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    onnx.checker.check_model(model)
    return model


def _name(description: Description) -> str:
    assert description.output.name is not None
    return description.output.name


class _Additions:
    """Makes nodes, with their constants put into the model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._count = 0

    def constant(self, values: Sequence[int] | np.ndarray, name: str | None = None) -> str:
        """Add a constant and return its name."""
        self._count += 1
        tensor = numpy_helper.from_array(np.asarray(values), name or f"{_OWN}{self._count}")
        self._model.graph.initializer.append(tensor)
        return tensor.name

    def chain(
        self, start: str, end: str, steps: Sequence[tuple[str, list[str], dict[str, Any]]]
    ) -> list[onnx.NodeProto]:
        """Return nodes that follow each other: kind, further inputs, attributes."""
        nodes, current = [], start
        steps = steps or [("Identity", [], {})]
        for rank, (kind, more, attributes) in enumerate(steps, start=1):
            self._count += 1
            name = f"{_OWN}{self._count}"
            output = end if rank == len(steps) else name
            inputs = [*more, current] if kind == "Sub" else [current, *more]
            nodes.append(helper.make_node(kind, inputs, [output], name=name, **attributes))
            current = output
        return nodes


def _before(
    made: _Additions, facts: NetworkFacts, description: Description, given: str
) -> list[onnx.NodeProto]:
    """Return nodes from framejury's pixels to the foreign input."""
    layout = description.input.layout
    assert layout is not None
    own = "NHWC" if description.clip is None else "NTHWC"
    turn = [own.index(axis) for axis in layout]
    channels = layout.index("C")
    # Planes are worked on after they were turned: channels last are slow in ONNX Runtime.
    shape = [3 if axis == channels else 1 for axis in range(1, len(layout))]
    affine = Affine.of(description)
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    if turn != sorted(turn):
        steps.append(("Transpose", [], {"perm": turn}))
    if affine.reverses:
        reverse = made.constant(np.array([2, 1, 0], np.int64))
        steps.append(("Gather", [reverse], {"axis": channels}))
    if (affine.factor != 1).any():
        factor = made.constant(affine.factor.astype(np.float32).reshape(shape))
        steps.append(("Mul", [factor], {}))
    if (affine.shift != 0).any():
        shift = made.constant(affine.shift.astype(np.float32).reshape(shape))
        steps.append(("Add", [shift], {}))
    if facts.input_type != TensorProto.FLOAT:
        steps.append(("Cast", [], {"to": facts.input_type}))
    return made.chain(PIXELS_NAME, given, steps)


def _after(
    made: _Additions, description: Description, answer: str, kind: int
) -> list[onnx.NodeProto]:
    """Return nodes from the foreign output to one score per face."""
    output, classes = description.output, description.classes
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    if kind != TensorProto.FLOAT:
        steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
    rows = made.constant(np.array([-1, classes], np.int64))
    steps.append(("Reshape", [rows], {}))
    if output.gives == "logits":
        steps.append(("Softmax", [], {"axis": 1}))
    if classes > 1:
        index = made.constant(np.array([output.index_of_fake], np.int64), INDEX_NAME)
        steps.append(("Gather", [index], {"axis": 1}))
    if output.gives == "logit":
        if description.inverted():
            steps.append(("Neg", [], {}))
        steps.append(("Sigmoid", [], {}))
    elif description.inverted():
        steps.append(("Sub", [made.constant(np.ones((1, 1), np.float32))], {}))
    return made.chain(answer, OUTPUT_NAME, steps)


def _without_clashes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose names differ from those that are added."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = {name for node in all_nodes(copy.graph) for name in (*node.input, *node.output)}
    names |= {item.name for item in (*copy.graph.input, *copy.graph.output)}
    own = any(name.startswith(_OWN) for name in names)
    if own or names & {PIXELS_NAME, OUTPUT_NAME, HEAT_NAME}:
        copy = compose.add_prefix(copy, "net/")
    return copy
