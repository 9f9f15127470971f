"""The settings under which a network sees faces as in its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from framejury.errors import ConfigError
from framejury.model.input_contract import Framing
from framejury.model.manifest import Bundle
from framejury.settings import PAIR_SIGNALS, CropSettings, Settings

_ALONE = {"pairs": False, "clip_frames": 1, "clip_stride": 1}


def framed_for(bundle: Bundle, settings: Settings) -> Settings:
    """Return settings under which the network sees faces as in its training.

    Crops are cut as for its training faces, and frames come in pairs or clips as it needs them.

    Raises:
        ConfigError: the settings find something other than the network was trained on: faces for a
            network of whole frames, frames for a network of faces, or faces without landmarks.
    """
    detector = settings.detection.detector
    for one in bundle.parts or (bundle,):
        _check_detector(one, detector)
    return settings.model_copy(
        update={
            "crops": crops_for(bundle.framing, settings.crops),
            "sampling": settings.sampling.model_copy(update=samples_of(bundle)),
        }
    )


def crops_for(framing: Framing, crops: CropSettings) -> CropSettings:
    """Return settings under which faces are cut with this geometry."""
    geometry = {name: value for name, value in asdict(framing).items() if name != "judges"}
    return crops.model_copy(update=geometry)


def _check_detector(bundle: Bundle, detector: str) -> None:
    judges = bundle.framing.judges
    if (judges == "frame") != (detector == "frame"):
        raise ConfigError(
            f"{bundle.model_id} judges {judges}s, but detection.detector is {detector}. Set "
            f"detection.detector={'frame' if judges == 'frame' else 'mtcnn'}, or use the preset it "
            "was trained with"
        )
    if needs_landmarks(bundle) and detector != "mtcnn":
        raise ConfigError(
            f"{bundle.model_id} needs landmarks, but detection.detector={detector} finds none. Set "
            "detection.detector=mtcnn"
        )


def samples_of(bundle: Bundle) -> dict[str, Any]:
    """Return the settings of `sampling` that give the network all frames it looks at."""
    return {
        "pairs": bundle.signal in PAIR_SIGNALS,
        "clip_frames": bundle.pixels.clip_frames,
        "clip_stride": bundle.pixels.clip_stride,
    }


def lacking_frames(bundle: Bundle, sampling: Mapping[str, Any]) -> list[str]:
    """Return what keeps samples from having all frames that the network looks at.

    Args:
        bundle: a network that looks at single frames takes the first of each sample.
        sampling: the settings of that section, of any version.

    Returns:
        settings to change, as `--set` takes them; empty if none.
    """
    wanted = samples_of(bundle)
    if wanted == _ALONE:
        return []
    found = _ALONE | dict(sampling)
    return [
        f"sampling.{name}={str(value).lower()}"
        for name, value in wanted.items()
        if found[name] != value
    ]


def needs_landmarks(bundle: Bundle) -> bool:
    """Return whether its faces are aligned or marked by their landmarks."""
    return bundle.signal == "marked" or bundle.framing.template is not None
