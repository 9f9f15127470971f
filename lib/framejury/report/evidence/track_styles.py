"""The people of one video, and how each is told from the others in a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framejury.report.evidence.video_evidence import FaceEvidence

BRIEFLY = 3
"""Whoever has fewer scored faces was seen only shortly."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a person is drawn: told by shape and dash first, by colour as well.

    Attributes:
        marker, dash: as Matplotlib names them.
        glyph: the same shape as a character.
        colour: `var(--person-N)` of evidence.css; N.
    """

    marker: str
    dash: str
    glyph: str
    colour: int


LOOKS = tuple(
    Look(marker, dash, glyph, number)
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
class Person:
    """One person of a video.

    Attributes:
        number: as in `face_scores.person`.
        faces: by time, at least one.
        look: None for those who are drawn together as the others.
    """

    number: int
    faces: tuple[FaceEvidence, ...]
    look: Look | None

    @property
    def mean(self) -> float:
        """Mean score of the faces, 0 to 1."""
        return sum(face.p_fake for face in self.faces) / len(self.faces)

    @property
    def highest(self) -> float:
        """Highest score of the faces, 0 to 1."""
        return max(face.p_fake for face in self.faces)

    @property
    def is_brief(self) -> bool:
        """Seen only shortly."""
        return len(self.faces) < BRIEFLY


def people_of(faces: Sequence[FaceEvidence], worst: int | None) -> tuple[Person, ...]:
    """Who was seen, by number.

    The first looks go to the `worst` person and to those with the most faces, of equals the lower
    number; whoever is left has none.

    Args:
        faces: of one video, by time.
        worst: `verdicts.worst_person`.
    """
    theirs: dict[int, list[FaceEvidence]] = {}
    for face in faces:
        theirs.setdefault(face.person, []).append(face)
    ranked = sorted(theirs, key=lambda who: (who != worst, -len(theirs[who]), who))
    # In order of their numbers, so that the first person has the first look.
    shown = sorted(ranked[: len(LOOKS)])
    looks = dict(zip(shown, LOOKS, strict=False))
    return tuple(Person(who, tuple(theirs[who]), looks.get(who)) for who in sorted(theirs))
