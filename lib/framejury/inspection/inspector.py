"""Inspection of one video: both detectors, flicker, pictures. Runs in the sandbox."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import cv2
import numpy as np

from framejury.faces.crop import crop_region, encode_crop, limited
from framejury.faces.detect import choose_faces, make_detector, reduced_size, rescaled
from framejury.faces.tracks import FaceTracks
from framejury.inspection.album import Album
from framejury.inspection.answer import PICTURES, THUMBNAIL, Pictures
from framejury.inspection.drawing import reduced_to
from framejury.inspection.inspected import MOST_FACES, Face, InspectedFrame, Inspection
from framejury.inspection.reading import facts_of, opened
from framejury.media.container import VideoSource
from framejury.media.decoded_frame import DecodedFrame
from framejury.media.sample import Indices, Times
from framejury.records import Box, DetectedFace, Image, SampledFrame, Size
from framejury.settings import InspectSettings, Settings
from framejury.signals.ssim import WINDOW_PX, Grey, face_ssim, ssim

_JPEG_QUALITY = 88
_REHEARSED = ("limits", "inspect", "sampling")


class Inspector:
    """Both detectors, loaded once.

    Args:
        settings: `detection`, except that all faces of MTCNN and all hits of Haar are kept, up to
            `MOST_FACES` per frame; `inspect`,
            `sampling`, `limits`, `scoring.threads`.

    Raises:
        SetupError: a detector's files are missing.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        most = min(settings.detection.max_faces, MOST_FACES)
        self._detection = {
            name: settings.detection.model_copy(
                update={"detector": name, "keep": "all", "max_faces": most}
            )
            for name in ("mtcnn", "haar")
        }
        threads = settings.scoring.threads
        self._detectors = {
            name: make_detector(detection, threads) for name, detection in self._detection.items()
        }

    def inspect(
        self, source: VideoSource, pictures: Pictures, key: str = ""
    ) -> tuple[Inspection, dict[str, bytes]]:
        """Inspect a video.

        Args:
            source: the file.
            pictures: which pictures to make.
            key: seed of random sampling, different per video.

        Returns:
            the record, and pictures by file name (`answer.NAMES`).

        Raises:
            MediaError: the video cannot be read.
        """
        settings = self._settings
        with opened(source, settings) as video:
            times_s = video.facts.times_s
            if pictures == "all":
                close = inspected_ranks(times_s, settings.inspect)
                sheet = on_sheet(len(times_s), settings.inspect)
            else:
                close = video.choose(settings.sampling, key)
                sheet = np.zeros(0, np.int64)
            view = _View(self._detectors, self._detection, flicker=pictures == "all")
            album = Album(settings)
            shown, thumbnail = Size(1, 1), None
            on, near = set(sheet.tolist()), set(close.tolist())
            for frame in video.frames(np.union1d(close, sheet)):
                shown = frame.picture.size
                # The substitute of a damaged frame of the inspected part belongs to it.
                if frame.frame_index not in on or frame.frame_index in near:
                    inspected = view.at(frame)
                    faces = inspected.mtcnn
                    if pictures == "all":
                        album.add(frame, inspected)
                    elif pictures == "thumbnail" and thumbnail is None:
                        thumbnail = _thumbnail(frame, settings.inspect.sheet_px)
                else:
                    faces = view.faces_at(frame)
                if frame.frame_index in on:
                    album.add_to_sheet(frame, faces)
            record = Inspection(
                facts=facts_of(video, shown, source, settings),
                looks=tuple(view.frames),
                shown=album.shown,
                sheet_s=tuple(album.sheet_s),
                face_sheet_s=tuple(album.face_sheet_s),
                mtcnn_s=view.seconds["mtcnn"],
                haar_s=view.seconds["haar"],
            )
        files = album.files() if pictures == "all" else {}
        return record, files | ({THUMBNAIL: thumbnail} if thumbnail is not None else {})

    def rehearse(self, clip: int) -> None:
        """Use every part once, so that nothing needs to be loaded after the lockdown.

        Args:
            clip: descriptor of `media.small_clip.small_clip`.
        """
        double = copy.copy(self)
        free = {part: type(getattr(self._settings, part))() for part in _REHEARSED}
        double._settings = self._settings.model_copy(update=free)
        for pictures in PICTURES:
            double.inspect(clip, pictures)
        frame = av.VideoFrame.from_ndarray(np.zeros((240, 320, 3), np.uint8), format="rgb24")
        sampled = SampledFrame(0, 0.0, DecodedFrame(frame.reformat(format="yuv420p")), True)
        view = _View(self._detectors, self._detection, flicker=True)
        album = Album(double._settings)
        face = Face(x=40, y=40, width=90, height=90, confidence=1, person=0)
        for _ in range(2):
            inspected = view.at(sampled)
            album.add(sampled, inspected.model_copy(update={"mtcnn": (face,), "haar": (face,)}))
        album.add_to_sheet(sampled, [face])
        album.files()
        face_ssim(np.zeros((40, 40, 3), np.uint8), np.zeros((30, 30, 3), np.uint8))


