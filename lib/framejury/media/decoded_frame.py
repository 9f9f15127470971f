"""A decoded frame, converted to RGB only where and as large as needed."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import numpy.typing as npt

from framejury.records import Image, Region, Size


class DecodedFrame:
    """One frame in libav's memory, mostly YCbCr; its results are rotated as shown.

    Args:
        frame: kept, not copied; occupies the decoder's memory as long as this object lives.
    """

    def __init__(self, frame: av.VideoFrame) -> None:
        self._frame = frame
        # libav counts counterclockwise, as rot90 does.
        self._turns = round(frame.rotation / 90) % 4

    @property
    def size(self) -> Size:
        """Size after rotation."""
        size = Size(self._frame.height, self._frame.width)
        return Size(size.width, size.height) if self._turns % 2 else size

    def reduced(self, size: Size) -> Image:
        """Return the frame area-averaged by libav to `size` (as shown); exact at its own size."""
        height, width = (size.width, size.height) if self._turns % 2 else (size.height, size.width)
        small = self._frame.reformat(width, height, "rgb24", interpolation="AREA", threads=1)
        return self._upright(_pixels(small))

    def part(self, region: Region) -> Image:
        """Return `region` (as shown) in full resolution, uint8 (height, width, 3) RGB.

        Raises:
            ValueError: the region is empty or reaches beyond the frame.
        """
        size = self.size
        right, bottom = region.x + region.width, region.y + region.height
        if not (0 <= region.x < right <= size.width and 0 <= region.y < bottom <= size.height):
            raise ValueError(f"{region} is empty or outside a frame of {size}")
        for _ in range(self._turns):  # from shown to coded orientation
            left = size.height - region.y - region.height
            region = Region(left, region.x, region.height, region.width)
            size = Size(size.width, size.height)
        return self._upright(_converted(self._frame, region))

    def _upright(self, image: Image) -> Image:
        return np.ascontiguousarray(np.rot90(image, self._turns), dtype=np.uint8)


def _converted(frame: av.VideoFrame, region: Region) -> Image:
    """Return a part of a coded frame in RGB, identical to that part of the whole in RGB."""
    window = _window(frame, region)
    if window is None:
        whole = _pixels(frame)
        return whole[region.y : region.y + region.height, region.x : region.x + region.width]
    part, left, top = window
    return _pixels(part)[top : top + region.height, left : left + region.width]


def _pixels(frame: av.VideoFrame) -> Image:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


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
