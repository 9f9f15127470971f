"""The one split under which all presets are compared: by source, whatever their own does."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from glob import escape

from framejury.archive.pins import Pins
from framejury.archive.split import Candidate, Placement, check_leakage, split_videos
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
    """A file of sides (`archive.pins`) that fixes every one of them, by path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["pattern", "side"])
    for row in sorted(placements, key=lambda row: row.path):
        writer.writerow([escape(row.path), row.side.value])
    return text.getvalue()
