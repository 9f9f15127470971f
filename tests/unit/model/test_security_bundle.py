"""A network that tries to reach files outside of its bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, numpy_helper

from framejury.errors import FramejuryError
from framejury.model.bundle import load_bundle, write_bundle
from framejury.model.runtime import Scorer
from tests.builders.bundles import MANIFEST, brightness_bundle, brightness_network


def network_with_data_at(path: Path, location: str) -> Path:
    """The brightness network, its weights in a file that it names."""
    model = onnx.load(brightness_network(path))
    (weights,) = model.graph.initializer
    external_data_helper.set_external_data(weights, location)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("location", ["ABSOLUTE", "../secret.bin", "secret.bin", "a/../secret.bin"])
def test_a_network_pulls_in_no_other_file(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = np.array([[1 / 255], [0], [0]], dtype=np.float32)
    for folder in (tmp_path, tmp_path / "bundle"):
        folder.mkdir(exist_ok=True)
        (folder / "secret.bin").write_bytes(secret.tobytes())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    location = location.replace("ABSOLUTE", str(tmp_path / "secret.bin"))
    network = network_with_data_at(tmp_path / "network.onnx", location)
    (tmp_path / "bundle" / "secret.bin").unlink()
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, network)
    with pytest.raises(FramejuryError):
        Scorer(load_bundle(bundle.directory))


def test_the_same_network_with_its_weights_inside_scores(tmp_path: Path) -> None:
    bundle = brightness_bundle(tmp_path / "bundle")
    weights = onnx.load(bundle.onnx_path).graph.initializer[0]
    assert numpy_helper.to_array(weights).shape == (3, 1)
    white = np.full((32, 32, 3), 255, dtype=np.uint8)
    assert Scorer(load_bundle(bundle.directory)).score([white]) == pytest.approx([1.0])
