"""A small real sound model, made without TensorFlow, and sounds that it tells apart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from framejury.audio import RATE_HZ, Samples
from framejury.audio.log_mel import BANDS, CONTRACT, FRAMES
from framejury.audio.sound_model import SoundManifest, SoundModel, write_sound_model

LOW_HZ, HIGH_HZ = 300.0, 4000.0
"""Tones that the model calls real and fake."""

MANIFEST = SoundManifest(
    features=dict(CONTRACT),
    threshold=0.6,
    data="No data.",
    leak=None,
    counts={},
    metrics={},
    libraries={},
    created_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
)


def tone(hertz: float, seconds: float, peak: float = 0.3) -> Samples:
    """A sine with a little noise; `peak` as a share of full scale."""
    noise = np.random.default_rng(0).normal(0, 0.001, round(seconds * RATE_HZ))
    wave = peak * np.sin(2 * np.pi * hertz * np.arange(len(noise)) / RATE_HZ)
    return np.asarray(np.round((wave + noise) * 2**15), np.int16)


def high_band_network(path: Path, *, frames: int = FRAMES, gain: float = 4.0) -> Path:
    """A network whose score is sigmoid(gain * (mean of the upper half of the bands - lower))."""
    pick = np.where(np.arange(BANDS) >= BANDS // 2, gain, -gain) / (BANDS // 2)
    nodes = [
        helper.make_node("ReduceMean", ["windows"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "pick"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["p_fake"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bands",
        [helper.make_tensor_value_info("windows", TensorProto.FLOAT, ["n", frames, BANDS])],
        [helper.make_tensor_value_info("p_fake", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(pick.astype(np.float32)[:, None], "pick")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def sound_model(directory: Path, threshold: float = 0.6) -> SoundModel:
    """A model that calls high sounds fake."""
    network = high_band_network(directory.with_name(f"{directory.name}.onnx"))
    manifest = MANIFEST.model_copy(update={"threshold": threshold})
    return write_sound_model(directory, manifest, network)
