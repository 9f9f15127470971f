"""A face drawn with ellipses, which both detectors find: no picture of a person is needed."""

from __future__ import annotations

import cv2
import numpy as np

from framejury.records import Image, Size

Colour = tuple[int, int, int]

_WALL, _COAT = (96, 110, 130), (70, 80, 110)
_SKIN, _SHADE, _LIGHT, _HAIR = (222, 178, 150), (190, 142, 116), (232, 192, 166), (60, 40, 34)
_WHITE, _PUPIL, _NOSTRIL = (245, 240, 235), (50, 35, 30), (120, 75, 62)
_LIPS, _MOUTH = (170, 80, 78), (110, 45, 45)

# Centre x and y, half axes x and y, all in heights of half a face, from the middle of the face.
_PARTS: tuple[tuple[float, float, float, float, Colour], ...] = (
    (0, 1.75, 1.25, 0.75, _COAT),
    (0, 1.05, 0.42, 0.55, _SHADE),
    (0, -0.28, 0.92, 1.08, _HAIR),
    (0, 0.05, 0.76, 1.0, _SKIN),
    (0, -0.82, 0.74, 0.34, _HAIR),
    (0, 0.24, 0.15, 0.09, _SHADE),
    *((side * 0.34, -0.15, 0.22, 0.13, _SHADE) for side in (-1, 1)),
    *((side * 0.34, -0.13, 0.16, 0.075, _WHITE) for side in (-1, 1)),
    *((side * 0.34, -0.13, 0.075, 0.075, _PUPIL) for side in (-1, 1)),
    *((side * 0.34, -0.36, 0.22, 0.06, _HAIR) for side in (-1, 1)),
    *((side * 0.08, 0.28, 0.045, 0.03, _NOSTRIL) for side in (-1, 1)),
    (0, 0.05, 0.05, 0.26, _LIGHT),
    (0, 0.56, 0.28, 0.09, _LIPS),
    (0, 0.55, 0.26, 0.02, _MOUTH),
)
_HALF_FACE_RATIO = 0.32
"""Half the height of the face, as a share of the picture's height."""
_SOFT_PASSES = 6
_FRACTION_BITS = 4  # OpenCV takes sixteenths of a pixel


def drawn_face(size: Size, shift_px: float = 0.0) -> Image:
    """Draw a face from the front, nearly two thirds as high as the picture.

    Args:
        size: of the picture.
        shift_px: how far to the right of the middle the face is.

    Returns:
        uint8 (height, width, 3) RGB.
    """
    image = np.full((size.height, size.width, 3), _WALL, np.uint8)
    unit_px = size.height * _HALF_FACE_RATIO
    for x, y, half_width, half_height, colour in _PARTS:
        center = (size.width / 2 + shift_px + x * unit_px, size.height / 2 + y * unit_px)
        axes = (half_width * unit_px, half_height * unit_px)
        cv2.ellipse(
            image, _fixed(center), _fixed(axes), 0, 0, 360, colour, -1, cv2.LINE_AA, _FRACTION_BITS
        )
    return _softened(image)


def _softened(image: Image) -> Image:
    """Blur a little, as a lens does, without the threads of OpenCV: Landlock restricts only one."""
    soft = image.astype(np.uint16)
    for axis in (0, 1) * _SOFT_PASSES:
        soft = (np.roll(soft, 1, axis) + 2 * soft + np.roll(soft, -1, axis)) // 4
    return soft.astype(np.uint8)


def _fixed(pair: tuple[float, float]) -> tuple[int, int]:
    return round(pair[0] * (1 << _FRACTION_BITS)), round(pair[1] * (1 << _FRACTION_BITS))
