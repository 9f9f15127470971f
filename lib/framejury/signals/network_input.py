"""From a face to the input of a network: the only place where this happens."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import CroppedFace, Image
from framejury.settings import PAIR_SIGNALS, Resize, Signal
from framejury.signals.delta import delta
from framejury.signals.flow_fusion import flow_fusion
from framejury.signals.marked import marked
from framejury.signals.rgb import network_input, square_of, square_region, stretched


def picture_of(
    face: CroppedFace,
    signal: Signal,
    input_px: int,
    resize: Resize = "letterbox",
    jpeg_quality: int | None = None,
) -> Image:
    """Make the network's input from a face.

    Args:
        face: its crop and the other inputs of the signal.
        signal: one of `training.signal`.
        input_px: side of the network's input, pixels.
        resize: how crops are made square.
        jpeg_quality: the picture is compressed as JPEG (`as_jpeg`) and read again; None: it is not.

    Returns:
        uint8 (input_px, input_px, 3) RGB.

    Raises:
        ValueError: the face lacks an input of the signal, or a crop is not an image.
    """
    check_signal(face, signal)
    crop = face.crop
    if signal == "marked" and face.landmarks is not None:
        crop = marked(crop, face.landmarks)
    picture = _square(crop, input_px, resize)
    if signal in PAIR_SIGNALS and face.next_crop is not None:
        second = _square(face.next_crop, input_px, resize)
        picture = delta(picture, second) if signal == "delta" else flow_fusion(picture, second)
    return picture if jpeg_quality is None else read_jpeg(as_jpeg(picture, jpeg_quality))


def clip_of(
    face: CroppedFace,
    frames: int,
    input_px: int,
    resize: Resize = "letterbox",
    jpeg_quality: int | None = None,
) -> npt.NDArray[np.uint8]:
    """Make the input of a network that looks at clips: `picture_of` each crop (signal rgb).

    Args:
        face: its crops in all frames of the clip.
        frames: pictures that the network sees, count.
        input_px, resize, jpeg_quality: as in `picture_of`.

    Returns:
        uint8 (frames, input_px, input_px, 3) RGB, by time.

    Raises:
        ValueError: the face has more or fewer crops, or one is not an image.
    """
    check_clip(face, frames)
    return np.stack(
        [picture_of(CroppedFace(c), "rgb", input_px, resize, jpeg_quality) for c in face.clip]
    )


def as_jpeg(picture: Image, quality: int) -> bytes:
    """Compress a picture as JPEG with 4:2:0 chroma; at quality 75, the bytes of Pillow's defaults.

    Args:
        picture: uint8 (height, width, 3) RGB.
        quality: 1 to 100.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    return bytes(data)


def read_jpeg(data: bytes) -> Image:
    """Return the picture of `as_jpeg`: uint8 (height, width, 3) RGB.

    Raises:
        ValueError: the bytes are not an image.
    """
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{len(data)} bytes are not a JPEG")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def square_face(face: CroppedFace, place: tuple[float, float]) -> CroppedFace:
    """Cut the same square out of all pictures of a face; its landmarks move along.

    Args:
        face: its crop, and those of the further frames of its sample.
        place: as of `signals.rgb.square_region`.
    """
    part = square_region(face.crop.shape, place)
    landmarks = face.landmarks
    if landmarks is not None:
        landmarks = (landmarks - (part.x, part.y)).astype(np.float32)
    further = tuple(square_of(crop, place) for crop in face.further)
    return CroppedFace(square_of(face.crop, place), landmarks, further)


def check_clip(face: CroppedFace, frames: int) -> None:
    """Check that a face has as many crops as a clip has frames.

    Raises:
        ValueError: it has not; the message says how to extract them.
    """
    if len(face.clip) != frames:
        raise ValueError(
            f"the network looks at clips of {frames} frames, and the face is there in "
            f"{len(face.clip)}: set sampling.clip_frames={frames}"
        )


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
    if resize == "letterbox":
        return network_input(crop, input_px)
    return stretched(square_of(crop) if resize == "crop" else crop, input_px)
