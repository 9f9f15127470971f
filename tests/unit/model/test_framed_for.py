"""What a network must see again when it judges, whatever the settings said before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framejury.errors import ConfigError
from framejury.model.framing import framed_for
from framejury.model.input_contract import Framing
from framejury.model.manifest import Bundle
from framejury.settings import Settings
from tests.builders.bundles import brightness_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return brightness_bundle(tmp_path_factory.mktemp("bundle") / "bundle")


def settings_with(**sections: dict[str, object]) -> Settings:
    return Settings.model_validate(sections)


def test_crops_are_cut_as_the_network_learned_them(bundle: Bundle) -> None:
    framing = Framing(margin_ratio=0.1, shape="box", margin_px=40, pair="same")
    crops = framed_for(replace(bundle, framing=framing), Settings()).crops
    assert (crops.margin_ratio, crops.shape, crops.margin_px, crops.pair) == (
        *(0.1, "box", 40, "same"),
    )


@pytest.mark.parametrize("signal", ["delta", "flow_fusion"])
def test_a_network_of_pairs_is_shown_pairs(bundle: Bundle, signal: str) -> None:
    of_pairs = replace(bundle, signal=signal)  # type: ignore[arg-type]
    assert framed_for(of_pairs, Settings()).sampling.pairs


@pytest.mark.parametrize("signal", ["rgb", "marked"])
def test_a_network_of_single_frames_is_shown_none(bundle: Bundle, signal: str) -> None:
    asked = settings_with(sampling={"pairs": True})
    single = replace(bundle, signal=signal)  # type: ignore[arg-type]
    assert not framed_for(single, asked).sampling.pairs


@pytest.mark.parametrize(("judges", "detector"), [("frame", "mtcnn"), ("face", "frame")])
def test_faces_and_whole_frames_are_not_mixed_up(
    bundle: Bundle, judges: str, detector: str
) -> None:
    framing = Framing(margin_ratio=0.0, shape="box", judges=judges)  # type: ignore[arg-type]
    asked = settings_with(detection={"detector": detector})
    with pytest.raises(ConfigError, match=f"judges {judges}s, but detection.detector is"):
        framed_for(replace(bundle, framing=framing), asked)


def test_whole_frames_for_a_network_of_frames(bundle: Bundle) -> None:
    framing = Framing(margin_ratio=0.0, shape="box", judges="frame")
    asked = settings_with(detection={"detector": "frame"})
    assert framed_for(replace(bundle, framing=framing), asked).detection.detector == "frame"


def test_a_network_of_landmarks_needs_a_detector_that_finds_them(bundle: Bundle) -> None:
    asked = settings_with(detection={"detector": "haar"})
    with pytest.raises(ConfigError, match="detector=haar finds none"):
        framed_for(replace(bundle, signal="marked"), asked)
