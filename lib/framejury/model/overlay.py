"""A heat map over the face it belongs to. No TensorFlow."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Image
from framejury.signals.rgb import input_points

_STRONGEST = 0.6
"""How far the colour covers the picture where the heat is 1."""


def overlay(crop: Image, heat: npt.NDArray[np.float32]) -> Image:
    """A face under its heat: blue where it begins to speak for FAKE, red where it does most.

    Args:
        crop: uint8 (height, width, 3) RGB.
        heat: float32 (side, side), 0 to 1, over the crop's `network_input`: of any side, from a
            few cells to a value a pixel. It is enlarged by cubic interpolation, cut to 0 to 1.
            Where the network saw something else than that, `crop` is the square it saw.

    Returns:
        uint8 (height, width, 3) RGB; where the heat is 0 the crop itself.

    Raises:
        ValueError: `heat` is not square.
    """
    if heat.ndim != 2 or heat.shape[0] != heat.shape[1] or heat.size == 0:
        raise ValueError(f"heat must be a square of cells, got {heat.shape}")
    height, width = crop.shape[:2]
    side = max(heat.shape[0], height, width)
    over_input = _enlarged(heat, side, side)
    corners = np.array([[0, 0], [width, height]], np.float32)
    left, top, right, bottom = (
        input_points(corners, crop.shape, side).round().astype(int).ravel().tolist()
    )
    part = over_input[top:bottom, left:right]
    on_crop = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
    levels = (on_crop * 255).round().astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    cover = (_STRONGEST * on_crop)[..., np.newaxis]
    return np.asarray((crop * (1 - cover) + colours * cover).round(), np.uint8)


def _enlarged(heat: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    if heat.shape == (height, width):
        return heat
    smooth = cv2.resize(heat, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth, 0, 1)  # cubic curves leave the range at steps
