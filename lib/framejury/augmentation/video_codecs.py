"""Pictures after a video compression: H.264, HEVC and VP9, as archives and messengers use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import numpy as np
from av.codec.context import CodecContext

from framejury.records import Image

Codec = Literal["h264", "hevc", "vp9"]

H264_PRESET = "veryfast"
"""Keeps deblocking, CABAC and adaptive quantisation, which shape the artefacts of usual encoders.
`ultrafast` switches them off. Takes 1 to 3 ms per face of 128 to 256 pixels."""

_X264 = "mbtree=0"
"""Macroblock trees lower the quality of areas that later pictures do not refer to. In a clip of few
pictures that is every area, so the rate factor would not mean what it means in a whole video (x264
shifts it by 5.4 to compensate for the tree). The tree also reads uninitialised memory, so the same
pictures would not always give the same bytes."""

_X265 = "pools=none:frame-threads=1:wpp=0:log-level=none:rc-lookahead=1:bframes=0"
_FPS = 25


@dataclass(frozen=True, slots=True)
class _Encoder:
    """How one codec is asked for.

    Attributes:
        name, decoder: of libav's encoder and decoder.
        highest: the highest rate factor; 0 is the best quality.
        least_px: the shortest side that the encoder takes, pixels.
        options: besides the rate factor.
    """

    name: str
    decoder: str
    highest: int
    least_px: int
    options: Mapping[str, str]


_ENCODERS: dict[Codec, _Encoder] = {
    "h264": _Encoder(
        "libx264", "h264", 51, 2, {"preset": H264_PRESET, "threads": "1", "x264-params": _X264}
    ),
    # `veryfast` takes 9 to 19 ms per face, `ultrafast` 4 to 6, with the same kinds of artefacts.
    "hevc": _Encoder("libx265", "hevc", 51, 32, {"preset": "ultrafast", "x265-params": _X265}),
    "vp9": _Encoder(
        "libvpx-vp9",
        "vp9",
        63,
        2,
        {
            "b": "0",  # constant quality
            "deadline": "realtime",
            "cpu-used": "8",
            "lag-in-frames": "0",
            "threads": "1",
            "row-mt": "0",
        },
    ),
}


@dataclass(frozen=True, slots=True)
class VideoCompression:
    """One generation of video compression.

    Attributes:
        codec: its codec.
        rate_factor: constant rate factor; 0 to 51, or 63 for vp9.
        offset_x, offset_y: pixels by which the grid of blocks is shifted, at least 0: a face rarely
            begins where a block does, and never at the same place in two generations.
    """

    codec: Codec
    rate_factor: int
    offset_x: int = 0
    offset_y: int = 0


def recoded(sequence: Sequence[Image], compression: VideoCompression) -> list[Image]:
    """Return pictures after a short clip (constant rate factor, yuv420p, 25 fps).

    The first picture becomes a key frame and later ones are predicted from it, as in an upload.
    One thread encodes, so the same pictures give the same bytes.

    Args:
        sequence: one or more pictures of the same size, uint8 (height, width, 3) RGB.
        compression: codec, rate factor and place of the grid. For the clip, pictures are padded to
            even sides and to the codec's smallest size.

    Returns:
        as many pictures, uint8 of the same shape, RGB; new arrays.

    Raises:
        ValueError: sizes differ, there is no picture, or the rate factor is out of range.
    """
    shapes = {image.shape for image in sequence}
    if len(shapes) != 1:
        raise ValueError(f"a clip needs pictures of the same size, got {sorted(shapes)}")
    kind, factor = _ENCODERS[compression.codec], compression.rate_factor
    if not 0 <= factor <= kind.highest:
        raise ValueError(f"the rate factor must be 0 to {kind.highest}, got {factor}")
    height, width = shapes.pop()[:2]
    top, left = compression.offset_y, compression.offset_x
    padded = [_padded(image, top, left, kind.least_px) for image in sequence]
    encoder = _opened(kind, padded[0], factor)
    decoder = CodecContext.create(kind.decoder, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    packets = []
    for index, image in enumerate(padded):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(format="yuv420p", threads=1)
        frame.pts = index
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    if len(frames) != len(sequence):
        raise ValueError(f"the clip of {len(sequence)} pictures decoded to {len(frames)}")
    pictures = [frame.reformat(format="rgb24", threads=1).to_ndarray() for frame in frames]
    return [
        np.ascontiguousarray(picture[top : top + height, left : left + width], dtype=np.uint8)
        for picture in pictures
    ]


def _opened(kind: _Encoder, image: Image, factor: int) -> av.VideoCodecContext:
    encoder = CodecContext.create(kind.name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = image.shape[:2]
    encoder.pix_fmt = "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, _FPS), Fraction(_FPS)
    encoder.thread_count = 1
    encoder.options = {"crf": str(factor), **kind.options}
    return encoder


def _padded(image: Image, top: int, left: int, least_px: int) -> Image:
    """Repeat the edges: `top` rows above, `left` columns before, the rest below and behind."""
    sides = []
    for length, before in zip(image.shape[:2], (top, left), strict=True):
        wanted = max(length + before, least_px)
        sides.append((before, wanted + wanted % 2 - length - before))
    return np.ascontiguousarray(np.pad(image, (*sides, (0, 0)), mode="edge"))
