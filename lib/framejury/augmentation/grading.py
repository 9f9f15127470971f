"""Colour grading: curves, white balance, saturation and vignettes, as editors apply them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Image

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Grade:
    """One drawn grading.

    Attributes:
        gamma: exponent of the values; above 1 darkens.
        contrast: of an S-curve about the middle; below 0 flattens, -0.5 to 0.5.
        lifts: added to black in each channel, RGB, in units of 0..255, fading to 0 at white: a tint
            of the shadows.
        gains: factor of each channel, RGB: the white balance.
        saturation: distance of the colours from grey; 1 leaves them.
        vignette: how much the corners darken, 0 to 1.
    """

    gamma: float = 1.0
    contrast: float = 0.0
    lifts: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    vignette: float = 0.0


def draw_grade(rng: np.random.Generator) -> Grade:
    """Draw a grading; vignettes come in a quarter of the draws."""
    warmth, tint = rng.uniform(-0.12, 0.12), rng.uniform(-0.05, 0.05)
    red, green, blue = rng.uniform(-14.0, 14.0, 3).tolist()
    return Grade(
        gamma=float(np.exp(rng.uniform(-0.25, 0.25))),
        contrast=float(rng.uniform(-0.3, 0.4)),
        lifts=(red, green, blue),
        gains=(1 + float(warmth), 1 + float(tint), 1 - float(warmth)),
        saturation=float(rng.uniform(0.6, 1.4)),
        vignette=float(rng.uniform(0.1, 0.45)) if rng.random() < 0.25 else 0.0,
    )


def graded(image: Image, grade: Grade) -> Image:
    """Return the picture after a grading: curves of each channel, saturation, vignette.

    Args:
        image: uint8 (height, width, 3) RGB.
        grade: the drawn grading.

    Returns:
        uint8 of the same shape, RGB; a new array.
    """
    values: npt.NDArray[Any] = np.asarray(cv2.LUT(image, _curves(grade)), np.float32)
    if grade.saturation != 1.0:
        luma = (values @ _LUMA)[:, :, np.newaxis]
        values = luma + np.float32(grade.saturation) * (values - luma)
    if grade.vignette:
        height, width = image.shape[:2]
        x = np.linspace(-1, 1, width, dtype=np.float32)
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis]
        values = values * (1 - np.float32(grade.vignette) * (x * x + y * y) / 2)[:, :, np.newaxis]
    picture: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return picture


def _curves(grade: Grade) -> Image:
    """Return the new value of each value of each channel: uint8 (1, 256, 3)."""
    x = np.linspace(0, 1, 256) ** grade.gamma
    curve = x + grade.contrast * (x - 0.5) * 4 * x * (1 - x)
    channels = [
        255 * curve * gain + lift * (1 - curve)
        for gain, lift in zip(grade.gains, grade.lifts, strict=True)
    ]
    return np.clip(np.rint(np.stack(channels, axis=-1)), 0, 255).astype(np.uint8)[np.newaxis]
