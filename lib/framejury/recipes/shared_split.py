"""The one split under which all presets are compared: by source, whatever their own does."""

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
    """A side for every labelled video of an archive, whole groups at a time, none dropped.

    Which faces a preset finds does not count, or each would be measured on other videos.

    Args:
        candidates: labelled videos; those of identical content are one group.
        settings: shares and seed; unit, order and balance are those of framejury's default.
        pins: sides fixed beforehand.

    Raises:
        SplitError: too few groups, or a side would lack a class.
    """
    whole = replace_settings(settings)
    placements = split_videos([replace(one, usable=True) for one in candidates], whole, pins)
    check_leakage(placements)
    return placements


def replace_settings(settings: SplitSettings) -> SplitSettings:
    """The same shares and seed, by source and without dropping fakes."""
    usual = {"unit": "group", "order": "drawn", "balance": "none", "balance_over": "side"}
    return settings.model_copy(update=usual)


def sides_csv(placements: Sequence[Placement]) -> str:
    """A file of sides (`archive.fixed_splits`) that fixes every one of them, by path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["pattern", "side"])
    for row in sorted(placements, key=lambda row: row.path):
        writer.writerow([_pattern(row.path), row.side.value])
    return text.getvalue()


def check_sides(placements: Sequence[Placement], sides: Mapping[str, str]) -> None:
    """That a preset's own split left every video where it is for all of them, or left it out.

    Args:
        sides: video_id -> side, as the preset's split has it.

    Raises:
        SplitError: a video stands elsewhere, and would be learned by or measured as another's.
    """
    moved = [
        f"{row.path} on {sides[row.video_id]} in place of {row.side}"
        for row in placements
        if sides.get(row.video_id, row.side) not in (row.side, Side.EXCLUDED)
    ]
    if moved:
        raise SplitError(
            f"of {len(placements)} videos {len(moved)} stand on another side than for the other "
            f"presets: {first_of(moved)}"
        )


def _pattern(path: str) -> str:
    """What fits this path and nothing else; a reader of pins drops spaces at its ends, and `#`."""
    pattern = escape(path)
    if pattern[0] == "#" or pattern[0].isspace():
        pattern = f"[{pattern[0]}]{pattern[1:]}"
    return f"{pattern[:-1]}[{pattern[-1]}]" if pattern[-1].isspace() else pattern
