"""Perturbations by cameras, sites and messengers: compression, scaling, blur, noise, grey.

The same functions make training robust and measure robustness. They are pure: they return new
pictures of the same size, and randomness comes from the generator passed in.
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
"""Keeps deblocking, CABAC and adaptive quantisation, which shape the artefacts of usual encoders.
`ultrafast` switches them off. Takes a few milliseconds per face."""

_X264 = "mbtree=0"
"""Macroblock trees lower the quality of areas that later pictures do not refer to. In a clip of few
pictures that is every area, so the rate factor would not mean what it means in a whole video (x264
shifts it by 5.4 to compensate for the tree). The tree also reads uninitialised memory, so the same
pictures would not always give the same bytes."""

_FPS = 25


def jpeg(image: Image, quality: int) -> Image:
    """Return the picture after JPEG compression with halved chroma, as cameras and sites use it.

    Args:
        image: uint8 (height, width, 3) RGB.
        quality: libjpeg's quality, 1 to 100.

    Returns:
        uint8 of the same shape, RGB; a new array.

    Raises:
        ValueError: the quality is out of range.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG quality must be 1 to 100, got {quality}")
    written, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not written:
        raise ValueError(f"cannot write a picture of shape {image.shape} as JPEG")
    back = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.asarray(cv2.cvtColor(back, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def h264(sequence: Sequence[Image], crf: int) -> list[Image]:
    """Return pictures after a short H.264 clip (x264, constant rate factor, yuv420p, 25 fps).

    The first picture becomes a key frame and later ones are predicted from it, as in an upload.
    One thread encodes, so the same pictures give the same bytes.

    Args:
        sequence: one or more pictures of the same size, uint8 (height, width, 3) RGB. Odd sides
            are padded by one pixel for the clip.
        crf: 0 (lossless except for colour) to 51; x264's default is 23, and FaceForensics++ calls
            23 and 40 c23 and c40.

    Returns:
        as many pictures, uint8 of the same shape, RGB; new arrays.

    Raises:
        ValueError: sizes differ, there is no picture, or the rate factor is out of range.
    """
    shapes = {image.shape for image in sequence}
    if len(shapes) != 1:
        raise ValueError(f"a clip needs pictures of the same size, got {sorted(shapes)}")
    if not 0 <= crf <= 51:
        raise ValueError(f"the rate factor must be 0 to 51, got {crf}")
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
        raise ValueError(f"the clip of {len(sequence)} pictures decoded to {len(frames)}")
    return [
        np.ascontiguousarray(
            frame.reformat(format="rgb24", threads=1).to_ndarray()[:height, :width], dtype=np.uint8
        )
        for frame in frames
    ]


def rescaled(image: Image, ratio: float) -> Image:
    """Return the picture reduced (area mean) and enlarged again (bilinear), as in a small upload.

    Args:
        image: uint8 (height, width, 3) RGB.
        ratio: side of the small picture as a share of the original, above 0 to 1.

    Returns:
        uint8 of the same shape, RGB; a new array.

    Raises:
        ValueError: the ratio is out of range.
    """
    if not 0 < ratio <= 1:
        raise ValueError(f"the ratio must be above 0 to 1, got {ratio}")
    height, width = image.shape[:2]
    small = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    lost = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    back = cv2.resize(lost, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.array(back, dtype=np.uint8)


def blurred(image: Image, sigma_px: float) -> Image:
    """Return the picture with a Gaussian blur; the border is mirrored.

    Args:
        image: uint8 (height, width, 3) RGB.
        sigma_px: standard deviation, pixels of this picture, above 0.

    Raises:
        ValueError: sigma is 0 or negative.
    """
    if not sigma_px > 0:
        raise ValueError(f"sigma must be above 0, got {sigma_px}")
    soft = cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(soft, dtype=np.uint8)


def noisy(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Return the picture with Gaussian noise on each value, rounded and clipped.

    Args:
        image: uint8 (height, width, 3) RGB.
        sigma: standard deviation in units of 0..255, at least 0.
        rng: source of the noise.
    """
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(sigma)
    picture: Image = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
    return picture


def grey(image: Image) -> Image:
    """Return the luma (ITU-R BT.601) in all three channels; uint8 (height, width, 3)."""
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
    """Return the picture with even sides; the last row or column is repeated where necessary."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(padded)
