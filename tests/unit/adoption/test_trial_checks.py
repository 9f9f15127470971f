"""What a trial finds out about a network, in a process that it may hang or fill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from framejury.adoption import trial
from framejury.adoption.contract_graph import contract_model
from framejury.adoption.description import Description, completed, description_of
from framejury.adoption.foreign_file import ForeignNetwork, read_network
from framejury.adoption.trial import Trial, TrialError
from framejury.adoption.trial_checks import trial_pictures, try_network
from framejury.errors import BundleError
from framejury.machine.check import Check
from framejury.settings import LimitSettings
from tests.builders.bundles import brightness_bundle
from tests.builders.foreign_networks import foreign_network

LIMITS = LimitSettings()
SAID = {
    "input": {"colours": "RGB", "scale": "0..1"},
    "crop": {"margin_ratio": 0.3},
    "output": {"gives": "logit", "high_means": "fake"},
}


def prepared(
    path: Path, said: dict[str, Any] | None = None
) -> tuple[Path, Description, ForeignNetwork]:
    network = read_network(path)
    whole = completed(description_of(said or SAID, "test"), network.facts)
    made = path.with_name("contract.onnx")
    facts = network.facts.seen_as(whole.input.layout, whole.output.name)
    onnx.save(contract_model(network.model, facts, whole), made)
    return made, whole, network


def tried(path: Path, said: dict[str, Any] | None = None) -> tuple[int | None, dict[str, Check]]:
    made, whole, network = prepared(path, said)
    checks: list[Check] = []
    limit = try_network(
        made, whole, network.facts, limits=LIMITS, shipped=None, report=checks.append
    )
    return limit, {check.name: check for check in checks}


def with_end(path: Path, *nodes: onnx.NodeProto, **constants: np.ndarray) -> Path:
    """Put nodes between the network's answer, then `last`, and its output `answer`."""
    model = onnx.load(path)
    for node in model.graph.node:
        node.output[:] = ["last" if name == "answer" else name for name in node.output]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    path.write_bytes(model.SerializeToString())
    return path


def test_any_number_of_faces_per_call(tmp_path: Path) -> None:
    limit, checks = tried(foreign_network(tmp_path / "n.onnx", gives="logit"))
    assert limit is None
    assert {check.state for check in checks.values()} == {"ok"}
    assert list(checks) == ["loads", "scores", "repeatable", "batch", "cost"]


def test_a_fixed_batch_is_opened_where_the_network_allows(tmp_path: Path) -> None:
    assert tried(foreign_network(tmp_path / "n.onnx", gives="logit", batch=1))[0] is None
    assert tried(foreign_network(tmp_path / "n.onnx", gives="logit", batch=5))[0] is None


def test_otherwise_it_is_kept_as_a_limit(tmp_path: Path) -> None:
    limit, checks = tried(foreign_network(tmp_path / "n.onnx", gives="logit", batch=1, bound=True))
    assert limit == 1
    assert "1 face per call, as exported" in checks["batch"].found


def test_a_batch_of_exactly_five_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="exactly 5 faces per call"):
        tried(foreign_network(tmp_path / "n.onnx", gives="logit", batch=5, bound=True))


def test_faces_that_influence_each_other_are_refused_unless_judged_alone(tmp_path: Path) -> None:
    path = with_end(
        foreign_network(tmp_path / "n.onnx", gives="logit"),
        helper.make_node("ReduceMean", ["last"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Add", ["last", "mean"], ["answer"]),
    )
    with pytest.raises(BundleError, match=r"scores differ by .* batch_limit: 1"):
        tried(path)
    assert tried(path, {**SAID, "batch_limit": 1})[0] == 1


def test_a_network_that_draws_random_numbers_is_refused(tmp_path: Path) -> None:
    path = with_end(
        foreign_network(tmp_path / "n.onnx", gives="logit"),
        helper.make_node("RandomNormalLike", ["last"], ["noise"]),
        helper.make_node("Add", ["last", "noise"], ["answer"]),
    )
    with pytest.raises(BundleError, match="draws random numbers"):
        tried(path)


def test_logits_that_are_called_probabilities_are_refused(tmp_path: Path) -> None:
    path = foreign_network(tmp_path / "n.onnx", gives="logit")
    with pytest.raises(BundleError, match=r"is output\.gives logit"):
        tried(path, {**SAID, "output": {"gives": "probability", "high_means": "fake"}})


def test_scores_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    path = with_end(
        foreign_network(tmp_path / "n.onnx", gives="logit"),
        helper.make_node("Sqrt", ["last"], ["answer"]),
    )
    with pytest.raises(BundleError, match="not numbers"):
        tried(path)


def test_a_constant_answer_is_a_warning(tmp_path: Path) -> None:
    path = with_end(
        foreign_network(tmp_path / "n.onnx", gives="logit"),
        helper.make_node("Mul", ["last", "nothing"], ["answer"]),
        nothing=np.zeros(1, np.float32),
    )
    assert tried(path)[1]["scores"].state == "warning"


def endless(path: Path) -> Path:
    """A network with a loop that does not end."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Identity", ["value"], ["same"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n", 1]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("same", TensorProto.FLOAT, ["n", 1]),
        ],
    )
    loop = helper.make_node("Loop", ["", "true", "last"], ["answer"], body=body)
    return with_end(foreign_network(path, gives="logit"), loop, true=np.array(True))


def test_a_network_that_hangs_ends_its_process_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "CALL_LIMIT_S", 1.0)
    monkeypatch.setattr(trial, "FACE_LIMIT_S", 0.0)
    with pytest.raises(TrialError, match="within 1 seconds"):
        tried(endless(tmp_path / "n.onnx"))


def test_a_network_that_takes_all_memory_ends_its_process_only(tmp_path: Path) -> None:
    path = with_end(
        foreign_network(tmp_path / "n.onnx", gives="logit"),
        helper.make_node("Expand", ["last", "huge"], ["much"]),
        helper.make_node("ReduceMax", ["much"], ["answer"], axes=[1], keepdims=1),
        huge=np.array([1, 2**33], np.int64),
    )
    with pytest.raises(TrialError):
        tried(path)


def test_the_cost_is_compared_with_the_shipped_network(tmp_path: Path) -> None:
    made, whole, network = prepared(foreign_network(tmp_path / "n.onnx", gives="logit"))
    shipped = brightness_bundle(tmp_path / "shipped")
    checks: list[Check] = []
    try_network(made, whole, network.facts, limits=LIMITS, shipped=shipped, report=checks.append)
    assert f"times {shipped.model_id}" in checks[-1].found


def test_a_trial_answers_in_the_order_of_the_faces(tmp_path: Path) -> None:
    made, whole, _ = prepared(foreign_network(tmp_path / "n.onnx", gives="logit"))
    pixels = trial_pictures(whole)
    with Trial(made, LIMITS) as running:
        scores = running.run(pixels, 3).scores
        again = running.run(pixels[::-1].copy(), 3).scores
    assert scores.shape == (len(pixels),)
    np.testing.assert_allclose(scores[::-1], again, atol=1e-6)
