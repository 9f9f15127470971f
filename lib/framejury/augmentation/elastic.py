"""Smooth local displacements of a face, as by a network that animates a photograph.

Such a network moves the pixels of a real picture instead of drawing new ones: nothing is blended
in, and what remains are stretched textures and traces of resampling. Pure; randomness comes from
the generator passed in.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Image

_HILLS = (3, 7)
"""How many displacements are added up, from and below."""
_STRENGTH_RATIO = 0.022
"""Standard deviation of each displacement, as a share of the picture's side."""


def displaced(face: Image, landmarks: npt.NDArray[np.float32], rng: np.random.Generator) -> Image:
    """Return the face with some of its parts moved, most often around the mouth.

    Each displacement falls off as a Gaussian whose deviation is 5 to 16% of the side.

    Args:
        face: uint8 (height, width, 3) RGB.
        landmarks: float32 (5, 2), x and y in pixels of `face`, in the order of `LANDMARK_NAMES`.
        rng: source of all randomness.

    Returns:
        uint8 of the same shape, RGB.
    """
    height, width = face.shape[:2]
    side = max(height, width)
    mouth = landmarks[3:].mean(axis=0)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    shift = np.zeros((height, width, 2), np.float32)
    for _ in range(int(rng.integers(*_HILLS))):
        anywhere = rng.uniform(0.2, 0.8, 2) * (width, height)
        x, y = mouth + rng.normal(0, 0.06 * side, 2) if rng.random() < 0.5 else anywhere
        sigma = side * rng.uniform(0.05, 0.16)
        hill = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
        move = rng.normal(0, _STRENGTH_RATIO * side, 2).astype(np.float32)
        shift += hill[:, :, np.newaxis] * move
    how = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
    moved = cv2.remap(
        face,
        columns + shift[:, :, 0],
        rows + shift[:, :, 1],
        how,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(moved, np.uint8)
