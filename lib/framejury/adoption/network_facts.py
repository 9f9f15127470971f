"""What an ONNX file says of itself: its input, its outputs, and what it must not contain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import onnx
from onnx import TensorProto, helper

from framejury.errors import BundleError

Layout = Literal["NCHW", "NHWC", "NTCHW", "NCTHW", "NTHWC"]
LAYOUTS: dict[int, tuple[Layout, ...]] = {
    4: ("NCHW", "NHWC"),
    5: ("NTCHW", "NCTHW", "NTHWC"),
}
"""By the number of axes: N faces, T frames, C channels, H rows, W columns."""
INPUT_TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8)
OUTPUT_TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
OLDEST_OPSET = 7
"""Older operators broadcast in another way, so nothing can be put before and behind them."""
_STANDARD_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_TRANSPARENT = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast")
"""Operators behind the last activation that leave its numbers as they are."""


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """One output.

    Attributes:
        gives: probability or softmax where the network ends in such an activation; None: unknown.
        classes: numbers per face; None: the file does not say.
    """

    name: str
    gives: Literal["probability", "softmax"] | None
    classes: int | None


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What is read from the network's file; None: it does not say, or not unambiguously.

    Attributes:
        file_name: for people.
        input_name: of the only input.
        input_type: its element type, as in `onnx.TensorProto`.
        dims: of the input; None: any.
        outputs: all of them.
        layout: the order of the input's axes.
        output_name: which output is the answer.
    """

    file_name: str
    input_name: str
    input_type: int
    dims: tuple[int | None, ...]
    outputs: tuple[OutputFacts, ...]
    layout: Layout | None
    output_name: str | None

    @property
    def is_clip(self) -> bool:
        return len(self.dims) == 5

    @property
    def batch(self) -> int | None:
        """Faces per call; None: any number."""
        return self.dims[0]

    @property
    def side_px(self) -> int | None:
        return self._dim("H")

    @property
    def frames(self) -> int | None:
        return self._dim("T")

    @property
    def gives(self) -> Literal["probability", "softmax"] | None:
        return None if self._output is None else self._output.gives

    @property
    def classes(self) -> int | None:
        return None if self._output is None else self._output.classes

    def seen_as(self, layout: Layout | None, output: str | None) -> NetworkFacts:
        """Return the facts under the layout and output that a description names.

        Raises:
            BundleError: there is no such output, or the input has another number of axes, is not
            square, or does not have three channels.
        """
        if layout is not None and len(layout) != len(self.dims):
            raise BundleError(
                f"input.layout {layout} has {len(layout)} axes, but the input of {self.file_name} "
                f"has {len(self.dims)}: {_shape_text(self.dims)}"
            )
        names = [item.name for item in self.outputs]
        if output is not None and output not in names:
            raise BundleError(
                f"{self.file_name} has no output {output!r}; output.name: {', '.join(names)}"
            )
        seen = replace(self, layout=self.layout or layout, output_name=output or self.output_name)
        check_square(seen)
        return seen

    def may_say(self, axis: str) -> bool:
        """Return whether the file gives the size of an axis, at least once its layout is known."""
        options = [self.layout] if self.layout else LAYOUTS[len(self.dims)]
        return any(axis in one and self.dims[one.index(axis)] is not None for one in options)

    @property
    def _output(self) -> OutputFacts | None:
        return next((item for item in self.outputs if item.name == self.output_name), None)

    def _dim(self, axis: str) -> int | None:
        if self.layout is None or axis not in self.layout:
            return None
        return self.dims[self.layout.index(axis)]


def facts_of(model: onnx.ModelProto, file_name: str) -> NetworkFacts:
    """Read the facts of a network.

    Args:
        model: with its weights inside, and shapes inferred.
        file_name: for people.

    Raises:
        BundleError: it cannot be a detector of faces: several inputs, another type, not square, not
            three channels.
    """
    weights = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in weights]
    if len(inputs) != 1:
        listed = ", ".join(item.name for item in inputs) or "none"
        raise BundleError(
            f"{file_name} has {len(inputs)} inputs ({listed}); framejury gives pictures only. "
            "Export the network with one input, and constants for the rest"
        )
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in INPUT_TYPES:
        raise BundleError(
            f"{file_name} reads {TensorProto.DataType.Name(tensor.elem_type).lower()}; it must "
            "read float, float16, double or uint8"
        )
    dims = _dims(inputs[0])
    if len(dims) not in LAYOUTS:
        raise BundleError(
            f"the input of {file_name} has the shape {_shape_text(dims)}; it must have 4 axes for "
            "pictures, or 5 for clips"
        )
    names = [item.name for item in model.graph.output]
    facts = NetworkFacts(
        file_name,
        inputs[0].name,
        tensor.elem_type,
        dims,
        tuple(_output_facts(model, item) for item in model.graph.output),
        _layout(dims, file_name),
        names[0] if len(names) == 1 else None,
    )
    check_square(facts)
    return facts


