"""Heat maps of networks without an output for them: against gradients by small steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from framejury.model.bundle import load_bundle, write_bundle
from framejury.model.class_activation import heat_added, with_heat
from framejury.model.runtime import Scorer
from tests.builders.bundles import MANIFEST, brightness_bundle, brightness_network, headed_network

ROOT = Path(__file__).resolve().parents[3]
BUNDLES = [ROOT / "conf" / "training" / "start", ROOT / "tests" / "data" / "demo_bundle"]


def run(content: bytes, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return [np.asarray(out) for out in session.run(names, feed)]


def expected_heat(model: onnx.ModelProto, activation: np.ndarray) -> np.ndarray:
    """Grad-CAM from central differences of the score's log-odds, in float64."""
    graph = onnx.GraphProto()
    graph.name = "head"
    after = {"activation"}
    for node in model.graph.node:
        if after & set(node.input) or node.op_type == "Constant":
            graph.node.add().CopyFrom(node)
            after |= set(node.output) - {"activation"}
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        values = values.astype(np.float64) if values.dtype == np.float32 else values
        graph.initializer.append(numpy_helper.from_array(values, tensor.name))
    graph.input.append(helper.make_tensor_value_info("activation", TensorProto.DOUBLE, None))
    graph.output.append(helper.make_tensor_value_info("p_fake", TensorProto.DOUBLE, None))
    head = ReferenceEvaluator(helper.make_model(graph, opset_imports=model.opset_import))

    def log_odds(values: np.ndarray) -> np.ndarray:
        score = np.asarray(head.run(None, {"activation": values})[0]).reshape(len(values))
        return np.log(score) - np.log1p(-score)

    activation = activation.astype(np.float64)
    shape = activation.shape
    channels = 1 if model.graph.name != "nhwc" else 3
    gradient = np.zeros((shape[0], shape[channels]))
    for channel in range(shape[channels]):
        step = np.zeros(shape)
        np.moveaxis(step, channels, 0)[channel] = 1e-4
        up, down = (log_odds(activation + way * step) for way in (1, -1))
        gradient[:, channel] = (up - down) / 2e-4
    maps = np.einsum("nc,nchw->nhw", gradient, np.moveaxis(activation, channels, 1))
    heat = np.maximum(maps, 0)
    highest = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0)


def softmax_network(path: Path, starts: tuple[int, ...] = (1,), classes: int = 2) -> Path:
    """As `headed_network`, and its logit the difference of two behind a softmax."""
    model = onnx.load(headed_network(path))
    graph, rng = model.graph, np.random.default_rng(5)
    weights = {t.name: t for t in graph.initializer}
    axes = (1,) if len(starts) == 1 else (0, 1)
    whole = {"starts": starts, "ends": (2**31 - 1,) * len(starts), "axes": axes}
    made = {
        "w3": rng.normal(0, 1, (5, classes)).astype(np.float32),
        "b3": rng.normal(0, 1, classes).astype(np.float32),
        **{name: np.array(values, np.int64) for name, values in whole.items()},
    }
    for name, values in made.items():
        if name in weights:
            graph.initializer.remove(weights[name])
        graph.initializer.append(numpy_helper.from_array(values, name))
    del graph.node[-1]
    graph.node.extend(
        [
            helper.make_node("Softmax", ["logit"], ["both"], axis=-1),
            helper.make_node("Slice", ["both", "starts", "ends", "axes"], ["column"]),
            helper.make_node("Reshape", ["column", "shape"], ["p_fake"]),
        ]
    )
    graph.initializer.append(numpy_helper.from_array(np.array([-1, 1], np.int64), "shape"))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def plain_network(path: Path) -> Path:
    return headed_network(path)


def network_of_two_columns(path: Path) -> Path:
    """A slice may name the batch's axis as well."""
    return softmax_network(path, (0, 1))


def network_without_a_bias(path: Path) -> Path:
    """tf2onnx leaves the addition of zeros out."""
    model = onnx.load(headed_network(path))
    (last,) = (node for node in model.graph.node if node.output[0] == "logit")
    (product,) = (node for node in model.graph.node if node.output[0] == "m3")
    model.graph.node.remove(last)
    product.output[0] = "logit"
    onnx.save(model, path)
    return path


