"""The scales at which MTCNN's PNet sees an image, and the image reduced to them.

This repeats mtcnn 1.0.0 (MIT, see weights/LICENSE-mtcnn); see `cascade`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from framejury.faces.cascade import CELL_PX, Floats, Indices
from framejury.records import Box, Image, Region, Size

_FACTOR = 0.709
"""From one scale to the next smaller one."""
_ROWS_AT_ONCE = 32
"""Rows averaged at once; few enough to fit the cache of a core."""


def pyramid_scales(size: Size, min_face_px: float = 20.0) -> list[float]:
    """Return the scales at which PNet sees an image, largest first; empty: it is too small.

    The first shows a face of `min_face_px` as PNet's 12 pixels. The number of scales is that of
    the package, which keeps the shorter side at 12 pixels or more.
    """
    steps = math.log(min(size.height, size.width) / CELL_PX) / math.log(_FACTOR) + 1
    return [CELL_PX / min_face_px * _FACTOR**step for step in range(max(round(-steps), 0))]


def coarse_from(scales: Sequence[float], share: float) -> int:
    """Return the rank from which all scales take at most `share` of the pyramid's pixels."""
    pixels = np.square(scales)
    rest = np.cumsum(pixels[::-1])[::-1]
    return int(np.count_nonzero(rest > share * pixels.sum()))


def scales_for(scales: Sequence[float], face_px: float) -> list[int]:
    """Return the ranks of scales whose cell spans 0.6 to 1.6 times `face_px`."""
    spans = CELL_PX / np.asarray(scales)
    fits: list[int] = np.flatnonzero((0.6 * face_px <= spans) & (spans <= 1.6 * face_px)).tolist()
    return fits


def neighbourhood(box: Box, size: Size) -> Region:
    """Return the square of twice the box's longer side around its centre, cut to the image.

    It is empty (a side of 0) if the box is outside.
    """
    x, y = box.center
    reach = max(box.width, box.height)
    left, right = (int(np.clip(round(edge), 0, size.width)) for edge in (x - reach, x + reach))
    top, bottom = (int(np.clip(round(edge), 0, size.height)) for edge in (y - reach, y + reach))
    return Region(left, top, right - left, bottom - top)


class Pyramid:
    """Reduces images of one size to several scales by area averaging.

    Sides are truncated, as in the package. The result equals that of OpenCV's INTER_AREA, and so
    of TensorFlow's ResizeMethod.AREA, to within 0.02 of 255. INTER_AREA takes time in proportion
    to the pixels it reads, here the whole image for every scale. So rows are averaged first, as
    differences of running sums, which takes time in proportion to the rows of the result.
    (Averaging small scales from a halved image is no faster and moves 3 to 6 faces in 100.)

    Buffers are reused between images, since fresh memory pages cost more than the sums. An object
    serves one thread.

    Args:
        size: of the images.
        scales: below 1.
    """

    def __init__(self, size: Size, scales: Sequence[float]) -> None:
        self.size = size
        self.scales = scales
        values = size.width * 3
        self._sums = np.zeros((size.height + 1, values), np.float32)
        self._few = np.empty((2, _ROWS_AT_ONCE + 1, values), np.float32)
        self._levels = [_level(size, scale) for scale in scales]

    def reduced(self, image: Image, first: int = 0) -> Iterator[Floats]:
        """Yield `image` at each scale for PNet, (1, 3, h, w); each is valid until the next.

        Args:
            image: uint8 (height, width, 3) RGB, of the pyramid's size.
            first: rank of the first scale.
        """
        rows = image.reshape(self.size.height, -1)
        self._add_up(rows)
        for level in self._levels[first:]:
            self._average(rows, level, 0, level.size.height)
            yield self._planes(level, Region(0, 0, level.size.width, level.size.height))

    def part(self, image: Image, rank: int, region: Region) -> tuple[Floats, Region] | None:
        """Return one region of what `reduced` yields at one scale.

        Call it after `reduced` has started on the same image.

        Args:
            image: as in `reduced`.
            rank: of the scale.
            region: in pixels of `image`.

        Returns:
            (1, 3, h, w), valid until the next call, and its place in the reduced image, at even
            pixels, so that PNet's cells are those of the whole. None: no cell fits.
        """
        level, scale = self._levels[rank], self.scales[rank]
        x, y = (int(edge * scale) // 2 * 2 for edge in (region.x, region.y))
        right = min(math.ceil((region.x + region.width) * scale / 2) * 2, level.size.width)
        bottom = min(math.ceil((region.y + region.height) * scale / 2) * 2, level.size.height)
        if min(right - x, bottom - y) < CELL_PX:
            return None
        self._average(image.reshape(self.size.height, -1), level, y, bottom)
        where = Region(x, y, right - x, bottom - y)
        return self._planes(level, where), where

    def _planes(self, level: _Level, where: Region) -> Floats:
        """Return a part of the level's `flat`, divided by the number of rows summed."""
        planes = level.planes[: 3 * where.height * where.width]
        planes = planes.reshape(1, 3, where.height, where.width)
        columns = slice(where.x, where.x + where.width)
        flat = level.flat[where.y : where.y + where.height, columns]
        mean = np.float32(level.size.height / self.size.height)
        np.multiply(flat.transpose(2, 0, 1), mean, out=planes[0])
        return planes

    def _add_up(self, rows: Image) -> None:
        """Set row k of `_sums` to the sum of the first k `rows`."""
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            few = self._few[0, : len(part)]
            few[:] = part
            for rank, row in enumerate(few, start):  # ten times as fast as NumPy's cumsum here
                np.add(self._sums[rank], row, out=self._sums[rank + 1])

    def _average(self, rows: Image, level: _Level, top: int, bottom: int) -> None:
        """Fill rows of the level's `flat`: columns averaged, rows summed between borders."""
        for start in range(top, bottom, _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, bottom)
            border = level.row[start : stop + 1]
            below, partial = self._few[:, : len(border)]
            self._sums.take(border, axis=0, out=below, mode="clip")
            np.multiply(rows.take(border, axis=0), level.share[start : stop + 1], out=partial)
            below += partial
            tall = np.subtract(below[1:], below[:-1], out=partial[:-1])
            cv2.resize(
                tall.reshape(stop - start, self.size.width, 3),
                (level.size.width, stop - start),
                dst=level.flat[start:stop],
                interpolation=cv2.INTER_AREA,
            )


@dataclass(frozen=True)
class _Level:
    """One scale of a pyramid.

    Attributes:
        size: of the reduced image.
        row: (height + 1,), the row in which each border between its rows lies.
        share: (height + 1, 1), share of that row above the border, 0 to 1.
        flat: (height, width, 3), buffer.
        planes: (3 * height * width,), buffer.
    """

    size: Size
    row: Indices
    share: Floats
    flat: Floats
    planes: Floats


def _level(size: Size, scale: float) -> _Level:
    height, width = int(size.height * scale), int(size.width * scale)
    border = np.arange(height + 1) * (size.height / height)
    row = np.minimum(border.astype(np.intp), size.height - 1)
    return _Level(
        Size(height, width),
        row,
        (border - row).astype(np.float32)[:, None],
        np.empty((height, width, 3), np.float32),
        np.empty(3 * height * width, np.float32),
    )