def check_square(facts: NetworkFacts) -> None:
    """Raise BundleError for an input that is not square, or has other than three channels."""
    if facts.layout is None:
        return
    height, width, channels = (facts.dims[facts.layout.index(axis)] for axis in "HWC")
    if height != width:
        raise BundleError(
            f"{facts.file_name} reads pictures of {height} by {width} pixels; framejury gives "
            "square ones. Export it with a square input"
        )
    if channels not in (3, None):
        raise BundleError(f"{facts.file_name} reads {channels} channels; framejury gives 3 (RGB)")


def check_contents(model: onnx.ModelProto, file_name: str) -> str:
    """Check that a network consists of standard operators; return what was found, for people.

    Raises:
        BundleError: it has custom operators, or operators that are too old.
    """
    nodes = list(all_nodes(model.graph))
    custom = sorted(
        {f"{node.domain}.{node.op_type}" for node in nodes if node.domain not in _STANDARD_DOMAINS}
    )
    if custom:
        raise BundleError(
            f"{file_name} has operators outside the ONNX standard ({', '.join(custom)}): they need "
            "code that executors do not have. Export it with standard operators only"
        )
    opset = opset_of(model)
    if opset < OLDEST_OPSET:
        raise BundleError(
            f"{file_name} uses opset {opset}; export it with opset {OLDEST_OPSET} or newer, best 17"
        )
    kinds = len({node.op_type for node in nodes})
    return f"{len(nodes):,} nodes of {kinds} standard kinds, opset {opset}"


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the standard operators."""
    return max(
        (item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=1
    )


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield every node, also of the bodies of loops and branches."""
    waiting = [graph]
    while waiting:
        for node in waiting.pop().node:
            yield node
            for attribute in node.attribute:
                waiting += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _dims(item: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in item.type.tensor_type.shape.dim
    )


def _shape_text(dims: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if dim is None else str(dim) for dim in dims)})"


def _layout(dims: tuple[int | None, ...], file_name: str) -> Layout | None:
    """Return the only layout whose channel axis has three; None: several do, or may."""
    options = LAYOUTS[len(dims)]
    channels = [dims[option.index("C")] for option in options]
    sure = [option for option, count in zip(options, channels, strict=True) if count == 3]
    if not sure and None not in channels:
        raise BundleError(
            f"the input of {file_name} has the shape {_shape_text(dims)}, without an axis of 3 "
            "channels; framejury gives RGB pictures"
        )
    return sure[0] if len(sure) == 1 else None


def _output_facts(model: onnx.ModelProto, item: onnx.ValueInfoProto) -> OutputFacts:
    dims = _dims(item)
    inner = dims[1:]
    classes = None
    if item.type.tensor_type.HasField("shape") and None not in inner:
        classes = 1
        for dim in inner:
            classes *= dim or 1
    made_by = {name: node for node in model.graph.node for name in node.output}
    node = made_by.get(item.name)
    while node is not None and node.op_type in _TRANSPARENT:
        node = made_by.get(node.input[0])
    ends: dict[str, Literal["probability", "softmax"]] = {
        "Sigmoid": "probability",
        "Softmax": "softmax",
    }
    gives = None if node is None else ends.get(node.op_type)
    return OutputFacts(item.name, gives, classes)


def output_type(model: onnx.ModelProto, name: str) -> int:
    """Return the element type of an output, as in `onnx.TensorProto`.

    Raises:
        BundleError: it is not a floating-point number.
    """
    item = next(item for item in model.graph.output if item.name == name)
    found = item.type.tensor_type.elem_type
    if found not in OUTPUT_TYPES:
        raise BundleError(
            f"output {name} gives {helper.tensor_dtype_to_string(found)}, not scores; name another "
            "output (output.name)"
        )
    return int(found)
