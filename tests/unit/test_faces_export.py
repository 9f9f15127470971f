"""The ONNX networks are the Keras networks of the `mtcnn` package, and re-export repeats them."""

import hashlib
import os

import numpy as np
import onnxruntime
import pytest

from framejury.errors import SetupError
from framejury.faces import export_mtcnn
from framejury.faces.export_mtcnn import NETWORKS, WEIGHTS_DIR

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def keras_networks():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")
    stages = pytest.importorskip("mtcnn.stages", reason="mtcnn is not installed (extra train)")
    return {
        "pnet": stages.StagePNet().model,
        "rnet": stages.StageRNet().model,
        "onet": stages.StageONet().model,
    }


def _onnx_outputs(name, pictures):
    session = onnxruntime.InferenceSession(
        WEIGHTS_DIR / f"{name}.onnx", providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"input": pictures}), strict=True))


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [
        ("pnet", 12, 12),
        ("pnet", 13, 20),  # an odd and an even side reach the padded max pool
        ("pnet", 97, 54),
        ("rnet", 24, 24),
        ("onet", 48, 48),
    ],
)
def test_network_equals_keras(keras_networks, name, height, width):
    rng = np.random.default_rng(7)
    pictures = rng.uniform(-1, 1, (3, height, width, 3)).astype(np.float32)
    expected = [np.asarray(output) for output in keras_networks[name](pictures)]
    actual = _onnx_outputs(name, pictures)
    offsets = actual["offsets"]
    if name == "pnet":
        offsets = offsets.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(offsets, expected[0], atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(actual["face"], expected[-1][..., 1], atol=TOLERANCE, rtol=0)
    if name == "onet":
        np.testing.assert_allclose(actual["landmarks"], expected[1], atol=TOLERANCE, rtol=0)
    assert np.ptp(expected[0]) > 1000 * TOLERANCE  # the random input does reach the outputs


def test_export_repeats_the_committed_files(tmp_path):
    try:
        export_mtcnn.read_package_weights("pnet")
    except SetupError as error:
        pytest.skip(str(error))
    for path in export_mtcnn.export(tmp_path):
        assert path.read_bytes() == (WEIGHTS_DIR / path.name).read_bytes(), path.name


def test_the_licence_lies_beside_the_weights():
    text = (WEIGHTS_DIR / "LICENSE-mtcnn").read_text(encoding="utf-8")
    assert "Iván de Paz Centeno" in text
    assert "The above copyright notice and this permission notice shall be included" in text


def test_another_weight_file_is_refused(monkeypatch):
    try:
        export_mtcnn.read_package_weights("rnet")
    except SetupError as error:
        pytest.skip(str(error))
    other = hashlib.sha256(b"other").hexdigest()
    monkeypatch.setitem(export_mtcnn.SHA256, "rnet", other)
    with pytest.raises(SetupError, match=f"not {other}"):
        export_mtcnn.read_package_weights("rnet")


def test_missing_package_says_what_to_install(monkeypatch):
    def missing(name):
        raise export_mtcnn.PackageNotFoundError(name)

    monkeypatch.setattr(export_mtcnn, "distribution", missing)
    with pytest.raises(SetupError, match=r"pip install mtcnn==1\.0\.0"):
        export_mtcnn.read_package_weights("pnet")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("surplus", [-1, 1])
def test_wrong_number_of_weights_is_refused(name, surplus):
    try:
        weights = export_mtcnn.read_package_weights(name)
    except SetupError as error:
        pytest.skip(str(error))
    changed = weights[:-1] if surplus < 0 else [*weights, weights[-1]]
    with pytest.raises(ValueError, match=name):
        export_mtcnn.network_bytes(name, changed)