def inspected_ranks(times_s: Times, settings: InspectSettings) -> Indices:
    """Return the ranks of the frames to inspect, increasing."""
    end_s = settings.from_s + settings.seconds
    first, stop = np.searchsorted(times_s, [settings.from_s, end_s], side="left")
    return np.arange(first, stop, settings.every, dtype=np.int64)[: settings.frames]


def on_sheet(total: int, settings: InspectSettings) -> Indices:
    """Return the ranks of the frames on the contact sheet, increasing."""
    if settings.sheet_every is not None:
        ranks = np.arange(0, total, settings.sheet_every, dtype=np.int64)
        return ranks[: settings.sheet_pictures]
    count = min(settings.sheet_pictures, total)
    return ((np.arange(count) + 0.5) * total / count).astype(np.int64)


@dataclass
class _View:
    """Inspects frames in order of time."""

    detectors: dict[str, Any]
    detection: dict[str, Any]
    flicker: bool
    frames: list[InspectedFrame] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {"mtcnn": 0.0, "haar": 0.0})
    _tracks: FaceTracks = field(default_factory=FaceTracks)
    _before: Grey | None = None
    _last: SampledFrame | None = None
    _boxes: dict[int, Box] = field(default_factory=dict)

    def at(self, frame: SampledFrame) -> InspectedFrame:
        full = frame.picture.size
        image = self._searched(frame)
        found = {}
        for name in self.detectors:
            started_s = time.perf_counter()
            found[name] = self._detected(name, image, full)
            self.seconds[name] += time.perf_counter() - started_s
        persons = self._tracks.number([face.box.in_heights(full) for face in found["mtcnn"]])
        inspected = InspectedFrame(
            frame_index=frame.frame_index,
            pts_s=frame.pts_s,
            ssim=self._like_before(image) if self.flicker else None,
            mtcnn=tuple(
                _face(face, person, self._like_last(frame, person))
                for face, person in zip(found["mtcnn"], persons, strict=True)
            ),
            haar=tuple(_face(face, None, None) for face in found["haar"]),
        )
        self.frames.append(inspected)
        if self.flicker:
            faces = zip(persons, found["mtcnn"], strict=True)
            self._last, self._boxes = frame, {person: face.box for person, face in faces}
        return inspected

    def faces_at(self, frame: SampledFrame) -> tuple[Face, ...]:
        """Return the faces that MTCNN finds in a frame outside the inspected part."""
        found = self._detected("mtcnn", self._searched(frame), frame.picture.size)
        return tuple(_face(face, None, None) for face in found)

    def _searched(self, frame: SampledFrame) -> Image:
        return frame.picture.reduced(reduced_size(frame.picture.size, self.detection["mtcnn"]))

    def _detected(self, name: str, image: Image, full: Size) -> Sequence[DetectedFace]:
        (faces,) = self.detectors[name].detect([image])
        inside = [rescaled(face, Size(*image.shape[:2]), full) for face in faces]
        settings = self.detection[name]
        if name == "mtcnn":
            return choose_faces(inside, settings).faces
        # Every hit, also one inside another: Haar's false hits are what the comparison shows.
        hits = [f for f in inside if max(f.box.width, f.box.height) >= settings.min_face_px]
        hits = sorted(hits, key=lambda face: face.box.area, reverse=True)[: settings.max_faces]
        return sorted(hits, key=lambda face: (face.box.center, face.box.area))

    def _like_before(self, image: Image) -> float | None:
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        before, self._before = self._before, grey
        if before is None or before.shape != grey.shape or min(grey.shape) < WINDOW_PX:
            return None
        return _within(ssim(before, grey))

    def _like_last(self, frame: SampledFrame, person: int) -> float | None:
        """Compare the same area of both frames, since a trembling box would look like flicker."""
        box, last = self._boxes.get(person), self._last
        if box is None or last is None or last.picture.size != frame.picture.size:
            return None
        region = crop_region(box, frame.picture.size, 0.0)
        return _within(face_ssim(last.picture.part(region), frame.picture.part(region)))


def _face(face: DetectedFace, person: int | None, like: float | None) -> Face:
    box = face.box
    return Face(
        x=box.x,
        y=box.y,
        width=box.width,
        height=box.height,
        confidence=min(max(face.confidence, 0.0), 1.0),
        person=person,
        ssim=like,
    )


def _within(value: float) -> float:
    """Clip a value that rounding may have left outside -1 to 1."""
    return min(max(value, -1.0), 1.0)


def _thumbnail(frame: SampledFrame, longer_px: int) -> bytes:
    small = frame.picture.reduced(reduced_to(frame.picture.size, longer_px))
    return encode_crop(limited(small, longer_px), "jpeg", _JPEG_QUALITY)
