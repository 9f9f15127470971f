"""A face with its landmarks as red points, an optional variant of recipe face_frames."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Image

RED = (255, 0, 0)
RADIUS_RATIO = 0.02
"""Radius of a point as a share of the crop's longer side; at least one pixel."""


def marked(crop: Image, landmarks: npt.NDArray[np.float32]) -> Image:
    """Return a copy of the crop with a filled red point on each landmark.

    Args:
        crop: uint8 (height, width, 3) RGB.
        landmarks: float32 (n, 2), x before y, pixels of `crop`; points outside are not drawn.

    Returns:
        uint8 (height, width, 3) RGB.
    """
    picture = np.ascontiguousarray(crop).copy()
    radius_px = max(round(RADIUS_RATIO * max(crop.shape[:2])), 1)
    for x, y in np.asarray(landmarks, np.float64).round().astype(int).tolist():
        cv2.circle(picture, (x, y), radius_px, RED, thickness=cv2.FILLED)
    return picture
