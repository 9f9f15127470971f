"""The evidence of one video: its faces over time in tracks, and pictures of some. Plain records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from framejury.decisions.decided import VideoDecisions
from framejury.records import Box
from framejury.schemas.statuses import HeatBy, PictureKind

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
    score: float
    box: Box | None = None
    confidence: float | None = None
    ssim: float | None = None


@dataclass(frozen=True, slots=True)
class ClipPart:
    """The moving picture of a clip, a WebM file, and its part of the film, seconds."""

    moving: bytes
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class PictureEvidence:
    """One stored picture; fields as in `pictures`.

    Attributes:
        face_index: None for a frame.
        score: score of the face; for a frame, of its highest-scoring face; for a clip, the mean
            of the suspicious part.
        picture: a JPEG file.
        heat: float32 (side, side), 0 to 1, cells of the network's square input; None: no map.
        heat_inside: share of the heat inside the face, 0 to 1; None: unknown.
        heat_by: how the map was made; None: there is none, or it is not recorded.
        clip: None unless `kind` is clip.
    """

    kind: PictureKind
    frame_index: int
    pts_s: float
    face_index: int | None
    score: float
    picture: bytes
    heat: Heat | None = None
    heat_inside: float | None = None
    clip: ClipPart | None = None
    heat_by: HeatBy | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Everything stored about one video.

    Attributes:
        verdict: columns of `verdicts`, and path, uri, layout, label, method, group of `videos`.
        extraction: columns of `extractions`; None without a row, as for a missing file.
        faces: by frame and face index.
        pictures: in the same order, a frame before its faces.
        decisions: what people decided about it; None: nothing.
        original: path or URI of the video it was made from; None: not known.
    """

    verdict: Row
    extraction: Row | None
    faces: tuple[FaceEvidence, ...]
    pictures: tuple[PictureEvidence, ...]
    decisions: VideoDecisions | None = None
    original: str | None = None

    @property
    def sampled_s(self) -> tuple[float, ...] | None:
        """Return the times of the sampled frames, seconds; None if not stored."""
        times = None if self.extraction is None else self.extraction["sampled_s"]
        return None if times is None else tuple(times)


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
        score=row["score"],
        box=None if box is None else Box(**box),
        confidence=row.get("confidence"),
        ssim=row.get("ssim"),
    )


def _picture(row: Row) -> PictureEvidence:
    heat = None
    if row["heat"] is not None:
        side = math.isqrt(len(row["heat"]))
        heat = np.asarray(row["heat"], np.float32).reshape(side, side)
    moving, made = row.get("clip"), row.get("heat_by")
    return PictureEvidence(
        PictureKind(row["kind"]),
        row["frame_index"],
        row["pts_s"],
        row["face_index"],
        row["score"],
        row["picture"],
        heat,
        row.get("heat_inside"),
        None if moving is None else ClipPart(moving, row["start_s"], row["end_s"]),
        None if made is None else HeatBy(made),
    )


def _position(picture: PictureEvidence) -> tuple[int, int]:
    return picture.frame_index, -1 if picture.face_index is None else picture.face_index


BRIEFLY = 3
"""Tracks with fewer scored faces are brief: their means are unreliable."""


@dataclass(frozen=True, slots=True)
class TrackStyle:
    """How a track is drawn, distinguishable by shape and dash as well as by colour.

    Attributes:
        marker, dash: as Matplotlib names them.
        glyph: the same shape as a character.
        colour: N of `var(--track-N)` in evidence.css.
    """

    marker: str
    dash: str
    glyph: str
    colour: int


STYLES = tuple(
    TrackStyle(marker, dash, glyph, number)
    for number, (marker, dash, glyph) in enumerate(
        [
            ("o", "-", "\u25cf"),
            ("s", "--", "\u25a0"),
            ("^", ":", "\u25b2"),
            ("D", "-.", "\u25c6"),
            ("v", "--", "\u25bc"),
            ("P", "-", "\u271a"),
        ]
    )
)


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One face followed over time; not an identified person.

    Attributes:
        number: as in `face_scores.person`.
        faces: by time, at least one.
        style: None for tracks that are drawn together as the others.
    """

    number: int
    faces: tuple[FaceEvidence, ...]
    style: TrackStyle | None

    @property
    def mean(self) -> float:
        """Return the mean score of the faces, 0 to 1."""
        return sum(face.score for face in self.faces) / len(self.faces)

    @property
    def highest(self) -> float:
        """Return the highest score of the faces, 0 to 1."""
        return max(face.score for face in self.faces)

    @property
    def is_brief(self) -> bool:
        """Return whether the track has fewer than `BRIEFLY` faces."""
        return len(self.faces) < BRIEFLY


def tracks_of(faces: Sequence[FaceEvidence], worst: int | None) -> tuple[FaceTrack, ...]:
    """Return the tracks by number.

    Styles go to the track `worst` and to those with the most faces (ties: the lower number); the
    others have none.

    Args:
        faces: of one video, by time.
        worst: `verdicts.worst_person`.
    """
    by_number: dict[int, list[FaceEvidence]] = {}
    for face in faces:
        by_number.setdefault(face.person, []).append(face)
    ranked = sorted(by_number, key=lambda one: (one != worst, -len(by_number[one]), one))
    # In order of their numbers, so that track 0 has the first style.
    styles = dict(zip(sorted(ranked[: len(STYLES)]), STYLES, strict=False))
    return tuple(
        FaceTrack(number, tuple(by_number[number]), styles.get(number))
        for number in sorted(by_number)
    )
