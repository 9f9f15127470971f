"""Records that the sandbox returns about an inspected video.

A hostile file may control the sandbox, so these models validate themselves: only finite numbers,
printable words and lists of bounded length pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from framejury.media.sample import Indices, Times
from framejury.records import Box, Size

MOST_FRAMES = 10_000
"""Most frames of one video in one answer."""
MOST_FACES = 16
"""Most faces of one frame and detector, the largest."""


def _shown(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not printable")
    return text


Word = Annotated[str, Field(max_length=100), AfterValidator(_shown)]
Words = Annotated[str, Field(max_length=2000), AfterValidator(_shown)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Positive = Annotated[int, Field(ge=1, le=2**31)]
Seconds = Annotated[float, Field(ge=0)]


class Model(BaseModel):
    """Base of all records: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Sound(Model):
    """The first sound stream, from its header."""

    codec: Word
    rate_hz: Count
    channels: Count
    streams: Positive = Field(description="sound streams in the file")


class Facts(Model):
    """A video from its headers and packets; sizes are those displayed, after rotation."""

    container: Word
    codec: Word
    pixel_format: Word
    width_px: Positive
    height_px: Positive
    duration_s: Seconds
    frames: Positive
    key_frames: Count
    bytes: Count
    sound: Sound | None
    damage: Words | None

    @property
    def frames_per_s(self) -> float:
        """Return the average frame rate; 0 for a video without length."""
        return self.frames / self.duration_s if self.duration_s else 0.0


class Face(Model):
    """A face as one detector found it.

    Attributes:
        x, y, width, height: its box, pixels of the displayed frame.
        confidence: 0 to 1; always 1 for Haar.
        person: its face track; None for Haar.
        ssim: of the track's previous box between the previous inspected frame and this one, -1 to
            1; None without one.
    """

    x: float
    y: float
    width: float = Field(ge=0)
    height: float = Field(ge=0)
    confidence: float = Field(ge=0, le=1)
    person: Count | None = None
    ssim: float | None = Field(None, ge=-1, le=1)

    @property
    def box(self) -> Box:
        return Box(self.x, self.y, self.width, self.height)


Faces = Annotated[tuple[Face, ...], Field(max_length=MOST_FACES)]


class InspectedFrame(Model):
    """One inspected frame.

    Attributes:
        frame_index: rank in presentation order.
        pts_s: from the first frame.
        ssim: of the whole frame to the previous inspected one, -1 to 1.
        mtcnn, haar: faces, left to right.
    """

    frame_index: Count
    pts_s: Seconds
    ssim: float | None = Field(None, ge=-1, le=1)
    mtcnn: Faces
    haar: Faces


class Inspection(Model):
    """One video, inspected.

    Attributes:
        looks: inspected frames by time.
        shown: index of the one that the pictures show; None without any.
        sheet_s: times of the pictures on the contact sheet.
        face_sheet_s: times of those of them on the contact sheet of faces.
        mtcnn_s, haar_s: time of the detectors for all `looks`.
    """

    facts: Facts
    looks: tuple[InspectedFrame, ...] = Field(max_length=MOST_FRAMES)
    shown: Count | None
    sheet_s: tuple[Seconds, ...] = Field(max_length=MOST_FRAMES)
    face_sheet_s: tuple[Seconds, ...] = Field((), max_length=MOST_FRAMES)
    mtcnn_s: Seconds
    haar_s: Seconds


class Trace(Model):
    """What `compare` aligns two videos by; the arrays are sent separately.

    Attributes:
        times_s: of the frames that were read, from the first one.
        sound_start_s: when the sound begins, from the first frame; None without sound.
    """

    facts: Facts
    times_s: tuple[Seconds, ...] = Field(min_length=1, max_length=MOST_FRAMES)
    sound_start_s: float | None


class Shots(Model):
    """Chosen frames; the pixels are sent separately."""

    frame_indices: tuple[Count, ...] = Field(max_length=MOST_FRAMES)
    height_px: Positive
    width_px: Positive


class Sheet(Model):
    """A contact sheet; the picture is sent separately."""

    pictures: Count


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A video to compare, in the form that `compare.compare_streams` takes.

    Attributes:
        facts: from its headers.
        times_s: of the frames that were read, from the first one.
        thumbnails: these frames reduced, uint8 (n, 36, 64), grey.
        sound: int16 (m,) at `framejury.audio.RATE_HZ`; empty without sound.
        sound_start_s: when the sound begins, from the first frame.
        frames: for some ranks, those that could be read, and their pixels at a size.
    """

    facts: Facts
    times_s: Times
    thumbnails: npt.NDArray[np.uint8]
    sound: npt.NDArray[np.int16]
    sound_start_s: float
    frames: Callable[[Indices, Size], tuple[Indices, npt.NDArray[np.uint8]]]
