"""Heat maps (Grad-CAM) of networks that have no output for them, computed inside their graph.

framejury's own networks get that output at export (`framejury.training.network`). Here the same map
is appended to a network trained elsewhere, when it is adopted, and to one of a bundle in formats 1
to 3, while it is loaded.

Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017. The map is ReLU(sum_k a_k A_k) over the channels A_k of the activation
that is averaged over all places; a_k is the gradient of the score's log-odds with respect to A_k.
Between the two lie dense layers and simple functions, so a graph without gradients computes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import onnxruntime

from framejury.model.manifest import HEAT_NAME, OUTPUT_NAME
from framejury.model.onnx_subset import Network, attribute

MOST_CELLS = 64
"""Most cells along one side of a map."""
_NEAR_ZERO = 1e-37
_HIDDEN = -1e30
"""Added to a logit, it leaves a class out of a softmax."""
_TO_THE_END = 2**31 - 1
_OLDEST_OPSET = 12
"""The first with Einsum."""

_SAME = ("Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout", "Cast")
"""Types of nodes that change the shape of a face's values at most."""
_ENDS = ("Sigmoid", "Softmax")
_CHOICES = ("Slice", "Gather")
_AFFINE = ("Add", "Sub", "Mul", "Div", "Neg")
_DENSE = ("MatMul", "Gemm")
_STEPS = (*_AFFINE, *_DENSE, "Relu", "Clip", "HardSwish", "BatchNormalization")
_POOLS = {(2, 3): "nchw", (-2, -1): "nchw", (1, 2): "nhwc", (-3, -2): "nhwc"}
"""Axes of a mean over places -> the layout of the activation."""


@dataclass(frozen=True)
class _Head:
    """What lies between the last activation and the score.

    Attributes:
        activation: its name, float32 (n, channels, rows, columns) if the layout is nchw.
        steps: the nodes between pooling and logits, the last first, each with its variable input.
        logits: name of what the sigmoid or the softmax is computed from.
        softmax: whether it is a softmax.
        choice: the node that chooses the score's column; None: there is one column.
        sign: -1 if the score falls as the logit rises, else 1.
    """

    activation: str
    layout: str
    steps: tuple[tuple[Any, str], ...]
    logits: str
    softmax: bool
    choice: Any
    sign: float


class _Add(Protocol):
    """Appends a node, and returns the name of its output."""

    def __call__(self, op_type: str, *inputs: str, **attributes: Any) -> str: ...


def with_heat(content: bytes, output_name: str = OUTPUT_NAME) -> tuple[bytes, int] | None:
    """Return an ONNX file with the heat map as one more output, and the side of the map in cells.

    The map, `heat`, is float32 (n, cells, cells), 0 to 1; each picture's own maximum is 1, and it
    is 0 everywhere where nothing points to FAKE. The network is run once in this process.

    Args:
        content: a network in framejury's contract: float32 (n, side, side, 3) to one score.
        output_name: of that score.

    Returns:
        None where the network is not of a kind of which `heat_added` knows the gradient, its map
        is not square or has more than `MOST_CELLS` by `MOST_CELLS` cells.
    """
    added = heat_added(content, output_name)
    if added is None:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = onnxruntime.InferenceSession(added, options, ["CPUExecutionProvider"])
        (given,) = session.get_inputs()
        faces, *shape = given.shape
        faces = faces if isinstance(faces, int) else 2
        noise = np.random.default_rng(0).uniform(0, 255, (faces, *shape)).astype(np.float32)
        (heat,) = session.run([HEAT_NAME], {given.name: noise})
        (promised,) = (one.shape for one in session.get_outputs() if one.name == HEAT_NAME)
    except Exception:  # ONNX Runtime's errors share no narrower base: the head is of another kind
        return None
    cells = heat.shape[-1]
    fits = (
        heat.shape == (faces, cells, cells)
        and list(promised[1:]) == [cells, cells]
        and 1 <= cells <= MOST_CELLS
        and np.isfinite(heat).all()
    )
    return (added, cells) if fits else None


def heat_added(content: bytes, output_name: str = OUTPUT_NAME) -> bytes | None:
    """Return an ONNX file with the heat map as one more output, without running it.

    Returns:
        None unless the score is a sigmoid, or one class of a softmax, of what dense layers (with
        ReLU, ReLU6, hard swish, batch norm or constants between them) compute from the mean of an
        activation over all places.
    """
    try:
        network = Network(content)
        if network.opset < _OLDEST_OPSET:
            return None
        _append(network, _head(network, output_name))
    except (LookupError, ValueError):
        return None
    return network.with_output(HEAT_NAME)


