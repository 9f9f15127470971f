"""Detectors, how far frames are reduced for them, and which of their faces are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from framejury.faces.haar import HaarDetector
from framejury.faces.mtcnn import MIN_FACE_PX, MtcnnDetector
from framejury.records import Box, DetectedFace, Image, Point, Size
from framejury.settings import DetectionSettings

SAME_FACE_IOU = 0.35
"""Boxes of one frame that share this much of their union show the same face."""

SAME_FACE_CONTAINMENT = 0.7
"""So do boxes of which the smaller lies in the other by this share."""


MOST_FACES = 1000
"""Of one frame, that are compared with each other; the most confident, of equals the largest."""


class Detector(Protocol):
    """What finds faces. Loads its model when made; `detect` may be called any number of times."""

    @property
    def name(self) -> str:
        """`mtcnn`, `haar` or `frame`, as in the column `faces.detector`."""

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """Faces of each image (uint8 RGB, all of one size), in pixels of that image."""


class FrameDetector:
    """Looks for no face: each whole picture is one."""

    name = "frame"

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """One face an image, of confidence 1 and without landmarks.

        Args:
            images: uint8 (height, width, 3) RGB, of any sizes.
        """
        return [[whole_frame(Size(*image.shape[:2]))] for image in images]


def whole_frame(size: Size) -> DetectedFace:
    """A frame of `size` as one face."""
    return DetectedFace(Box(0.0, 0.0, float(size.width), float(size.height)), 1.0, None)


@dataclass(frozen=True, slots=True)
class FrameDetections:
    """What one frame shows.

    Attributes:
        faces: those kept, left to right, in full-frame pixels.
        boxes: of all distinct faces above the threshold, before size and choice.
    """

    faces: tuple[DetectedFace, ...]
    boxes: tuple[Box, ...]


def make_detector(settings: DetectionSettings, threads: int) -> Detector:
    """The detector that `settings.detector` names.

    Args:
        settings: its name, threshold and `haar_*` settings.
        threads: of MTCNN's networks, count; Haar always runs on one.

    Raises:
        SetupError: its model files are missing from the installation.
    """
    if settings.detector == "haar":
        return HaarDetector(settings)
    if settings.detector == "frame":
        return FrameDetector()
    # ONet's own threshold is 0.8; a lower one asked for must not stop there.
    return MtcnnDetector(threads, onet_threshold=min(0.8, settings.threshold))


def detection_scale(size: Size, settings: DetectionSettings) -> float:
    """By how much a frame is reduced for detection, 0 to 1.

    Until a face of `min_face_px` has the 20 pixels MTCNN needs, but the shorter side not
    below `frame_side_px`; never enlarged.
    """
    shorter = min(size.height, size.width)
    return min(1.0, max(MIN_FACE_PX / settings.min_face_px, settings.frame_side_px / shorter))


def reduced_size(size: Size, settings: DetectionSettings) -> Size:
    """The size at which a frame of `size` is searched."""
    scale = detection_scale(size, settings)
    return Size(max(round(size.height * scale), 1), max(round(size.width * scale), 1))


def choose_faces(faces: Sequence[DetectedFace], settings: DetectionSettings) -> FrameDetections:
    """The faces of one frame that are kept.

    In this order: `threshold`; several boxes of one face become the most confident (of
    equals the largest); `min_face_px` (longer side of the box); `keep`; `max_faces`.

    Args:
        faces: in full-frame pixels, as the detector ordered them.
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
    return FrameDetections(tuple(chosen), tuple(face.box for face in distinct))


def _distinct(faces: Sequence[DetectedFace]) -> list[DetectedFace]:
    """One box a face, in the order given."""
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
    """The face as found in a picture of size `source`, in pixels of the same at `target`."""
    box = face.box.resized(source, target)
    x, y = target.width / source.width, target.height / source.height
    landmarks = face.landmarks
    if landmarks is not None:
        landmarks = tuple(Point(point.x * x, point.y * y) for point in landmarks)
    return DetectedFace(box, face.confidence, landmarks)
