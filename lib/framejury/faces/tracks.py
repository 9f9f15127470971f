"""Who is who over time: the same number for the same face within one video.

By position and size alone. Two people who swap places between two samples therefore swap
numbers too, and a person who comes back elsewhere gets a new one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from framejury.records import Box

LINK_IOU = 0.3
"""Boxes of two samples that overlap this much are the same face, 0 to 1."""

LINK_DISTANCE = 1.5
"""Else their centres may lie this many face sizes apart; samples may be a second apart."""

LINK_SIZE_RATIO = 0.5
"""And the smaller must be at least this share of the larger, 0 to 1."""


def assign_persons(frames: Sequence[Sequence[Box]]) -> list[list[int]]:
    """A person number for every box.

    From each frame, its boxes are linked to the most recent box of each person known so far,
    the likeliest pair of all first (greedy); what is left over is somebody new.

    Args:
        frames: the boxes of each sampled frame in order of time, full-frame pixels.

    Returns:
        numbers in the shape of `frames`, from 0 in order of first appearance (within a frame
        in the order given); no number twice in one frame.
    """
    people = People()
    return [people.at(boxes) for boxes in frames]


class People:
    """`assign_persons`, one frame after the other."""

    def __init__(self) -> None:
        self._latest: list[Box] = []

    def at(self, boxes: Sequence[Box]) -> list[int]:
        """The person of each box of the next frame."""
        linked = link(boxes, self._latest)
        for index, box in enumerate(boxes):
            if index in linked:
                self._latest[linked[index]] = box
            else:
                linked[index] = len(self._latest)
                self._latest.append(box)
        return [linked[index] for index in range(len(boxes))]


def link(boxes: Sequence[Box], known_boxes: Sequence[Box]) -> dict[int, int]:
    """Which known box shows the same face as each box, the likeliest pair of all first.

    Args:
        boxes: of one frame, full-frame pixels.
        known_boxes: of another.

    Returns:
        index into `known_boxes` by index into `boxes`, each once at most; none of a box whose
        face is not among the known ones.
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
    """How likely both show one face: overlap (over 1) before nearness (to 1); None: they do not."""
    iou = box.iou(known)
    if iou >= LINK_IOU:
        return 1 + iou
    side, known_side = max(box.width, box.height), max(known.width, known.height)
    smaller, larger = sorted((side, known_side))
    if smaller <= 0 or smaller < LINK_SIZE_RATIO * larger:
        return None
    distance = math.dist(box.center, known.center) / ((side + known_side) / 2)
    return 1 - distance / LINK_DISTANCE if distance <= LINK_DISTANCE else None
