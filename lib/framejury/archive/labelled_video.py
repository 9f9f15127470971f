"""Labelled videos before and after a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from framejury.schemas.statuses import Label, Side

SIDES = (Side.TRAIN, Side.VAL, Side.TEST)

Unit = Literal["group", "video", "face"]
"""What is assigned to one split as a whole."""


@dataclass(frozen=True)
class Candidate:
    """A labelled video that may be used for training.

    Attributes:
        group_keys: as in `videos`.
        content_id: hash of its bytes; None if it was never read.
        usable: whether it has faces to train on.
        still: whether it is a photograph, which is paired with itself and not balanced.
        why_not: why it is not usable, if not for lack of a face.
        method: manipulation method of a fake, if the data set names it.
        faces: frame and number of each of its faces; only needed for `split.balance_unit` face.
    """

    video_id: str
    path: str
    label: Label
    group_keys: tuple[str, ...]
    content_id: str | None
    usable: bool
    still: bool = False
    why_not: str | None = None
    method: str | None = None
    faces: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Placement:
    """A row of `splits`, with the keys that the leakage gate checks.

    Attributes:
        keep_below: only faces drawn below this count (`FaceCut`); None: all of them.
        faces: as of `Candidate`.
    """

    video_id: str
    path: str
    label: Label
    group: str
    side: Side
    reason: str | None
    keys: tuple[str, ...]
    still: bool = False
    unit: Unit = "group"
    method: str | None = None
    keep_below: float | None = None
    faces: tuple[tuple[int, int], ...] = ()

    @property
    def unit_name(self) -> str:
        """Name of the unit that the video belongs to."""
        return self.group if self.unit == "group" else self.video_id


def keys_of(candidate: Candidate) -> tuple[str, ...]:
    """Return everything that ties the video to others: its group keys and its content."""
    content = (f"content:{candidate.content_id}",) if candidate.content_id else ()
    return (*candidate.group_keys, *content)
