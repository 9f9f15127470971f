"""Find faces over the frames of one video: full searches, and in between only near known faces.

In frames that are close in time a face hardly moves. Between two full searches, at most
`detection.follow_s` apart, only the surroundings of the previous frame's faces are searched, and
the whole image for large faces. If that finds fewer faces than before, the frame is searched in
full, so no known face is lost. A new small face is found at the next full search; a small face
that flickers may be missed until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from framejury.faces.detect import (
    Detector,
    FrameDetections,
    FrameDetector,
    choose_faces,
    reduced_size,
    rescaled,
    whole_frame,
)
from framejury.faces.tracks import link
from framejury.records import Box, DetectedFace, FramePicture, Image, SampledFrame, Size
from framejury.settings import DetectionSettings

_SCENE = Size(18, 32)
_SCENE_LEVELS = 30.0
"""A scene changes where two frames at the size `_SCENE` differ by more, mean over pixels and
channels. Within 40 real videos, frames 8 apart differ by up to 24, and frames 16 apart by up to 43
(99 of 100 by up to 33); first frames of videos of different scenes differ by 44 and more."""


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

    def find(self, frame: SampledFrame, *, within_clip: bool = False) -> FrameDetections:
        """Find the faces of the next frame, in full-frame pixels, not rounded.

        Args:
            frame: later than those before it.
            within_clip: whether it goes on a clip, so that its faces are near those known.
        """
        full = frame.picture.size
        if isinstance(self._detector, FrameDetector):
            self._whole, self._searched_image = frame.picture, None  # reduced on demand
            face = whole_frame(full)
            return FrameDetections((face,), (face,))
        small = reduced_size(full, self._settings)
        image = self._searched_image = frame.picture.reduced(small)
        # A segment may begin here, where no face is known; a whole video must give the same.
        since_s = frame.pts_s - self._searched_s
        close = within_clip or (not frame.starts_group and since_s < self._settings.follow_s)
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


def follow(
    finder: FaceFinder,
    found: FrameDetections,
    frames: Sequence[SampledFrame],
    rule: Literal["own", "same", "kept"],
) -> list[tuple[DetectedFace, ...]]:
    """Find the faces of a frame again in the frames that follow it in its sample.

    Args:
        finder: has just found the faces of the first frame.
        found: them.
        frames: the further frames, by time.
        rule: as `crops.pair`.

    Returns:
        for each kept face of the first frame that is in all of them, left to right: the face in
        each frame, the first included.
    """
    if rule == "same":
        return [(face,) * (1 + len(frames)) for face in found.faces]
    clip = len(frames) > 1
    if rule == "kept":
        later = [finder.find(frame, within_clip=clip).faces for frame in frames]
        return list(zip(found.faces, *later, strict=False))
    # All faces are followed, or a kept one could take the place of one not kept.
    tracks = {number: [face] for number, face in enumerate(found.distinct)}
    for frame in frames:
        faces = finder.find(frame, within_clip=clip).distinct
        known = list(tracks)
        latest = [tracks[number][-1].box for number in known]
        linked = link([face.box for face in faces], latest)
        tracks = {known[at]: [*tracks[known[at]], faces[index]] for index, at in linked.items()}
    numbers = [found.distinct.index(face) for face in found.faces]
    return [tuple(tracks[number]) for number in numbers if number in tracks]


def scene_changes(frames: Sequence[SampledFrame]) -> bool:
    """Return whether the scene changes between frames of a clip.

    Args:
        frames: by time.
    """
    small = [frame.picture.reduced(_SCENE).astype(np.int16) for frame in frames]
    return any(np.abs(after - before).mean() > _SCENE_LEVELS for before, after in pairwise(small))
