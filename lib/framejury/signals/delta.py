"""How a face changes from one frame to the next."""

from __future__ import annotations

import numpy as np

from framejury.records import Image

NO_CHANGE = 128


def delta(first: Image, second: Image) -> Image:
    """Return half the difference of two images, offset to mid grey to keep its sign.

    Args:
        first, second: uint8 (height, width, 3) RGB, of equal shape.

    Returns:
        uint8 (height, width, 3): 128 + (second - first) / 2, rounded down; 128 where nothing
        changed, 0 where white became black.

    Raises:
        ValueError: their shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"images must have the same shape, got {first.shape}, {second.shape}")
    change = second.astype(np.int16) - first.astype(np.int16)
    return np.asarray(NO_CHANGE + (change >> 1), np.uint8)
