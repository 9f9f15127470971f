"""The face tracks of one video, and how each is drawn in a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framejury.report.evidence.video_evidence import FaceEvidence

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
        return sum(face.p_fake for face in self.faces) / len(self.faces)

    @property
    def highest(self) -> float:
        """Return the highest score of the faces, 0 to 1."""
        return max(face.p_fake for face in self.faces)

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
