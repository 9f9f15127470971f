"""A heat map over the face it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Box, Image
from framejury.settings import Resize
from framejury.signals.rgb import input_points

_STRONGEST = 0.6
"""Opacity of the colour where the heat is 1."""
_SHARE_CELLS = 64


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


def heat_inside(
    heat: npt.NDArray[np.float32], shape: Sequence[int], face: Box, resize: Resize = "letterbox"
) -> float | None:
    """Return the share of a heat map inside the ellipse of a face, 0 to 1; None without heat.

    The ellipse fills the detector's box, which reaches from the forehead to the chin.

    Args:
        heat: float32 (side, side), 0 to 1, as for `overlay`.
        shape: of the crop, height before width.
        face: box of the face, pixels of the crop.
        resize: how the crop became the network's square input.
    """
    over_input = _enlarged(heat, _SHARE_CELLS, _SHARE_CELLS)
    total = float(over_input.sum())
    if total <= 0:
        return None
    corners = np.array([[face.x, face.y], [face.x + face.width, face.y + face.height]], np.float32)
    ends = input_points(corners, shape, _SHARE_CELLS, resize)
    middle, radius = ends.mean(axis=0), np.maximum((ends[1] - ends[0]) / 2, 1e-6)
    cells = np.arange(_SHARE_CELLS) + 0.5
    x, y = (cells - middle[0]) / radius[0], (cells - middle[1]) / radius[1]
    inside = x[np.newaxis] ** 2 + y[:, np.newaxis] ** 2 <= 1
    return float(over_input[inside].sum()) / total


def _enlarged(heat: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    if heat.shape == (height, width):
        return heat
    smooth = cv2.resize(heat, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth, 0, 1)  # cubic interpolation overshoots at edges
