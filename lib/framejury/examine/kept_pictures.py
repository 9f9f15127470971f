"""Which pictures of a video are kept as evidence, while it is examined. Bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from framejury.faces.crop import encode_crop, limited
from framejury.model.heat import Floats
from framejury.model.runtime import Scorer
from framejury.records import CroppedFace, Image
from framejury.schemas.statuses import PictureKind
from framejury.settings import EvidenceSettings
from framejury.signals.ssim import Grey, grey_square, ssim

_PEOPLE = 64
"""Persons whose last face is remembered; who was away for longer begins anew."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredFace:
    """A face that may be kept.

    Attributes:
        face: its crop, and what else the network's signal was made of.
        frame: as faces were looked for in it, uint8 (height, width, 3) RGB.
        heat: cells of its heat map, float32 (side, side), 0 to 1; None: there is none.
    """

    frame_index: int
    pts_s: float
    face_index: int
    p_fake: float
    face: CroppedFace
    frame: Image | None
    heat: Floats | None


def shown_face(face: CroppedFace, scorer: Scorer | None) -> Image:
    """What people are shown of a scored face, under its heat map too: what the network saw.

    The crop where the network saw that, which may be larger than its input; else its input: with
    landmarks drawn, stretched, the change between two frames, or their flow.

    Returns:
        uint8 (height, width, 3) RGB. A heat map that lies over the network's square input lies
        over it as `model.overlay` says.
    """
    if scorer is None:
        return face.crop
    bundle = scorer.bundle
    if bundle.signal == "rgb" and bundle.pixels.resize == "letterbox":
        return face.crop
    return np.asarray(scorer.pictures([face])[0], np.uint8)


class PictureKeeper:
    """Keeps the most and the least suspicious faces of a video, and the worst one's frame.

    Of equals the earlier is kept.

    Args:
        settings: how many, how large.
        show: what is kept of a face.
    """

    def __init__(self, settings: EvidenceSettings, show: Callable[[CroppedFace], Image]) -> None:
        self._settings = settings
        self._show = show
        self._most: list[ScoredFace] = []
        self._least: list[ScoredFace] = []
        self._worst: ScoredFace | None = None

    def offer(self, face: ScoredFace) -> None:
        """Look at one more face; the caller may forget it."""
        count = self._settings.faces
        if count == 0:
            return
        if self._worst is None or face.p_fake > self._worst.p_fake:
            self._worst = face
        small = replace(face, frame=None)  # a frame is large, and one is kept
        self._most = _first(self._most, small, count, lambda one: -one.p_fake)
        self._least = _first(self._least, small, count, lambda one: one.p_fake)

    def rows(self) -> list[dict[str, Any]]:
        """Columns of `pictures` but ids, in order of time."""
        kept = {(face.frame_index, face.face_index): face for face in [*self._least, *self._most]}
        rows = [self._row(PictureKind.FACE, face, self._show(face.face)) for face in kept.values()]
        if self._worst is not None and self._worst.frame is not None and self._settings.frame_px:
            worst = replace(self._worst, heat=None)
            rows.append(self._row(PictureKind.FRAME, worst, self._worst.frame))
        return sorted(rows, key=_place)

    def _row(self, kind: PictureKind, face: ScoredFace, picture: Image) -> dict[str, Any]:
        is_face = kind == PictureKind.FACE
        side_px = self._settings.face_px if is_face else self._settings.frame_px
        return {
            "kind": kind.value,
            "frame_index": face.frame_index,
            "pts_s": face.pts_s,
            "face_index": face.face_index if is_face else None,
            "p_fake": face.p_fake,
            "picture": encode_crop(limited(picture, side_px), "jpeg", self._settings.jpeg_quality),
            "heat": None if face.heat is None else face.heat.ravel().tolist(),
        }


def _place(row: dict[str, Any]) -> tuple[int, int]:
    """By frame, the frame itself before its faces."""
    face_index = row["face_index"]
    return row["frame_index"], -1 if face_index is None else face_index


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
