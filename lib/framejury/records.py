"""Records that pass between rooms: plain data, no behaviour beyond geometry.

Coordinates are pixels of the full frame as shown (after rotation): x to the right, y down, from
the upper left corner. Images are uint8 (height, width, 3) RGB everywhere except inside the image
codec (`faces.crop`) and the decoder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""An image: uint8 (height, width, 3), RGB."""


@dataclass(frozen=True, slots=True)
class Size:
    """Height before width, pixels."""

    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Box:
    """A detector's box, pixels; may be fractional and reach beyond the frame."""

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
        """Convert from pixels of an image of size `source` to those of the image at `target`."""
        x, y = target.width / source.width, target.height / source.height
        return Box(self.x * x, self.y * y, self.width * x, self.height * y)

    def in_heights(self, frame: Size) -> Box:
        """Convert from pixels of a frame to multiples of its height."""
        height = frame.height
        return Box(self.x / height, self.y / height, self.width / height, self.height / height)

    def iou(self, other: Box) -> float:
        """Return intersection over union with `other`, 0 to 1."""
        inner = self.intersection(other)
        union = self.area + other.area - inner
        return inner / union if union > 0 else 0.0

    def intersection(self, other: Box) -> float:
        """Return the shared area, square pixels."""
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
class Similarity:
    """A turn, an even scaling and a shift in the plane: (x, y) to (ax - by + c, bx + ay + d)."""

    a: float
    b: float
    c: float
    d: float

    @property
    def scale(self) -> float:
        """Length of what was 1 long."""
        return math.hypot(self.a, self.b)

    def applied(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Map points: float64 (n, 2), x before y."""
        turn = np.array([(self.a, self.b), (-self.b, self.a)])
        return np.asarray(points @ turn + (self.c, self.d), np.float64)

    def undone(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the points that `applied` maps to these."""
        back = np.array([(self.a, -self.b), (self.b, self.a)]) / self.scale**2
        return np.asarray((points - (self.c, self.d)) @ back, np.float64)


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """One face that a detector found in one frame.

    Attributes:
        box: pixels of the image given to the detector.
        confidence: 0 to 1.
        landmarks: five points in the order of `schemas.statuses.LANDMARK_NAMES`; None for Haar.
    """

    box: Box
    confidence: float
    landmarks: tuple[Point, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class CroppedFace:
    """One face, from which signals are made.

    Attributes:
        crop: uint8 (height, width, 3) RGB.
        landmarks: float32 (5, 2), x before y, pixels of `crop`, in the order of
            `schemas.statuses.LANDMARK_NAMES`; may lie outside. None: the detector finds no
            landmarks.
        further: the same face in the further frames of its sample, by time: one picture where
            frames are sampled in pairs, in clips one less than they have frames.
        others: the same face cut for the further crop geometries of an ensemble, in the order of
            `model.ensemble_scorer.framings_of`.
    """

    crop: Image
    landmarks: npt.NDArray[np.float32] | None = None
    further: tuple[Image, ...] = ()
    others: tuple[CroppedFace, ...] = ()

    @property
    def clip(self) -> tuple[Image, ...]:
        """The face in all frames of its sample, by time."""
        return (self.crop, *self.further)

    @property
    def next_crop(self) -> Image | None:
        """The face in the next frame; None where frames are sampled alone."""
        return self.further[0] if self.further else None


class FramePicture(Protocol):
    """A decoded frame, converted to RGB only where and as large as needed."""

    @property
    def size(self) -> Size:
        """Size as shown, after rotation."""

    def reduced(self, size: Size) -> Image:
        """Return the whole frame, area-averaged to `size`."""

    def part(self, region: Region) -> Image:
        """Return a part of the frame in full resolution."""


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """One decoded frame.

    Attributes:
        frame_index: rank in presentation order, from 0.
        pts_s: presentation time in seconds from the first frame.
        picture: rotated as shown.
        starts_group: first sampled frame of its group of pictures, where segments may begin.
    """

    frame_index: int
    pts_s: float
    picture: FramePicture
    starts_group: bool = False
