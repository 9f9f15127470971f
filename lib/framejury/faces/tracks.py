"""Face tracks: the same number for the same face over the samples of one video.

Faces are linked by position and size alone, both relative to the height of their frame, because a
video may change its resolution on the way. Two people who swap places between two samples swap
numbers, and a person who returns elsewhere gets a new number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from framejury.records import Box

LINK_IOU = 0.3
"""Boxes of two samples with at least this intersection over union are one face, 0 to 1."""

LINK_DISTANCE = 1.5
"""Otherwise their centres may be this many face sizes apart; samples can be seconds apart."""

LINK_SIZE_RATIO = 0.5
"""In that case the smaller must have at least this share of the larger's side, 0 to 1."""


def assign_persons(frames: Sequence[Sequence[Box]]) -> list[list[int]]:
    """Number the face track of every box.

    The boxes of each frame are linked to the latest box of each known track, the likeliest pair
    first (greedy). Boxes left over start new tracks.

    Args:
        frames: the boxes of each sampled frame in order of time, all in one unit
            (`Box.in_heights`, or pixels where the frame size never changes).

    Returns:
        numbers in the shape of `frames`, from 0 in order of first appearance (within a frame
        in the given order); never twice in one frame.
    """
    tracks = FaceTracks()
    return [tracks.number(boxes) for boxes in frames]


class FaceTracks:
    """Does the work of `assign_persons` frame by frame."""

    def __init__(self) -> None:
        self._latest: list[Box] = []

    def number(self, boxes: Sequence[Box]) -> list[int]:
        """Return the track number of each box of the next frame."""
        linked = link(boxes, self._latest)
        for index, box in enumerate(boxes):
            if index in linked:
                self._latest[linked[index]] = box
            else:
                linked[index] = len(self._latest)
                self._latest.append(box)
        return [linked[index] for index in range(len(boxes))]


def link(boxes: Sequence[Box], known_boxes: Sequence[Box]) -> dict[int, int]:
    """Link boxes to known boxes of the same face, the likeliest pair first.

    Args:
        boxes: of one frame.
        known_boxes: of another frame, in the same unit.

    Returns:
        index into `known_boxes` by index into `boxes`, each at most once; without the boxes
        of new faces.
    """
    pairs = [
        (-likeness, person, index)
        for person, known in enumerate(known_boxes)
        for index, box in enumerate(boxes)
        if (likeness := _likeness(box, known)) is not None
    ]
    linked: dict[int, int] = {}
    taken: set[int] = set()
    for _, person, index in sorted(pairs):
        if index not in linked and person not in taken:
            linked[index] = person
            taken.add(person)
    return linked


def _likeness(box: Box, known: Box) -> float | None:
    """Rank a pair: overlapping boxes above 1, near ones 0 to 1; None: not the same face."""
    iou = box.iou(known)
    if iou >= LINK_IOU:
        return 1 + iou
    side, known_side = max(box.width, box.height), max(known.width, known.height)
    smaller, larger = sorted((side, known_side))
    if smaller <= 0 or smaller < LINK_SIZE_RATIO * larger:
        return None
    distance = math.dist(box.center, known.center) / ((side + known_side) / 2)
    return 1 - distance / LINK_DISTANCE if distance <= LINK_DISTANCE else None
