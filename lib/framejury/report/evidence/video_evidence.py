"""The evidence of one video: its faces over time and pictures of some. Plain records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from framejury.records import Box
from framejury.schemas.statuses import PictureKind

Row = Mapping[str, Any]
"""A row of a table, by column."""

Heat = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FaceEvidence:
    """One scored face; fields as in `face_scores`.

    Attributes:
        box: full-frame pixels; None if not stored.
        confidence: of the detector, 0 to 1.
        ssim: to the previous face of the same track, -1 to 1.
    """

    frame_index: int
    pts_s: float
    face_index: int
    person: int
    p_fake: float
    box: Box | None = None
    confidence: float | None = None
    ssim: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PictureEvidence:
    """One stored picture; fields as in `pictures`.

    Attributes:
        face_index: None for a frame.
        p_fake: score of the face; for a frame, of its highest-scoring face.
        picture: a JPEG file.
        heat: float32 (side, side), 0 to 1, cells of the network's square input; None: no map.
    """

    kind: PictureKind
    frame_index: int
    pts_s: float
    face_index: int | None
    p_fake: float
    picture: bytes
    heat: Heat | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Everything stored about one video.

    Attributes:
        verdict: columns of `verdicts`, and path, uri, layout, label, method, group of `videos`.
        extraction: columns of `extractions`; None without a row, as for a missing file.
        faces: by frame and face index.
        pictures: in the same order, a frame before its faces.
    """

    verdict: Row
    extraction: Row | None
    faces: tuple[FaceEvidence, ...]
    pictures: tuple[PictureEvidence, ...]

    @property
    def sampled_s(self) -> tuple[float, ...] | None:
        """Return the times of the sampled frames, seconds; None if not stored."""
        times = None if self.extraction is None else self.extraction["sampled_s"]
        return None if times is None else tuple(times)

    def picture_of(self, face: FaceEvidence) -> PictureEvidence | None:
        """Return the stored picture of a face, or None."""
        for picture in self.pictures:
            at = (picture.kind, picture.frame_index, picture.face_index)
            if at == (PictureKind.FACE, face.frame_index, face.face_index):
                return picture
        return None


def evidence_of(
    verdict: Row, extraction: Row | None, scores: Iterable[Row], pictures: Iterable[Row]
) -> Evidence:
    """Build the record from rows of one video.

    Args:
        verdict: of `verdicts` joined to `videos`.
        extraction: of `extractions`.
        scores: of `face_scores`, in any order.
        pictures: of `pictures`, in any order.
    """
    faces = sorted(map(_face, scores), key=lambda face: (face.frame_index, face.face_index))
    kept = sorted(map(_picture, pictures), key=_position)
    return Evidence(verdict, extraction, tuple(faces), tuple(kept))


def _face(row: Row) -> FaceEvidence:
    box = row.get("box")
    return FaceEvidence(
        frame_index=row["frame_index"],
        pts_s=row["pts_s"],
        face_index=row["face_index"],
        person=row["person"],
        p_fake=row["p_fake"],
        box=None if box is None else Box(**box),
        confidence=row.get("confidence"),
        ssim=row.get("ssim"),
    )


def _picture(row: Row) -> PictureEvidence:
    heat = None
    if row["heat"] is not None:
        side = math.isqrt(len(row["heat"]))
        heat = np.asarray(row["heat"], np.float32).reshape(side, side)
    return PictureEvidence(
        PictureKind(row["kind"]),
        row["frame_index"],
        row["pts_s"],
        row["face_index"],
        row["p_fake"],
        row["picture"],
        heat,
    )


def _position(picture: PictureEvidence) -> tuple[int, int]:
    return picture.frame_index, -1 if picture.face_index is None else picture.face_index
