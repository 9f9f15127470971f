"""Find faces over the frames of one video: full searches, and in between only near known faces.

In frames that are close in time a face hardly moves. Between two full searches, at most
`detection.follow_s` apart, only the surroundings of the previous frame's faces are searched, and
the whole image for large faces. If that finds fewer faces than before, the frame is searched in
full, so no known face is lost. A new small face is found at the next full search; a small face
that flickers may be missed until then.
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
from framejury.records import Box, DetectedFace, FramePicture, Image, SampledFrame, Size
from framejury.settings import DetectionSettings


@runtime_checkable
class NearDetector(Protocol):
    """A detector that can search near known faces."""

    def detect_near(
        self, images: Sequence[Image], boxes: Sequence[Sequence[Box]]
    ) -> list[list[DetectedFace]]:
        """Return the faces of each image, above all those near `boxes` (its pixels)."""


class FaceFinder:
    """Finds the faces in the frames of one video, given in order of time.

    Args:
        detector: from `make_detector`.
        settings: how frames are reduced, which faces are kept, how long they are followed.
    """

    def __init__(self, detector: Detector, settings: DetectionSettings) -> None:
        self._detector = detector
        self._near = detector if isinstance(detector, NearDetector) else None
        self._settings = settings
        self._searched_s = float("-inf")
        self._size: Size | None = None
        self._known: list[Box] = []
        self._searched_image: Image | None = None
        self._whole: FramePicture | None = None

    @property
    def searched_image(self) -> Image:
        """The last frame at the size searched for faces: uint8 (height, width, 3) RGB.

        Raises:
            ValueError: no frame was searched yet.
        """
        if self._searched_image is None:
            if self._whole is None:
                raise ValueError("no frame was searched yet")
            self._searched_image = self._whole.reduced(
                reduced_size(self._whole.size, self._settings)
            )
        return self._searched_image

    def find(self, frame: SampledFrame) -> FrameDetections:
        """Find the faces of the next frame, in full-frame pixels, not rounded."""
        full = frame.picture.size
        if isinstance(self._detector, FrameDetector):
            self._whole, self._searched_image = frame.picture, None  # reduced on demand
            face = whole_frame(full)
            return FrameDetections((face,), (face.box,))
        small = reduced_size(full, self._settings)
        image = self._searched_image = frame.picture.reduced(small)
        # A segment may begin here, where no face is known; a whole video must give the same.
        close = not frame.starts_group and frame.pts_s - self._searched_s < self._settings.follow_s
        # Searching around every face of a crowd costs more than a full search.
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
