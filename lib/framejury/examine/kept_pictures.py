"""Which pictures of a video are kept as evidence while it is examined, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from framejury.faces.crop import encode_crop, limited
from framejury.model.occlusion import Occlusion
from framejury.model.overlay import heat_inside
from framejury.model.runtime import Floats, Scorer
from framejury.records import Box, CroppedFace, Image
from framejury.schemas.statuses import HeatBy, PictureKind
from framejury.settings import EvidenceSettings
from framejury.signals.ssim import Grey, ssim

_SHOWING_THE_FACE = ("rgb", "marked")
"""Signals whose pixels are those of the crop."""
_PEOPLE = 64
"""Face tracks whose last face is remembered; the least recent is forgotten first."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredFace:
    """A face that may be kept.

    Attributes:
        face: its crop and the other inputs of the network's signal.
        frame: its frame at the size searched for faces, uint8 (height, width, 3) RGB.
        heat: cells of its heat map, float32 (side, side), 0 to 1; None: no heat map.
        box: of the face, pixels of its crop; None: unknown.
    """

    frame_index: int
    pts_s: float
    face_index: int
    score: float
    face: CroppedFace
    frame: Image | None
    heat: Floats | None
    box: Box | None = None


def heat_share(
    heat: Floats | None, crop: Image, box: Box | None, scorer: Scorer | None
) -> float | None:
    """Return the share of a heat map inside the face, 0 to 1; None where it cannot be told.

    That is so without a heat map, and for networks that do not see the face itself but its changes.

    Args:
        heat, box: as in `ScoredFace`.
        crop: of the face, uint8 (height, width, 3) RGB.
    """
    if heat is None or box is None or scorer is None:
        return None
    if scorer.bundle.signal not in _SHOWING_THE_FACE:
        return None
    return heat_inside(heat, crop.shape, box, scorer.bundle.pixels.resize)


def heat_by(heat: Floats | None, scorer: Scorer | None) -> str | None:
    """Return how a heat map was made, as in the column `heat_by`; None without a map."""
    if heat is None:
        return None
    own = scorer is None or scorer.gives_heat
    return (HeatBy.GRADIENT if own else HeatBy.OCCLUSION).value


def shown_face(face: CroppedFace, scorer: Scorer | None) -> Image:
    """Return what people see of a scored face, also under its heat map: what the network saw.

    The crop, possibly larger than the network's input, if the network saw the crop itself (of a
    clip the first one);
    otherwise the network's input: with landmarks drawn, stretched, the change between two frames,
    or their flow.

    Returns:
        uint8 (height, width, 3) RGB. `model.overlay` maps the heat map of the square network
        input onto it.
    """
    if scorer is None:
        return face.crop
    bundle = scorer.bundle
    plain = bundle.pixels.resize == "letterbox" and bundle.pixels.jpeg_quality is None
    if bundle.signal == "rgb" and plain:
        return face.crop
    (seen,) = scorer.pictures([face])
    return np.asarray(seen[0] if bundle.pixels.clip_frames > 1 else seen, np.uint8)


class PictureKeeper:
    """Keeps the faces with the highest and lowest scores, and the frame of the highest.

    Ties keep the face that is earlier in the video, in whatever order faces are offered.

    Args:
        settings: how many, how large.
        show: makes the picture that is kept of a face.
        scorer: the network; None: unknown.
    """

    def __init__(
        self,
        settings: EvidenceSettings,
        show: Callable[[CroppedFace], Image],
        scorer: Scorer | None = None,
    ) -> None:
        self._settings = settings
        self._show = show
        self._scorer = scorer
        self._highest: list[ScoredFace] = []
        self._lowest: list[ScoredFace] = []
        self._top: ScoredFace | None = None

    def offer(self, face: ScoredFace) -> None:
        """Consider one more face; the caller need not keep it."""
        count = self._settings.faces
        if count == 0:
            return
        if self._top is None or _highest_first(face) < _highest_first(self._top):
            self._top = face
        small = replace(face, frame=None)  # frames are large; only one is kept
        self._highest = sorted([*self._highest, small], key=_highest_first)[:count]
        self._lowest = sorted([*self._lowest, small], key=_lowest_first)[:count]

    def rows(self, occlusion_s: float = 0.0) -> list[dict[str, Any]]:
        """Return columns of `pictures` without ids, in order of time.

        Args:
            occlusion_s: time for heat maps of suspicious faces where the network gives none,
                seconds. The most suspicious faces get theirs first.
        """
        kept = {
            (face.frame_index, face.face_index): face for face in [*self._lowest, *self._highest]
        }
        faces = sorted(kept.values(), key=_highest_first)
        if self._scorer is not None and occlusion_s > 0:
            occlusion = Occlusion(self._scorer, occlusion_s)
            faces = [
                face
                if face.heat is not None
                else replace(face, heat=occlusion.heat_of_suspicious(face.face, face.score))
                for face in faces
            ]
        rows = [self._row(PictureKind.FACE, face, self._show(face.face)) for face in faces]
        if self._top is not None and self._top.frame is not None and self._settings.frame_px:
            top = replace(self._top, heat=None)
            rows.append(self._row(PictureKind.FRAME, top, self._top.frame))
        return sorted(rows, key=_place)

    def _row(self, kind: PictureKind, face: ScoredFace, picture: Image) -> dict[str, Any]:
        is_face = kind == PictureKind.FACE
        side_px = self._settings.face_px if is_face else self._settings.frame_px
        return {
            "kind": kind.value,
            "frame_index": face.frame_index,
            "pts_s": face.pts_s,
            "face_index": face.face_index if is_face else None,
            "score": face.score,
            "picture": encode_crop(limited(picture, side_px), "jpeg", self._settings.jpeg_quality),
            "heat": None if face.heat is None else face.heat.ravel().tolist(),
            "heat_inside": heat_share(face.heat, face.face.crop, face.box, self._scorer),
            "heat_by": heat_by(face.heat, self._scorer),
        }


def _place(row: dict[str, Any]) -> tuple[int, int]:
    """Sort by frame, the frame itself before its faces."""
    face_index = row["face_index"]
    return row["frame_index"], -1 if face_index is None else face_index


def _highest_first(face: ScoredFace) -> tuple[float, int, int]:
    return -face.score, face.frame_index, face.face_index


def _lowest_first(face: ScoredFace) -> tuple[float, int, int]:
    return face.score, face.frame_index, face.face_index


class Flicker:
    """Compares each face with the previous face of its track."""

    def __init__(self) -> None:
        self._last: dict[int, Grey] = {}

    def ssim(self, person: int, grey: Grey) -> float | None:
        """Return the structural similarity to the track's previous face, -1 to 1; None: first.

        Args:
            person: number of the track.
            grey: the `grey_square` of its crop.
        """
        before = self._last.pop(person, None)
        self._last[person] = grey
        if len(self._last) > _PEOPLE:
            del self._last[next(iter(self._last))]
        return None if before is None else ssim(before, grey)
