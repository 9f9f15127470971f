"""The geometry between MTCNN's three networks, in NumPy: pyramid, proposals, NMS, patches.

It repeats mtcnn 1.0.0 (MIT, see weights/LICENSE-mtcnn) step by step, its conventions
included, so that framejury finds the faces that package finds. Boxes are float64 arrays
(count, 6) of one picture or batch: image index, x1, y1, x2, y2, score. Pictures here are
float32 (count, height, width, 3) RGB mapped to (value - 127.5) / 128.
"""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Size

Boxes = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

CELL_PX = 12
STRIDE_PX = 2
_NMS_BLOCK = 256
"""Columns of the overlap matrix held at once; bounds memory when PNet proposes thousands."""


def pyramid_scales(size: Size, min_face_px: float = 20.0, factor: float = 0.709) -> list[float]:
    """Scales at which PNet sees a picture, largest first; none when it is too small.

    The first shows a face of `min_face_px` as PNet's 12 pixels. How many follow is the
    package's own count, by which the shorter side stays at 12 pixels or more.
    """
    steps = math.log(min(size.height, size.width) / CELL_PX) / math.log(factor) + 1
    return [CELL_PX / min_face_px * factor**step for step in range(max(round(-steps), 0))]


def scale_pictures(pictures: Floats, scale: float) -> Floats:
    """`pictures` reduced by area averaging to the truncated scaled size (`scale` < 1).

    OpenCV's INTER_AREA is TensorFlow's ResizeMethod.AREA to within float32 rounding.
    """
    count, height, width, channels = pictures.shape
    scaled = np.empty((count, int(height * scale), int(width * scale), channels), np.float32)
    for source, target in zip(pictures, scaled, strict=True):
        cv2.resize(
            source, (target.shape[1], target.shape[0]), dst=target, interpolation=cv2.INTER_AREA
        )
    return scaled


def propose(offsets: Floats, face: Floats, scale: float, threshold: float) -> Boxes:
    """PNet's cells above `threshold` as boxes in the pixels of the unscaled picture.

    Args:
        offsets: (count, 4, h, w), corner shifts as shares of the 12-pixel cell.
        face: (count, h, w), probability of a face in each cell.
        scale: of the pictures PNet saw.
        threshold: least probability, exclusive.

    Returns:
        boxes by descending score.
    """
    image, row, column = np.nonzero(face > threshold)
    shift = offsets[image, :, row, column].astype(np.float64)
    # The package's cells span CELL_PX - 1 pixels: from 1 to 12 past the stride.
    side = CELL_PX - 1
    left, top = column * STRIDE_PX + 1, row * STRIDE_PX + 1
    corners = np.stack([left, top, left + side, top + side], axis=1) + shift * side
    boxes = np.column_stack([image, corners / scale, face[image, row, column]])
    return by_score(boxes)


def by_score(boxes: Boxes) -> Boxes:
    """The same boxes by descending score."""
    return boxes[np.argsort(boxes[:, 5])[::-1]]


def suppress(boxes: Boxes, threshold: float, relative_to: Literal["union", "smaller"]) -> Boxes:
    """Drop each box that overlaps a better one of its image by more than `threshold`.

    As the package, a box that is itself dropped still suppresses others (greedy
    non-maximum suppression would not let it).

    Args:
        boxes: by descending score; further columns ride along.
        threshold: largest overlap kept, 0 to 1.
        relative_to: the overlap is the shared area over the area of both, or of the smaller.

    Returns:
        the boxes kept, grouped by image, in the given order within each.
    """
    kept = [
        own[_unbeaten(own[:, 1:5], threshold, relative_to)]
        for own in (boxes[boxes[:, 0] == image] for image in np.unique(boxes[:, 0]))
    ]
    return np.concatenate(kept) if kept else boxes


