"""The crop itself as the network's input."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Image, Region
from framejury.settings import Resize


def network_input(crop: Image, input_px: int) -> npt.NDArray[np.uint8]:
    """Scale the longer side of the crop to `input_px` and centre it on black.

    The face keeps its proportions: a crop cut by the border of the frame gets black bars. It is
    reduced with INTER_AREA, enlarged with INTER_CUBIC, and unchanged if it fits. Of two uneven
    bars the right or the bottom one is a pixel wider.

    Args:
        crop: uint8 (height, width, 3) RGB, not empty.
        input_px: side of the network's input, pixels.

    Returns:
        uint8 (input_px, input_px, 3) RGB.

    Raises:
        ValueError: `crop` is not such an array.
    """
    _check(crop)
    longer = max(crop.shape[:2])
    height, width = _fitted(crop.shape, input_px)
    if longer != input_px:
        method = cv2.INTER_AREA if longer > input_px else cv2.INTER_CUBIC
        crop = np.asarray(cv2.resize(crop, (width, height), interpolation=method), np.uint8)
    canvas = np.zeros((input_px, input_px, 3), np.uint8)
    top, left = (input_px - height) // 2, (input_px - width) // 2
    canvas[top : top + height, left : left + width] = crop
    return canvas


def stretched(crop: Image, input_px: int) -> Image:
    """Stretch the crop to a square with INTER_AREA, as published recipes do.

    Args:
        crop: uint8 (height, width, 3) RGB, not empty.
        input_px: side of the network's input, pixels.

    Returns:
        uint8 (input_px, input_px, 3) RGB.

    Raises:
        ValueError: `crop` is not such an array.
    """
    _check(crop)
    square = cv2.resize(crop, (input_px, input_px), interpolation=cv2.INTER_AREA)
    return np.asarray(square, np.uint8)


def square_region(shape: Sequence[int], place: tuple[float, float] = (0.5, 0.5)) -> Region:
    """Return the largest square in a picture.

    Args:
        shape: of the picture, height before width.
        place: where in the room that is left, 0 to 1 to the right and down; by default the middle.
    """
    height, width = shape[:2]
    side = min(height, width)
    return Region(int(place[0] * (width - side)), int(place[1] * (height - side)), side, side)


def square_of(crop: Image, place: tuple[float, float] = (0.5, 0.5)) -> Image:
    """Cut `square_region` out of a crop, uint8 (height, width, 3) RGB, not empty.

    Raises:
        ValueError: `crop` is not such an array.
    """
    _check(crop)
    part = square_region(crop.shape, place)
    return crop[part.y : part.y + part.height, part.x : part.x + part.width]


def input_points(
    points: npt.NDArray[np.float32],
    shape: Sequence[int],
    input_px: int,
    resize: Resize = "letterbox",
) -> npt.NDArray[np.float32]:
    """Convert points of a crop to pixels of its `network_input`, `stretched` or cut square.

    Args:
        points: float32 (n, 2), x and y in pixels of the crop.
        shape: shape of the crop, height before width.
        input_px: side of the network's input, pixels.
        resize: how the crop became square.
    """
    if resize == "crop":
        part = square_region(shape)
        return np.asarray((points - (part.x, part.y)) * (input_px / part.width), np.float32)
    stretches = resize == "stretch"
    height, width = (input_px, input_px) if stretches else _fitted(shape, input_px)
    scale = np.array([width / shape[1], height / shape[0]], np.float32)
    offset = np.array([(input_px - width) // 2, (input_px - height) // 2], np.float32)
    return np.asarray(points * scale + offset, np.float32)


def _fitted(shape: Sequence[int], input_px: int) -> tuple[int, int]:
    """Return height and width of a crop whose longer side is scaled to `input_px`."""
    longer = max(shape[:2])
    height, width = (max(round(side * input_px / longer), 1) for side in shape[:2])
    return height, width


def _check(crop: Image) -> None:
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or crop.size == 0:
        raise ValueError(f"a crop must be uint8 (height, width, 3), got {crop.dtype} {crop.shape}")
