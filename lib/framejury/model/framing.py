"""The settings under which a network sees faces as in its training."""

from __future__ import annotations

from dataclasses import asdict

from framejury.errors import ConfigError
from framejury.model.manifest import Bundle, Framing
from framejury.settings import PAIR_SIGNALS, CropSettings, Settings


def framed_for(bundle: Bundle, settings: Settings) -> Settings:
    """Return settings under which the network sees faces as in its training.

    Crops are cut as for its training faces, and frames come in pairs where its signal needs them.

    Raises:
        ConfigError: the settings find something other than the network was trained on: faces for a
            network of whole frames, frames for a network of faces, or faces without landmarks.
    """
    detector = settings.detection.detector
    for one in bundle.parts or (bundle,):
        _check_detector(one, detector)
    pairs = bundle.signal in PAIR_SIGNALS
    return settings.model_copy(
        update={
            "crops": crops_for(bundle.framing, settings.crops),
            "sampling": settings.sampling.model_copy(update={"pairs": pairs}),
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
    if bundle.signal == "marked" and detector != "mtcnn":
        raise ConfigError(
            f"{bundle.model_id} needs landmarks, but detection.detector={detector} finds none. Set "
            "detection.detector=mtcnn"
        )
