"""Aligned crops: a face turned and scaled so that its landmarks lie where a template has them.

The similarity is the least-squares one without reflection (S. Umeyama: Least-squares estimation of
transformation parameters between two point patterns. IEEE Transactions on Pattern Analysis and
Machine Intelligence 13 (4), 1991). In the plane, with points as complex numbers, it is a quotient
of two sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Box, Image, Point, Region, Similarity, Size

_ROUNDING_PX = 1e-6
_LARGEST_RATIO = 4.0
"""Longest side of an aligned crop, as a multiple of the frame's longer side; landmarks that ask for
more lie practically on one point."""


def similarity_between(
    points: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]
) -> Similarity | None:
    """Return the least-squares similarity from points to targets; None if all points are one.

    Args:
        points, targets: float64 (n, 2), x before y.
    """
    source, target = points @ (1, 1j), targets @ (1, 1j)
    middle, target_middle = source.mean(), target.mean()
    spread = float((np.abs(source - middle) ** 2).sum())
    if not spread > 0:
        return None
    factor = complex(((source - middle).conj() * (target - target_middle)).sum() / spread)
    shift = complex(target_middle - factor * middle)
    return Similarity(factor.real, factor.imag, shift.real, shift.imag)


def alignment_of(
    landmarks: Sequence[Point], template: Sequence[tuple[float, float]], margin_ratio: float
) -> Similarity | None:
    """Return the similarity from pixels of a frame to shares of the side of an aligned crop.

    Args:
        landmarks: pixels of the frame.
        template: where they lie in the square, x and y of each as a share of its side.
        margin_ratio: widens the square on each side, as a share of its side.

    Returns:
        None if the landmarks do not say how the face lies: all on one point.
    """
    wide = (np.asarray(template, np.float64) + margin_ratio) / (1 + 2 * margin_ratio)
    return similarity_between(np.array([(point.x, point.y) for point in landmarks]), wide)


def side_px(alignment: Similarity) -> float:
    """Return the side of the square in the frame that an aligned crop shows, pixels."""
    return 1 / alignment.scale


def aligned_region(alignment: Similarity, size: Size) -> Region | None:
    """Return the smallest part of a frame that contains an aligned crop, in whole pixels.

    Args:
        size: of the frame, outside of which the crop is black.

    Returns:
        None where the crop is far larger than the frame, or does not meet it.
    """
    if not 1 <= side_px(alignment) <= _LARGEST_RATIO * max(size.height, size.width):
        return None
    corners = alignment.undone(np.array([(0, 0), (1, 0), (0, 1), (1, 1)], np.float64))
    left, top = (max(math.floor(edge + _ROUNDING_PX), 0) for edge in corners.min(axis=0))
    ends = [math.ceil(edge - _ROUNDING_PX) for edge in corners.max(axis=0)]
    right, bottom = min(ends[0], size.width), min(ends[1], size.height)
    return Region(left, top, right - left, bottom - top) if right > left and bottom > top else None


def aligned(part: Image, region: Region, alignment: Similarity) -> Image:
    """Turn a part of a frame so that it shows the face upright, in its own resolution.

    Nothing is reduced here, so nothing aliases: `faces.crop.limited` averages areas.

    Args:
        part: uint8 (height, width, 3) RGB, what the frame shows in `region`.
        region: of `aligned_region`.
        alignment: from pixels of the frame to shares of the crop's side.

    Returns:
        uint8 (side, side, 3) RGB, bilinear, black outside the frame.
    """
    side = max(round(side_px(alignment)), 1)
    turn = np.array([[alignment.a, -alignment.b], [alignment.b, alignment.a]]) * side
    # OpenCV counts from the middle of the first pixel, everything else from its corner.
    corner = alignment.applied(np.array([(region.x + 0.5, region.y + 0.5)], np.float64))[0] * side
    matrix = np.column_stack([turn, corner - 0.5])
    return np.asarray(cv2.warpAffine(part, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def aligned_box(box: Box, alignment: Similarity, side: int) -> Box:
    """Convert a box of a frame to pixels of an aligned crop, where the face is upright.

    Args:
        box: pixels of the frame.
        side: of the stored crop, pixels.
    """
    (x, y) = alignment.applied(np.array([box.center], np.float64))[0] * side
    width, height = box.width * alignment.scale * side, box.height * alignment.scale * side
    return Box(float(x - width / 2), float(y - height / 2), width, height)
