"""A decoded frame, converted to RGB only where and as large as it is looked at."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import numpy.typing as npt

from framejury.records import Image, Region, Size


class Picture:
    """One frame as libav holds it, mostly YCbCr; everything it gives is as shown (rotated).

    Args:
        frame: kept, not copied; its memory is the decoder's until this object is gone.
    """

    def __init__(self, frame: av.VideoFrame) -> None:
        self._frame = frame
        # libav counts counterclockwise, as rot90 does.
        self._turns = round(frame.rotation / 90) % 4

    @property
    def size(self) -> Size:
        """As shown."""
        size = Size(self._frame.height, self._frame.width)
        return Size(size.width, size.height) if self._turns % 2 else size

    def reduced(self, size: Size) -> Image:
        """The whole picture, area-averaged in libav to `size` (as shown); its own size is exact."""
        height, width = (size.width, size.height) if self._turns % 2 else (size.height, size.width)
        small = self._frame.reformat(width, height, "rgb24", interpolation="AREA", threads=1)
        return self._upright(_pixels(small))

    def part(self, region: Region) -> Image:
        """The pixels of `region` (as shown) in full resolution, uint8 (height, width, 3) RGB.

        Raises:
            ValueError: the region is empty or reaches beyond the picture.
        """
        size = self.size
        right, bottom = region.x + region.width, region.y + region.height
        if not (0 <= region.x < right <= size.width and 0 <= region.y < bottom <= size.height):
            raise ValueError(f"{region} is empty or outside a picture of {size}")
        for _ in range(self._turns):  # from as shown to as coded
            left = size.height - region.y - region.height
            region = Region(left, region.x, region.height, region.width)
            size = Size(size.width, size.height)
        return self._upright(_converted(self._frame, region))

    def _upright(self, image: Image) -> Image:
        return np.ascontiguousarray(np.rot90(image, self._turns), dtype=np.uint8)


def _converted(frame: av.VideoFrame, region: Region) -> Image:
    """A part of a frame as coded in RGB: the same pixels that converting all of it gives."""
    window = _window(frame, region)
    if window is None:
        whole = _pixels(frame)
        return whole[region.y : region.y + region.height, region.x : region.x + region.width]
    part, left, top = window
    return _pixels(part)[top : top + region.height, left : left + region.width]


def _pixels(frame: av.VideoFrame) -> Image:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


_ALIGN = 16
"""The window starts at a multiple of these pixels, for whole chroma samples and the same phase
of dithering, and as far beyond the region, for libav interpolates chroma in some formats."""


def _window(frame: av.VideoFrame, region: Region) -> tuple[av.VideoFrame, int, int] | None:
    """A small frame that holds the region, and where in it; None where planes cannot be cut."""
    layout = frame.format
    if not _can_be_cut(layout):
        return None
    left = max(region.x // _ALIGN - 1, 0) * _ALIGN
    top = max(region.y // _ALIGN - 1, 0) * _ALIGN
    right = min(region.x + region.width + 2 * _ALIGN, frame.width)
    bottom = min(region.y + region.height + 2 * _ALIGN, frame.height)
    right -= 0 if right == frame.width else right % _ALIGN
    bottom -= 0 if bottom == frame.height else bottom % _ALIGN
    part = av.VideoFrame(right - left, bottom - top, layout.name)
    part.colorspace, part.color_range = frame.colorspace, frame.color_range
    sample_bytes = (layout.components[0].bits + 7) // 8
    for source, target in zip(frame.planes, part.planes, strict=True):
        x, y = left * source.width // frame.width, top * source.height // frame.height
        rows = _rows(target)
        width_bytes = target.width * sample_bytes
        rows[:, :width_bytes] = _rows(source)[
            y : y + target.height, x * sample_bytes : x * sample_bytes + width_bytes
        ]
    return part, region.x - left, region.y - top


def _can_be_cut(layout: Any) -> bool:
    """One component a plane, whole bytes, chroma at full or half resolution and no remainder.

    So yuv420p, yuvj422p, yuv420p10le and their like; elsewhere a small frame is scaled
    a little otherwise than the whole one.
    """
    components = layout.components
    return (
        layout.is_planar
        and not (layout.is_rgb or layout.has_palette or layout.is_bit_stream)
        and [component.plane for component in components] == list(range(len(components)))
        and all(
            side in (chroma, 2 * chroma)
            for side, chroma in (
                (layout.width, layout.chroma_width(layout.width)),
                (layout.height, layout.chroma_height(layout.height)),
            )
        )
    )


def _rows(plane: Any) -> npt.NDArray[np.uint8]:
    """A plane's memory, uint8 (height, line_size)."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
