"""Perturbations by cameras, screens, sites and messengers: compression, scaling, blur, noise.

The same functions make training robust and measure robustness. They are pure: they return new
pictures of the same size, and randomness comes from the generator passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from framejury.augmentation.video_codecs import VideoCompression, recoded
from framejury.records import Image

Kernel = Literal["linear", "cubic", "lanczos"]
_KERNELS: dict[Kernel, int] = {
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


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
    return recoded(sequence, VideoCompression("h264", crf))


def rescaled(image: Image, ratio: float, kernel: Kernel = "linear") -> Image:
    """Return the picture reduced (area mean) and enlarged again, as in a small upload.

    Args:
        image: uint8 (height, width, 3) RGB.
        ratio: side of the small picture as a share of the original, above 0 to 1.
        kernel: of the enlargement.

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
    back = cv2.resize(lost, (width, height), interpolation=_KERNELS[kernel])
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
    return _rounded(image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(sigma))


def grey(image: Image) -> Image:
    """Return the luma (ITU-R BT.601) in all three channels; uint8 (height, width, 3)."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def sharpened(image: Image, amount: float, sigma_px: float = 1.0) -> Image:
    """Return the picture with an unsharp mask: x + amount * (x - blurred x), clipped.

    Args:
        image: uint8 (height, width, 3) RGB.
        amount: 0 leaves the picture; phones and editors use up to 1.5.
        sigma_px: standard deviation of the blur, pixels, above 0.
    """
    values = image.astype(np.float32)
    soft = cv2.GaussianBlur(values, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101)
    return _rounded(values + np.float32(amount) * (values - soft))


def smoothed_skin(image: Image, strength: float) -> Image:
    """Return the picture after a beauty filter: edges stay, fine structure of the skin goes.

    Args:
        image: uint8 (height, width, 3) RGB.
        strength: opacity of the bilateral filter (7 pixels, 30 levels), 0 to 1.
    """
    soft = cv2.bilateralFilter(image, 7, 30, 3, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.addWeighted(soft, strength, image, 1 - strength, 0), np.uint8)


def upscaled(image: Image, ratio: float, kernel: Kernel, sharpening: float) -> Image:
    """Return the picture reduced (area mean), enlarged and sharpened, as a phone's zoom does it.

    Args:
        image: uint8 (height, width, 3) RGB.
        ratio: side of the small picture as a share of the original, above 0 to 1.
        kernel: of the enlargement.
        sharpening: amount of the unsharp mask afterwards, at least 0.

    Raises:
        ValueError: the ratio is out of range.
    """
    return sharpened(rescaled(image, ratio, kernel), sharpening)


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen that a camera films.

    Attributes:
        ratio: pixels of the screen per pixel of the picture, 1 to 2.
        depth: how much its stripes darken, 0 to below 1.
        period_px: distance of the stripes, pixels of the screen, at least 2.
        turn_deg: direction of the stripes, degrees; 0: upright.
        gamma: exponent of the values, above 0; above 1 darkens.
    """

    ratio: float
    depth: float
    period_px: float
    turn_deg: float
    gamma: float


def filmed_screen(image: Image, screen: Screen) -> Image:
    """Return the picture as a camera sees it on a screen: a moiré of stripes, and other contrast.

    The picture is enlarged at an odd ratio, darkened by the stripes of the screen (a third of a
    period apart in red, green and blue), and sampled at its old size without smoothing.

    Args:
        image: uint8 (height, width, 3) RGB.
        screen: its pixels and light.
    """
    height, width = image.shape[:2]
    size = (max(1, round(width * screen.ratio)), max(1, round(height * screen.ratio)))
    shown = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC).reshape(size[1], size[0], 3)
    angle = np.deg2rad(screen.turn_deg)
    across = np.cos(angle) * np.arange(size[0]) + np.sin(angle) * np.arange(size[1])[:, np.newaxis]
    phase = (2 * np.pi / screen.period_px * across).astype(np.float32)
    thirds = np.array([0.0, 1.0, 2.0], np.float32) * np.float32(2 * np.pi / 3)
    stripes = 0.5 + 0.5 * np.cos(phase[:, :, np.newaxis] + thirds)
    tones = (255 * np.linspace(0, 1, 256) ** screen.gamma).astype(np.float32)
    lit = tones[shown] * (1 - np.float32(screen.depth) * stripes)
    seen = cv2.resize(lit, (width, height), interpolation=cv2.INTER_LINEAR)
    # The stripes take half of `depth` off the light, which the camera's exposure brings back.
    return _rounded(seen.reshape(image.shape) / np.float32(1 - screen.depth / 2))


def grainy(image: Image, sigma: float, size_px: float, rng: np.random.Generator) -> Image:
    """Return the picture with film grain: soft noise, the same in all channels.

    Args:
        image: uint8 (height, width, 3) RGB.
        sigma: standard deviation in units of 0..255, at least 0.
        size_px: standard deviation of the blur that gives the grain its size, pixels, above 0.
        rng: source of the noise.
    """
    noise = rng.standard_normal(image.shape[:2], dtype=np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), size_px, borderType=cv2.BORDER_REFLECT_101)
    spread = max(float(soft.std()), 1e-6)
    return _rounded(image + (soft * np.float32(sigma / spread)).reshape(*image.shape[:2], 1))


def _rounded(values: npt.NDArray[np.float32]) -> Image:
    picture: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return picture
