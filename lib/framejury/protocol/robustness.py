"""Which degradations are measured, how strong, and how they are applied to one video's faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from framejury.model import perturb
from framejury.records import CroppedFace, Image


@dataclass(frozen=True, order=True)
class Condition:
    """One degradation at one strength; `strength` as in the family's axis."""

    family: str
    strength: float


FAMILIES: dict[str, tuple[float, ...]] = {
    "jpeg": (90, 70, 50, 30),
    "h264": (18, 23, 30, 40),
    "scale": (0.75, 0.5, 0.25),
    "blur": (1, 2, 3),
}
"""Strengths from mild to strong: JPEG quality, H.264 rate factor (CRF), scale down and up again
as a ratio, Gaussian blur's sigma in pixels of the crop."""

UNTOUCHED = Condition("none", 0)
"""The same stored crops, scored as they are: what every curve starts from."""

CONDITIONS = (
    UNTOUCHED,
    *(Condition(family, strength) for family, all_ in FAMILIES.items() for strength in all_),
)


def degraded(crops: Sequence[Image], persons: Sequence[int], condition: Condition) -> list[Image]:
    """The faces of one video as they would look after a degradation.

    H.264 takes the crops of one person, in order, as a clip; they are brought to the median
    size of that person's crops first, for a clip has one size.

    Args:
        crops: uint8 (height, width, 3) RGB each, in order of time.
        persons: the person of each.
        condition: what to do.

    Returns:
        as many pictures in the same order.
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
    raise ValueError(f"unknown degradation {condition.family!r}; there are {', '.join(FAMILIES)}")


def degraded_faces(
    faces: Sequence[CroppedFace], persons: Sequence[int], condition: Condition
) -> list[CroppedFace]:
    """As `degraded`, of faces with landmarks, and of faces in two frames that follow each other.

    Both crops of a pair are degraded, in a clip one after the other as they were filmed;
    landmarks follow a crop whose size changes.

    Args:
        faces: in order of time.
        persons: the person of each.
        condition: what to do.
    """
    crops, owners = [], []
    for face, person in zip(faces, persons, strict=True):
        both = [face.crop] if face.next_crop is None else [face.crop, face.next_crop]
        crops += both
        owners += [person] * len(both)
    left = iter(degraded(crops, owners, condition))
    found = []
    for face in faces:
        crop = next(left)
        next_crop = None if face.next_crop is None else next(left)
        landmarks = face.landmarks
        if landmarks is not None:
            (height, width), (new_height, new_width) = face.crop.shape[:2], crop.shape[:2]
            landmarks = landmarks * np.array([new_width / width, new_height / height], np.float32)
        found.append(CroppedFace(crop, landmarks, next_crop))
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
    """Median height and width, rounded up to even."""
    height, width = np.median([crop.shape[:2] for crop in crops], axis=0)
    return int(np.ceil(height / 2) * 2), int(np.ceil(width / 2) * 2)


def _sized(crop: Image, size: tuple[int, int]) -> Image:
    """The crop at (height, width)."""
    if crop.shape[:2] == size:
        return crop
    height, width = size
    smaller = height * width < crop.shape[0] * crop.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (width, height), interpolation=how), np.uint8)
