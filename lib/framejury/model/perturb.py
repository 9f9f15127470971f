"""What cameras, sites and messengers do to a picture: compression, scaling, blur, noise, grey.

The same functions make training robust and measure how robust it is. Pure: pictures in,
new pictures of the same size out; what is random comes from the generator that is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import cv2
import numpy as np
from av.codec.context import CodecContext

from framejury.records import Image

H264_PRESET = "veryfast"
"""Keeps what shapes the artefacts of usual encoders (deblocking, CABAC, adaptive quantisation),
which `ultrafast` switches off, and takes a few milliseconds a face."""

_X264 = "mbtree=0"
"""Macroblock trees lower the quality of what later pictures do not refer to; in a clip of one
or a few pictures that is everything, and the rate factor would no longer mean what it does in
a whole video (x264 shifts it by 5.4 for the tree to win back). The tree also reads memory that
nobody set, so that the same pictures would not always give the same bytes."""

_FPS = 25


def jpeg(image: Image, quality: int) -> Image:
    """Through a JPEG and back, chroma halved as cameras and sites do.

    Args:
        image: uint8 (height, width, 3) RGB.
        quality: libjpeg's, 1 to 100.

    Returns:
        uint8 of the same shape, RGB; a new array.

    Raises:
        ValueError: the quality is out of range.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG quality is 1 to 100; got {quality}")
    written, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not written:
        raise ValueError(f"a picture of shape {image.shape} cannot be written as a JPEG")
    back = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.asarray(cv2.cvtColor(back, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def h264(sequence: Sequence[Image], crf: int) -> list[Image]:
    """Through a short H.264 clip and back (x264 at constant rate factor, yuv420p, 25 a second).

    The first picture becomes a key frame, later ones are predicted from it, as in an upload.
    One thread, so the same pictures give the same bytes.

    Args:
        sequence: uint8 (height, width, 3) RGB each, of one size; one picture will do. Sides
            of odd length are padded by one pixel for the clip.
        crf: 0 (lossless but for colour) to 51; 23 is x264's default, FaceForensics++ calls
            23 and 40 c23 and c40.

    Returns:
        as many pictures, uint8 of the same shape, RGB; new arrays.

    Raises:
        ValueError: sizes differ, there is no picture, or the rate factor is out of range.
    """
    shapes = {image.shape for image in sequence}
    if len(shapes) != 1:
        raise ValueError(f"a clip needs pictures of one size; got {sorted(shapes)}")
    if not 0 <= crf <= 51:
        raise ValueError(f"the rate factor is 0 to 51; got {crf}")
    height, width = shapes.pop()[:2]
    encoder = _encoder(height + height % 2, width + width % 2, crf)
    decoder = CodecContext.create("h264", "r")
    decoder.thread_count = 1
    packets = []
    for index, image in enumerate(sequence):
        frame = av.VideoFrame.from_ndarray(_even(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", threads=1)
        frame.pts = index
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    if len(frames) != len(sequence):
        raise ValueError(f"{len(sequence)} pictures went into a clip and {len(frames)} came out")
    return [
        np.ascontiguousarray(
            frame.reformat(format="rgb24", threads=1).to_ndarray()[:height, :width], dtype=np.uint8
        )
        for frame in frames
    ]


def rescaled(image: Image, ratio: float) -> Image:
    """Made smaller and back to its size: what a small upload lost. Area mean, then bilinear.

    Args:
        image: uint8 (height, width, 3) RGB.
        ratio: side of the small picture as a share of the picture's, above 0, at most 1.

    Returns:
        uint8 of the same shape, RGB; a new array.

    Raises:
        ValueError: the ratio is out of range.
    """
    if not 0 < ratio <= 1:
        raise ValueError(f"the ratio is above 0 and at most 1; got {ratio}")
    height, width = image.shape[:2]
    small = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    lost = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    back = cv2.resize(lost, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.array(back, dtype=np.uint8)


def blurred(image: Image, sigma_px: float) -> Image:
    """Gaussian blur; the border is mirrored.

    Args:
        image: uint8 (height, width, 3) RGB.
        sigma_px: standard deviation, pixels of this picture, above 0.

    Raises:
        ValueError: sigma is not above 0.
    """
    if not sigma_px > 0:
        raise ValueError(f"sigma is above 0; got {sigma_px}")
    soft = cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(soft, dtype=np.uint8)


def noisy(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Gaussian noise on each value of each channel, rounded and clipped.

    Args:
        image: uint8 (height, width, 3) RGB.
        sigma: standard deviation in units of 0..255, at least 0.
        rng: decides the noise.
    """
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(sigma)
    picture: Image = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
    return picture


def grey(image: Image) -> Image:
    """Its luma (ITU-R BT.601) in all three channels; uint8 (height, width, 3)."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def _encoder(height: int, width: int, crf: int) -> av.VideoCodecContext:
    encoder = CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = height, width
    encoder.pix_fmt = "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, _FPS), Fraction(_FPS)
    encoder.thread_count = 1
    encoder.options = {
        "crf": str(crf),
        "preset": H264_PRESET,
        "threads": "1",
        "x264-params": _X264,
    }
    return encoder


def _even(image: Image) -> Image:
    """With even sides, the last row or column repeated where one is missing."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(padded)