def check(content: bytes) -> np.ndarray:
    """Compare map and scores with those expected, and return the map."""
    model = onnx.load_from_string(content)
    feed = {"pixels": np.random.default_rng(1).uniform(0, 4, (7, 32, 32, 3)).astype(np.float32)}
    feed["pixels"][3] = 0  # black
    shown = onnx.load_from_string(content)
    shown.graph.output.add(name="activation")
    before, activation = run(shown.SerializeToString(), ["p_fake", "activation"], feed)
    added, cells = with_heat(content) or (b"", 0)
    score, heat = run(added, ["p_fake", "heat"], feed)
    np.testing.assert_array_equal(score, before)
    assert heat.shape == (7, cells, cells) and set(heat.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}
    np.testing.assert_allclose(heat, expected_heat(model, activation), atol=1e-4)
    return heat


@pytest.mark.parametrize(
    "network", [plain_network, softmax_network, network_of_two_columns, network_without_a_bias]
)
def test_the_map_is_the_gradient_measured_by_small_steps(
    network: Callable[[Path], Path], tmp_path: Path
) -> None:
    heat = check(network(tmp_path / "a.onnx").read_bytes())
    # Nothing points to FAKE in black.
    assert heat.max(axis=(1, 2)).tolist() == [1, 1, 1, 0, 1, 1, 1]


def node(op_type: str, *inputs: str, **attributes: object) -> onnx.NodeProto:
    """A node whose inputs are named like nodes of `foreign`; '<' is the node before it."""
    return helper.make_node(op_type, list(inputs) or ["<"], ["?"], **attributes)


