"""Face detectors, the size at which they search frames, and which of their faces are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from framejury.faces.haar import HaarDetector
from framejury.faces.mtcnn import MIN_FACE_PX, MtcnnDetector
from framejury.records import Box, DetectedFace, Image, Point, Size
from framejury.settings import DetectionSettings

SAME_FACE_IOU = 0.35
"""Boxes of one frame with at least this overlap (intersection over union) show one face."""

SAME_FACE_CONTAINMENT = 0.7
"""So do boxes of which at least this share of the smaller lies in the other."""


MOST_FACES = 1000
"""Faces of one frame compared with each other: the most confident; ties keep the largest."""


class Detector(Protocol):
    """A face detector. It loads its model when constructed; `detect` may be called repeatedly."""

    @property
    def name(self) -> str:
        """Value of the column `faces.detector`: `mtcnn`, `haar` or `frame`."""

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """Return the faces of each image (uint8 RGB, all of one size), in its pixels."""


class FrameDetector:
    """Reports each whole image as one face."""

    name = "frame"

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """Return one face per image, with confidence 1 and without landmarks.

        Args:
            images: uint8 (height, width, 3) RGB, of any sizes.
        """
        return [[whole_frame(Size(*image.shape[:2]))] for image in images]


def whole_frame(size: Size) -> DetectedFace:
    """Return a frame of `size` as one face."""
    return DetectedFace(Box(0.0, 0.0, float(size.width), float(size.height)), 1.0, None)


@dataclass(frozen=True, slots=True)
class FrameDetections:
    """The faces of one frame.

    Attributes:
        faces: faces kept, left to right, full-frame pixels.
        distinct: all distinct faces above the threshold, before selection by size and number.
    """

    faces: tuple[DetectedFace, ...]
    distinct: tuple[DetectedFace, ...]

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Boxes of `distinct`."""
        return tuple(face.box for face in self.distinct)


def make_detector(settings: DetectionSettings, threads: int) -> Detector:
    """Make the detector that `settings.detector` names.

    Args:
        settings: name, threshold, order of channels and `haar_*` settings.
        threads: threads of MTCNN's networks; Haar always runs on one.

    Raises:
        SetupError: its model files are missing from the installation.
    """
    if settings.detector == "haar":
        return HaarDetector(settings)
    if settings.detector == "frame":
        return FrameDetector()
    # ONet's own threshold is 0.8, which must not override a lower setting.
    return MtcnnDetector(
        threads,
        onet_threshold=min(0.8, settings.threshold),
        swaps_channels=settings.channel_order == "bgr",
    )


def detection_scale(size: Size, settings: DetectionSettings) -> float:
    """Return the scale at which a frame is searched, above 0 to 1.

    A face of `min_face_px` is reduced to the 20 pixels MTCNN needs, but the shorter side not
    below `frame_side_px`. Frames are never enlarged.
    """
    shorter = min(size.height, size.width)
    return min(1.0, max(MIN_FACE_PX / settings.min_face_px, settings.frame_side_px / shorter))


def reduced_size(size: Size, settings: DetectionSettings) -> Size:
    """Return the size at which a frame of `size` is searched."""
    scale = detection_scale(size, settings)
    return Size(max(round(size.height * scale), 1), max(round(size.width * scale), 1))


def choose_faces(faces: Sequence[DetectedFace], settings: DetectionSettings) -> FrameDetections:
    """Select the faces of one frame that are kept.

    In this order: `threshold`; duplicate boxes of one face, keeping the most confident (ties
    keep the largest); `min_face_px` (longer side of the box); `keep`; `max_faces`.

    Args:
        faces: full-frame pixels, in the detector's order.
    """
    distinct = _distinct([face for face in faces if face.confidence >= settings.threshold])
    chosen = [
        face for face in distinct if max(face.box.width, face.box.height) >= settings.min_face_px
    ]
    by_area = sorted(chosen, key=lambda face: face.box.area, reverse=True)
    if settings.keep == "largest":
        chosen = by_area[:1]
    elif settings.keep == "first":
        chosen = chosen[:1]
    elif settings.keep == "last":
        chosen = chosen[-1:]
    else:
        chosen = by_area[: settings.max_faces]
    chosen.sort(key=lambda face: (face.box.center, face.box.area))
    return FrameDetections(tuple(chosen), tuple(distinct))


def _distinct(faces: Sequence[DetectedFace]) -> list[DetectedFace]:
    """Return one box per face, in the given order."""
    best_first = sorted(
        range(len(faces)), key=lambda rank: (-faces[rank].confidence, -faces[rank].box.area, rank)
    )
    kept: list[int] = []
    for rank in best_first[:MOST_FACES]:
        if not any(_same_face(faces[rank].box, faces[other].box) for other in kept):
            kept.append(rank)
    return [faces[rank] for rank in sorted(kept)]


def _same_face(one: Box, other: Box) -> bool:
    smaller = min(one.area, other.area)
    contained = one.intersection(other) / smaller if smaller > 0 else 0.0
    return contained >= SAME_FACE_CONTAINMENT or one.iou(other) >= SAME_FACE_IOU


def rescaled(face: DetectedFace, source: Size, target: Size) -> DetectedFace:
    """Convert a face from pixels of an image of size `source` to those at `target`."""
    box = face.box.resized(source, target)
    x, y = target.width / source.width, target.height / source.height
    landmarks = face.landmarks
    if landmarks is not None:
        landmarks = tuple(Point(point.x * x, point.y * y) for point in landmarks)
    return DetectedFace(box, face.confidence, landmarks)
