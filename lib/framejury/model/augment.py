"""Random changes of training faces, the same for both classes.

What differs between cameras, sites and uploads must not tell the classes apart:
mirror, a small shift and scale, light and colour, and JPEG recompression. Every
function is pure; what is random comes from the generator it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from framejury.records import Image


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One drawn change of a face.

    Attributes:
        flip: mirrored left to right.
        shift_x, shift_y: as shares of width and height.
        scale: about the middle, 1 is unchanged.
        brightness: added to each value, in units of 0..255.
        contrast: factor about the mean of the picture.
        gains: factor of each channel, RGB.
        jpeg_quality: of a recompression; None leaves it out.
    """

    flip: bool
    shift_x: float
    shift_y: float
    scale: float
    brightness: float
    contrast: float
    gains: tuple[float, float, float]
    jpeg_quality: int | None


def sample_rng(seed: int, epoch: int, *identity: int) -> np.random.Generator:
    """The generator of one face in one epoch: it does not matter which thread asks, or when.

    Args:
        seed: of the training.
        epoch: from 0.
        identity: non-negative numbers that name the face.
    """
    return np.random.default_rng([seed, epoch, *identity])


def draw(rng: np.random.Generator) -> Augmentation:
    """Draws one change. Each kind but the mirror is left out half of the time."""
    flip = bool(rng.random() < 0.5)
    move, light, compress = (rng.random(3) < 0.5).tolist()
    shift_x, shift_y = rng.uniform(-0.05, 0.05, 2).tolist() if move else (0.0, 0.0)
    scale = float(rng.uniform(0.95, 1.05)) if move else 1.0
    brightness = float(rng.uniform(-20.0, 20.0)) if light else 0.0
    contrast = float(rng.uniform(0.85, 1.15)) if light else 1.0
    red, green, blue = rng.uniform(0.95, 1.05, 3).tolist() if light else (1.0, 1.0, 1.0)
    quality = int(rng.integers(40, 101)) if compress else None
    gains = (red, green, blue)
    return Augmentation(flip, shift_x, shift_y, scale, brightness, contrast, gains, quality)


def apply(image: Image, change: Augmentation) -> Image:
    """Carries out a change. Order: mirror, move, light, recompress, as in an upload.

    Args:
        image: uint8 (height, width, 3) RGB.

    Returns:
        uint8 of the same shape, RGB; a new array.
    """
    picture = flipped(image) if change.flip else image.copy()
    if (change.shift_x, change.shift_y, change.scale) != (0.0, 0.0, 1.0):
        picture = moved(picture, change.shift_x, change.shift_y, change.scale)
    if (change.brightness, change.contrast, change.gains) != (0.0, 1.0, (1.0, 1.0, 1.0)):
        picture = relit(picture, change.brightness, change.contrast, change.gains)
    return picture if change.jpeg_quality is None else recompressed(picture, change.jpeg_quality)


def flipped(image: Image) -> Image:
    """Mirrored left to right; uint8 (height, width, 3)."""
    return np.ascontiguousarray(image[:, ::-1])


def moved(image: Image, shift_x: float, shift_y: float, scale: float) -> Image:
    """Scaled about its middle, then shifted; what comes in at the border is mirrored.

    Args:
        image: uint8 (height, width, 3) RGB.
        shift_x, shift_y: to the right and down, shares of width and height.
        scale: 1 is unchanged.
    """
    height, width = image.shape[:2]
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    matrix = np.array(
        [
            [scale, 0.0, center_x * (1 - scale) + shift_x * width],
            [0.0, scale, center_y * (1 - scale) + shift_y * height],
        ]
    )
    warped = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, dtype=np.uint8)


def relit(image: Image, brightness: float, contrast: float, gains: Sequence[float]) -> Image:
    """Other light and colour: mean + contrast * (gains * x - mean) + brightness, clipped.

    Args:
        image: uint8 (height, width, 3) RGB.
        brightness: in units of 0..255.
        contrast: factor.
        gains: factor of each channel, RGB.
    """
    coloured = image.astype(np.float32) * np.asarray(gains, dtype=np.float32)
    mean = coloured.mean()
    values = mean + contrast * (coloured - mean) + brightness
    relit_image: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return relit_image


def recompressed(image: Image, quality: int) -> Image:
    """Through a JPEG and back, chroma halved as cameras and sites do.

    Args:
        image: uint8 (height, width, 3) RGB.
        quality: JPEG quality, 1 to 100.
    """
    written, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not written:
        raise ValueError(f"a picture of shape {image.shape} cannot be written as a JPEG")
    back = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.asarray(cv2.cvtColor(back, cv2.COLOR_BGR2RGB), dtype=np.uint8)
