"""Structural similarity of two images, as a number.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli: Image quality assessment: from error
visibility to structural similarity. IEEE Transactions on Image Processing 13 (4), 2004.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Image

WINDOW_PX = 11
SIDE_PX = 128
"""Faces are compared as squares of this side, pixels; most crops are about as large."""

_SIGMA_PX = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2

Grey = npt.NDArray[np.uint8]


def ssim(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    """Return mean structural similarity over a Gaussian window of 11 pixels, sigma 1.5.

    K1 0.01, K2 0.03, L 255, population covariance; windows that cross the border do not count.
    Channels are compared separately and averaged.

    Args:
        first, second: uint8 (height, width) grey or (height, width, 3) RGB, of equal shape,
            both sides at least `WINDOW_PX`.

    Returns:
        -1 to 1; 1: identical pixels.

    Raises:
        ValueError: the images are not as described.
    """
    if first.shape != second.shape:
        raise ValueError(f"images must have the same shape, got {first.shape}, {second.shape}")
    if first.dtype != np.uint8 or second.dtype != np.uint8:
        raise ValueError(f"images must be uint8, got {first.dtype} and {second.dtype}")
    if first.ndim not in (2, 3) or min(first.shape[:2]) < WINDOW_PX:
        raise ValueError(f"images must be at least {WINDOW_PX} pixels each way: {first.shape}")
    one, two = first.astype(np.float32), second.astype(np.float32)
    mean_1, mean_2 = _blurred(one), _blurred(two)
    variance_1 = _blurred(one * one) - mean_1 * mean_1
    variance_2 = _blurred(two * two) - mean_2 * mean_2
    covariance = _blurred(one * two) - mean_1 * mean_2
    luminance = (2 * mean_1 * mean_2 + _C1) / (mean_1 * mean_1 + mean_2 * mean_2 + _C1)
    structure = (2 * covariance + _C2) / (variance_1 + variance_2 + _C2)
    return float(np.mean(luminance * structure, dtype=np.float64))


def grey_square(crop: Image, side_px: int = SIDE_PX) -> Grey:
    """Convert a crop for comparison: grey, stretched to a square.

    Args:
        crop: uint8 (height, width, 3) RGB, not empty.
        side_px: side of the square, pixels, at least `WINDOW_PX`.

    Returns:
        uint8 (side_px, side_px), resized by INTER_AREA.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    square = cv2.resize(grey, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(square, np.uint8)


def face_ssim(first: Image, second: Image, side_px: int = SIDE_PX) -> float:
    """Return the structural similarity of two crops of one face, whatever their sizes.

    Args:
        first, second: uint8 (height, width, 3) RGB, not empty.
        side_px: side of the grey squares compared, pixels.

    Returns:
        `ssim` of the two squares, -1 to 1.
    """
    return ssim(grey_square(first, side_px), grey_square(second, side_px))


def _blurred(picture: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Return the Gaussian mean around each pixel whose window lies inside the image."""
    around = cv2.GaussianBlur(picture, (WINDOW_PX, WINDOW_PX), _SIGMA_PX)
    edge = WINDOW_PX // 2
    return np.asarray(around[edge:-edge, edge:-edge])
