"""The named records that pass between rooms. Plain data, no behaviour beyond geometry.

Coordinates are pixels of the full frame as shown (after rotation): x to the
right, y down, from the upper left corner. Pictures are `uint8 (height, width, 3)`
RGB everywhere; only the image codec (`faces.crop`) and the decoder know others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""A picture: uint8 (height, width, 3), RGB."""


@dataclass(frozen=True, slots=True)
class Size:
    """Height before width, pixels."""

    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Box:
    """A detector's box; may be fractional and may reach beyond the frame."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) of the middle."""
        return self.x + self.width / 2, self.y + self.height / 2

    def resized(self, source: Size, target: Size) -> Box:
        """The box of a picture of size `source`, in pixels of the same at size `target`."""
        x, y = target.width / source.width, target.height / source.height
        return Box(self.x * x, self.y * y, self.width * x, self.height * y)

    def iou(self, other: Box) -> float:
        """Intersection over union with `other`, 0 to 1."""
        inner = self.intersection(other)
        union = self.area + other.area - inner
        return inner / union if union > 0 else 0.0

    def intersection(self, other: Box) -> float:
        """Shared area, square pixels."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return max(width, 0.0) * max(height, 0.0)


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a frame in whole pixels, inside the frame."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """What a detector says of one face in one frame.

    Attributes:
        box: in pixels of the picture given to the detector.
        confidence: 0 to 1.
        landmarks: five points in the order of `schemas.statuses.LANDMARK_NAMES`; None for Haar.
    """

    box: Box
    confidence: float
    landmarks: tuple[Point, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class CroppedFace:
    """One face as signals are made of it.

    Attributes:
        crop: uint8 (height, width, 3) RGB.
        landmarks: float32 (5, 2), x before y, pixels of `crop`, in the order of
            `schemas.statuses.LANDMARK_NAMES`; may lie beyond it. None: the detector gives none.
        next_crop: the same face in the frame that follows, uint8 (height, width, 3) RGB; None
            where frames are looked at singly.
    """

    crop: Image
    landmarks: npt.NDArray[np.float32] | None = None
    next_crop: Image | None = None


class Picture(Protocol):
    """A decoded frame that gives RGB only where and as large as it is looked at."""

    @property
    def size(self) -> Size:
        """As shown, after rotation."""

    def reduced(self, size: Size) -> Image:
        """All of it, area-averaged to `size`."""

    def part(self, region: Region) -> Image:
        """Some of it in full resolution."""


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """One frame as the decoder gave it.

    Attributes:
        frame_index: rank in presentation order, from 0.
        pts_s: presentation time in seconds from the first frame.
        picture: rotated as shown.
        starts_group: first sampled frame of its group of pictures, where segments may begin.
    """

    frame_index: int
    pts_s: float
    picture: Picture
    starts_group: bool = False
