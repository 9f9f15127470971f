"""Down-sampling of fakes to the number of reals, whole videos at a time.

Stills are neither dropped nor counted: each is paired with a self-blend of itself.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from framejury.archive.labelled_video import SIDES, Placement
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings

DROPPED = "fake dropped to balance the classes"
NOT_DRAWN = "not drawn: split.videos_per_class limits each class"


def limited_classes(rows: Sequence[Placement], settings: SplitSettings) -> list[Placement]:
    """Draw at most `videos_per_class` videos of each class, before they are balanced and split.

    Args:
        rows: by path; those with a reason are excluded already, and stills are not counted.
        settings: the limit and the seed.
    """
    if settings.videos_per_class is None:
        return list(rows)
    left_out: list[str] = []
    for label in Label:
        of_class = [
            row.video_id
            for row in rows
            if row.label is label and row.reason is None and not row.still
        ]
        excess = max(len(of_class) - settings.videos_per_class, 0)
        left_out += random.Random(f"{settings.seed}:{label.value}").sample(of_class, excess)
    return _without(rows, dict.fromkeys(left_out, NOT_DRAWN))


def balanced_whole(rows: Sequence[Placement], settings: SplitSettings) -> list[Placement]:
    """Balance the archive, or each chunk of it, before it is split.

    A chunk without a real keeps no fake; an archive without a real is returned unchanged.

    Args:
        rows: by path; those with a reason are excluded already.
        settings: with `balance_over` side, the rows are returned unchanged.
    """
    if settings.balance == "none" or settings.balance_over == "side":
        return list(rows)
    usable = [row for row in rows if row.reason is None and not row.still]
    if settings.balance_over == "archive":
        return _without(rows, dict.fromkeys(_excess(usable, settings, "archive"), DROPPED))
    reasons: dict[str, str] = {}
    for number, start in enumerate(range(0, len(usable), settings.chunk_videos)):
        chunk = usable[start : start + settings.chunk_videos]
        if any(row.label is Label.REAL for row in chunk):
            reasons |= dict.fromkeys(_excess(chunk, settings, f"chunk {number}"), DROPPED)
        else:
            why = f"{DROPPED}: its chunk of {len(chunk)} videos holds no real one"
            reasons |= {row.video_id: why for row in chunk}
    return _without(rows, reasons)


def balanced_splits(rows: Sequence[Placement], settings: SplitSettings) -> list[Placement]:
    """Balance each split; videos split by face are balanced among themselves.

    Args:
        rows: by path, with their splits.
        settings: unless `balance_over` is side, the rows are returned unchanged.
    """
    if settings.balance == "none" or settings.balance_over != "side":
        return list(rows)
    dropped: list[str] = []
    for side in (*SIDES, Side.MIXED):
        dropped += _excess([row for row in rows if row.side is side], settings, side.value)
    return _without(rows, dict.fromkeys(dropped, DROPPED))


def _excess(rows: Sequence[Placement], settings: SplitSettings, place: str) -> list[str]:
    """Return the ids of the fakes to drop; none if there is no real.

    runs: consecutive videos in name order from a seeded start; random: any videos.
    """
    fakes = [row.video_id for row in rows if row.label is Label.FAKE]
    reals = sum(row.label is Label.REAL and not row.still for row in rows)
    excess = len(fakes) - reals
    if not reals or excess <= 0:
        return []
    generator = random.Random(f"{settings.seed}:{place}")
    if settings.balance == "random":
        return generator.sample(fakes, excess)
    start = generator.randrange(len(fakes))
    return [fakes[(start + step) % len(fakes)] for step in range(excess)]


def _without(rows: Sequence[Placement], reasons: Mapping[str, str]) -> list[Placement]:
    return [
        replace(row, side=Side.EXCLUDED, reason=reasons[row.video_id])
        if row.video_id in reasons
        else row
        for row in rows
    ]
