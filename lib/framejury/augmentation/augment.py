"""Random changes of training faces, the same for both classes.

Differences between cameras, sites and uploads must not separate the classes. Faces are mirrored,
slightly shifted, scaled and turned, relit, partly covered, and changed as on the way from a camera
to an archive (`post_processing`). Functions are pure; randomness is passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from framejury.augmentation import perturb
from framejury.augmentation.post_processing import (
    PostProcessing,
    draw_post_processing,
    post_processed,
)
from framejury.records import Image

Points = npt.NDArray[np.float32]
Level = Literal["full", "affine", "mirror"]
"""How much of a drawn change is applied, as in `training.augment`."""


_UNTOUCHED = PostProcessing()


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
        turn_deg: rotation about the centre, degrees.
        grey: whether to remove the colour.
        cutouts: parts to cover.
        post: what editors, phones and sites do to the picture afterwards.
    """

    flip: bool
    shift_x: float = 0.0
    shift_y: float = 0.0
    scale: float = 1.0
    brightness: float = 0.0
    contrast: float = 1.0
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    turn_deg: float = 0.0
    grey: bool = False
    cutouts: tuple[Cutout, ...] = ()
    post: PostProcessing = _UNTOUCHED


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
    """Draw one change.

    Args:
        rng: source of all randomness; the same state mirrors and moves alike at every level.
        degrade_ratio: odds of lossy steps (`post_processing`), as a share of the usual odds.
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
        post=draw_post_processing(rng, degrade_ratio),
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

    The face is covered, mirrored, moved and relit, then edited and delivered (`post_processing`).

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
    return post_processed(perturb.grey(picture) if change.grey else picture, change.post)


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
