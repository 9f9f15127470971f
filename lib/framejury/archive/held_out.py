"""Held-out manipulation methods: their fakes are tested on, never learned from.

A source may have fakes of a held-out method and of others. No source may be in two splits, so the
held-out fakes of a source in train or val are in no split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from framejury.archive.labelled_video import Placement
from framejury.errors import SplitError
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings

ELSEWHERE = "its method is held out, but its source is not in test"
"""Reason of the held-out fakes that are in no split."""


@dataclass(frozen=True)
class SetApart:
    """Rows before they are divided.

    Attributes:
        rest: rows to balance and divide.
        fakes: held-out fakes that follow their source, if it goes to test.
        whole: rows of sources without any other fake, which go to test beyond its share.
    """

    rest: list[Placement]
    fakes: list[Placement]
    whole: list[Placement]


def set_apart(
    rows: Sequence[Placement], settings: SplitSettings, pinned: Mapping[str, Side]
) -> SetApart:
    """Set the fakes of `settings.hold_out_methods` apart, so that they are neither drawn nor
    balanced.

    Args:
        rows: by path, in no split yet; those with a reason cannot be used.
        settings: the methods.
        pinned: unit -> split, of units that are not free.

    Raises:
        SplitError: a method has no fake in the archive, or no other fake is left to learn from.
    """
    _check_methods(rows, settings.hold_out_methods)
    fakes = [row for row in rows if row.reason is None and row.label is Label.FAKE]
    held = [row for row in fakes if row.method in settings.hold_out_methods]
    ids = {row.video_id for row in held}
    learned = {row.unit_name for row in fakes if row.video_id not in ids}
    if held and not learned:
        raise SplitError(
            "split.hold_out_methods leaves no fake to learn from; hold out fewer methods"
        )
    whole = {row.unit_name for row in held} - learned - pinned.keys()
    return SetApart(
        [row for row in rows if row.video_id not in ids and row.unit_name not in whole],
        [row for row in held if row.unit_name not in whole],
        [row for row in rows if row.unit_name in whole],
    )


def tested(apart: SetApart, side_of: Mapping[str, Side]) -> list[Placement]:
    """Place what was set apart: in test, or in no split.

    Args:
        apart: from `set_apart`.
        side_of: unit -> split, of all other units.
    """
    rows = [row if row.reason is not None else replace(row, side=Side.TEST) for row in apart.whole]
    for row in apart.fakes:
        is_test = side_of.get(row.unit_name, Side.TEST) is Side.TEST
        rows.append(replace(row, side=Side.TEST) if is_test else replace(row, reason=ELSEWHERE))
    return rows


def held_out_counts(
    rows: Sequence[Placement], settings: SplitSettings
) -> dict[str, tuple[int, int]]:
    """Return held-out method -> its fakes in test, and those in no split for `ELSEWHERE`."""
    return {
        method: (
            sum(row.method == method and row.side is Side.TEST for row in rows),
            sum(row.method == method and row.reason == ELSEWHERE for row in rows),
        )
        for method in settings.hold_out_methods
    }


def _check_methods(rows: Sequence[Placement], methods: Sequence[str]) -> None:
    known = {row.method for row in rows if row.label is Label.FAKE and row.method is not None}
    unknown = [method for method in methods if method not in known]
    if unknown:
        there = f"its methods are {', '.join(sorted(known))}" if known else "it names no method"
        raise SplitError(
            f"split.hold_out_methods: the archive has no fake of {', '.join(unknown)}; {there}"
        )
