"""Down-sampling of fakes to the number of reals: whole videos, or single faces of them.

Stills are neither dropped nor counted: each is paired with a self-blend of itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from framejury.archive.assignment import balance_draw
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
    changed: dict[str, Placement] = {}
    for label in Label:
        of_class = [
            row for row in rows if row.label is label and row.reason is None and not row.still
        ]
        excess = max(len(of_class) - settings.videos_per_class, 0)
        drawn = random.Random(f"{settings.seed}:{label.value}").sample(of_class, excess)
        changed |= {row.video_id: _dropped(row, NOT_DRAWN) for row in drawn}
    return _with(rows, changed)


def chunks(rows: Sequence[Placement], chunk_videos: int) -> Iterator[Sequence[Placement]]:
    """Yield the chunks of `balance_over` chunk: usable videos, stills apart, in the given order.

    Args:
        rows: by path, before or after balancing.
        chunk_videos: videos per chunk, count.
    """
    usable = [
        row
        for row in rows
        if not row.still and (row.reason is None or row.reason.startswith(DROPPED))
    ]
    for start in range(0, len(usable), chunk_videos):
        yield usable[start : start + chunk_videos]


def balanced_whole(rows: Sequence[Placement], settings: SplitSettings) -> list[Placement]:
    """Balance the archive, or each chunk of it, before it is split.

    A chunk without a real keeps no fake; an archive without a real is returned unchanged.

    Args:
        rows: by path; those with a reason are excluded already.
        settings: with `balance_over` side, the rows are returned unchanged.
    """
    if settings.balance == "none" or settings.balance_over == "side":
        return list(rows)
    if settings.balance_over == "archive":
        usable = [row for row in rows if row.reason is None and not row.still]
        return _with(rows, _balanced(usable, settings, "archive"))
    changed: dict[str, Placement] = {}
    for number, chunk in enumerate(chunks(rows, settings.chunk_videos)):
        if any(row.label is Label.REAL for row in chunk):
            changed |= _balanced(chunk, settings, f"chunk {number}")
        else:
            why = f"{DROPPED}: its chunk of {len(chunk)} videos holds no real one"
            changed |= {row.video_id: _dropped(row, why) for row in chunk}
    return _with(rows, changed)


def balanced_splits(rows: Sequence[Placement], settings: SplitSettings) -> list[Placement]:
    """Balance each split; videos split by face are balanced among themselves.

    Args:
        rows: by path, with their splits.
        settings: unless `balance_over` is side, the rows are returned unchanged.
    """
    if settings.balance == "none" or settings.balance_over != "side":
        return list(rows)
    changed: dict[str, Placement] = {}
    for side in (*SIDES, Side.MIXED):
        changed |= _balanced([row for row in rows if row.side is side], settings, side.value)
    return _with(rows, changed)


def _balanced(
    rows: Sequence[Placement], settings: SplitSettings, place: str
) -> dict[str, Placement]:
    """Return the fakes that change, by id; none if there is no real."""
    if settings.balance_unit == "face":
        return _cut(rows, settings.seed)
    excess = set(_excess(rows, settings, place))
    return {row.video_id: _dropped(row) for row in rows if row.video_id in excess}


def _cut(rows: Sequence[Placement], seed: int) -> dict[str, Placement]:
    """Keep as many faces of fakes as there are of reals: those drawn lowest, of any video."""
    draws = {
        row.video_id: [balance_draw(seed, row.video_id, *face) for face in row.faces]
        for row in rows
        if row.label is Label.FAKE
    }
    reals = sum(len(row.faces) for row in rows if row.label is Label.REAL and not row.still)
    ordered = sorted(draw for drawn in draws.values() for draw in drawn)
    if not reals or len(ordered) <= reals:
        return {}
    below = ordered[reals]
    return {
        row.video_id: replace(row, keep_below=below)
        if min(draws[row.video_id], default=1.0) < below
        else _dropped(row)
        for row in rows
        if row.video_id in draws
    }


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


def _dropped(row: Placement, why: str = DROPPED) -> Placement:
    return replace(row, side=Side.EXCLUDED, reason=why)


def _with(rows: Sequence[Placement], changed: Mapping[str, Placement]) -> list[Placement]:
    return [changed.get(row.video_id, row) for row in rows]
