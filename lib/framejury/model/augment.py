"""Random changes of training faces, the same for both classes.

Differences between cameras, sites and uploads must not separate the classes. Faces are mirrored,
slightly shifted, scaled and turned, relit, partly covered, and perturbed (`perturb`) as on the way
from a camera to an archive. Every function is pure; randomness comes from the generator passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from framejury.model import perturb
from framejury.records import Image

Points = npt.NDArray[np.float32]
Level = Literal["full", "affine", "mirror"]
"""How much of a drawn change is applied, as in `training.augment`."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """A covered part of a face.

    Attributes:
        landmark: index of the landmark at its centre, 0 to 4.
        height_ratio, width_ratio: shares of the picture's sides.
        colour: RGB, 0..255.
    """

    landmark: int
    height_ratio: float
    width_ratio: float
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One drawn change of a face. A step that is None is skipped.

    Attributes:
        flip: whether to mirror left to right.
        shift_x, shift_y: shares of width and height.
        scale: about the centre; 1 leaves the size.
        brightness: added to each value, in units of 0..255.
        contrast: factor about the mean of the picture.
        gains: factor of each channel, RGB.
        jpeg_quality: quality of a recompression.
        turn_deg: rotation about the centre, degrees.
        grey: whether to remove the colour.
        cutouts: parts to cover.
        small_ratio: share, above 0 to 1, to which the picture is reduced and enlarged again.
        blur_sigma_px: standard deviation of a Gaussian blur.
        noise_sigma: standard deviation of Gaussian noise, in units of 0..255.
        crf: rate factor of an H.264 compression.
        seed: seed of the noise.
    """

    flip: bool
    shift_x: float = 0.0
    shift_y: float = 0.0
    scale: float = 1.0
    brightness: float = 0.0
    contrast: float = 1.0
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    jpeg_quality: int | None = None
    turn_deg: float = 0.0
    grey: bool = False
    cutouts: tuple[Cutout, ...] = ()
    small_ratio: float | None = None
    blur_sigma_px: float | None = None
    noise_sigma: float | None = None
    crf: int | None = None
    seed: int = 0


def sample_rng(seed: int, epoch: int, *identity: int) -> np.random.Generator:
    """Return the generator of one face in one epoch, the same in any thread and order.

    Args:
        seed: seed of the training.
        epoch: from 0.
        identity: non-negative numbers that identify the face.
    """
    return np.random.default_rng([seed, epoch, *identity])


def draw(
    rng: np.random.Generator, degrade_ratio: float = 1.0, level: Level = "full"
) -> Augmentation:
    """Draw one change. Video compression and reduction, the commonest in archives, are likeliest.

    Args:
        rng: source of all randomness; the same state mirrors and moves alike at every level.
        degrade_ratio: odds of the perturbations, as a share of the usual odds.
        level: affine: only mirrored, shifted, scaled and turned; mirror: only mirrored.
    """
    change = _drawn(rng, degrade_ratio)
    if level == "full":
        return change
    kept = Augmentation(flip=change.flip)
    if level == "mirror":
        return kept
    return replace(
        kept,
        shift_x=change.shift_x,
        shift_y=change.shift_y,
        scale=change.scale,
        turn_deg=change.turn_deg,
    )


def _drawn(rng: np.random.Generator, degrade_ratio: float) -> Augmentation:
    def lost(odds: float) -> bool:
        return bool(rng.random() < odds * degrade_ratio)

    flip, move, light = (rng.random(3) < 0.5).tolist()
    shift_x, shift_y = rng.uniform(-0.06, 0.06, 2).tolist() if move else (0.0, 0.0)
    red, green, blue = rng.uniform(0.93, 1.07, 3).tolist() if light else (1.0, 1.0, 1.0)
    return Augmentation(
        flip=flip,
        shift_x=shift_x,
        shift_y=shift_y,
        scale=float(rng.uniform(0.9, 1.12)) if move else 1.0,
        turn_deg=float(rng.uniform(-8.0, 8.0)) if move else 0.0,
        brightness=float(rng.uniform(-25.0, 25.0)) if light else 0.0,
        contrast=float(rng.uniform(0.8, 1.2)) if light else 1.0,
        gains=(red, green, blue),
        grey=bool(rng.random() < 0.04),
        cutouts=_drawn_cutouts(rng) if rng.random() < 0.1 else (),
        small_ratio=float(rng.uniform(0.3, 1.0)) if lost(0.35) else None,
        blur_sigma_px=float(rng.uniform(0.3, 1.6)) if lost(0.15) else None,
        noise_sigma=float(rng.uniform(1.0, 8.0)) if lost(0.12) else None,
        crf=int(rng.integers(18, 43)) if lost(0.4) else None,
        jpeg_quality=int(rng.integers(40, 101)) if lost(0.3) else None,
        seed=int(rng.integers(2**31)),
    )


