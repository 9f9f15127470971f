"""The one place where a face becomes what a network sees."""

from __future__ import annotations

from framejury.records import CroppedFace, Image
from framejury.settings import PAIR_SIGNALS, Resize, Signal
from framejury.signals.delta import delta
from framejury.signals.flow_fusion import flow_fusion
from framejury.signals.marked import marked
from framejury.signals.rgb import network_input, stretched


def picture_of(
    face: CroppedFace, signal: Signal, input_px: int, resize: Resize = "letterbox"
) -> Image:
    """What the network sees of a face.

    Args:
        face: its crop, and what else the signal needs.
        signal: one of `training.signal`.
        input_px: side of the network's input, pixels.
        resize: how crops become square.

    Returns:
        uint8 (input_px, input_px, 3) RGB.

    Raises:
        ValueError: the face lacks what the signal needs, or a crop is no picture.
    """
    check_signal(face, signal)
    crop = face.crop
    if signal == "marked" and face.landmarks is not None:
        crop = marked(crop, face.landmarks)
    first = _square(crop, input_px, resize)
    if signal not in PAIR_SIGNALS or face.next_crop is None:
        return first
    second = _square(face.next_crop, input_px, resize)
    return delta(first, second) if signal == "delta" else flow_fusion(first, second)


def check_signal(face: CroppedFace, signal: Signal) -> None:
    """Refuses a face that lacks what a signal is made of.

    Raises:
        ValueError: it does; the message says what and how it gets there.
    """
    if signal == "marked" and face.landmarks is None:
        raise ValueError("signal marked needs landmarks: extract with detection.detector=mtcnn")
    if signal in PAIR_SIGNALS and face.next_crop is None:
        raise ValueError(f"signal {signal} needs the face in two frames: set sampling.pairs=true")


def _square(crop: Image, input_px: int, resize: Resize) -> Image:
    return network_input(crop, input_px) if resize == "letterbox" else stretched(crop, input_px)
