"""The manifest of an adopted network says where it is from, and claims nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from framejury.adoption.adopting import drafted
from framejury.adoption.description import description_of
from framejury.adoption.foreign_file import read_network
from framejury.model.bundle import load_bundle, sha256_of
from framejury.model.manifest import Bundle
from framejury.settings import TEMPLATES, LimitSettings
from framejury.verdict.rule import NOT_CALIBRATED
from tests.builders.foreign_networks import foreign_network

SAID: dict[str, Any] = {
    "name": "Net B7 (2020)",
    "source": "somebody",
    "input": {"colours": "BGR", "scale": "-1..1", "resize": "letterbox"},
    "crop": {"margin_px": 12, "shape": "box"},
    "output": {"gives": "logits", "index_of_fake": 0},
}


def adopted(path: Path, said: dict[str, Any], **kind: Any) -> Bundle:
    network = read_network(foreign_network(path / "n.onnx", **kind))
    given = description_of(said, "test")
    with drafted(
        network, given, limits=LimitSettings(), shipped=None, report=lambda _: None
    ) as draft:
        draft.write(path / "bundle")
    return load_bundle(path / "bundle")


def test_it_has_no_rule_no_figures_and_an_origin(tmp_path: Path) -> None:
    bundle = adopted(tmp_path, SAID)
    assert bundle.model_id.startswith("net_b7_2020-")
    assert (bundle.threshold, bundle.calibration, bundle.reducer) == (0.5, None, None)
    assert bundle.metrics == {} and bundle.data.counts == () and bundle.data.methods is None
    assert bundle.data.description.startswith("Unknown")
    assert bundle.notes[0].startswith(NOT_CALIBRATED) and "calibrate" in bundle.notes[0]
    origin = bundle.adopted
    assert origin is not None and origin.trained_on is None and origin.licence is None
    assert (origin.name, origin.source) == ("Net B7 (2020)", "somebody")
    assert origin.file_sha256 == bundle.data.fingerprint == sha256_of(tmp_path / "n.onnx")
    reading = description_of(origin.reading, "bundle")
    assert reading.input.side_px == 32 and reading.output.index_of_fake == 0


def test_pixels_and_crops_are_as_described(tmp_path: Path) -> None:
    bundle = adopted(tmp_path, SAID)
    assert (bundle.pixels.input_px, bundle.pixels.resize) == (32, "letterbox")
    assert (bundle.framing.margin_px, bundle.framing.shape) == (12, "box")
    assert bundle.pixels.clip_frames == 1 and bundle.pixels.batch_limit is None


def test_clips_aligned_crops_and_limits(tmp_path: Path) -> None:
    said = {
        **SAID,
        "trained_on": "FaceForensics++ c23",
        "input": {**SAID["input"], "layout": "NTCHW"},
        "clip": {"stride": 2},
        "crop": {"margin_ratio": 0.15, "template": "arcface"},
    }
    bundle = adopted(tmp_path, said, frames=5, batch=1, bound=True)
    assert (bundle.pixels.clip_frames, bundle.pixels.clip_stride) == (5, 2)
    assert bundle.pixels.batch_limit == 1
    assert bundle.framing.template == TEMPLATES["arcface"]
    assert bundle.data.description == "FaceForensics++ c23"


def test_a_network_of_whole_frames_brings_the_detector_that_finds_them(tmp_path: Path) -> None:
    bundle = adopted(tmp_path, {**SAID, "crop": {"judges": "frame"}})
    assert bundle.framing.judges == "frame"
    assert bundle.judging == {"detection": {"detector": "frame"}}
