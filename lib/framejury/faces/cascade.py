"""The geometry between MTCNN's three networks, in NumPy: proposals, NMS, patches.

It repeats mtcnn 1.0.0 (MIT, see weights/LICENSE-mtcnn) step by step with its conventions, so
that framejury finds the same faces as that package. Boxes are float64 arrays (count, 5) of one
image: x1, y1, x2, y2, score; further columns are kept. Network inputs are float32
(count, 3, height, width), RGB planes of values 0 to 255.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Image

Boxes = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Packed = npt.NDArray[np.uint32]
Indices = npt.NDArray[np.intp]

CELL_PX = 12
STRIDE_PX = 2
MID_GREY = 127.5
"""Value of pixels beyond the border of an image in the package."""

MOST_CANDIDATES = 4096
"""Boxes of one image that go on to the next step; the best are kept. A crowded street yields some
hundreds; an image with more was made to keep a detector busy."""

_NMS_BLOCK = 256
"""Columns of the overlap matrix held at once; bounds memory when PNet proposes thousands."""


def propose(heads: Floats, scale: float, threshold: float) -> Boxes:
    """Return PNet's cells above `threshold` as boxes, pixels of the unscaled image.

    Args:
        heads: (5, h, w), corner shifts as shares of the 12-pixel cell, and the logit.
        scale: of the image PNet saw.
        threshold: lowest probability of a face, exclusive.

    Returns:
        boxes by descending score.
    """
    columns = heads.shape[2]
    heads = heads.reshape(len(heads), -1)
    chosen = np.flatnonzero(heads[4] > logit(threshold))
    row, column = np.divmod(chosen, columns)
    cells = heads[:, chosen].astype(np.float64)
    # The package's cells span CELL_PX - 1 pixels, from 1 to 12 after the stride.
    side = CELL_PX - 1
    left, top = column * STRIDE_PX + 1, row * STRIDE_PX + 1
    corners = np.stack([left, top, left + side, top + side]) + cells[:4] * side
    return by_score(np.vstack([corners / scale, probability(cells[4:])]).T)


def probability(logits: npt.NDArray[np.floating[Any]]) -> Boxes:
    """Convert the networks' logits to probabilities of a face, 0 to 1."""
    shares: Boxes = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return shares


def logit(share: float) -> float:
    """Return the logit of a probability; infinite for 0 and 1."""
    if 0 < share < 1:
        return math.log(share / (1 - share))
    return -math.inf if share <= 0 else math.inf


def by_score(boxes: Boxes) -> Boxes:
    """Sort boxes by descending score."""
    return boxes[np.argsort(boxes[:, 4])[::-1]]


def suppress(boxes: Boxes, threshold: float, relative_to: Literal["union", "smaller"]) -> Boxes:
    """Drop each box that overlaps a better one by more than `threshold`.

    As in the package, a dropped box still suppresses others, unlike in greedy non-maximum
    suppression. Boxes after the first `MOST_CANDIDATES` are dropped.

    Args:
        boxes: by descending score.
        threshold: largest overlap kept, 0 to 1.
        relative_to: the overlap is the shared area over that of the union, or of the smaller box.

    Returns:
        the boxes kept, in the given order.
    """
    boxes = boxes[:MOST_CANDIDATES]
    if len(boxes) < 2:
        return boxes
    x1, y1, x2, y2 = boxes[:, :4].T
    area = (x2 - x1) * (y2 - y1)
    unbeaten = np.ones(len(boxes), np.bool_)
    for start in range(0, len(boxes), _NMS_BLOCK):
        stop = min(start + _NMS_BLOCK, len(boxes))
        mine = slice(start, stop)
        width = np.minimum(x2[:stop, None], x2[mine]) - np.maximum(x1[:stop, None], x1[mine])
        height = np.minimum(y2[:stop, None], y2[mine]) - np.maximum(y1[:stop, None], y1[mine])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        if relative_to == "union":
            base = area[:stop, None] + area[mine] - shared
        else:
            base = np.minimum(area[:stop, None], area[mine])
        # Multiplied out, to avoid dividing by the area of an empty box.
        beaten = shared > threshold * base
        earlier = np.arange(stop)[:, None] < np.arange(start, stop)
        unbeaten[mine] = ~(beaten & earlier).any(axis=0)
    return boxes[unbeaten]