def foreign(nodes: Sequence[onnx.NodeProto], *, layout: str = "nchw", opset: int = 17) -> bytes:
    """A convolution, an activation of 6 channels, its mean, and `nodes`, the last the score."""
    rng = np.random.default_rng(3)
    weights = {
        "kernel": rng.normal(0, 0.02, (6, 3, 8, 8)),
        "many": rng.normal(0, 1, (6, 8)),
        "turned": rng.normal(0, 1, (5, 8)),
        "one": rng.normal(0, 1, (5, 1)),
        "three": rng.normal(0, 1, (8, 3)),
        "five": rng.normal(0, 1, 5),
        "wide": rng.normal(0, 1, (1, 8)),
        "six": rng.uniform(0.5, 2, 6),
        "eight": rng.uniform(0.5, 2, 8),
        "scale": np.array(-0.5),
        "unit": np.array(1.0),
        "low": np.array(0.0),
        "high": np.array(6.0),
    }
    whole = {"first": [0], "second": [1], "last": -1, "rows": [-1]}
    whole |= {"nhwc_axes": [1, 2], "start": [0], "stop": [1]}
    body = [
        helper.make_node("Transpose", ["pixels"], ["turn"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["turn", "kernel"], ["conv"], strides=[8, 8]),
        helper.make_node("Relu", ["conv"], ["relu" if layout == "nhwc" else "activation"]),
    ]
    if layout == "nhwc":
        body.append(helper.make_node("Transpose", ["relu"], ["activation"], perm=[0, 2, 3, 1]))
        mean = {"axes": [-2, -3]} if opset < 18 else {}
        axes = [] if opset < 18 else ["nhwc_axes"]
        body.append(
            helper.make_node("ReduceMean", ["activation", *axes], ["v0"], keepdims=0, **mean)
        )
    else:
        body.append(helper.make_node("GlobalAveragePool", ["activation"], ["v0"]))
    for number, one in enumerate(nodes, start=1):
        one.output[0] = "p_fake" if number == len(nodes) else f"v{number}"
        for at, name in enumerate(one.input):
            one.input[at] = f"v{number - 1}" if name == "<" else name
        body.append(one)
    weights = {name: np.asarray(w, np.float32) for name, w in weights.items()}
    weights |= {name: np.array(values, np.int64) for name, values in whole.items()}
    used = {name for one in body for name in one.input}
    graph = helper.make_graph(
        body,
        layout,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 32, 32, 3])],
        [helper.make_tensor_value_info("p_fake", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, name) for name, w in weights.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return bytes(model.SerializeToString())


def dense(weights: str, bias: str, **attributes: object) -> onnx.NodeProto:
    return node("Gemm", "<", weights, bias, **attributes)


HIDDEN = [node("Flatten"), node("MatMul", "<", "many"), node("Add", "<", "wide")]
LOGIT = [dense("turned", "five", transB=1, alpha=0.7), node("MatMul", "<", "one")]
CLASSES = [node("MatMul", "<", "three"), node("Softmax", axis=-1)]
HEADS = {
    "relu6": [*HIDDEN, node("Clip", "<", "low", "high"), *LOGIT, node("Sigmoid")],
    "clip below": [*HIDDEN, node("Clip", "<", "low"), *LOGIT, node("Sigmoid")],
    "clip above": [*HIDDEN, node("Clip", "<", "", "high"), *LOGIT, node("Sigmoid")],
    "hard swish": [*HIDDEN, node("HardSwish"), *LOGIT, node("Sigmoid")],
    "batch norm": [
        node("BatchNormalization", "<", "six", "six", "six", "six", epsilon=0.01),
        node("Relu"),
        *HIDDEN,
        *LOGIT,
        node("Sigmoid"),
    ],
    "constants": [
        *HIDDEN,
        node("Mul", "eight", "<"),
        node("Div", "<", "wide"),
        node("Sub", "wide", "<"),
        node("Relu"),
        *LOGIT,
        node("Mul", "<", "scale"),
        node("Sub", "<", "unit"),
        node("Sigmoid"),
    ],
    "one less the score": [
        *HIDDEN,
        *LOGIT,
        node("Neg"),
        node("Sigmoid"),
        node("Sub", "unit", "<"),
        node("Clip", "<", "low", "unit"),
        node("Reshape", "<", "rows"),
    ],
    "a class of three": [*HIDDEN, *CLASSES, node("Gather", "<", "last", axis=1)],
    "all but a class": [
        *HIDDEN,
        *CLASSES,
        node("Slice", "<", "start", "stop", "second"),
        node("Sub", "unit", "<"),
    ],
    "a logit of three": [
        *HIDDEN,
        node("MatMul", "<", "three"),
        node("Gather", "<", "second", axis=-1),
        node("Neg"),
        node("Sigmoid"),
    ],
}


@pytest.mark.parametrize("name", HEADS)
def test_heads_of_foreign_networks(name: str) -> None:
    copies = [onnx.NodeProto.FromString(one.SerializeToString()) for one in HEADS[name]]
    assert check(foreign(copies)).any()


@pytest.mark.parametrize(("layout", "opset"), [("nhwc", 17), ("nhwc", 18), ("nchw", 18)])
def test_layouts_and_opsets(layout: str, opset: int) -> None:
    nodes = [*HIDDEN, *LOGIT, node("Sigmoid")]
    copies = [onnx.NodeProto.FromString(one.SerializeToString()) for one in nodes]
    assert check(foreign(copies, layout=layout, opset=opset)).any()


UNKNOWN_HEADS = {
    "two paths": [*HIDDEN, node("Mul", "<", "<"), *LOGIT, node("Sigmoid")],
    "another function": [*HIDDEN, node("Tanh"), *LOGIT, node("Sigmoid")],
    "no sigmoid": [*HIDDEN, *LOGIT],
    "a sigmoid of a sigmoid": [*HIDDEN, *LOGIT, node("Sigmoid"), node("Sigmoid")],
    "all classes": [*HIDDEN, *CLASSES],
    "the first face": [*HIDDEN, *CLASSES, node("Gather", "<", "first", axis=0)],
    "the first face, sliced": [
        *HIDDEN,
        node("MatMul", "<", "three"),
        node("Slice", "<", "start", "stop", "start"),
        node("Sigmoid"),
    ],
    "a softmax over faces": [
        *HIDDEN,
        node("MatMul", "<", "three"),
        node("Softmax", axis=0),
        node("Gather", "<", "last", axis=1),
    ],
    "no dense layer": [node("Flatten"), node("Sigmoid")],
}


@pytest.mark.parametrize("name", UNKNOWN_HEADS)
def test_other_heads_have_no_map(name: str) -> None:
    copies = [onnx.NodeProto.FromString(one.SerializeToString()) for one in UNKNOWN_HEADS[name]]
    content = foreign(copies)
    run(content, ["p_fake"], {"pixels": np.zeros((2, 32, 32, 3), np.float32)})
    assert heat_added(content) is None and with_heat(content) is None


def test_a_map_of_too_many_cells_is_none(tmp_path: Path) -> None:
    """65 cells are more than what a child process may send."""
    content = headed_network(tmp_path / "a.onnx", side=65 * 8).read_bytes()
    assert heat_added(content) is not None and with_heat(content) is None


def test_the_name_of_the_output_is_free(tmp_path: Path) -> None:
    model = onnx.load(headed_network(tmp_path / "a.onnx"))
    model.graph.node[-1].output[0] = model.graph.output[0].name = "answer"
    assert heat_added(model.SerializeToString()) is None
    added, cells = with_heat(model.SerializeToString(), "answer") or (b"", 0)
    assert added and cells == 4


def test_a_damaged_file_with_a_circle_ends(tmp_path: Path) -> None:
    model = onnx.load(headed_network(tmp_path / "a.onnx"))
    (flat,) = (one for one in model.graph.node if one.op_type == "Flatten")
    flat.input[0] = flat.output[0]
    assert heat_added(model.SerializeToString()) is None


@pytest.mark.parametrize("directory", BUNDLES, ids=lambda path: path.name)
def test_one_more_output_and_nothing_else(directory: Path) -> None:
    content = (directory / "model.onnx").read_bytes()
    before, after = (onnx.load_from_string(data) for data in (content, heat_added(content)))
    assert [item.name for item in after.graph.output] == ["p_fake", "heat"]
    after.graph.output.pop()
    del after.graph.node[len(before.graph.node) :]
    assert after == before


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x3a\xff\x01abc", b"\x80" * 80])
def test_what_is_no_network_stays_as_it_is(content: bytes) -> None:
    assert heat_added(content) is None


def test_a_cut_file_stays_as_it_is(tmp_path: Path) -> None:
    content = headed_network(tmp_path / "a.onnx").read_bytes()
    for length in range(1, len(content), 97):
        assert heat_added(content[:length]) is None


@pytest.mark.parametrize(("starts", "classes"), [((0,), 2), ((0, 0), 2), ((1, 1), 2), ((1,), 3)])
def test_another_part_of_a_softmax_has_no_map(
    tmp_path: Path, starts: tuple[int, ...], classes: int
) -> None:
    """REAL's part, the second face of a batch, one class of three."""
    path = softmax_network(tmp_path / "a.onnx")
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name == "starts":
            tensor.CopyFrom(numpy_helper.from_array(np.array(starts, np.int64), "starts"))
        elif tensor.name == "axes":
            axes = (1,) if len(starts) == 1 else (0, 1)
            tensor.CopyFrom(numpy_helper.from_array(np.array(axes, np.int64), "axes"))
        elif tensor.name in ("w3", "b3") and classes == 3:
            values = numpy_helper.to_array(tensor)
            wide = np.concatenate([values, values[..., :1]], axis=-1)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
    content = model.SerializeToString()
    assert heat_added(content) is None


def test_a_bundle_with_a_map_scores_as_without(tmp_path: Path) -> None:
    """The very bits: a verdict may not depend on whether evidence is kept."""
    path = headed_network(tmp_path / "a.onnx")
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, path)
    scorer = Scorer(bundle)
    pixels = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)
    plain = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (expected,) = plain.run(None, {"pixels": pixels.astype(np.float32)})
    np.testing.assert_array_equal(
        Scorer(bundle, batch_size=7).score(list(pixels)), np.asarray(expected).ravel()
    )
    _, heat = scorer.score_and_explain(list(pixels))
    assert heat is not None and heat.shape == (7, 4, 4) and heat.dtype == np.float32
    for number in range(7):  # several calls of the network, each map with its face
        _, alone = scorer.score_and_explain([pixels[number]])
        assert alone is not None
        np.testing.assert_allclose(alone[0], heat[number], atol=1e-5)
    assert set(heat.max(axis=(1, 2)).tolist()) <= {0.0, 1.0} and heat.min() >= 0
    assert scorer.score_and_explain([])[1] is None


def test_the_detector_that_ships_scores_the_same_bits(tmp_path: Path) -> None:
    bundle = load_bundle(BUNDLES[0])
    scorer = Scorer(bundle)
    side = bundle.input_px
    pixels = np.random.default_rng(1).integers(0, 256, (2, side, side, 3)).astype(np.uint8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    plain = onnxruntime.InferenceSession(
        bundle.onnx_path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    (expected,) = plain.run(None, {"pixels": pixels.astype(np.float32)})
    np.testing.assert_array_equal(scorer.score(list(pixels)), np.asarray(expected).ravel())
    _, heat = scorer.score_and_explain(list(pixels))
    assert heat is not None and heat.shape == (2, 4, 4)


def test_a_network_of_another_kind_has_no_map(tmp_path: Path) -> None:
    content = brightness_network(tmp_path / "b.onnx").read_bytes()
    assert heat_added(content) is None
    scorer = Scorer(brightness_bundle(tmp_path / "bundle"))
    scores, heat = scorer.score_and_explain([np.zeros((32, 32, 3), np.uint8)])
    assert scores.tolist() == [0.0] and heat is None
