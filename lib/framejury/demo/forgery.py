"""Manipulated clips: a face blended into a real clip, frame by frame.

Both methods are simple stand-ins for real forgeries: `face_swap` blends in another person's face,
as face-swapping programs do; `self_blend` blends in a changed copy of the same face (self-blended
images: Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from framejury.demo.people import Landmarks
from framejury.demo.scenes import FilmedFrame
from framejury.records import Image

Method = Literal["face_swap", "self_blend"]
Picture = npt.NDArray[np.float32]
"""A picture being computed: float32 (height, width, channels), grey levels."""


@dataclass(frozen=True, slots=True)
class Forgery:
    """How one clip is manipulated.

    Attributes:
        method: see the module.
        opacity: share of the new face in the blend, 0 to 1.
        detail_px: distance between the eyes at which the new face is resampled, pixels, to
            imitate a generator of small pictures.
        color_shift: added to red, green and blue, grey levels.
        grow: size of the new face relative to the old, ratio.
        donor_image: uint8 (height, width, 3) RGB; None for self_blend.
        donor_landmarks: of `donor_image`; None for self_blend.
    """

    method: Method
    opacity: float
    detail_px: float
    color_shift: tuple[float, float, float]
    grow: float
    donor_image: Image | None = None
    donor_landmarks: Landmarks | None = None


def plan_forgery(
    method: Method,
    rng: np.random.Generator,
    donor_image: Image | None = None,
    donor_landmarks: Landmarks | None = None,
) -> Forgery:
    """Draw the strength of a manipulation; a swap requires the donor's picture and landmarks."""
    signs = rng.choice((-1.0, 1.0), size=3)
    shift = signs * rng.uniform(8, 16, size=3)
    return Forgery(
        method=method,
        opacity=float(rng.uniform(0.9, 1.0)),
        detail_px=float(rng.uniform(13, 17)),
        color_shift=(float(shift[0]), float(shift[1]), float(shift[2])),
        grow=float(rng.uniform(1.05, 1.12)),
        donor_image=donor_image if method == "face_swap" else None,
        donor_landmarks=donor_landmarks if method == "face_swap" else None,
    )


def forge(frames: Iterable[FilmedFrame], forgery: Forgery) -> Iterator[FilmedFrame]:
    """Yield the clip with the face manipulated; frames without a face are unchanged.

    Raises:
        ValueError: `face_swap` without a donor.
    """
    if forgery.method == "face_swap" and forgery.donor_image is None:
        raise ValueError("face_swap needs donor_image and donor_landmarks")
    for frame in frames:
        if frame.landmarks is None:
            yield frame
        else:
            yield FilmedFrame(_forge_one(frame.image, frame.landmarks, forgery), frame.landmarks)


def face_mask(shape: tuple[int, int], landmarks: Landmarks) -> Picture:
    """Return the region of the new face: float32 (height, width, 1), 1 inside, fading to 0.

    Args:
        shape: height and width.
    """
    eyes = landmarks[1] - landmarks[0]
    distance = float(np.hypot(*eyes))
    center = landmarks.mean(axis=0)
    mask = np.zeros(shape, np.float32)
    angle_deg = float(np.degrees(np.arctan2(eyes[1], eyes[0])))
    axes = (2 * 0.95 * distance, 2 * 1.2 * distance)
    cv2.ellipse(mask, ((float(center[0]), float(center[1])), axes, angle_deg), 1.0, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.08 * distance)
    return np.asarray(soft, np.float32)[..., None]


def _forge_one(image: Image, landmarks: Landmarks, forgery: Forgery) -> Image:
    mask = face_mask(image.shape[:2], landmarks) * forgery.opacity
    eyes_px = float(np.hypot(*(landmarks[1] - landmarks[0])))
    if forgery.donor_image is not None and forgery.donor_landmarks is not None:
        face = _placed(forgery.donor_image, forgery.donor_landmarks, image, landmarks, forgery.grow)
        face = _in_colors_of(image, face, mask)
    else:
        face = _placed(image, landmarks, image, landmarks, forgery.grow)
    face = _through_few_pixels(face, min(forgery.detail_px / eyes_px, 1.0))
    shifted = face + np.array(forgery.color_shift, np.float32)
    mixed = mask * shifted + (1 - mask) * image
    return np.asarray(np.clip(mixed, 0, 255).round(), np.uint8)


def _placed(
    source: Image, source_points: Landmarks, target: Image, target_points: Landmarks, grow: float
) -> Picture:
    """Move, rotate and scale `source` so that its landmarks match the target's."""
    center = target_points.mean(axis=0)
    wanted = center + (target_points - center) * grow
    matrix, _ = cv2.estimateAffinePartial2D(source_points, wanted, method=cv2.LMEDS)
    height, width = target.shape[:2]
    moved = cv2.warpAffine(
        source, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(moved, np.float32)


def _in_colors_of(target: Image, face: Picture, mask: Picture) -> Picture:
    """Give `face` the mean and spread of the target's colours inside the mask.

    Reinhard et al., "Color Transfer between Images", 2001, here on RGB.
    """
    inside = mask[..., 0] > 0.5
    old, new = target[inside], face[inside]
    spread = old.std(axis=0) / np.maximum(new.std(axis=0), 1.0)
    return np.asarray((face - new.mean(axis=0)) * spread + old.mean(axis=0), np.float32)


def _through_few_pixels(face: Picture, scale: float) -> Picture:
    """Shrink `face` by `scale` and enlarge it again."""
    height, width = face.shape[:2]
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.float32)
