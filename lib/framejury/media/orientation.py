"""How a frame is turned and mirrored before it is shown: the display matrix of its file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer

from framejury.records import Image, Region, Size

_MATRIX = struct.Struct("=9i")


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a rectangle: transposed first, then flipped.

    Attributes:
        transposed: rows become columns.
        flips_x, flips_y: mirrored left to right, and upside down.
    """

    transposed: bool = False
    flips_x: bool = False
    flips_y: bool = False

    def size(self, size: Size) -> Size:
        """Return the size after turning; also the size before it for one after it."""
        return Size(size.width, size.height) if self.transposed else size

    def applied(self, image: Image) -> Image:
        """Return the image as shown, contiguous."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        rows, columns = (-1 if self.flips_y else 1), (-1 if self.flips_x else 1)
        return np.ascontiguousarray(image[::rows, ::columns])

    def undone(self, region: Region, size: Size) -> Region:
        """Return where `region` of the shown frame, which has `size`, is in the coded one."""
        x = size.width - region.x - region.width if self.flips_x else region.x
        y = size.height - region.y - region.height if self.flips_y else region.y
        if self.transposed:
            return Region(y, x, region.height, region.width)
        return Region(x, y, region.width, region.height)


UPRIGHT = Orientation()


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Return how the frame is laid; one turned by other than quarters is laid to the nearest."""
    # Not by the frame's own `side_data`, which keeps the frame as the frame keeps it: only the
    # garbage collector would free both, and it does not know how large frames are.
    found = SideDataContainer(frame)  # type: ignore[call-arg]
    data: Any = found.get("DISPLAYMATRIX")
    if data is None or data.buffer_size < _MATRIX.size:
        return UPRIGHT
    a, b, _, c, d, *_ = _MATRIX.unpack(bytes(data)[: _MATRIX.size])
    # Shown x is a * x + c * y, shown y is b * x + d * y (ISO/IEC 14496-12, 6.2.2).
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, c < 0, b < 0)
    return Orientation(False, a < 0, d < 0)
