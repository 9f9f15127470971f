"""Heat maps of networks in bundles of formats 1 to 3: against gradients by small steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from framejury.model.bundle import load_bundle, write_bundle
from framejury.model.old_heads import with_heat
from framejury.model.runtime import Scorer
from tests.builders.bundles import MANIFEST, brightness_bundle, brightness_network, headed_network

ROOT = Path(__file__).resolve().parents[3]
BUNDLES = [ROOT / "conf" / "training" / "start", ROOT / "tests" / "data" / "demo_bundle"]


def run(content: bytes, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return [np.asarray(out) for out in session.run(names, feed)]


def logits_after(model: onnx.ModelProto, activation: np.ndarray) -> np.ndarray:
    """What FAKE's logit is less REAL's for an activation: the rest of the graph, in NumPy."""
    weights = {
        tensor.name: numpy_helper.to_array(tensor).astype(np.float64)
        for tensor in model.graph.initializer
    }
    x = activation.astype(np.float64).mean(axis=(2, 3))
    for rank in (1, 2, 3):
        x = x @ weights[f"w{rank}"] + weights.get(f"b{rank}", 0)
        x = np.maximum(x, 0) if rank < 3 else x
    return x[:, -1] - (x[:, 0] if x.shape[1] == 2 else 0)


def expected_heat(model: onnx.ModelProto, activation: np.ndarray) -> np.ndarray:
    """Grad-CAM from central differences of the logit."""
    shape = activation.shape
    gradient = np.zeros(shape[:2])
    for channel in range(shape[1]):
        step = np.zeros(shape)
        step[:, channel] = 1e-4
        up, down = (logits_after(model, activation + way * step) for way in (1, -1))
        gradient[:, channel] = (up - down) / 2e-4
    heat = np.maximum(np.einsum("nc,nchw->nhw", gradient, activation), 0)
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


@pytest.mark.parametrize(
    "network", [plain_network, softmax_network, network_of_two_columns, network_without_a_bias]
)
def test_the_map_is_the_gradient_measured_by_small_steps(
    network: Callable[[Path], Path], tmp_path: Path
) -> None:
    content = network(tmp_path / "a.onnx").read_bytes()
    model = onnx.load_from_string(content)
    feed = {"pixels": np.random.default_rng(1).uniform(0, 4, (7, 32, 32, 3)).astype(np.float32)}
    feed["pixels"][3] = 0  # black: nothing points to FAKE
    shown = onnx.load_from_string(content)
    shown.graph.output.add(name="activation")
    before, activation = run(shown.SerializeToString(), ["p_fake", "activation"], feed)
    score, heat = run(with_heat(content), ["p_fake", "heat"], feed)
    np.testing.assert_array_equal(score, before)
    expected = expected_heat(model, activation)
    assert expected.max(axis=(1, 2)).tolist() == [1, 1, 1, 0, 1, 1, 1]
    np.testing.assert_allclose(heat, expected, atol=1e-4)


@pytest.mark.parametrize("directory", BUNDLES, ids=lambda path: path.name)
def test_one_more_output_and_nothing_else(directory: Path) -> None:
    content = (directory / "model.onnx").read_bytes()
    before, after = (onnx.load_from_string(data) for data in (content, with_heat(content)))
    assert [item.name for item in after.graph.output] == ["p_fake", "heat"]
    after.graph.output.pop()
    del after.graph.node[len(before.graph.node) :]
    assert after == before


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x3a\xff\x01abc", b"\x80" * 80])
def test_what_is_no_network_stays_as_it_is(content: bytes) -> None:
    assert with_heat(content) == content


def test_a_cut_file_stays_as_it_is(tmp_path: Path) -> None:
    content = headed_network(tmp_path / "a.onnx").read_bytes()
    for length in range(1, len(content), 97):
        assert with_heat(content[:length]) == content[:length]


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
    assert with_heat(content) == content


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
    assert with_heat(content) == content
    scorer = Scorer(brightness_bundle(tmp_path / "bundle"))
    scores, heat = scorer.score_and_explain([np.zeros((32, 32, 3), np.uint8)])
    assert scores.tolist() == [0.0] and heat is None
