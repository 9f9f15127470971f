"""Images already cropped around one face: where the face is, and how much is kept.

A tight crop lacks the surroundings that the detector expects around a face, so the image is first
extended by reflection. On 120 faces cropped tightly from known images (square box up to 1.3 times
the image), this changes the side of the box by 0 to 3% and moves landmarks by 0.6% of it at the
median; borders of one colour make the box 3 to 5% too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from framejury.faces.crop import limited, region_of, with_margins
from framejury.faces.detect import Detector, choose_faces, rescaled, whole_frame
from framejury.records import Box, DetectedFace, Image, Point, Region, Size
from framejury.settings import CropSettings, DetectionSettings

BORDER_RATIO = 0.5
"""Width of the reflected border on each side, as a share of the image's longer side."""

SEARCHED_SIDE_PX = 512
"""Larger images are reduced to this longer side before the search, pixels."""

WHOLE_RATIO = 1.1
"""An image at most this many times as wide as the wanted crop is kept whole."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """The face found in an image of one face.

    Attributes:
        face: the face over the image's centre, of several the nearest, in its pixels; None: no
            face.
        found: number of faces with their centre in the image, without reflections.
    """

    face: DetectedFace | None
    found: int


def find_portrait(image: Image, detector: Detector, settings: DetectionSettings) -> Portrait:
    """Find the face that a tightly cropped image shows.

    Args:
        image: uint8 (height, width, 3) RGB.
        detector: of `make_detector(settings)`.
        settings: `threshold` is used; selection by size and number is not, since the image
            shows one face. With detector frame the image is the face.
    """
    size = Size(*image.shape[:2])
    if settings.detector == "frame":
        return Portrait(whole_frame(size), 1)
    small = limited(image, SEARCHED_SIDE_PX)
    border = round(max(small.shape[:2]) * BORDER_RATIO)
    sides = (border, border, border, border)
    padded = np.asarray(cv2.copyMakeBorder(small, *sides, cv2.BORDER_REFLECT_101), np.uint8)
    (found,) = detector.detect([padded])
    everything = settings.model_copy(
        update={"min_face_px": 0, "keep": "all", "max_faces": max(len(found), 1)}
    )
    source = Size(*small.shape[:2])
    faces = [
        rescaled(_shifted(face, -border), source, size)
        for face in choose_faces(found, everything).faces
    ]
    inside = [face for face in faces if _middle_in(face.box, size)]
    over_middle = [face for face in inside if _contains(face.box, size.width / 2, size.height / 2)]
    nearest = min(over_middle, key=lambda face: _off_middle(face.box, size), default=None)
    return Portrait(nearest, len(inside))


def portrait_region(box: Box, size: Size, settings: CropSettings) -> Region:
    """Return the part of an image of one face that is kept.

    Args:
        box: of the face, pixels of the image; may reach beyond it.
        size: of the image.
        settings: margins, `shift_ratio` and `shape` of the wanted crop.

    Returns:
        the whole image if the wanted crop reaches beyond it or is at most a tenth narrower,
        since a tight image has no context to lose; otherwise `region_of`.
    """
    longer_px = max(box.width, box.height)
    wanted_px = with_margins(longer_px, settings.margin_ratio, settings.margin_px)
    if wanted_px * WHOLE_RATIO >= max(size.height, size.width):
        return Region(0, 0, size.width, size.height)
    return region_of(box, size, settings)


def _shifted(face: DetectedFace, by: int) -> DetectedFace:
    box = Box(face.box.x + by, face.box.y + by, face.box.width, face.box.height)
    landmarks = face.landmarks
    if landmarks is not None:
        landmarks = tuple(Point(point.x + by, point.y + by) for point in landmarks)
    return DetectedFace(box, face.confidence, landmarks)


def _middle_in(box: Box, size: Size) -> bool:
    x, y = box.center
    return 0 <= x < size.width and 0 <= y < size.height


def _contains(box: Box, x: float, y: float) -> bool:
    return box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height


def _off_middle(box: Box, size: Size) -> float:
    x, y = box.center
    return (x - size.width / 2) ** 2 + (y - size.height / 2) ** 2
