"""Two frames of a face and the optical flow between them, fused into one image.

Dense flow: G. Farneback, Two-frame motion estimation based on polynomial expansion, SCIA 2003,
as OpenCV computes it. Fused as in recipe flow_fusion.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from framejury.records import Image

_PYRAMID_SCALE = 0.5
_LEVELS = 3
_WINDOW_PX = 15
_ITERATIONS = 3
_POLY_N = 5
_POLY_SIGMA = 1.2
_FRAMES_WEIGHT = 0.7
_FLOW_WEIGHT = 0.3


def flow_fusion(first: Image, second: Image) -> Image:
    """Return 0.7 (0.5 first + 0.5 second) + 0.3 flow; OpenCV rounds and saturates each sum.

    Args:
        first, second: one face in two consecutive frames, uint8 (height, width, 3)
            RGB, of equal shape.

    Returns:
        uint8 (height, width, 3) RGB.

    Raises:
        ValueError: their shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"images must have the same shape, got {first.shape}, {second.shape}")
    both = cv2.addWeighted(first, 0.5, second, 0.5, 0)
    fused = cv2.addWeighted(both, _FRAMES_WEIGHT, flow_picture(first, second), _FLOW_WEIGHT, 0)
    return np.asarray(fused, np.uint8)


def flow_picture(first: Image, second: Image) -> Image:
    """Return the flow as colours: hue is its direction, brightness its length.

    Args:
        first, second: uint8 (height, width, 3) RGB, of equal shape.

    Returns:
        uint8 (height, width, 3) RGB: from HSV with hue the angle in degrees / 2, saturation 255,
        value the magnitude scaled to 0 to 255 (0 everywhere if all magnitudes are equal).
    """
    flow: Any = cv2.calcOpticalFlowFarneback(
        cv2.cvtColor(first, cv2.COLOR_RGB2GRAY),
        cv2.cvtColor(second, cv2.COLOR_RGB2GRAY),
        np.zeros((*first.shape[:2], 2), np.float32),
        _PYRAMID_SCALE,
        _LEVELS,
        _WINDOW_PX,
        _ITERATIONS,
        _POLY_N,
        _POLY_SIGMA,
        0,
    )
    magnitude, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1])
    hsv = np.full_like(first, 255)
    hsv[..., 0] = angle * 180 / np.pi / 2
    hsv[..., 2] = cv2.normalize(magnitude, np.empty_like(magnitude), 0, 255, cv2.NORM_MINMAX)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
