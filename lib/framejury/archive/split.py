"""Labelled videos divided by group, balanced by whole videos, and the leakage gate.

Splitting is done on the driver: it needs one small row a video (a million are some
hundred megabytes), and its order must be the same on every cluster.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from framejury.archive.groups import group_names
from framejury.archive.pins import Pins
from framejury.errors import LeakageError, SplitError
from framejury.schemas import Label, Side
from framejury.settings import SplitSettings

SIDES = (Side.TRAIN, Side.VAL, Side.TEST)


@dataclass(frozen=True)
class Candidate:
    """A labelled video that may be trained on.

    Attributes:
        group_keys: as in `videos`.
        content_id: hash of its bytes; None when it was never read.
        usable: whether it has faces.
        still: a photograph, which is a pair of itself and so counts for no balance.
    """

    video_id: str
    path: str
    label: Label
    group_keys: tuple[str, ...]
    content_id: str | None
    usable: bool
    still: bool = False


@dataclass(frozen=True)
class Placement:
    """A row of `splits`, and the keys the gate looks at."""

    video_id: str
    path: str
    label: Label
    group: str
    side: Side
    reason: str | None
    keys: tuple[str, ...]
    still: bool = False


def split_videos(
    candidates: Sequence[Candidate], settings: SplitSettings, pins: Pins | None = None
) -> list[Placement]:
    """A side for every candidate, sorted by path; whole groups go to one side.

    A group with a pinned video goes where that is pinned. The other groups come in an order
    drawn under `settings.seed`, those with both classes first. The smaller sides take one
    first, that which fits them best; each other group goes to the side that lacks most of its
    share, counted in videos of its labels.

    Raises:
        SplitError: too few groups, a side would lack a class, or pins want one group on two
            sides.
    """
    all_keys = [keys_of(candidate) for candidate in candidates]
    groups = group_names(all_keys)
    members: dict[str, list[Placement]] = defaultdict(list)
    for candidate, group, keys in zip(candidates, groups, all_keys, strict=True):
        reason = None if candidate.usable else "no face to learn from"
        members[group].append(
            Placement(
                candidate.video_id,
                candidate.path,
                candidate.label,
                group,
                Side.EXCLUDED,
                reason,
                keys,
                candidate.still,
            )
        )
    pinned = {} if pins is None else _pinned_sides(members, pins)
    left_out = {group for group, side in pinned.items() if side is Side.EXCLUDED}
    for group in left_out:
        members[group] = [
            replace(row, reason=row.reason or "its sources are pinned to no side")
            for row in members[group]
        ]
    usable = {g: rows for g, rows in members.items() if any(r.reason is None for r in rows)}
    side_of = _assign_sides(usable, settings, {g: s for g, s in pinned.items() if g in usable})
    placed = [
        replace(row, side=side_of[group]) if row.reason is None else row
        for group, rows in members.items()
        for row in rows
    ]
    balanced = _balance(sorted(placed, key=lambda row: row.path), settings)
    _check_classes(balanced, settings)
    return balanced


def check_leakage(placements: Iterable[Placement]) -> None:
    """The gate: no key (group, original, donor, content) may stand on two sides.

    Excluded videos are on no side.

    Raises:
        LeakageError: one does; the message names keys, sides and videos.
    """
    seen: dict[str, dict[Side, str]] = defaultdict(dict)
    for row in placements:
        if row.side is not Side.EXCLUDED:
            for key in (f"group {row.group}", *row.keys):
                seen[key].setdefault(row.side, row.path)
    culprits = {key: sides for key, sides in seen.items() if len(sides) > 1}
    if culprits:
        listed = "; ".join(
            f"{key}: " + ", ".join(f"{path} in {side.value}" for side, path in sides.items())
            for key, sides in sorted(culprits.items())[:10]
        )
        raise LeakageError(
            f"{len(culprits)} sources stand on two sides of the split: {listed}. "
            "Run `framejury split` again; a split must not be edited by hand"
        )


def keys_of(candidate: Candidate) -> tuple[str, ...]:
    """Everything that ties the video to others: its group keys and its content."""
    content = (f"content:{candidate.content_id}",) if candidate.content_id else ()
    return (*candidate.group_keys, *content)


def _pinned_sides(members: dict[str, list[Placement]], pins: Pins) -> dict[str, Side]:
    """The side of every group that has a pinned video, with or without a face.

    Raises:
        SplitError: two videos of a group are pinned to different sides.
    """
    pinned: dict[str, Side] = {}
    for group, rows in members.items():
        found = {pin.side: (row, pin) for row in rows if (pin := pins.pin_of(row.path)) is not None}
        if len(found) > 1:
            listed = " and ".join(
                f"{row.path} to {side.value} (line {pin.line}, {pin.pattern})"
                for side, (row, pin) in sorted(found.items())
            )
            raise SplitError(
                f"{pins.source} pins {listed}, but they share sources (group {group}) and must "
                "stand on one side"
            )
        for side in found:
            pinned[group] = side
    return pinned


def _assign_sides(
    members: dict[str, list[Placement]], settings: SplitSettings, pinned: Mapping[str, Side]
) -> dict[str, Side]:
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


def _balance(rows: list[Placement], settings: SplitSettings) -> list[Placement]:
    """Fakes down-sampled to the number of reals on each side, whole videos at a time."""
    if settings.balance == "none":
        return rows
    dropped: set[str] = set()
    for side in SIDES:
        on_side = [row for row in rows if row.side is side]
        fakes = [row for row in on_side if row.label is Label.FAKE]
        reals = sum(row.label is Label.REAL and not row.still for row in on_side)
        excess = len(fakes) - reals
        if reals and excess > 0:
            dropped |= {row.video_id for row in _chosen_to_drop(fakes, excess, settings)}
    return [
        replace(row, side=Side.EXCLUDED, reason="fake dropped to balance the classes")
        if row.video_id in dropped
        else row
        for row in rows
    ]


def _chosen_to_drop(
    fakes: list[Placement], excess: int, settings: SplitSettings
) -> list[Placement]:
    """runs: consecutive videos in name order from a seeded start; random: any."""
    generator = random.Random(f"{settings.seed}:{fakes[0].side.value}")
    if settings.balance == "random":
        return generator.sample(fakes, excess)
    start = generator.randrange(len(fakes))
    return [fakes[(start + step) % len(fakes)] for step in range(excess)]


def _check_classes(rows: list[Placement], settings: SplitSettings) -> None:
    if settings.test > 0 and not any(row.side is Side.TEST for row in rows):
        raise SplitError(
            f"side test has no video of {len(rows)}; label more sources, or leave the side out "
            "with --set split.test=0"
        )
    for side in (Side.TRAIN, Side.VAL):
        labels = {row.label for row in rows if row.side is side and not row.still}
        if labels != set(Label):
            missing = ", ".join(sorted(label.value for label in set(Label) - labels))
            raise SplitError(
                f"side {side.value} has no {missing} video with a face; label more sources, "
                f"change the shares, or another --set split.seed (now {settings.seed})"
            )
