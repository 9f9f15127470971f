"""The pictures of one inspected video, collected during decoding in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from framejury.faces.crop import crop_region, decode_crop, encode_crop, limited
from framejury.inspection.answer import (
    BOXES,
    CONTACT_SHEET,
    DETECTORS,
    FACE,
    FACE_MOVES,
    FACE_SHEET,
    FRAME,
    VIDEO_MOVES,
)
from framejury.inspection.drawing import (
    HAAR_COLOR,
    MTCNN_COLOR,
    animated,
    clock,
    contact_sheet,
    reduced_to,
    with_boxes,
)
from framejury.inspection.inspected import Face, InspectedFrame, Sheet
from framejury.pages.text_table import counted
from framejury.records import Image, SampledFrame, Size
from framejury.settings import Settings
from framejury.signals.rgb import network_input

_FACE_PX = 512
_PANEL_PX = 640
_JPEG_QUALITY = 88


class Album:
    """Collects the frame with the clearest face, the contact sheets and the animations."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._inspect = settings.inspect
        self.shown: int | None = None
        """Index of the shown frame among the inspected ones."""
        self.sheet_s: list[float] = []
        self._sheet: list[Image] = []
        self.face_sheet_s: list[float] = []
        self._face_sheet: list[Image] = []
        self._count = 0
        self._clearness = -1.0
        self._frame: Image | None = None
        self._full = Size(1, 1)
        self._inspected: InspectedFrame | None = None
        self._face: Image | None = None
        self._moving: list[Image] = []
        self._moving_face: list[Image] = []
        self._started_s = 0.0
        self._person: int | None = None
        self._last: Face | None = None
        self._last_size = Size(0, 0)

    def add_to_sheet(self, frame: SampledFrame, faces: Sequence[Face]) -> None:
        """Add a frame to the contact sheet, and its largest face, if any, to that of faces."""
        size = reduced_to(frame.picture.size, self._inspect.sheet_px)
        self._sheet.append(frame.picture.reduced(size))
        self.sheet_s.append(frame.pts_s)
        if faces:
            zoomed = self._zoomed(frame, _largest(faces))
            self._face_sheet.append(network_input(zoomed, self._inspect.sheet_px // 2 * 2))
            self.face_sheet_s.append(frame.pts_s)

    def add(self, frame: SampledFrame, inspected: InspectedFrame) -> None:
        """Add a frame of the inspected part."""
        if self._count == 0:
            self._started_s = frame.pts_s
        clearness = max((face.box.area * face.confidence for face in inspected.mtcnn), default=0.0)
        if clearness > self._clearness:
            self.shown, self._clearness, self._inspected = self._count, clearness, inspected
            self._full = frame.picture.size
            self._frame = frame.picture.reduced(reduced_to(self._full, self._inspect.frame_px))
            self._face = self._zoomed(frame, _largest(inspected.mtcnn)) if inspected.mtcnn else None
        self._count += 1
        self._animate(frame, inspected)

    def files(self) -> dict[str, bytes]:
        """Return the pictures by file name."""
        files: dict[str, bytes] = {}
        if self._frame is not None and self._inspected is not None:
            boxed = _boxed(self._frame, self._full, self._inspected.mtcnn, MTCNN_COLOR)
            files[FRAME], files[BOXES] = _jpeg(self._frame), _jpeg(boxed)
            files[DETECTORS] = _jpeg(self._side_by_side(self._frame, self._inspected))
        if self._face is not None:
            files[FACE] = _jpeg(limited(self._face, _FACE_PX))
        for name, pictures, times_s in (
            (CONTACT_SHEET, self._sheet, self.sheet_s),
            (FACE_SHEET, self._face_sheet, self.face_sheet_s),
        ):
            if pictures:
                files[name] = _jpeg(contact_sheet(pictures, [clock(s) for s in times_s]))
        if self._moving:
            files[VIDEO_MOVES] = animated(self._moving, self._inspect.animation_fps)
        if self._moving_face:
            files[FACE_MOVES] = animated(self._moving_face, self._inspect.animation_fps)
        return files

    def _animate(self, frame: SampledFrame, inspected: InspectedFrame) -> None:
        """Add a picture every 1 / animation_fps; without a face, keep its last position."""
        passed_s = frame.pts_s - self._started_s
        if self._person is None and inspected.mtcnn:
            self._person = _largest(inspected.mtcnn).person
        mine = [face for face in inspected.mtcnn if face.person == self._person]
        if mine:
            self._last, self._last_size = mine[0], frame.picture.size
        due = len(self._moving) / self._inspect.animation_fps
        if passed_s >= self._inspect.animation_s or passed_s < due - 1e-6:
            return
        size = reduced_to(frame.picture.size, self._inspect.animation_px)
        self._moving.append(frame.picture.reduced(size))
        if self._last is not None and self._last_size == frame.picture.size:
            crop = self._zoomed(frame, self._last)
            self._moving_face.append(network_input(crop, self._inspect.animation_px // 2 * 2))

    def _zoomed(self, frame: SampledFrame, face: Face) -> Image:
        size, crops = frame.picture.size, self._settings.crops
        ratio = max(crops.margin_ratio, 0.0)
        region = crop_region(face.box, size, ratio, margin_px=crops.margin_px)
        return frame.picture.part(region)

    def _side_by_side(self, frame: Image, inspected: InspectedFrame) -> Image:
        small = limited(frame, _PANEL_PX)
        names = (
            ("MTCNN", inspected.mtcnn, MTCNN_COLOR),
            ("Haar", inspected.haar, HAAR_COLOR),
        )
        panels = [_boxed(small, self._full, faces, color) for _, faces, color in names]
        captions = [f"{name}: {counted(len(faces), 'face')}" for name, faces, _ in names]
        return contact_sheet(panels, captions, columns=len(panels))


def sheet_of(
    file: int, lengths: Sequence[int], captions: Sequence[str]
) -> tuple[Sheet, dict[str, bytes]]:
    """Make a contact sheet of pictures that are concatenated in a file.

    Args:
        file: its descriptor.
        lengths: of the pictures, bytes each.
        captions: ASCII.

    Returns:
        the record, and `contact_sheet.jpg` if any of them is a picture.
    """
    pictures, kept, at = [], [], 0
    for length, caption in zip(lengths, captions, strict=True):
        content = os.pread(file, length, at)
        at += length
        try:
            pictures.append(decode_crop(content))
        except ValueError:  # made by another sandbox, so not trusted
            continue
        kept.append(caption)
    files = {CONTACT_SHEET: _jpeg(contact_sheet(pictures, kept))} if pictures else {}
    return Sheet(pictures=len(pictures)), files


def _largest(faces: Sequence[Face]) -> Face:
    return max(faces, key=lambda face: face.box.area)


def _boxed(
    picture: Image, full: Size, faces: tuple[Face, ...], color: tuple[int, int, int]
) -> Image:
    labels = [
        "Haar" if face.person is None else f"{face.person}: {face.confidence:.2f}" for face in faces
    ]
    return with_boxes(picture, full, [face.box for face in faces], labels, color)


def _jpeg(picture: Image) -> bytes:
    return encode_crop(np.ascontiguousarray(picture), "jpeg", _JPEG_QUALITY)