def _unbeaten(
    corners: Boxes, threshold: float, relative_to: Literal["union", "smaller"]
) -> npt.NDArray[np.bool_]:
    """Which rows overlap no earlier row by more than `threshold`."""
    x1, y1, x2, y2 = corners.T
    area = (x2 - x1) * (y2 - y1)
    unbeaten = np.ones(len(corners), np.bool_)
    for start in range(0, len(corners), _NMS_BLOCK):
        stop = min(start + _NMS_BLOCK, len(corners))
        mine = slice(start, stop)
        width = np.minimum(x2[:stop, None], x2[mine]) - np.maximum(x1[:stop, None], x1[mine])
        height = np.minimum(y2[:stop, None], y2[mine]) - np.maximum(y1[:stop, None], y1[mine])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        if relative_to == "union":
            base = area[:stop, None] + area[mine] - shared
        else:
            base = np.minimum(area[:stop, None], area[mine])
        # Multiplied out, so that a box without area divides nothing.
        beaten = shared > threshold * base
        earlier = np.arange(stop)[:, None] < np.arange(start, stop)
        unbeaten[mine] = ~(beaten & earlier).any(axis=0)
    return unbeaten


def squared(boxes: Boxes) -> Boxes:
    """Boxes widened or heightened around their centre to the longer side."""
    width, height = boxes[:, 3] - boxes[:, 1], boxes[:, 4] - boxes[:, 2]
    side = np.maximum(width, height)
    result = boxes.copy()
    result[:, 1] += (width - side) / 2
    result[:, 2] += (height - side) / 2
    result[:, 3] = result[:, 1] + side
    result[:, 4] = result[:, 2] + side
    return result


def shifted(boxes: Boxes, offsets: Floats) -> Boxes:
    """Corners moved by RNet's or ONet's `offsets` (count, 4), shares of side + 1 pixels."""
    result = boxes.copy()
    result[:, 1:5] += offsets * np.tile(boxes[:, 3:5] - boxes[:, 1:3] + 1, 2)
    return result


def landmark_pixels(boxes: Boxes, landmarks: Floats) -> Boxes:
    """ONet's `landmarks` (count, 10: five x, then five y, shares of the box) in pixels."""
    sides = boxes[:, 3:5] - boxes[:, 1:3] + 1
    x = landmarks[:, :5] * sides[:, :1] + boxes[:, 1:2] - 1
    y = landmarks[:, 5:] * sides[:, 1:] + boxes[:, 2:3] - 1
    return np.hstack([x, y])


def patches(pictures: Floats, boxes: Boxes, side_px: int) -> Floats:
    """What each box shows, bilinear, (count, side_px, side_px, 3); 0 beyond the picture.

    The conventions of tf.image.crop_and_resize, and the package's corners divided by the
    side: sample k of an axis lies at x1 * (W - 1) / W + k * (x2 - x1) * (W - 1) / W /
    (side_px - 1), and any sample outside [0, W - 1] is 0 (mid grey), not the border.
    """
    _, height, width, _ = pictures.shape
    row, row_next, down, row_inside = _samples(boxes[:, 2], boxes[:, 4], height, side_px)
    column, column_next, right, column_inside = _samples(boxes[:, 1], boxes[:, 3], width, side_px)
    first = (boxes[:, 0].astype(np.int64) * height)[:, None]
    upper = ((first + row) * width)[:, :, None]
    lower = ((first + row_next) * width)[:, :, None]
    pixels = pictures.reshape(-1, 3)
    right = right[:, None, :, None]

    def blend(line: npt.NDArray[np.int64]) -> Floats:
        near = pixels[line + column[:, None, :]]
        mixed: Floats = near + (pixels[line + column_next[:, None, :]] - near) * right
        return mixed

    top = blend(upper)
    result: Floats = top + (blend(lower) - top) * down[:, :, None, None]
    result *= (row_inside[:, :, None] & column_inside[:, None, :])[..., None]
    return result


def _samples(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], length: int, count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats, npt.NDArray[np.bool_]]:
    """Samples of one axis: pixel before, pixel after, share of the latter, inside or not.

    In float32, as TensorFlow computes them: a corner on the border must fall the same way.
    """
    start = (low / length).astype(np.float32)[:, None]
    stop = (high / length).astype(np.float32)[:, None]
    last = np.float32(length - 1)
    step = (stop - start) * last / np.float32(count - 1)
    at = start * last + np.arange(count, dtype=np.float32) * step
    inside = (at >= 0) & (at <= last)
    at = np.clip(at, 0, last)
    before = np.floor(at)
    return before.astype(np.int64), np.ceil(at).astype(np.int64), at - before, inside
