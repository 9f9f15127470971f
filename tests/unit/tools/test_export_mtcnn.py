"""The ONNX networks are the networks of the `mtcnn` package, and re-export repeats them."""

import hashlib
import os

import numpy as np
import onnxruntime
import pytest

from framejury.errors import SetupError
from tools import export_mtcnn
from tools.export_mtcnn import NETWORKS, WEIGHTS_DIR
from tools.mtcnn_graph import network_bytes

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


def _onnx_heads(name, pixels):
    """Channels last: offsets, landmarks of ONet, logit."""
    session = onnxruntime.InferenceSession(
        WEIGHTS_DIR / f"{name}.onnx", providers=["CPUExecutionProvider"]
    )
    (heads,) = session.run(None, {"input": pixels.transpose(0, 3, 1, 2)})
    return heads.transpose(0, 2, 3, 1) if heads.ndim == 4 else heads


def _pixels(height, width):
    return np.random.default_rng(7).uniform(0, 255, (3, height, width, 3)).astype(np.float32)


def _conv(picture, kernel, bias):
    windows = np.lib.stride_tricks.sliding_window_view(picture, kernel.shape[:2], axis=(1, 2))
    return np.einsum("nhwcij,ijco->nhwo", windows, kernel, optimize=True) + bias


def _prelu(values, slope):
    return np.where(values > 0, values, slope * values)


def _max_pool(picture, side, same):
    """Stride 2; `same` pads below and to the right, as Keras."""
    if same:
        pads = [max(0, (-(-length // 2) - 1) * 2 + side - length) for length in picture.shape[1:3]]
        picture = np.pad(
            picture, [(0, 0), (0, pads[0]), (0, pads[1]), (0, 0)], constant_values=-np.inf
        )
    windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side), axis=(1, 2))
    return windows[:, ::2, ::2].max(axis=(-2, -1))


POOLS = {
    "pnet": [(2, True), None, None],
    "rnet": [(3, True), (3, False), None],
    "onet": [(3, True), (3, False), (2, True), None],
}


def _plain_heads(name, pixels, weights):
    """The network layer by layer as the package has it, in float64."""
    left = [array.astype(np.float64) for array in weights]
    values = (pixels.astype(np.float64) - 127.5) / 128
    for pool in POOLS[name]:
        kernel, bias, slope = (left.pop(0) for _ in range(3))
        values = _prelu(_conv(values, kernel, bias), slope)
        if pool is not None:
            values = _max_pool(values, *pool)
    if name != "pnet":
        kernel, bias, slope = (left.pop(0) for _ in range(3))
        turned = values.transpose(0, 2, 1, 3).reshape(len(values), -1)
        values = _prelu(turned @ kernel + bias, slope)
    heads = [values @ np.squeeze(kernel) + bias for kernel, bias in zip(*[iter(left)] * 2)]  # noqa: B905
    heads[-1] = heads[-1][..., 1:] - heads[-1][..., :1]
    return np.concatenate(heads, axis=-1)


SHAPES = pytest.mark.parametrize(
    ("name", "height", "width"),
    [
        ("pnet", 12, 12),
        ("pnet", 13, 20),  # an odd and an even side reach the padded max pool
        ("pnet", 97, 54),
        ("rnet", 24, 24),
        ("onet", 48, 48),
    ],
)


@SHAPES
def test_network_equals_its_plain_layers(name, height, width):
    try:
        weights = export_mtcnn.read_package_weights(name)
    except SetupError as error:
        pytest.skip(str(error))
    pixels = _pixels(height, width)
    expected = _plain_heads(name, pixels, weights)
    np.testing.assert_allclose(_onnx_heads(name, pixels), expected, atol=1e-4, rtol=0)
    assert np.ptp(expected) > 1.0  # the random input does reach the outputs


@pytest.mark.parametrize("name", NETWORKS)
def test_any_slopes_are_rewritten_exactly(name):
    """Also those the package does not have: of 1, near 1, above 1 and far below 0."""
    try:
        weights = export_mtcnn.read_package_weights(name)
    except SetupError as error:
        pytest.skip(str(error))
    rng = np.random.default_rng(5)
    special = np.array([-1.5, -0.2, 0.0, 0.4, 0.9995, 1.0, 1.001, 1.7], np.float32)
    changed = [
        rng.permutation(np.resize(special, array.size)).reshape(array.shape)
        if array.ndim == 3
        else array
        for array in weights
    ]
    if name == "pnet":
        assert (changed[2] < 0).sum() >= 2
        assert (changed[2] > 1).sum() >= 2
    session = onnxruntime.InferenceSession(
        network_bytes(name, changed), providers=["CPUExecutionProvider"]
    )
    side = {"pnet": 31, "rnet": 24, "onet": 48}[name]
    pixels = _pixels(side, side)
    (heads,) = session.run(None, {"input": pixels.transpose(0, 3, 1, 2)})
    heads = heads.transpose(0, 2, 3, 1) if heads.ndim == 4 else heads
    expected = _plain_heads(name, pixels, changed)
    assert np.abs(heads - expected).max() < 2e-5 * np.abs(expected).max()


@SHAPES
def test_network_equals_keras(keras_networks, name, height, width):
    pixels = _pixels(height, width)
    pictures = (pixels - np.float32(127.5)) / np.float32(128)
    expected = [np.asarray(output) for output in keras_networks[name](pictures)]
    heads = _onnx_heads(name, pixels)
    face = 1 / (1 + np.exp(-heads[..., -1]))
    np.testing.assert_allclose(heads[..., :4], expected[0], atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(face, expected[-1][..., 1], atol=TOLERANCE, rtol=0)
    if name == "onet":
        np.testing.assert_allclose(heads[:, 4:14], expected[1], atol=TOLERANCE, rtol=0)
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
        network_bytes(name, changed)