def _drawn_cutouts(rng: np.random.Generator) -> tuple[Cutout, ...]:
    covered = rng.choice(5, size=int(rng.integers(1, 3)), replace=False)
    cutouts = []
    for landmark in covered.tolist():
        height, width = rng.uniform(0.08, 0.3, 2).tolist()
        red, green, blue = rng.integers(0, 256, 3).tolist()
        cutouts.append(Cutout(landmark, height, width, (red, green, blue)))
    return tuple(cutouts)


def apply(image: Image, change: Augmentation, landmarks: Points | None = None) -> Image:
    """Apply a change, in the order in which it would happen to a picture.

    The face is covered, mirrored, moved and relit; then it is perturbed by reduction, blur, noise,
    video and JPEG.

    Args:
        image: uint8 (height, width, 3) RGB.
        change: the drawn change.
        landmarks: float32 (5, 2), x and y in pixels of `image`; without them nothing is covered.

    Returns:
        uint8 of the same shape, RGB; a new array.
    """
    picture = image.copy()
    if landmarks is not None:
        for cutout in change.cutouts:
            picture = covered(picture, landmarks[cutout.landmark], cutout)
    if change.flip:
        picture = flipped(picture)
    if (change.shift_x, change.shift_y, change.scale, change.turn_deg) != (0.0, 0.0, 1.0, 0.0):
        picture = moved(picture, change.shift_x, change.shift_y, change.scale, change.turn_deg)
    if (change.brightness, change.contrast, change.gains) != (0.0, 1.0, (1.0, 1.0, 1.0)):
        picture = relit(picture, change.brightness, change.contrast, change.gains)
    return _perturbed(perturb.grey(picture) if change.grey else picture, change)


def _perturbed(picture: Image, change: Augmentation) -> Image:
    if change.small_ratio is not None:
        picture = perturb.rescaled(picture, change.small_ratio)
    if change.blur_sigma_px is not None:
        picture = perturb.blurred(picture, change.blur_sigma_px)
    if change.noise_sigma is not None:
        rng = np.random.default_rng(change.seed)
        picture = perturb.noisy(picture, change.noise_sigma, rng)
    if change.crf is not None:
        (picture,) = perturb.h264([picture], change.crf)
    if change.jpeg_quality is not None:
        picture = perturb.jpeg(picture, change.jpeg_quality)
    return picture


def covered(image: Image, middle: Points, cutout: Cutout) -> Image:
    """Return the picture with a plain rectangle over one landmark.

    Args:
        image: uint8 (height, width, 3) RGB.
        middle: float32 (2,), x and y in pixels.
        cutout: its size and colour.
    """
    height, width = image.shape[:2]
    x, y = middle.tolist()
    half_x, half_y = cutout.width_ratio * width / 2, cutout.height_ratio * height / 2
    left, right = (int(np.clip(round(at), 0, width)) for at in (x - half_x, x + half_x))
    top, bottom = (int(np.clip(round(at), 0, height)) for at in (y - half_y, y + half_y))
    picture = image.copy()
    picture[top:bottom, left:right] = cutout.colour
    return picture


def flipped(image: Image) -> Image:
    """Return the picture mirrored left to right; uint8 (height, width, 3)."""
    return np.ascontiguousarray(image[:, ::-1])


def moved(
    image: Image, shift_x: float, shift_y: float, scale: float, turn_deg: float = 0.0
) -> Image:
    """Return the picture scaled and turned about its centre, then shifted; the border is mirrored.

    Args:
        image: uint8 (height, width, 3) RGB.
        shift_x, shift_y: to the right and down, shares of width and height.
        scale: factor; 1 leaves the size.
        turn_deg: clockwise, degrees.
    """
    height, width = image.shape[:2]
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    cos, sin = (scale * f(np.deg2rad(turn_deg)) for f in (np.cos, np.sin))
    matrix = np.array(
        [
            [cos, -sin, center_x * (1 - cos) + center_y * sin + shift_x * width],
            [sin, cos, center_y * (1 - cos) - center_x * sin + shift_y * height],
        ]
    )
    warped = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, dtype=np.uint8)


def relit(image: Image, brightness: float, contrast: float, gains: Sequence[float]) -> Image:
    """Return mean + contrast * (gains * x - mean) + brightness, clipped: other light and colour.

    Args:
        image: uint8 (height, width, 3) RGB.
        brightness: in units of 0..255.
        contrast: factor.
        gains: factor of each channel, RGB.
    """
    coloured = image.astype(np.float32) * np.asarray(gains, dtype=np.float32)
    mean = coloured.mean()
    values = mean + contrast * (coloured - mean) + brightness
    relit_image: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return relit_image
