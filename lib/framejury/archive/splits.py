"""Labelled videos divided for training: by group, or as published recipes do by video or face.

Splitting is done on the driver: it needs one small row a video (a million are some
hundred megabytes), and its order must be the same on every cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from framejury.archive.balance import balanced_sides, balanced_whole
from framejury.archive.fixed_splits import Pins
from framejury.archive.groups import group_names
from framejury.archive.labelled_video import SIDES, Candidate, Placement, keys_of
from framejury.archive.leakage import check_leakage
from framejury.archive.split_by_group import sides_of_groups
from framejury.archive.split_by_video import sides_of_videos
from framejury.errors import SplitError
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings

__all__ = ["SIDES", "Candidate", "Placement", "check_leakage", "keys_of", "split_videos"]


def split_videos(
    candidates: Sequence[Candidate], settings: SplitSettings, pins: Pins | None = None
) -> list[Placement]:
    """A side for every candidate, sorted by path.

    Whole groups go to one side (`by_group`), a group with a pinned video where that is pinned.
    With `settings.unit` video each video goes by itself (`by_video`), with face the side of a
    video is `mixed`, for each of its faces has one of its own (`face_sides`); a pinned video
    goes where it is pinned, and its group does not follow. Fakes are balanced before or after
    that (`balance`).

    Raises:
        SplitError: too few groups, a side would lack a class, or pins want one group on two
            sides.
    """
    rows = _unplaced(candidates, settings)
    pinned = {} if pins is None else _pinned_sides(_members(rows), pins)
    left_out = {unit for unit, side in pinned.items() if side is Side.EXCLUDED}
    why = "its sources are pinned to no side" if settings.unit == "group" else "pinned to no side"
    rows = [
        replace(row, reason=row.reason or why) if _unit_of(row) in left_out else row for row in rows
    ]
    rows = balanced_whole(rows, settings)
    side_of = _divided(rows, settings, pinned)
    placed = [
        replace(row, side=side_of[_unit_of(row)]) if row.reason is None else row for row in rows
    ]
    balanced = balanced_sides(placed, settings)
    _check_classes(balanced, settings)
    return balanced


def _unplaced(candidates: Sequence[Candidate], settings: SplitSettings) -> list[Placement]:
    """By path, on no side yet; what cannot be learned from has its reason."""
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
        )
        for one, group, keys in zip(candidates, group_names(all_keys), all_keys, strict=True)
    ]
    return sorted(rows, key=lambda row: row.path)


def _unit_of(row: Placement) -> str:
    """What goes where this video goes."""
    return row.group if row.unit == "group" else row.video_id


def _divided(
    rows: Sequence[Placement], settings: SplitSettings, pinned: Mapping[str, Side]
) -> dict[str, Side]:
    """The side of each unit with a usable video.

    Args:
        rows: by path; those with a reason are not usable.
        pinned: sides of units that are not free.
    """
    usable = [row for row in rows if row.reason is None]
    units = {_unit_of(row) for row in usable}
    held = {unit: side for unit, side in pinned.items() if unit in units}
    if settings.unit == "group":
        return sides_of_groups(_members([r for r in rows if r.group in units]), settings, held)
    if settings.unit == "video":
        return sides_of_videos(usable, settings, held)
    return {unit: held.get(unit, Side.MIXED) for unit in units}


def _members(rows: Sequence[Placement]) -> dict[str, list[Placement]]:
    """Unit -> its videos."""
    members: dict[str, list[Placement]] = defaultdict(list)
    for row in rows:
        members[_unit_of(row)].append(row)
    return members


def _pinned_sides(members: Mapping[str, list[Placement]], pins: Pins) -> dict[str, Side]:
    """The side of every unit that has a pinned video, with or without a face.

    Raises:
        SplitError: two videos of a group are pinned to different sides.
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
                "stand on one side"
            )
        for side in found:
            pinned[unit] = side
    return pinned


def _check_classes(rows: Sequence[Placement], settings: SplitSettings) -> None:
    """Faces of a mixed video may stand on any side."""
    if settings.test > 0 and not any(row.side in (Side.TEST, Side.MIXED) for row in rows):
        raise SplitError(
            f"side test has no video of {len(rows)}; label more sources, or leave the side out "
            "with --set split.test=0"
        )
    for side in (Side.TRAIN, Side.VAL):
        labels = {row.label for row in rows if row.side in (side, Side.MIXED) and not row.still}
        if labels != set(Label):
            missing = ", ".join(sorted(label.value for label in set(Label) - labels))
            raise SplitError(
                f"side {side.value} has no {missing} video with a face; label more sources, "
                f"change the shares, or another --set split.seed (now {settings.seed})"
            )
