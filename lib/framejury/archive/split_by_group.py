"""Splits whole groups: no source is in two splits."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from framejury.archive.labelled_video import SIDES, Placement
from framejury.errors import SplitError
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings


def assign_groups(
    members: Mapping[str, Sequence[Placement]],
    settings: SplitSettings,
    pinned: Mapping[str, Side],
) -> dict[str, Side]:
    """Assign every group to a split.

    Groups are taken in an order drawn with `settings.seed`, those with both classes first. The
    smaller splits first take the one group that fits them best; every other group goes to the
    split that lacks most of its share, counted in videos per label.

    Args:
        members: group -> its videos; those with a reason are ignored.
        settings: shares and seed.
        pinned: group -> split, of groups that are not free.

    Raises:
        SplitError: there are fewer groups than splits.
    """
    shares = {Side.TRAIN: settings.train, Side.VAL: settings.val, Side.TEST: settings.test}
    sides = [side for side in SIDES if shares[side] > 0 or side in pinned.values()]
    if len(members) < len(sides):
        raise SplitError(
            f"{len(members)} groups of labelled videos with faces cannot fill {len(sides)} splits; "
            "label more sources, or do without a test split: --set split.train=0.9 "
            "--set split.test=0"
        )
    order = sorted(members)
    random.Random(settings.seed).shuffle(order)
    # Groups of both classes first: every split needs them.
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
"""How many videos of a label a split still lacks."""


def _first_picks(
    order: list[str],
    counts_of: dict[str, Counter[Label]],
    wanted: Wanted,
    sides: list[Side],
    pinned: Mapping[str, Side],
) -> dict[str, Side]:
    """Give val and test one group of each label, as small shares may round to none."""
    side_of = dict(pinned)
    for side in sides[1:]:
        for label in Label:
            if any(counts_of[group][label] for group, at in side_of.items() if at is side):
                continue
            free = [group for group in order if group not in side_of and counts_of[group][label]]
            if len(free) < 2:
                continue  # the last one stays in train
            fit = {g: (len(counts_of[g]), _need(wanted, side, counts_of[g])) for g in free}
            best = max(free, key=fit.__getitem__)
            side_of[best] = side
            _take(wanted, side, counts_of[best])
    return side_of


def _take(wanted: Wanted, side: Side, counts: Counter[Label]) -> None:
    for label, count in counts.items():
        wanted[side, label] -= count


def _need(wanted: Wanted, side: Side, counts: Counter[Label]) -> float:
    """Rate how well a group fills what a split lacks; overfilling is penalised."""
    return sum(
        min(wanted[side, label], count) - 2 * max(count - wanted[side, label], 0)
        for label, count in counts.items()
    )
