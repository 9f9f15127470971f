"""A heat map over the face it belongs to."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Image
from framejury.signals.rgb import input_points

_STRONGEST = 0.6
"""Opacity of the colour where the heat is 1."""


def overlay(crop: Image, heat: npt.NDArray[np.float32]) -> Image:
    """Return a face under its heat map, from blue to red where the face points most to FAKE.

    Args:
        crop: uint8 (height, width, 3) RGB: the face, or for a network whose input is not the
            letterboxed crop, its square input.
        heat: float32 (side, side), 0 to 1, over the crop's `network_input`, at any resolution from
            a few cells to one value per pixel. It is enlarged by cubic interpolation and clipped
            to 0 to 1.

    Returns:
        uint8 (height, width, 3) RGB; the crop itself where the heat is 0.

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
    return np.clip(smooth, 0, 1)  # cubic interpolation overshoots at edges
