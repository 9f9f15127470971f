"""A bundle is judged by the settings it carries, unless the options say otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from framejury.cli.judging_options import Judging
from framejury.cli.options import add_bundle, make_parser
from framejury.labelled.bundling import carried_settings
from framejury.model.bundle import write_bundle
from framejury.model.input_contract import Framing
from framejury.model.manifest import Manifest
from framejury.settings import Settings
from framejury.settings.loading import load_settings
from tests.builders.bundles import MANIFEST, brightness_network


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle as `train --preset flow_fusion` writes it, and beside it one of an older format."""
    folder = tmp_path_factory.mktemp("bundles")
    network = brightness_network(folder / "network.onnx")
    judging = load_settings("flow_fusion", judging=True)
    carried = carried_settings(judging, load_settings("flow_fusion"), [])
    framing = Framing(margin_ratio=0.3, shape="box", margin_px=40)
    flow: Manifest = replace(MANIFEST, signal="flow_fusion", framing=framing)
    write_bundle(folder / "old", flow, network)
    write_bundle(folder / "flow", replace(flow, judging=carried), network)
    return folder


def judging_of(bundle: Path, *options: str) -> Judging:
    parser = make_parser("scan", "", ["sampling"])
    add_bundle(parser)
    return Judging.from_args(parser.parse_args(["--bundle", str(bundle), *options]))


def test_a_bundle_is_judged_as_with_its_preset(place: Path) -> None:
    alone, named = judging_of(place / "flow"), judging_of(place / "flow", "--preset", "flow_fusion")
    sections = {"sampling", "detection", "crops"}
    dumped = [one.settings.model_dump(include=sections) for one in (alone, named)]
    assert dumped[0] == dumped[1]
    detection, sampling = alone.settings.detection, alone.settings.sampling
    assert (detection.detector, detection.keep, sampling.frames) == ("haar", "last", 30)
    assert alone.settings.verdict.confidence_level is None


def test_options_win_over_the_bundle(place: Path) -> None:
    changed = judging_of(place / "flow", "--set", "detection.detector=mtcnn").settings
    assert (changed.detection.detector, changed.sampling.frames) == ("mtcnn", 30)


def test_the_presets_own_rule_is_not_remarked(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judging_of(place / "flow", "--preset", "flow_fusion").rule.remark == ""
    assert "is not the bundle's" not in capsys.readouterr().err
    median = judging_of(place / "flow", "--set", "verdict.reducer=median")
    assert "is not the bundle's" in median.rule.remark


def test_older_bundles_are_judged_by_the_defaults(place: Path) -> None:
    settings = judging_of(place / "old").settings
    assert settings.detection.detector == "mtcnn"
    assert (settings.sampling.frames, settings.sampling.rounds) == (
        None,
        Settings().sampling.rounds,
    )


def test_other_frames_are_another_model(place: Path) -> None:
    assert judging_of(place / "flow").bundle.model_id != judging_of(place / "old").bundle.model_id
