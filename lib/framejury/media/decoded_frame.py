"""A decoded frame, converted to RGB only where and as large as needed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from framejury.media.light import in_bt709, light_of
from framejury.media.orientation import orientation_of
from framejury.media.pixel_shape import in_square_pixels
from framejury.records import Image, Region, Size


class DecodedFrame:
    """One frame in libav's memory, mostly YCbCr; its results are as a player shows them.

    They are upright, unmirrored as the file asks, in square pixels, and in the colours and the
    light of BT.709. Of interlaced film they show one field, stretched: docs/media.md has the
    measurement.

    Args:
        frame: kept, not copied; occupies the decoder's memory as long as this object lives.
        pixel_ratio: width of its pixels to their height.

    Attributes:
        light: how the file encodes light; None: as BT.709 does.
        is_interlaced: whether the frame consists of two pictures, one in every other line.
    """

    def __init__(self, frame: av.VideoFrame, pixel_ratio: Fraction = Fraction(1)) -> None:
        self.light = light_of(frame)
        self._turn = orientation_of(frame)
        self.is_interlaced = frame.interlaced_frame
        self._square = in_square_pixels(Size(frame.height, frame.width), pixel_ratio)
        if self.is_interlaced:
            frame = _top_field(frame)
        self._frame = frame if self.light is None else in_bt709(frame, self.light)
        self._is_square = self._square == Size(frame.height, frame.width)
        self._whole: Image | None = None

    @property
    def size(self) -> Size:
        """Size as shown."""
        return self._turn.size(self._square)

    def reduced(self, size: Size) -> Image:
        """Return the frame area-averaged by libav to `size` (as shown); exact at its own size."""
        coded = self._turn.size(size)
        grows = coded.height > self._frame.height or coded.width > self._frame.width
        return self._turn.applied(_pixels(self._frame, coded, "BICUBIC" if grows else "AREA"))

    def part(self, region: Region) -> Image:
        """Return `region` (as shown) in full resolution, uint8 (height, width, 3) RGB.

        Raises:
            ValueError: the region is empty or reaches beyond the frame.
        """
        size = self.size
        right, bottom = region.x + region.width, region.y + region.height
        if not (0 <= region.x < right <= size.width and 0 <= region.y < bottom <= size.height):
            raise ValueError(f"{region} is empty or outside a frame of {size}")
        coded = self._turn.undone(region, size)
        if self._is_square:
            return self._turn.applied(_converted(self._frame, coded))
        if self._whole is None:
            self._whole = _pixels(self._frame, self._square, "BICUBIC")
        rows = slice(coded.y, coded.y + coded.height)
        return self._turn.applied(self._whole[rows, coded.x : coded.x + coded.width])


def _top_field(frame: av.VideoFrame) -> av.VideoFrame:
    """Return every other line of a frame, from the first one on."""
    field = av.VideoFrame(frame.width, (frame.height + 1) // 2, frame.format.name)
    field.colorspace, field.color_range = frame.colorspace, frame.color_range
    field.color_trc, field.color_primaries = frame.color_trc, frame.color_primaries
    for source, target in zip(frame.planes, field.planes, strict=True):
        width_bytes = min(source.line_size, target.line_size)
        _rows(target)[:, :width_bytes] = _rows(source)[::2, :width_bytes]
    return field


def _converted(frame: av.VideoFrame, region: Region) -> Image:
    """Return a part of a coded frame in RGB, identical to that part of the whole in RGB."""
    window = _window(frame, region)
    if window is None:
        whole = _pixels(frame, Size(frame.height, frame.width), None)
        return whole[region.y : region.y + region.height, region.x : region.x + region.width]
    part, left, top = window
    pixels = _pixels(part, Size(part.height, part.width), None)
    return pixels[top : top + region.height, left : left + region.width]


def _pixels(frame: av.VideoFrame, size: Size, interpolation: str | None) -> Image:
    """Return the frame at `size`, uint8 (height, width, 3) RGB."""
    small = frame.reformat(size.width, size.height, "rgb24", interpolation=interpolation, threads=1)
    return np.asarray(small.to_ndarray(), np.uint8)


_ALIGN = 16
"""Windows start at a multiple of this, pixels, to keep chroma samples whole and the dithering in
phase, and reach as far beyond the region, since libav interpolates chroma in some formats."""


def _window(frame: av.VideoFrame, region: Region) -> tuple[av.VideoFrame, int, int] | None:
    """Return a small frame around the region, and its place there; None: planes cannot be cut."""
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
    """Accept one component per plane, whole bytes, chroma at exactly full or half resolution.

    Examples are yuv420p, yuvj422p and yuv420p10le. In other formats libav scales a small frame
    slightly differently from the whole one.
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
    """Return a plane's memory, uint8 (height, line_size)."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