def _head(network: Network, name: str) -> _Head:
    """Find the head, from the score backwards.

    Raises:
        LookupError, ValueError: the network is of another kind.
    """
    sign, choice, end, logits = 1.0, None, None, ""
    steps: list[tuple[Any, str]] = []
    for _ in range(network.size):  # a damaged file may have a circle
        node = network.node_of(name)
        kind = node.op_type
        if kind in _SAME or (end is None and kind == "Clip"):
            name = node.input[0]
        elif kind in _CHOICES and choice is None and not _dense(steps):
            name, choice = node.input[0], node
        elif end is None and kind in _ENDS and attribute(node, "axis", -1) in (1, -1):
            name = logits = node.input[0]
            end = node
        elif end is None and kind in _AFFINE:
            name = network.variable_of(node)
            sign *= _slope(network, node, name)
        elif end is not None and kind in _STEPS:
            name = network.variable_of(node)
            steps.append((node, name))
        elif end is not None and kind in ("GlobalAveragePool", "ReduceMean"):
            softmax = end.op_type == "Softmax"
            layout = _layout(network, node)
            return _Head(node.input[0], layout, tuple(steps), logits, softmax, choice, sign)
        else:
            break
    raise ValueError("the head is of another kind")


def _dense(steps: Sequence[tuple[Any, str]]) -> list[Any]:
    return [node for node, _ in steps if node.op_type in _DENSE]


def _slope(network: Network, node: Any, variable: str) -> float:
    """Return 1 where a sum or product with a constant rises with its variable, else -1."""
    if node.op_type in ("Add", "Neg"):
        return -1.0 if node.op_type == "Neg" else 1.0
    if node.op_type == "Sub":
        return 1.0 if node.input[0] == variable else -1.0
    (other,) = (one for one in node.input if one != variable)
    (factor,) = network.values(other).ravel().tolist()
    if factor == 0 or (node.op_type == "Div" and node.input[0] != variable):
        raise ValueError("the score is not a multiple of a sigmoid or softmax")
    return 1.0 if factor > 0 else -1.0


def _layout(network: Network, pool: Any) -> str:
    if pool.op_type == "GlobalAveragePool":
        return "nchw"
    axes = attribute(pool, "axes", None)
    if axes is None:
        axes = network.values(pool.input[1]).tolist()
    return _POOLS[tuple(sorted(axes))]


