"""The split that all compared presets share: by source, whatever their own settings are."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from glob import escape

from framejury.archive.fixed_splits import Pins
from framejury.archive.label_files import first_of
from framejury.archive.splits import Candidate, Placement, check_leakage, split_videos
from framejury.errors import SplitError
from framejury.schemas.statuses import Side
from framejury.settings import SplitSettings


def shared_sides(
    candidates: Sequence[Candidate], settings: SplitSettings, pins: Pins | None = None
) -> list[Placement]:
    """Assign every labelled video of an archive to a split, whole groups at a time.

    Videos without usable faces count too; otherwise each preset would be measured on other videos.

    Args:
        candidates: labelled videos; those of identical content are one group.
        settings: shares and seed; unit, order and balance are framejury's defaults.
        pins: splits fixed beforehand.

    Raises:
        SplitError: there are too few groups, or a split would lack a class.
    """
    usual = {"unit": "group", "order": "drawn", "balance": "none", "balance_over": "side"}
    whole = settings.model_copy(update=usual)
    placements = split_videos([replace(one, usable=True) for one in candidates], whole, pins)
    check_leakage(placements)
    return placements


def sides_csv(placements: Sequence[Placement]) -> str:
    """Return a CSV file (`archive.fixed_splits`) that fixes the split of every video by path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["pattern", "side"])
    for row in sorted(placements, key=lambda row: row.path):
        writer.writerow([_pattern(row.path), row.side.value])
    return text.getvalue()


def check_sides(placements: Sequence[Placement], sides: Mapping[str, str]) -> None:
    """Check that a preset's own split agrees with the shared one, or leaves videos out.

    Args:
        placements: the shared split.
        sides: video_id -> split, from the preset's warehouse.

    Raises:
        SplitError: a video is in another split, so the preset would not be comparable.
    """
    moved = [
        f"{row.path} in {sides[row.video_id]} instead of {row.side}"
        for row in placements
        if sides.get(row.video_id, row.side) not in (row.side, Side.EXCLUDED)
    ]
    if moved:
        raise SplitError(
            f"the split of {len(moved)} of {len(placements)} videos differs from that of the other "
            f"presets: {first_of(moved)}"
        )


def _pattern(path: str) -> str:
    """Return a pattern that matches only this path; readers strip outer spaces and skip `#`."""
    pattern = escape(path)
    if pattern[0] == "#" or pattern[0].isspace():
        pattern = f"[{pattern[0]}]{pattern[1:]}"
    return f"{pattern[:-1]}[{pattern[-1]}]" if pattern[-1].isspace() else pattern
