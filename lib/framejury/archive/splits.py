"""Splits labelled videos: by group or, as some published recipes do, by video or face.

Splitting is done on the driver: it needs one small row per video (a million take some hundred
megabytes), and its order must be the same on every cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from framejury.archive.assignment import assign_groups, assign_videos
from framejury.archive.balance import balanced_splits, balanced_whole
from framejury.archive.csv_files import Pins
from framejury.archive.groups import group_names
from framejury.archive.labelled_video import Candidate, Placement, keys_of
from framejury.errors import SplitError
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings


def split_videos(
    candidates: Sequence[Candidate], settings: SplitSettings, pins: Pins | None = None
) -> list[Placement]:
    """Assign every candidate to a split; returns rows sorted by path.

    A group goes to one split as a whole; a pinned video takes its group along. With
    `settings.unit` video, each video is assigned alone; with face, a video is `mixed`, as each of
    its faces is assigned alone (`FaceDraw`). There, pinned videos go where they are pinned, without
    their group. Fakes are balanced before or after that (`balance`); with `split.balance_unit`
    face, the candidates must name their faces.

    Raises:
        SplitError: there are too few groups, a split would lack a class, or pins put one group
            into two splits.
    """
    rows = _unplaced(candidates, settings)
    pinned = {} if pins is None else _pinned_sides(_members(rows), pins)
    left_out = {unit for unit, side in pinned.items() if side is Side.EXCLUDED}
    why = "its group is excluded by a pin" if settings.unit == "group" else "excluded by a pin"
    rows = [
        replace(row, reason=row.reason or why) if _unit_of(row) in left_out else row for row in rows
    ]
    rows = balanced_whole(rows, settings)
    side_of = _divided(rows, settings, pinned)
    placed = [
        replace(row, side=side_of[_unit_of(row)]) if row.reason is None else row for row in rows
    ]
    balanced = balanced_splits(placed, settings)
    _check_classes(balanced, settings)
    return balanced


def _unplaced(candidates: Sequence[Candidate], settings: SplitSettings) -> list[Placement]:
    """Return rows by path, in no split yet; videos that cannot be trained on have a reason."""
    all_keys = [keys_of(candidate) for candidate in candidates]
    rows = [
        Placement(
            one.video_id,
            one.path,
            one.label,
            group,
            Side.EXCLUDED,
            None if one.usable else one.why_not or "no face to learn from",
            keys,
            one.still,
            settings.unit,
            faces=one.faces,
        )
        for one, group, keys in zip(candidates, group_names(all_keys), all_keys, strict=True)
    ]
    return sorted(rows, key=lambda row: row.path)


def _unit_of(row: Placement) -> str:
    """Return the name of the unit that the video belongs to."""
    return row.group if row.unit == "group" else row.video_id


def _divided(
    rows: Sequence[Placement], settings: SplitSettings, pinned: Mapping[str, Side]
) -> dict[str, Side]:
    """Assign each unit with a usable video to a split.

    Args:
        rows: by path; those with a reason are not usable.
        settings: unit, shares and seed.
        pinned: splits of units that are not free.
    """
    usable = [row for row in rows if row.reason is None]
    units = {_unit_of(row) for row in usable}
    held = {unit: side for unit, side in pinned.items() if unit in units}
    if settings.unit == "group":
        return assign_groups(_members([r for r in rows if r.group in units]), settings, held)
    if settings.unit == "video":
        return assign_videos(usable, settings, held)
    return {unit: held.get(unit, Side.MIXED) for unit in units}


def _members(rows: Sequence[Placement]) -> dict[str, list[Placement]]:
    """Return the videos of each unit."""
    members: dict[str, list[Placement]] = defaultdict(list)
    for row in rows:
        members[_unit_of(row)].append(row)
    return members


def _pinned_sides(members: Mapping[str, list[Placement]], pins: Pins) -> dict[str, Side]:
    """Return the split of every unit that has a pinned video, with or without a face.

    Raises:
        SplitError: two videos of a group are pinned to different splits.
    """
    pinned: dict[str, Side] = {}
    for unit, rows in members.items():
        found = {pin.side: (row, pin) for row in rows if (pin := pins.pin_of(row.path)) is not None}
        if len(found) > 1:
            listed = " and ".join(
                f"{row.path} to {side.value} (line {pin.line}, {pin.pattern})"
                for side, (row, pin) in sorted(found.items())
            )
            raise SplitError(
                f"{pins.source} pins {listed}, but they share sources (group {unit}) and must "
                "be in one split"
            )
        for side in found:
            pinned[unit] = side
    return pinned


def _check_classes(rows: Sequence[Placement], settings: SplitSettings) -> None:
    """Raise if a split lacks a class; faces of a mixed video may be in any split."""
    if settings.test > 0 and not any(row.side in (Side.TEST, Side.MIXED) for row in rows):
        raise SplitError(
            f"the test split gets none of {len(rows)} videos; label more sources, or do without "
            "it: --set split.train=0.9 --set split.test=0"
        )
    for side in (Side.TRAIN, Side.VAL):
        labels = {row.label for row in rows if row.side in (side, Side.MIXED) and not row.still}
        if labels != set(Label):
            missing = ", ".join(sorted(label.value for label in set(Label) - labels))
            raise SplitError(
                f"split {side.value} has no {missing} video with a face; label more sources, "
                f"change the shares, or try another seed: --set split.seed={settings.seed + 1}"
            )