def _append(network: Network, head: _Head) -> None:
    """Append the nodes of the heat map."""

    def add(op_type: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        unnamed = f"{HEAT_NAME}/{network.added}"
        return network.add(op_type, *inputs, name=name or unnamed, **attributes)

    gradient, is_batched = _of_logits(network, head, add)
    for node, variable in head.steps:
        gradient, varies = _Backwards(network, node, variable, add).pull(gradient)
        is_batched |= varies
    shape = "nc" if is_batched else "c"
    equation = f"{shape},{head.layout}->nhw".encode()
    heat = add("Relu", add("Einsum", gradient, head.activation, equation=equation))
    if network.opset < 18:
        highest = add("ReduceMax", heat, axes=[1, 2])
    else:
        highest = add("ReduceMax", heat, add("Constant", value_ints=[1, 2]))
    highest = add("Max", highest, add("Constant", value_floats=[_NEAR_ZERO]))
    add("Div", heat, highest, name=HEAT_NAME)


def _of_logits(network: Network, head: _Head, add: _Add) -> tuple[str, bool]:
    """Return the gradient of the score's log-odds in the logits, and whether faces differ in it.

    With a softmax, the log-odds of class i are its logit less the log of the sum of the others'
    exponentials: the gradient is 1 there, and less the softmax of the others elsewhere.
    """
    count = _columns(network, head)
    chosen = _chosen(network, head.choice, count)
    if not head.softmax or count == 2:
        others = -head.sign if head.softmax else 0.0
        signs = [head.sign if column == chosen else others for column in range(count)]
        return add("Constant", value_floats=signs), False
    if count < 2:
        raise ValueError("a softmax of one class")
    own = [float(column == chosen) for column in range(count)]
    hide = add("Constant", value_floats=[one * _HIDDEN for one in own])
    rest = add("Softmax", add("Add", head.logits, hide), axis=1)
    gradient = add("Sub", add("Constant", value_floats=own), rest)
    return (gradient if head.sign > 0 else add("Neg", gradient)), True


def _columns(network: Network, head: _Head) -> int:
    """Return the number of logits: the outputs of the last dense layer."""
    layers = _dense(head.steps)
    if not layers:
        raise ValueError("no dense layer")
    rows, columns = network.dims(layers[0].input[1])
    return rows if attribute(layers[0], "transB", 0) else columns


def _chosen(network: Network, choice: Any, count: int) -> int:
    """Return which of `count` columns is the score.

    Raises:
        ValueError: none or several, or other faces of the batch.
    """
    if choice is None:
        found = list(range(count))
    elif choice.op_type == "Gather":
        if attribute(choice, "axis", 0) not in (1, -1):
            raise ValueError("the score is not a column")
        found = [range(count)[at] for at in network.values(choice.input[1]).ravel().tolist()]
    else:
        found = _sliced(*(network.values(one).tolist() for one in choice.input[1:]), count=count)
    (column,) = found
    return column


def _sliced(
    starts: list[int],
    ends: list[int],
    axes: Sequence[int] = (0, 1),
    steps: Sequence[int] = (1,),
    *,
    count: int,
) -> list[int]:
    """Return the columns of a Slice that keeps all faces."""
    parts = {axis % 2: part for axis, *part in zip(axes, starts, ends, strict=False)}
    start, end = parts.get(0, (0, _TO_THE_END))
    if set(steps) != {1} or start != 0 or end < _TO_THE_END:
        raise ValueError("the score is not a column")
    return list(range(count)[slice(*parts.get(1, (0, count)))])


@dataclass(frozen=True)
class _Backwards:
    """One step of the chain rule: from the gradient at a node's output to that at its input.

    Attributes:
        variable: the node's only input that is no constant.
    """

    network: Network
    node: Any
    variable: str
    add: _Add

    def pull(self, gradient: str) -> tuple[str, bool]:
        """Return the gradient at the input, and whether faces differ in this step."""
        add, node = self.add, self.node
        kind, is_first = node.op_type, node.input[0] == self.variable
        if kind in _DENSE:
            return self._through_dense(gradient, is_first=is_first), False
        if kind in ("Relu", "Clip", "HardSwish"):
            return add("Mul", gradient, self._slope()), True
        if kind == "Neg" or (kind == "Sub" and not is_first):
            return add("Neg", gradient), False
        if kind in ("Add", "Sub"):
            return gradient, False
        if kind == "BatchNormalization":
            scale, _, _, variance = node.input[1:5]
            epsilon = add("Constant", value_floats=[attribute(node, "epsilon", 1e-5)])
            deviation = add("Sqrt", add("Add", variance, epsilon))
            return add("Mul", gradient, add("Div", scale, deviation)), False
        if kind == "Div" and not is_first:
            raise ValueError("a constant divided by the activation")
        (other,) = (one for one in node.input if one != self.variable)
        flat = add("Reshape", other, add("Constant", value_ints=[-1]))
        return add(kind, gradient, flat), False

    def _through_dense(self, gradient: str, *, is_first: bool) -> str:
        add, node = self.add, self.node
        kernel = node.input[1]
        if not is_first or attribute(node, "transA", 0) or len(self.network.dims(kernel)) != 2:
            raise ValueError("not a dense layer")
        if not attribute(node, "transB", 0):
            kernel = add("Transpose", kernel)
        gradient = add("MatMul", gradient, kernel)
        alpha = attribute(node, "alpha", 1.0)
        return gradient if alpha == 1 else add("Mul", gradient, self._number(alpha))

    def _slope(self) -> str:
        """Return the slope of an activation function at its input, float32 (n, channels)."""
        add, node = self.add, self.node
        flat = partial(add, "Flatten")
        if node.op_type == "Relu":
            return add("Sign", flat(node.output[0]))
        if node.op_type == "Clip":
            value = flat(node.output[0])
            low, high = (*node.input[1:], "", "")[:2]
            above = [add("Sign", add("Sub", value, low))] if low else []
            below = [add("Sign", add("Sub", high, value))] if high else []
            if len(above + below) == 2:
                return add("Mul", *above, *below)
            (only,) = above + below
            return only
        value = flat(self.variable)
        ramp = add("HardSigmoid", value, alpha=1 / 6, beta=0.5)
        near = add("Sub", self._number(3.0), add("Abs", value))
        bend = add("Mul", add("Div", value, self._number(6.0)), add("Sign", add("Relu", near)))
        return add("Add", ramp, bend)

    def _number(self, value: float) -> str:
        return self.add("Constant", value_floats=[value])
