"""Whole groups divided: no source stands on two sides."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from framejury.archive.labelled_video import SIDES, Placement
from framejury.errors import SplitError
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings


def sides_of_groups(
    members: Mapping[str, Sequence[Placement]],
    settings: SplitSettings,
    pinned: Mapping[str, Side],
) -> dict[str, Side]:
    """A side for every group.

    The groups come in an order drawn under `settings.seed`, those with both classes first. The
    smaller sides take one first, that which fits them best; each other group goes to the side
    that lacks most of its share, counted in videos of its labels.

    Args:
        members: group -> its videos; those with a reason count for nothing.
        pinned: group -> side, of groups that are not free.

    Raises:
        SplitError: there are fewer groups than sides.
    """
    shares = {Side.TRAIN: settings.train, Side.VAL: settings.val, Side.TEST: settings.test}
    sides = [side for side in SIDES if shares[side] > 0 or side in pinned.values()]
    if len(members) < len(sides):
        raise SplitError(
            f"{len(members)} groups of labelled videos with faces cannot fill {len(sides)} sides; "
            "label more sources, or leave a side out with --set split.test=0"
        )
    order = sorted(members)
    random.Random(settings.seed).shuffle(order)
    # Groups of both classes first: they are what every side needs.
    order.sort(key=lambda group: len({row.label for row in members[group]}), reverse=True)
    wanted = {
        (side, label): shares[side]
        * sum(r.label is label and r.reason is None for rows in members.values() for r in rows)
        for side in sides
        for label in Label
    }
    counts_of = {
        group: Counter(row.label for row in members[group] if row.reason is None) for group in order
    }
    for group, side in pinned.items():
        _take(wanted, side, counts_of[group])
    side_of = _first_picks(order, counts_of, wanted, sides, pinned)
    for group in order:
        if group not in side_of:
            counts = counts_of[group]
            best = max(sides, key=lambda side: (_need(wanted, side, counts), -sides.index(side)))
            side_of[group] = best
            _take(wanted, best, counts)
    return side_of


Wanted = dict[tuple[Side, Label], float]
"""How many videos of a label a side still lacks."""


def _first_picks(
    order: list[str],
    counts_of: dict[str, Counter[Label]],
    wanted: Wanted,
    sides: list[Side],
    pinned: Mapping[str, Side],
) -> dict[str, Side]:
    """One group of each label for val and test; of few groups their shares round to nothing."""
    side_of = dict(pinned)
    for side in sides[1:]:
        for label in Label:
            if any(counts_of[group][label] for group, at in side_of.items() if at is side):
                continue
            free = [group for group in order if group not in side_of and counts_of[group][label]]
            if len(free) < 2:
                continue  # the last one stays for the side to train on
            fit = {g: (len(counts_of[g]), _need(wanted, side, counts_of[g])) for g in free}
            best = max(free, key=fit.__getitem__)
            side_of[best] = side
            _take(wanted, side, counts_of[best])
    return side_of


def _take(wanted: Wanted, side: Side, counts: Counter[Label]) -> None:
    for label, count in counts.items():
        wanted[side, label] -= count


def _need(wanted: Wanted, side: Side, counts: Counter[Label]) -> float:
    """How well a group fills what a side still lacks; overfilling counts against it."""
    return sum(
        min(wanted[side, label], count) - 2 * max(count - wanted[side, label], 0)
        for label, count in counts.items()
    )
