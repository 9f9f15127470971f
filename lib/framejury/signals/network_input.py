"""From a face to the input of a network: the only place where this happens."""

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
    """Make the network's input from a face.

    Args:
        face: its crop and the other inputs of the signal.
        signal: one of `training.signal`.
        input_px: side of the network's input, pixels.
        resize: how crops are made square.

    Returns:
        uint8 (input_px, input_px, 3) RGB.

    Raises:
        ValueError: the face lacks an input of the signal, or a crop is not an image.
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
    """Check that a face has the inputs of a signal.

    Raises:
        ValueError: an input is missing; the message names it and how to extract it.
    """
    if signal == "marked" and face.landmarks is None:
        raise ValueError("signal marked needs landmarks: extract with detection.detector=mtcnn")
    if signal in PAIR_SIGNALS and face.next_crop is None:
        raise ValueError(f"signal {signal} needs the face in two frames: set sampling.pairs=true")


def _square(crop: Image, input_px: int, resize: Resize) -> Image:
    return network_input(crop, input_px) if resize == "letterbox" else stretched(crop, input_px)
