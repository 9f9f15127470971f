"""Perturbations of the robustness curves, and their application to the faces of one video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from framejury.augmentation import perturb
from framejury.records import CroppedFace, Image


@dataclass(frozen=True, order=True)
class Condition:
    """A perturbation at one strength, in the unit of its family."""

    family: str
    strength: float


FAMILIES: dict[str, tuple[float, ...]] = {
    "jpeg": (90, 70, 50, 30),
    "h264": (18, 23, 30, 40),
    "scale": (0.75, 0.5, 0.25),
    "blur": (1, 2, 3),
}
"""Strengths from mild to strong: JPEG quality, H.264 rate factor (CRF), ratio of scaling down
before scaling up again, sigma of Gaussian blur in pixels of the crop."""

UNTOUCHED = Condition("none", 0)
"""The stored crops without a perturbation, the start of every curve."""

CONDITIONS = (
    UNTOUCHED,
    *(Condition(family, strength) for family, all_ in FAMILIES.items() for strength in all_),
)


def perturbed(crops: Sequence[Image], persons: Sequence[int], condition: Condition) -> list[Image]:
    """Perturb the faces of one video.

    For H.264 the crops of a face track form a clip; they are first resized to their median size,
    because all frames of a clip have one size.

    Args:
        crops: uint8 (height, width, 3) RGB each, in order of time.
        persons: face track of each.
        condition: the perturbation.

    Returns:
        pictures in the same order.
    """
    strength = condition.strength
    if condition == UNTOUCHED:
        return list(crops)
    if condition.family == "jpeg":
        return [perturb.jpeg(crop, int(strength)) for crop in crops]
    if condition.family == "scale":
        return [perturb.rescaled(crop, strength) for crop in crops]
    if condition.family == "blur":
        return [perturb.blurred(crop, strength) for crop in crops]
    if condition.family == "h264":
        return _as_clips(crops, persons, int(strength))
    raise ValueError(f"unknown perturbation {condition.family!r}; known are {', '.join(FAMILIES)}")


def perturbed_faces(
    faces: Sequence[CroppedFace], persons: Sequence[int], condition: Condition
) -> list[CroppedFace]:
    """Perturb faces with their landmarks, in all frames of their sample.

    In a video, they follow each other; landmarks are scaled when a crop is resized.

    Args:
        faces: in order of time.
        persons: face track of each.
        condition: the perturbation.
    """
    crops: list[Image] = []
    owners: list[int] = []
    for face, person in zip(faces, persons, strict=True):
        crops += face.clip
        owners += [person] * len(face.clip)
    left = iter(perturbed(crops, owners, condition))
    found = []
    for face in faces:
        crop = next(left)
        further = tuple(islice(left, len(face.further)))
        landmarks = face.landmarks
        if landmarks is not None:
            (height, width), (new_height, new_width) = face.crop.shape[:2], crop.shape[:2]
            landmarks = landmarks * np.array([new_width / width, new_height / height], np.float32)
        found.append(CroppedFace(crop, landmarks, further))
    return found


def _as_clips(crops: Sequence[Image], persons: Sequence[int], crf: int) -> list[Image]:
    found: dict[int, Image] = {}
    for person in sorted(set(persons)):
        mine = [index for index, who in enumerate(persons) if who == person]
        size = _even_median([crops[index] for index in mine])
        clip = perturb.h264([_sized(crops[index], size) for index in mine], crf)
        found.update(zip(mine, clip, strict=True))
    return [found[index] for index in range(len(crops))]


def _even_median(crops: Sequence[Image]) -> tuple[int, int]:
    """Return median height and width, rounded up to even numbers."""
    height, width = np.median([crop.shape[:2] for crop in crops], axis=0)
    return int(np.ceil(height / 2) * 2), int(np.ceil(width / 2) * 2)


def _sized(crop: Image, size: tuple[int, int]) -> Image:
    """Resize the crop to (height, width)."""
    if crop.shape[:2] == size:
        return crop
    height, width = size
    smaller = height * width < crop.shape[0] * crop.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (width, height), interpolation=how), np.uint8)
