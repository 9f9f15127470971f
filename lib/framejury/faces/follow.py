"""Faces over the frames of one video: a full search now and then, in between near the known ones.

Where frames lie close together a face is where it was. Between two full searches, which are
`detection.follow_s` apart at most, only the surroundings of the faces of the frame before are
searched, and the whole picture for large faces. When that finds fewer faces than there were,
the frame is searched in full, so nobody known is lost; somebody new and small is seen at the next
full search, and a small face that flickers may be missed until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from framejury.faces.detect import (
    Detector,
    FrameDetections,
    FrameDetector,
    choose_faces,
    reduced_size,
    rescaled,
    whole_frame,
)
from framejury.records import Box, DetectedFace, Image, Picture, SampledFrame, Size
from framejury.settings import DetectionSettings


@runtime_checkable
class NearDetector(Protocol):
    """A detector that can be told where faces were."""

    def detect_near(
        self, images: Sequence[Image], boxes: Sequence[Sequence[Box]]
    ) -> list[list[DetectedFace]]:
        """Faces of each image, near `boxes` (in its pixels) above all."""


class FaceFinder:
    """Finds the faces of one video's frames, given in order of time; one object a video.

    Args:
        detector: from `make_detector`.
        settings: how frames are reduced, which faces stay, and how long they are followed.
    """

    def __init__(self, detector: Detector, settings: DetectionSettings) -> None:
        self._detector = detector
        self._near = detector if isinstance(detector, NearDetector) else None
        self._settings = settings
        self._searched_s = float("-inf")
        self._size: Size | None = None
        self._known: list[Box] = []
        self._looked_at: Image | None = None
        self._whole: Picture | None = None

    @property
    def looked_at(self) -> Image:
        """The last frame as faces were looked for in it, reduced: uint8 (height, width, 3) RGB.

        Raises:
            ValueError: none was looked at yet.
        """
        if self._looked_at is None:
            if self._whole is None:
                raise ValueError("no frame was looked at yet")
            self._looked_at = self._whole.reduced(reduced_size(self._whole.size, self._settings))
        return self._looked_at

    def find(self, frame: SampledFrame) -> FrameDetections:
        """The faces of the next frame; boxes and landmarks in full-frame pixels, not rounded."""
        full = frame.picture.size
        if isinstance(self._detector, FrameDetector):
            self._whole, self._looked_at = frame.picture, None  # reduced when somebody asks
            face = whole_frame(full)
            return FrameDetections((face,), (face.box,))
        small = reduced_size(full, self._settings)
        image = self._looked_at = frame.picture.reduced(small)
        # Where a segment may begin nothing is known, in one piece as in several.
        close = not frame.starts_group and frame.pts_s - self._searched_s < self._settings.follow_s
        # To search around a crowd costs more than to search the picture.
        few = len(self._known) <= self._settings.max_faces
        if self._near is not None and close and few and full == self._size:
            known = [box.resized(full, small) for box in self._known]
            (faces,) = self._near.detect_near([image], [known])
            found = self._chosen(faces, small, full)
            if len(found.boxes) >= len(self._known):
                self._remember(found, full)
                return found
        (faces,) = self._detector.detect([image])
        found = self._chosen(faces, small, full)
        self._searched_s = frame.pts_s
        self._remember(found, full)
        return found

    def _chosen(self, faces: Sequence[DetectedFace], small: Size, full: Size) -> FrameDetections:
        return choose_faces([rescaled(face, small, full) for face in faces], self._settings)

    def _remember(self, found: FrameDetections, full: Size) -> None:
        self._known = list(found.boxes)
        self._size = full
