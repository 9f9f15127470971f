"""A network is data: what would need code or files from elsewhere is refused."""

from __future__ import annotations

import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from framejury.adoption import foreign_file
from framejury.adoption.foreign_file import read_network
from framejury.errors import BundleError, SetupError
from tests.builders.foreign_networks import foreign_network

OTHER = "weights.bin"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return foreign_network(tmp_path / "n.onnx")


def with_weights_outside(path: Path, location: str) -> None:
    """Move the kernel into the file weights.bin and name it `location`."""
    model = onnx.load(path)
    tensor = next(item for item in model.graph.initializer if item.name == "kernel")
    (path.parent / OTHER).write_bytes(tensor.raw_data)
    onnx.external_data_helper.set_external_data(tensor, location)
    tensor.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())


def edited(path: Path, change: Callable[[onnx.ModelProto], object]) -> Path:
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_beside_the_file_are_drawn_into_it(network: Path) -> None:
    before = onnx.load(network).graph.initializer[0]
    with_weights_outside(network, OTHER)
    (kernel,) = [t for t in read_network(network).model.graph.initializer if t.name == "kernel"]
    assert not kernel.external_data
    np.testing.assert_array_equal(
        onnx.numpy_helper.to_array(kernel), onnx.numpy_helper.to_array(before)
    )


@pytest.mark.parametrize("location", ["/etc/passwd", "../weights.bin", "a/../../weights.bin", ""])
def test_weights_elsewhere_are_refused(network: Path, location: str) -> None:
    with_weights_outside(network, location)
    with pytest.raises(BundleError, match="outside its own folder"):
        read_network(network)


def test_a_link_out_of_the_folder_is_refused(network: Path, tmp_path_factory) -> None:
    with_weights_outside(network, OTHER)
    target = tmp_path_factory.mktemp("elsewhere") / OTHER
    (network.parent / OTHER).rename(target)
    (network.parent / OTHER).symlink_to(target)
    with pytest.raises(BundleError, match="outside its own folder"):
        read_network(network)


def test_missing_weights_are_named(network: Path) -> None:
    with_weights_outside(network, OTHER)
    (network.parent / OTHER).unlink()
    with pytest.raises(BundleError, match=r"needs the file weights\.bin"):
        read_network(network)


def test_custom_operators_are_refused_also_in_a_branch(network: Path) -> None:
    def add(model: onnx.ModelProto) -> None:
        custom = helper.make_node("Secret", ["x"], ["y"], domain="org.example")
        value = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
        body = helper.make_graph([custom], "body", [], [value])
        node = helper.make_node("If", ["c"], ["z"], then_branch=body, else_branch=body)
        model.graph.node.append(node)
        model.opset_import.append(helper.make_opsetid("org.example", 1))

    with pytest.raises(BundleError, match=r"org\.example\.Secret"):
        read_network(edited(network, add))


def test_functions_of_the_file_itself_are_inlined(network: Path) -> None:
    def wrap(model: onnx.ModelProto) -> None:
        relu = next(node for node in model.graph.node if node.op_type == "Relu")
        body = helper.make_node("Relu", ["a"], ["b"])
        opset = [helper.make_opsetid("", 17)]
        model.functions.append(helper.make_function("own", "Mine", ["a"], ["b"], [body], opset))
        model.opset_import.append(helper.make_opsetid("own", 1))
        relu.op_type, relu.domain = "Mine", "own"

    assert "nodes of" in read_network(edited(network, wrap)).contents


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.opset_import[0].__setattr__("version", 6), "opset 6"),
        (lambda m: m.graph.input.append(_value("second", [1])), "2 inputs"),
        (lambda m: _dims(m, ["n", 3, 32, 48]), "32 by 48"),
        (lambda m: _dims(m, ["n", 1, 32, 32]), "without an axis of 3"),
        (lambda m: _dims(m, ["n", 3]), "must have 4 axes"),
        (lambda m: m.graph.node.pop(), "not a valid ONNX network"),
        (lambda m: m.graph.ClearField("node"), "holds no network"),
    ],
)
def test_what_cannot_be_a_detector_is_refused(network: Path, change, reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        read_network(edited(network, change))


@pytest.mark.parametrize("name", ["n.pt", "n.pth", "n.ckpt", "n.pkl"])
def test_a_checkpoint_is_not_unpickled(tmp_path: Path, name: str) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return sys.exit, ("unpickled",)

    (tmp_path / name).write_bytes(pickle.dumps(Bomb(), protocol=2))
    with pytest.raises(BundleError, match=r"torch\.onnx\.export"):
        read_network(tmp_path / name)


def test_a_checkpoint_under_another_name_is_not_unpickled(tmp_path: Path) -> None:
    (tmp_path / "n.onnx").write_bytes(pickle.dumps({"weights": 1}, protocol=2))
    with pytest.raises(BundleError, match="pickle"):
        read_network(tmp_path / "n.onnx")
    with zipfile.ZipFile(tmp_path / "zip.onnx", "w") as file:
        file.writestr("archive/data.pkl", b"x")
    with pytest.raises(BundleError, match="not an ONNX file"):
        read_network(tmp_path / "zip.onnx")


def test_too_large_files_are_refused(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_weights_outside(network, OTHER)
    size = network.stat().st_size
    monkeypatch.setattr(foreign_file, "LARGEST_BYTES", size + 1)
    with pytest.raises(BundleError, match="with the files beside it"):
        read_network(network)
    monkeypatch.setattr(foreign_file, "LARGEST_BYTES", size - 1)
    with pytest.raises(BundleError, match="an ONNX file holds"):
        read_network(network)


def test_a_keras_file_needs_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "n.keras").write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "framejury.training.foreign_keras", None)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(SetupError, match=r"framejury\[train\]"):
        read_network(tmp_path / "n.keras")


def test_a_folder_must_be_a_saved_model(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"without saved_model\.pb"):
        read_network(tmp_path)


def _value(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _dims(model: onnx.ModelProto, shape: list[int | str]) -> None:
    del model.graph.input[:], model.graph.node[1:]
    model.graph.node[0].CopyFrom(helper.make_node("Identity", ["input"], ["answer"]))
    model.graph.input.append(_value("input", shape))
    model.graph.output[0].CopyFrom(_value("answer", shape))
