"""A foreign network reads and gives what framejury's own do, whatever it was made for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from framejury.adoption.contract_graph import contract_model
from framejury.adoption.description import completed, description_of
from framejury.adoption.foreign_file import read_network
from framejury.model.manifest import OUTPUT_NAME
from tests.builders.foreign_networks import foreign_network

SIDE = 32
IMAGENET = {"mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225]}


def contract(path: Path, **said: Any) -> onnx.ModelProto:
    network = read_network(path)
    parts = {"input": {"colours": "RGB", "scale": "0..1"}, "crop": {"margin_ratio": 0.3}}
    for name, values in said.items():
        parts[name] = {**parts.get(name, {}), **values}
    whole = completed(description_of(parts, "test"), network.facts)
    facts = network.facts.seen_as(whole.input.layout, whole.output.name)
    return contract_model(network.model, facts, whole)


def scores(model: onnx.ModelProto, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (found,) = session.run([OUTPUT_NAME], {"pixels": pixels.astype(np.float32)})
    assert found.shape == (len(pixels), 1)
    return found[:, 0]


def pictures(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    # Tints, so that the scores of the pictures differ.
    noise = rng.integers(0, 200, (*shape, SIDE, SIDE, 3)).astype(np.float64)
    return np.clip(noise + rng.integers(0, 90, (*shape, 1, 1, 3)), 0, 255).round()


def by_hand(seen: np.ndarray) -> np.ndarray:
    """What the network gives for its input: sigmoid(6 * (first colour - last colour))."""
    means = seen.mean(axis=(-3, -2))
    return 1 / (1 + np.exp(-6 * (means[..., 0] - means[..., 2])))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ({"scale": "0..1"}, lambda x: x / 255),
        ({"scale": "-1..1"}, lambda x: x / 127.5 - 1),
        (
            {"scale": "0..1", **IMAGENET},
            lambda x: (x / 255 - IMAGENET["mean"]) / IMAGENET["deviation"],
        ),
        ({"scale": "0..1", "colours": "BGR"}, lambda x: x[..., ::-1] / 255),
        (
            {"scale": "0..1", "colours": "BGR", **IMAGENET},
            lambda x: (x[..., ::-1] / 255 - IMAGENET["mean"]) / IMAGENET["deviation"],
        ),
    ],
)
def test_pixels_arrive_as_described(tmp_path: Path, layout: Any, said: Any, seen: Any) -> None:
    network = foreign_network(tmp_path / "n.onnx", layout=layout, gives="logit")
    made = contract(network, input=said, output={"gives": "logit", "high_means": "fake"})
    pixels = pictures(5)
    np.testing.assert_allclose(scores(made, pixels), by_hand(seen(pixels)), atol=2e-6)


def test_the_range_0_to_255_is_left_alone(tmp_path: Path) -> None:
    network = foreign_network(tmp_path / "n.onnx", layout="NHWC", gives="logit")
    made = contract(
        network, input={"scale": "0..255"}, output={"gives": "logit", "high_means": "fake"}
    )
    assert not {"Mul", "Add"} & {node.op_type for node in made.graph.node}
    pixels = np.full((1, SIDE, SIDE, 3), [100.5, 0, 100.0])
    np.testing.assert_allclose(scores(made, pixels), 1 / (1 + np.exp(-3.0)), atol=1e-5)


@pytest.mark.parametrize(
    ("gives", "classes", "said", "of_p"),
    [
        ("probability", 1, {"high_means": "fake"}, lambda p: p),
        ("probability", 1, {"high_means": "real"}, lambda p: 1 - p),
        ("logit", 1, {"gives": "logit", "high_means": "real"}, lambda p: 1 - p),
        ("softmax", 2, {"index_of_fake": 1}, lambda p: p),
        ("softmax", 2, {"index_of_fake": 0}, lambda p: 1 - p),
        ("logits", 2, {"gives": "logits", "index_of_fake": 1}, lambda p: p),
        ("logits", 2, {"gives": "logits", "index_of_fake": 0}, lambda p: 1 - p),
        # e^z / (e^z + 2) for three classes, two of them with the logit 0
        ("logits", 3, {"gives": "logits", "index_of_fake": 1}, lambda p: p / (2 - p)),
        # Each class judged by itself.
        ("logits", 3, {"gives": "logit", "index_of_fake": 1}, lambda p: p),
    ],
)
def test_every_kind_of_answer_becomes_one_score(
    tmp_path: Path, gives: Any, classes: int, said: dict[str, Any], of_p: Any
) -> None:
    network = foreign_network(tmp_path / "n.onnx", gives=gives, classes=classes)
    pixels = pictures(4)
    made = contract(network, output=said)
    np.testing.assert_allclose(scores(made, pixels), of_p(by_hand(pixels / 255)), atol=2e-6)


@pytest.mark.parametrize(
    ("layout", "first", "said"),
    [
        ("NHWC", True, {}),
        ("NCHW", True, {"layout": "NTCHW"}),
        ("NCHW", False, {"layout": "NCTHW"}),
    ],
)
def test_clips_arrive_in_order(tmp_path: Path, layout: Any, first: bool, said: Any) -> None:
    network = foreign_network(
        tmp_path / "n.onnx", layout=layout, frames=4, frames_first=first, gives="logit"
    )
    output = {"gives": "logit", "high_means": "fake"}
    made = contract(network, input=said, clip={"stride": 2}, output=output)
    pixels = pictures(3, 4)
    means = (pixels / 255).mean(axis=(2, 3))
    logit = 6 * ((means[..., 0] - means[..., 2]) * [0.1, 0.2, 0.3, 0.4]).sum(axis=1)
    np.testing.assert_allclose(scores(made, pixels), 1 / (1 + np.exp(-logit)), atol=2e-6)


@pytest.mark.parametrize("kind", [onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE])
def test_other_precisions_are_cast(tmp_path: Path, kind: int) -> None:
    path = foreign_network(tmp_path / "n.onnx", gives="logit")
    model = onnx.load(path)
    given, answer = model.graph.input[0], model.graph.output[0]
    inner = [onnx.helper.make_node("Cast", ["input"], ["wide"], to=onnx.TensorProto.FLOAT)]
    for node in model.graph.node:
        node.input[:] = ["wide" if name == "input" else name for name in node.input]
        node.output[:] = ["narrow" if name == "answer" else name for name in node.output]
    nodes = [
        *inner,
        *model.graph.node,
        onnx.helper.make_node("Cast", ["narrow"], ["answer"], to=kind),
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    given.type.tensor_type.elem_type = answer.type.tensor_type.elem_type = kind
    onnx.save(model, path)
    made = contract(path, output={"gives": "logit", "high_means": "fake"})
    pixels = pictures(2)
    np.testing.assert_allclose(scores(made, pixels), by_hand(pixels / 255), atol=2e-3)


def test_names_that_framejury_uses_may_occur_in_the_network(tmp_path: Path) -> None:
    path = foreign_network(tmp_path / "n.onnx", gives="probability")
    model = onnx.load(path)
    for node in model.graph.node:
        node.input[:] = [{"input": "p_fake", "pooled": "heat"}.get(n, n) for n in node.input]
        node.output[:] = [{"answer": "pixels", "pooled": "heat"}.get(n, n) for n in node.output]
    model.graph.input[0].name, model.graph.output[0].name = "p_fake", "pixels"
    onnx.save(model, path)
    pixels = pictures(2)
    made = contract(path, output={"high_means": "fake"})
    np.testing.assert_allclose(scores(made, pixels), by_hand(pixels / 255), atol=2e-6)
    assert [item.name for item in made.graph.output] == [OUTPUT_NAME]


def test_one_of_several_outputs(tmp_path: Path) -> None:
    path = foreign_network(tmp_path / "n.onnx", gives="probability")
    model = onnx.load(path)
    features = onnx.helper.make_tensor_value_info("pooled", onnx.TensorProto.FLOAT, ["n", 2, 1, 1])
    model.graph.output.insert(0, features)
    onnx.save(model, path)
    made = contract(path, output={"name": "answer", "high_means": "fake"})
    pixels = pictures(2)
    np.testing.assert_allclose(scores(made, pixels), by_hand(pixels / 255), atol=2e-6)
