"""Grad-CAM without TensorFlow: against gradients measured on the network itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from framejury.model.bundle import load_bundle, write_bundle
from framejury.model.heat import find_head, heat_cells
from framejury.model.onnx_graph import read_graph, with_output
from framejury.model.runtime import Scorer
from tests.builders.bundles import MANIFEST, brightness_bundle, brightness_network, headed_network

ROOT = Path(__file__).resolve().parents[3]
BUNDLES = [ROOT / "models" / "detector", ROOT / "tests" / "data" / "demo_bundle"]


@pytest.mark.parametrize("directory", BUNDLES, ids=lambda path: path.name)
def test_the_graph_is_read_as_onnx_reads_it(directory: Path) -> None:
    content = (directory / "model.onnx").read_bytes()
    mine, theirs = read_graph(content), onnx.load_from_string(content).graph
    assert [(n.op_type, list(n.inputs), list(n.outputs)) for n in mine.nodes] == [
        (n.op_type, list(n.input), list(n.output)) for n in theirs.node
    ]
    assert set(mine.weights) == {tensor.name for tensor in theirs.initializer}
    for tensor in theirs.initializer:
        expected, found = numpy_helper.to_array(tensor), mine.weight(tensor.name)
        if expected.dtype == np.float32:
            assert found is not None
            np.testing.assert_array_equal(found, expected)
        else:
            assert found is None


def test_weights_written_as_numbers_are_read_too(tmp_path: Path) -> None:
    """A tensor may hold its values as bytes, or as a packed list."""
    content = headed_network(tmp_path / "a.onnx").read_bytes()
    model = onnx.load_from_string(content)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        tensor.CopyFrom(
            helper.make_tensor(tensor.name, TensorProto.FLOAT, values.shape, values.ravel())
        )
    written, raw = read_graph(model.SerializeToString()), read_graph(content)
    for name in ("kernel", "w1", "b2"):
        np.testing.assert_array_equal(written.weight(name), raw.weight(name))


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    model = onnx.load(headed_network(tmp_path / "a.onnx"))
    model.graph.initializer.append(numpy_helper.from_array(np.arange(3, dtype=np.int32), "i"))
    assert read_graph(model.SerializeToString()).weight("i") is None


def test_one_more_output_and_nothing_else(tmp_path: Path) -> None:
    content = headed_network(tmp_path / "a.onnx").read_bytes()
    before, after = (
        onnx.load_from_string(data) for data in (content, with_output(content, "activation"))
    )
    assert [item.name for item in after.graph.output] == ["p_fake", "activation"]
    after.graph.output.pop()
    assert after == before


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x3a\xff\x01abc", b"\x80" * 80])
def test_what_is_no_network_has_no_head(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no such file|no ONNX file"):
        read_graph(content)
    assert find_head(content, "p_fake") is None


def test_a_cut_file_has_no_head(tmp_path: Path) -> None:
    content = headed_network(tmp_path / "a.onnx").read_bytes()
    for length in range(1, len(content), 97):
        find_head(content[:length], "p_fake")  # may find none, may not raise
    with pytest.raises(ValueError, match="ends within a field"):
        read_graph(content[:-1])


def test_the_map_is_the_gradient_measured_by_small_steps(tmp_path: Path) -> None:
    """dlogit/dactivation, by central differences through the rest of the graph."""
    path = headed_network(tmp_path / "a.onnx")
    head = find_head(path.read_bytes(), "p_fake")
    assert head is not None and len(head.layers) == 3
    rng = np.random.default_rng(0)
    activation = rng.gamma(1, 1, (3, 6, 4, 4)).astype(np.float32)

    def logit(values: np.ndarray) -> np.ndarray:
        x = values.astype(np.float64).mean(axis=(2, 3))
        for layer in head.layers:
            x = x @ layer.weight + layer.bias
            x = np.maximum(x, 0) if layer.relu else x
        return x[:, 0]

    weight = np.zeros((3, 6))
    for channel in range(6):
        step = np.zeros_like(activation, np.float64)
        step[:, channel] = 1e-4
        weight[:, channel] = (logit(activation + step) - logit(activation - step)) / 2e-4
    expected = np.maximum(np.einsum("nc,nchw->nhw", weight, activation), 0)
    highest = expected.max(axis=(1, 2), keepdims=True)
    assert (highest > 0).any()
    expected = np.divide(expected, highest, out=np.zeros_like(expected), where=highest > 0)
    np.testing.assert_allclose(heat_cells(activation, head), expected, atol=1e-4)


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


@pytest.mark.parametrize("starts", [(1,), (0, 1)])
def test_a_softmax_of_two_is_a_sigmoid_of_their_difference(
    tmp_path: Path, starts: tuple[int, ...]
) -> None:
    path = softmax_network(tmp_path / "a.onnx", starts)
    head = find_head(path.read_bytes(), "p_fake")
    assert head is not None and len(head.layers) == 3
    pixels = np.random.default_rng(1).uniform(0, 4, (4, 32, 32, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(
        with_output(path.read_bytes(), head.activation), providers=["CPUExecutionProvider"]
    )
    score, activation = session.run(None, {"pixels": pixels})
    x = activation.mean(axis=(2, 3))
    for layer in head.layers:
        x = x @ layer.weight + layer.bias
        x = np.maximum(x, 0) if layer.relu else x
    np.testing.assert_allclose(1 / (1 + np.exp(-x)), score, atol=1e-6)
    assert np.ptp(score) > 0.01


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
    assert find_head(model.SerializeToString(), "p_fake") is None


def test_a_head_without_a_bias_has_a_map(tmp_path: Path) -> None:
    """tf2onnx leaves the addition of zeros out."""
    model = onnx.load(headed_network(tmp_path / "a.onnx"))
    expected = find_head(model.SerializeToString(), "p_fake")
    (last,) = (node for node in model.graph.node if node.output[0] == "logit")
    (product,) = (node for node in model.graph.node if node.output[0] == "m3")
    model.graph.node.remove(last)
    product.output[0] = "logit"
    found = find_head(model.SerializeToString(), "p_fake")
    assert found is not None and expected is not None
    np.testing.assert_array_equal(found.layers[-1].weight, expected.layers[-1].weight)
    assert found.layers[-1].bias.tolist() == [0.0]


def test_whole_numbers_are_read_however_they_are_written() -> None:
    raw = numpy_helper.from_array(np.array([0, 1, 300], np.int64), "raw")
    packed = helper.make_tensor("packed", TensorProto.INT64, [3], [0, 1, 300])
    other = numpy_helper.from_array(np.array([1.0], np.float32), "other")
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph([node], "g", [], [], [raw, packed, other])
    mine = read_graph(helper.make_model(graph).SerializeToString())
    assert mine.numbers("raw") == mine.numbers("packed") == (0, 1, 300)
    assert mine.numbers("other") is None and mine.numbers("none") is None


def test_a_bundle_with_a_map_scores_as_without(tmp_path: Path) -> None:
    """The very bits: a verdict may not depend on whether evidence is kept."""
    path = headed_network(tmp_path / "a.onnx")
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, path)
    scorer = Scorer(bundle)
    pixels = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)
    plain = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (expected,) = plain.run(None, {"pixels": pixels.astype(np.float32)})
    np.testing.assert_array_equal(scorer.score_pixels(pixels), np.asarray(expected).ravel())
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
    np.testing.assert_array_equal(scorer.score_pixels(pixels), np.asarray(expected).ravel())
    _, heat = scorer.score_and_explain(list(pixels))
    assert heat is not None and heat.shape == (2, 4, 4)


def test_a_network_of_another_kind_has_no_map(tmp_path: Path) -> None:
    assert find_head(brightness_network(tmp_path / "b.onnx").read_bytes(), "p_fake") is None
    scorer = Scorer(brightness_bundle(tmp_path / "bundle"))
    scores, heat = scorer.score_and_explain([np.zeros((32, 32, 3), np.uint8)])
    assert scores.tolist() == [0.0] and heat is None
