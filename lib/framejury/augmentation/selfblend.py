"""Self-blended faces: fakes made from one real face, so that no method is learned by heart.

Source of the idea: Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images"
(CVPR 2022); this is a new implementation for five landmarks. Two copies of a face differ slightly
in colour, sharpness and position, and one is blended over the other through a soft mask in the
shape of a face or a part of it. The picture then has only the traces of a face swap: a blending
edge, two levels of sharpness, features slightly out of place.

Every function is pure; randomness comes from the generator passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Image

Part = Literal["face", "inner", "lower", "mouth", "eyes"]
Points = npt.NDArray[np.float32]
Mask = npt.NDArray[np.float32]

# Points of a frontal face: the eyes are one unit apart, their centre is (0, 0), y points down.
# Rough proportions of the usual 68-point mean face; the order is that of `LANDMARK_NAMES`.
_FIVE = np.array(
    [[-0.5, 0.0], [0.5, 0.0], [0.0, 0.62], [-0.42, 1.10], [0.42, 1.10]], dtype=np.float32
)
_OUTLINES: dict[Part, tuple[tuple[float, float], ...]] = {
    "face": (
        (-0.98, -0.10), (-0.80, -0.42), (-0.35, -0.55), (0.35, -0.55), (0.80, -0.42),
        (0.98, -0.10), (0.97, 0.50), (0.86, 1.05), (0.55, 1.55), (0.0, 1.78), (-0.55, 1.55),
        (-0.86, 1.05), (-0.97, 0.50),
    ),
    "inner": (
        (-0.85, -0.40), (0.0, -0.45), (0.85, -0.40), (0.78, 0.40), (0.62, 1.10), (0.30, 1.40),
        (-0.30, 1.40), (-0.62, 1.10), (-0.78, 0.40),
    ),
    "lower": (
        (-0.90, 0.25), (0.0, 0.15), (0.90, 0.25), (0.86, 1.05), (0.55, 1.55), (0.0, 1.78),
        (-0.55, 1.55), (-0.86, 1.05),
    ),
    "mouth": (
        (-0.62, 1.05), (-0.30, 0.80), (0.30, 0.80), (0.62, 1.05), (0.50, 1.40), (0.0, 1.55),
        (-0.50, 1.40),
    ),
    "eyes": (
        (-0.92, 0.0), (-0.80, -0.38), (0.0, -0.42), (0.80, -0.38), (0.92, 0.0), (0.70, 0.30),
        (0.15, 0.55), (-0.15, 0.55), (-0.70, 0.30),
    ),
}  # fmt: skip
_PARTS: tuple[Part, ...] = ("face", "inner", "lower", "mouth", "eyes")
_PART_ODDS = (0.45, 0.2, 0.13, 0.14, 0.08)
_STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
"""Opacities of the mask; fully opaque in half of the draws (Shiohara and Yamasaki, section 3.2)."""


@dataclass(frozen=True, slots=True)
class Blend:
    """One drawn self-blending.

    Attributes:
        part: the part of the face whose outline the mask has.
        inner_changes: whether colour and sharpness of the inner copy change, or of the outer one.
        gains: factors of the channels, RGB.
        brightness: added, in units of 0..255.
        contrast: factor about the mean.
        sharpness: below 0 the copy is reduced to 1 + sharpness of its size and enlarged again;
            above 0 it is sharpened by this amount.
        shift_x, shift_y: shift of the inner copy, shares of width and height.
        scale_x, scale_y: factors of the inner copy about the centre of the face.
        turn_deg: rotation of the inner copy about the centre of the face, degrees.
        strength: opacity of the mask, 0 to 1.
        softness_ratio: blur of the mask's edge, as a share of the width of the outline.
        growth_ratio: how far the outline moves outwards (or inwards) before blurring, as a share
            of the distance from its centre.
        bend_ratio: random deformation of the outline, as a share of the same distance.
        seed: seed of the deformation.
    """

    part: Part
    inner_changes: bool
    gains: tuple[float, float, float]
    brightness: float
    contrast: float
    sharpness: float
    shift_x: float
    shift_y: float
    scale_x: float
    scale_y: float
    turn_deg: float
    strength: float
    softness_ratio: float
    growth_ratio: float
    bend_ratio: float
    seed: int


def draw_blend(rng: np.random.Generator) -> Blend:
    """Draw one self-blending, from ranges slightly wider than those of Shiohara and Yamasaki."""
    part = _PARTS[int(rng.choice(len(_PARTS), p=_PART_ODDS))]
    gains = cast("tuple[float, float, float]", tuple(rng.uniform(0.9, 1.1, 3).tolist()))
    sharpness = (
        -float(rng.uniform(0.2, 0.75)) if rng.random() < 0.6 else float(rng.uniform(0.2, 1.2))
    )
    return Blend(
        part=part,
        inner_changes=bool(rng.random() < 0.6),
        gains=gains,
        brightness=float(rng.uniform(-18, 18)),
        contrast=float(rng.uniform(0.88, 1.12)),
        sharpness=sharpness if rng.random() < 0.7 else 0.0,
        shift_x=float(rng.uniform(-0.03, 0.03)),
        shift_y=float(rng.uniform(-0.02, 0.02)),
        scale_x=float(rng.uniform(0.94, 1.06)),
        scale_y=float(rng.uniform(0.94, 1.06)),
        turn_deg=float(rng.uniform(-3, 3)),
        strength=float(rng.choice(_STRENGTHS)),
        softness_ratio=float(rng.uniform(0.01, 0.09)),
        growth_ratio=float(rng.uniform(-0.15, 0.08)),
        bend_ratio=float(rng.uniform(0.0, 0.12)),
        seed=int(rng.integers(2**31)),
    )


def self_blended(face: Image, landmarks: Points, blend: Blend, inner: Image | None = None) -> Image:
    """Return a real face with a changed copy of itself blended in.

    Args:
        face: uint8 (height, width, 3) RGB.
        landmarks: float32 (5, 2), x and y in pixels of `face`, in the order of `LANDMARK_NAMES`.
        blend: the drawn blending.
        inner: picture to blend in, of the same shape and type, instead of a copy of the face.

    Returns:
        uint8 of the same shape, RGB. When only the inner copy is changed, it differs from `face`
        only inside the mask of `blend_mask`.
    """
    mask = blend_mask(face.shape[:2], landmarks, blend)
    copy = face if inner is None else inner
    if blend.inner_changes:
        copy, outer = _changed(copy, blend), face
    else:
        outer = _changed(face, blend)
    middle = landmarks.mean(axis=0)
    weight = mask[:, :, np.newaxis]
    mixed = outer + (_moved(copy, middle, blend).astype(np.float32) - outer) * weight
    blended: Image = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return blended


def blend_mask(shape: tuple[int, ...], landmarks: Points, blend: Blend) -> Mask:
    """Return the opacity of the inner copy at each pixel.

    Args:
        shape: height and width of the face.
        landmarks: as in `self_blended`.
        blend: `part`, `growth_ratio`, `bend_ratio`, `softness_ratio`, `strength`, `seed` are used.

    Returns:
        float32 (height, width), 0 to `strength`.
    """
    height, width = shape[:2]
    outline = _outline(landmarks, blend)
    mask = np.zeros((height, width), dtype=np.float32)
    # Sixteenths of a pixel, so that small faces keep their shape.
    corners = np.rint(np.clip(outline, -4 * width, 5 * width) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 1.0, lineType=cv2.LINE_8, shift=4)
    sigma = max(blend.softness_ratio * float(np.ptp(outline[:, 0])), 0.6)
    soft = cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(soft * blend.strength, dtype=np.float32)


def _outline(landmarks: Points, blend: Blend) -> npt.NDArray[np.float64]:
    """Return the outline of the part in pixels, smoothly deformed: float64 (n, 2)."""
    corners = np.array(_OUTLINES[blend.part], dtype=np.float64)
    middle = corners.mean(axis=0)
    angles = np.arctan2(*(corners - middle).T[::-1])
    waves = np.random.default_rng(blend.seed).normal(size=(3, 2))
    bend = sum(
        a * np.cos(n * angles) + b * np.sin(n * angles) for n, (a, b) in enumerate(waves, start=1)
    )
    reach = 1 + blend.growth_ratio + blend.bend_ratio * np.clip(bend / 3, -1, 1)
    grown = middle + (corners - middle) * reach[:, np.newaxis]
    return np.asarray(np.c_[grown, np.ones(len(grown))] @ _placement(landmarks), np.float64)


def _placement(landmarks: Points) -> npt.NDArray[np.float64]:
    """Return the affine map (3, 2) of the frontal face onto the landmarks, by least squares."""
    matrix, *_ = np.linalg.lstsq(np.c_[_FIVE, np.ones(5)], landmarks.astype(np.float64), rcond=None)
    return np.asarray(matrix, np.float64)


def _changed(face: Image, blend: Blend) -> Image:
    """Return the copy with changed colour and sharpness."""
    values = face.astype(np.float32) * np.array(blend.gains, np.float32)
    mean = values.mean()
    values = mean + blend.contrast * (values - mean) + blend.brightness
    if blend.sharpness < 0:
        values = _reduced_and_back(values, 1 + blend.sharpness)
    elif blend.sharpness > 0:
        values = values + blend.sharpness * (values - cv2.GaussianBlur(values, (0, 0), 1.5))
    changed: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return changed


def _reduced_and_back(values: npt.NDArray[np.float32], share: float) -> npt.NDArray[np.float32]:
    height, width = values.shape[:2]
    small = (max(round(width * share), 8), max(round(height * share), 8))
    reduced = cv2.resize(values, small, interpolation=cv2.INTER_AREA)
    back = cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(back, np.float32)


def _moved(picture: Image, middle: Points, blend: Blend) -> Image:
    height, width = picture.shape[:2]
    angle = np.deg2rad(blend.turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([blend.scale_x, blend.scale_y])
    offset = middle - linear @ middle + np.array([blend.shift_x * width, blend.shift_y * height])
    warped = cv2.warpAffine(
        picture,
        np.c_[linear, offset],
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(warped, np.uint8)
