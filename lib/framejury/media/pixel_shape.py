"""The shape of pixels: how much wider than high they are shown."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from framejury.records import Size

_SQUARE = Fraction(1)


class PixelShape:
    """Says for each frame of a stream how wide its pixels are, as a player does.

    What the container says applies to the whole stream. Without that, what the coded pictures
    say, which may change on the way (as in television).

    Args:
        stream: `av.VideoStream`, before anything is decoded.
    """

    def __init__(self, stream: Any) -> None:
        by_container = _valid(stream.sample_aspect_ratio)
        by_pictures = _valid(stream.codec_context.sample_aspect_ratio)
        # libav reports what the first pictures say where the container says nothing.
        self._fixed = by_container if by_container != by_pictures else None
        self._first = by_pictures or _SQUARE

    def of(self, by_picture: Fraction | None) -> Fraction:
        """Return the pixel ratio (width to height) of a frame whose coded picture says this."""
        return self._fixed or _valid(by_picture) or self._first


def in_square_pixels(size: Size, ratio: Fraction) -> Size:
    """Return the size at which pixels of this ratio become square; the smaller side grows."""
    if ratio >= 1:
        return Size(size.height, max(round(size.width * ratio), 1))
    return Size(max(round(size.height / ratio), 1), size.width)


def _valid(ratio: Fraction | None) -> Fraction | None:
    return ratio if ratio is not None and ratio > 0 else None
