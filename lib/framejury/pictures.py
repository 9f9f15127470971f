"""Which pictures of a video are kept as evidence, while it is examined. Bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from framejury.faces.crop import encode_crop, limited
from framejury.model.heat import Floats
from framejury.records import Image, Picture, Size
from framejury.schemas import PictureKind
from framejury.settings import EvidenceSettings
from framejury.signals.ssim import Grey, grey_square, ssim

_PEOPLE = 64
"""Persons whose last face is remembered; who was away for longer begins anew."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredFace:
    """A face that may be kept, where it was, and its frame (already reduced), when wanted.

    `crop` and `frame` are uint8 (height, width, 3) RGB.
    """

    frame_index: int
    pts_s: float
    face_index: int
    p_fake: float
    crop: Image
    frame: Image | None


class PictureKeeper:
    """Keeps the most and the least suspicious faces of a video, and the worst one's frame.

    Of equals the earlier is kept.
    """

    def __init__(self, settings: EvidenceSettings) -> None:
        self._settings = settings
        self._most: list[ScoredFace] = []
        self._least: list[ScoredFace] = []
        self._worst: ScoredFace | None = None

    @property
    def wants_frames(self) -> bool:
        """Whether frames are kept at all."""
        return self._settings.frame_px > 0 and self._settings.faces > 0

    def reduced(self, picture: Picture) -> Image | None:
        """A frame as it would be kept; None when none is."""
        if not self.wants_frames:
            return None
        size = picture.size
        factor = min(1.0, self._settings.frame_px / max(size.height, size.width))
        height, width = round(size.height * factor), round(size.width * factor)
        return picture.reduced(Size(max(height, 1), max(width, 1)))

    def offer(self, face: ScoredFace) -> None:
        """Look at one more face; the caller may forget it."""
        count = self._settings.faces
        if count == 0:
            return
        if self._worst is None or face.p_fake > self._worst.p_fake:
            self._worst = face
        small = replace(face, frame=None)
        self._most = _first(self._most, small, count, lambda one: -one.p_fake)
        self._least = _first(self._least, small, count, lambda one: one.p_fake)

    def rows(self, heat: Callable[[Sequence[Image]], Floats | None]) -> list[dict[str, Any]]:
        """Columns of `pictures` but ids, in order of time.

        Args:
            heat: maps of crops, as `Scorer.heat`.
        """
        kept = {(face.frame_index, face.face_index): face for face in [*self._least, *self._most]}
        faces = [kept[place] for place in sorted(kept)]
        maps = heat([face.crop for face in faces])
        rows = [
            self._row(PictureKind.FACE, face, limited(face.crop, self._settings.face_px))
            | {"heat": None if maps is None else maps[number].ravel().tolist()}
            for number, face in enumerate(faces)
        ]
        if self._worst is not None and self._worst.frame is not None:
            row = self._row(PictureKind.FRAME, self._worst, self._worst.frame)
            rows.append(row | {"face_index": None, "heat": None})
        return sorted(rows, key=lambda row: (row["frame_index"], row["kind"] == PictureKind.FACE))

    def _row(self, kind: PictureKind, face: ScoredFace, picture: Image) -> dict[str, Any]:
        return {
            "kind": kind.value,
            "frame_index": face.frame_index,
            "pts_s": face.pts_s,
            "face_index": face.face_index,
            "p_fake": face.p_fake,
            "picture": encode_crop(picture, "jpeg", self._settings.jpeg_quality),
        }


def _first(
    kept: list[ScoredFace], face: ScoredFace, count: int, key: Callable[[ScoredFace], float]
) -> list[ScoredFace]:
    return sorted([*kept, face], key=key)[:count]  # stable: of equals the earlier


class Flicker:
    """How like each face is to the same person's face before."""

    def __init__(self) -> None:
        self._last: dict[int, Grey] = {}

    def at(self, person: int, crop: Image) -> float | None:
        """Structural similarity to the person's last face, -1 to 1; None for the first.

        Args:
            person: who it is.
            crop: uint8 (height, width, 3) RGB, any size.
        """
        before = self._last.pop(person, None)
        self._last[person] = now = grey_square(crop)
        if len(self._last) > _PEOPLE:
            del self._last[next(iter(self._last))]
        return None if before is None else ssim(before, now)
