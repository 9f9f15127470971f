"""The stored pictures of a video as its page shows them: faces, heat maps, frame with boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2

from framejury.faces.crop import decode_crop, encode_crop
from framejury.model.overlay import overlay
from framejury.pages.templating import data_uri
from framejury.records import Image
from framejury.report.evidence.sentences import changes_size
from framejury.report.evidence.video_evidence import Evidence, FaceEvidence, PictureEvidence
from framejury.schemas.statuses import HeatBy, PictureKind

_JPEG = "image/jpeg"
_HEATED_QUALITY = 80
_VISIBLE = 8
"""Least change of a pixel, of 255, that a reader sees as heat."""
MOST_INSIDE = 0.5
"""With less than this share of the heat inside the face, most of it lies outside."""


@dataclass(frozen=True, slots=True)
class FacePicture:
    """A face on the page; `plain` and `heated` are `data:` addresses.

    Attributes:
        heated: with its heat map; None without one.
        width, height: pixels.
        inside: share of the heat inside the face, 0 to 1; None: unknown.
        has_heat: whether the heat map changes the picture visibly; true without one.
        heat_by: how the heat map was made; None: there is none, or it is not recorded.
        is_highest: whether it was kept for its high score, otherwise for its low one.
    """

    face: FaceEvidence
    plain: str
    heated: str | None
    width: int
    height: int
    inside: float | None = None
    has_heat: bool = True
    heat_by: HeatBy | None = None
    is_highest: bool = True

    @property
    def is_outside(self) -> bool:
        """Return whether most of the heat lies outside the face."""
        return self.inside is not None and self.inside < MOST_INSIDE


@dataclass(frozen=True, slots=True)
class BoxOnFrame:
    """The box of a judged face, in percent of the frame's width and height."""

    face: FaceEvidence
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class FramePicture:
    """A whole frame with the faces judged in it."""

    picture: str
    frame_index: int
    pts_s: float
    width: int
    height: int
    boxes: tuple[BoxOnFrame, ...]


def contact_sheet(evidence: Evidence) -> tuple[FacePicture, ...]:
    """Return the stored faces by time; half of them, rounded up, are those of high scores.

    Pictures that cannot be read are left out.
    """
    faces = {(face.frame_index, face.face_index): face for face in evidence.faces}
    found = []
    for picture in evidence.pictures:
        face = faces.get((picture.frame_index, picture.face_index or 0))
        if picture.kind is PictureKind.FACE and face is not None:
            shown = _shown(face, picture)
            found += [] if shown is None else [shown]
    ranked = sorted(found, key=lambda shown: (-shown.face.score, shown.face.frame_index))
    half = (len(ranked) + 1) // 2
    marked = [replace(shown, is_highest=at < half) for at, shown in enumerate(ranked)]
    return tuple(sorted(marked, key=lambda one: (one.face.frame_index, one.face.face_index)))


def frame_picture(evidence: Evidence) -> FramePicture | None:
    """Return the frame with the highest-scoring face; None if it is not stored or unreadable."""
    frames = [picture for picture in evidence.pictures if picture.kind is PictureKind.FRAME]
    if not frames:
        return None
    frame = max(frames, key=lambda picture: picture.score)
    whole = _decoded(frame.picture)
    if whole is None:
        return None
    boxes = tuple(
        box
        for face in evidence.faces
        if face.frame_index == frame.frame_index
        for box in [_on_frame(face, evidence)]
        if box is not None
    )
    address, (height, width) = data_uri(frame.picture, _JPEG), whole.shape[:2]
    return FramePicture(address, frame.frame_index, frame.pts_s, width, height, boxes)


def _shown(face: FaceEvidence, picture: PictureEvidence) -> FacePicture | None:
    crop = _decoded(picture.picture)
    if crop is None:
        return None
    heated, has_heat = None, True
    if picture.heat is not None:
        under = overlay(crop, picture.heat)
        has_heat = int(cv2.absdiff(under, crop).max()) >= _VISIBLE
        heated = data_uri(encode_crop(under, "jpeg", _HEATED_QUALITY), _JPEG)
    height, width = crop.shape[:2]
    return FacePicture(
        face,
        data_uri(picture.picture, _JPEG),
        heated,
        width,
        height,
        inside=picture.heat_inside,
        has_heat=has_heat,
        heat_by=picture.heat_by,
    )


def _decoded(picture: bytes) -> Image | None:
    """Return None for a damaged picture."""
    try:
        return decode_crop(picture)
    except ValueError:
        return None


def _on_frame(face: FaceEvidence, evidence: Evidence) -> BoxOnFrame | None:
    """Return the box, clipped to the frame; None if it or the frame's size is unknown."""
    extraction, box = evidence.extraction, face.box
    if extraction is None or box is None or changes_size(extraction):
        return None
    width, height = extraction["width_px"], extraction["height_px"]
    if not width or not height:
        return None
    left, right = (min(max(x / width, 0), 1) for x in (box.x, box.x + box.width))
    top, bottom = (min(max(y / height, 0), 1) for y in (box.y, box.y + box.height))
    if right <= left or bottom <= top:
        return None
    return BoxOnFrame(face, 100 * left, 100 * top, 100 * (right - left), 100 * (bottom - top))
