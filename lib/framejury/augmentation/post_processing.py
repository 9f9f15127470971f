"""What editors, screens, phones and sites do to a picture before it is in an archive.

A drawn chain has two parts. Editing leaves the fine traces of a forgery where they are: grading,
sharpening, graphics. Lossy steps weaken them: beauty filters, reduced resolution, filmed screens,
blur, noise, several generations of video compression, JPEG. About half of all draws have no lossy
step, so a network also learns the fine traces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from framejury.augmentation import perturb
from framejury.augmentation.grading import Grade, draw_grade, graded
from framejury.augmentation.graphics import Graphic, draw_graphic, overlaid
from framejury.augmentation.video_codecs import Codec, VideoCompression, recoded
from framejury.records import Image

_LOSSY_ODDS = 0.58
"""Odds that a picture may have lossy steps at all; those of each step below are within them."""

_CODEC_ODDS: dict[Codec, float] = {"h264": 0.7, "hevc": 0.15, "vp9": 0.15}
_RATE_FACTORS: dict[Codec, tuple[int, int]] = {"h264": (18, 42), "hevc": (18, 36), "vp9": (24, 56)}
_GENERATION_ODDS = (0.65, 0.25, 0.1)
"""Of one, two and three generations of video compression."""

_GENTLER = 6
"""By how much each further generation lowers the highest rate factor: losses add up."""

_LARGEST_OFFSET_PX = 15
_KERNELS: tuple[perturb.Kernel, ...] = ("linear", "cubic", "lanczos")


@dataclass(frozen=True, slots=True)
class Upscaling:
    """Arguments of `perturb.upscaled`."""

    ratio: float
    kernel: perturb.Kernel
    sharpening: float


@dataclass(frozen=True, slots=True)
class Grain:
    """Arguments of `perturb.grainy`."""

    sigma: float
    size_px: float


@dataclass(frozen=True, slots=True)
class PostProcessing:
    """One drawn chain, in the order in which its steps are applied. None or empty: left out.

    Attributes:
        smoothing: strength of a beauty filter, 0 to 1.
        grade: colour grading.
        sharpening: amount of an unsharp mask.
        graphic: something laid over the picture.
        small_ratio: share, above 0 to 1, to which the picture is reduced and enlarged again.
        upscaling: the same as a phone's zoom does it.
        screen: filmed from a screen.
        blur_sigma_px: standard deviation of a Gaussian blur.
        noise_sigma: standard deviation of Gaussian noise, in units of 0..255.
        grain: film grain.
        videos: generations of video compression, the first one first.
        jpeg_quality: quality of a recompression.
        seed: of noise and grain.
    """

    smoothing: float | None = None
    grade: Grade | None = None
    sharpening: float | None = None
    graphic: Graphic | None = None
    small_ratio: float | None = None
    upscaling: Upscaling | None = None
    screen: perturb.Screen | None = None
    blur_sigma_px: float | None = None
    noise_sigma: float | None = None
    grain: Grain | None = None
    videos: tuple[VideoCompression, ...] = ()
    jpeg_quality: int | None = None
    seed: int = 0


def draw_post_processing(rng: np.random.Generator, lossy_ratio: float = 1.0) -> PostProcessing:
    """Draw one chain. Video compression and reduction, the commonest in archives, are likeliest.

    Args:
        rng: source of all randomness.
        lossy_ratio: odds of lossy steps as a share of the usual odds, 0 to 1.
    """
    # First, so that the editing is the same at any ratio.
    grade = draw_grade(rng) if rng.random() < 0.2 else None
    sharpening = float(rng.uniform(0.2, 1.5)) if rng.random() < 0.08 else None
    graphic = draw_graphic(rng) if rng.random() < 0.1 else None
    lossy = bool(rng.random() < _LOSSY_ODDS * lossy_ratio)
    kind, reduced = rng.random(2).tolist()

    def lost(odds: float) -> bool:
        return lossy and bool(rng.random() < odds)

    reduces = lossy and reduced < 0.5
    return PostProcessing(
        smoothing=float(rng.uniform(0.3, 0.9)) if lost(0.1) else None,
        grade=grade,
        sharpening=sharpening,
        graphic=graphic,
        small_ratio=float(rng.uniform(0.3, 0.95)) if reduces and kind < 0.6 else None,
        upscaling=_draw_upscaling(rng) if reduces and 0.6 <= kind < 0.88 else None,
        screen=_draw_screen(rng) if reduces and kind >= 0.88 else None,
        blur_sigma_px=float(rng.uniform(0.3, 1.6)) if lost(0.2) else None,
        noise_sigma=float(rng.uniform(1.0, 8.0)) if lost(0.15) else None,
        grain=_draw_grain(rng) if lost(0.08) else None,
        videos=_draw_videos(rng) if lost(0.62) else (),
        jpeg_quality=int(rng.integers(40, 101)) if lost(0.45) else None,
        seed=int(rng.integers(2**31)),
    )


def post_processed(image: Image, chain: PostProcessing) -> Image:
    """Apply a chain.

    Args:
        image: uint8 (height, width, 3) RGB.
        chain: the drawn chain.

    Returns:
        uint8 of the same shape, RGB; `image` itself where nothing is drawn.
    """
    return _delivered(_edited(image, chain), chain)


def _edited(picture: Image, chain: PostProcessing) -> Image:
    if chain.smoothing is not None:
        picture = perturb.smoothed_skin(picture, chain.smoothing)
    if chain.grade is not None:
        picture = graded(picture, chain.grade)
    if chain.sharpening is not None:
        picture = perturb.sharpened(picture, chain.sharpening)
    if chain.graphic is not None:
        picture = overlaid(picture, chain.graphic)
    return picture


def _delivered(picture: Image, chain: PostProcessing) -> Image:
    rng = np.random.default_rng(chain.seed)
    if chain.small_ratio is not None:
        picture = perturb.rescaled(picture, chain.small_ratio)
    if (up := chain.upscaling) is not None:
        picture = perturb.upscaled(picture, up.ratio, up.kernel, up.sharpening)
    if chain.screen is not None:
        picture = perturb.filmed_screen(picture, chain.screen)
    if chain.blur_sigma_px is not None:
        picture = perturb.blurred(picture, chain.blur_sigma_px)
    if chain.noise_sigma is not None:
        picture = perturb.noisy(picture, chain.noise_sigma, rng)
    if chain.grain is not None:
        picture = perturb.grainy(picture, chain.grain.sigma, chain.grain.size_px, rng)
    for video in chain.videos:
        (picture,) = recoded([picture], video)
    if chain.jpeg_quality is not None:
        picture = perturb.jpeg(picture, chain.jpeg_quality)
    return picture


def _draw_upscaling(rng: np.random.Generator) -> Upscaling:
    kernel = _KERNELS[int(rng.integers(len(_KERNELS)))]
    return Upscaling(float(rng.uniform(0.3, 0.8)), kernel, float(rng.uniform(0.0, 1.2)))


def _draw_screen(rng: np.random.Generator) -> perturb.Screen:
    return perturb.Screen(
        ratio=float(rng.uniform(1.1, 1.9)),
        depth=float(rng.uniform(0.05, 0.35)),
        period_px=float(rng.uniform(2.0, 4.5)),
        turn_deg=float(rng.uniform(-20.0, 20.0)),
        gamma=float(rng.uniform(0.8, 1.3)),
    )


def _draw_grain(rng: np.random.Generator) -> Grain:
    return Grain(float(rng.uniform(2.0, 9.0)), float(rng.uniform(0.6, 1.4)))


def _draw_videos(rng: np.random.Generator) -> tuple[VideoCompression, ...]:
    codecs = tuple(_CODEC_ODDS)
    generations = 1 + int(rng.choice(len(_GENERATION_ODDS), p=_GENERATION_ODDS))
    videos = []
    for _ in range(generations):
        codec = codecs[int(rng.choice(len(codecs), p=tuple(_CODEC_ODDS.values())))]
        low, high = _RATE_FACTORS[codec]
        x, y = rng.integers(0, _LARGEST_OFFSET_PX + 1, 2).tolist()
        factor = int(rng.integers(low, high + 1 - _GENTLER * (generations - 1)))
        videos.append(VideoCompression(codec, factor, x, y))
    return tuple(videos)