def squared(boxes: Boxes) -> Boxes:
    """Widen or heighten boxes around their centre to the longer side."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = np.maximum(width, height)
    result = boxes.copy()
    result[:, 0] += (width - side) / 2
    result[:, 1] += (height - side) / 2
    result[:, 2] = result[:, 0] + side
    result[:, 3] = result[:, 1] + side
    return result


def shifted(boxes: Boxes, offsets: Floats) -> Boxes:
    """Move corners by RNet's or ONet's `offsets` (count, 4), as shares of side + 1 pixels."""
    result = boxes.copy()
    result[:, :4] += offsets * np.tile(boxes[:, 2:4] - boxes[:, :2] + 1, 2)
    return result


def landmark_pixels(boxes: Boxes, landmarks: Floats) -> Boxes:
    """Convert ONet's `landmarks` (count, 10: five x, then five y, shares of the box) to pixels."""
    sides = boxes[:, 2:4] - boxes[:, :2] + 1
    x = landmarks[:, :5] * sides[:, :1] + boxes[:, :1] - 1
    y = landmarks[:, 5:] * sides[:, 1:] + boxes[:, 1:2] - 1
    return np.hstack([x, y])


def packed(image: Image) -> Packed:
    """Pack each RGB pixel into one uint32 (height, width), which NumPy gathers quickly."""
    pixels: Packed = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA).view(np.uint32)[..., 0]
    return pixels


def patches(pixels: Packed, boxes: Boxes, side_px: int) -> Floats:
    """Resample each box bilinearly, (count, 3, side_px, side_px); 127.5 beyond the image.

    This follows tf.image.crop_and_resize with the package's corners divided by the side: sample
    k of an axis lies at x1 * (W - 1) / W + k * (x2 - x1) * (W - 1) / W / (side_px - 1), and any
    sample outside [0, W - 1] is mid grey, not the border.

    Args:
        pixels: `packed` image.
        boxes: in its pixels.
        side_px: side of the patches.
    """
    height, width = pixels.shape
    row, row_next, down, row_inside = _samples(boxes[:, 1], boxes[:, 3], height, side_px)
    column, column_next, right, column_inside = _samples(boxes[:, 0], boxes[:, 2], width, side_px)
    flat = pixels.reshape(-1)

    # Pixels of a row are contiguous, four values each, which makes NumPy's inner loops long.
    right_of_values = np.repeat(right, 4, axis=1)[:, None]

    def gather(line: Indices, place: Indices) -> Floats:
        found = flat.take((line * width)[:, :, None] + place[:, None, :])
        values: Floats = found.view(np.uint8).astype(np.float32)
        return values

    def blend(line: Indices) -> Floats:
        near, far = gather(line, column), gather(line, column_next)
        far -= near
        far *= right_of_values
        far += near
        return far

    top, bottom = blend(row), blend(row_next)
    bottom -= top
    bottom *= down[:, :, None]
    bottom += top
    shown = bottom.reshape(len(boxes), side_px, side_px, 4)
    if not (row_inside.all() and column_inside.all()):
        shown[~(row_inside[:, :, None] & column_inside[:, None, :])] = MID_GREY
    return np.ascontiguousarray(shown[..., :3].transpose(0, 3, 1, 2))


def _samples(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], length: int, count: int
) -> tuple[Indices, Indices, Floats, npt.NDArray[np.bool_]]:
    """Return the samples of one axis: pixel before, pixel after, weight of the latter, inside.

    In float32 like TensorFlow, so that a corner on the border is rounded the same way.
    """
    start = (low / length).astype(np.float32)[:, None]
    stop = (high / length).astype(np.float32)[:, None]
    last = np.float32(length - 1)
    step = (stop - start) * last / np.float32(count - 1)
    at = start * last + np.arange(count, dtype=np.float32) * step
    inside = (at >= 0) & (at <= last)
    at = np.clip(at, 0, last)
    before = np.floor(at)
    return before.astype(np.intp), np.ceil(at).astype(np.intp), at - before, inside
