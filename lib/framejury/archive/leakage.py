"""The leakage gate: videos that are tied together must be in one split.

It checks every split. A split by group that leaks is refused. A split by video or face, as some
published recipes use, is allowed; the gate then describes the leak in a sentence that every
report repeats.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from framejury.archive.groups import group_names
from framejury.archive.labelled_video import Placement
from framejury.errors import LeakageError
from framejury.schemas.statuses import Side

_FLATTERED = "so figures on val and test are too optimistic"


def check_leakage(placements: Iterable[Placement]) -> str | None:
    """Check that no key (group, original, donor, content) is in two splits.

    Excluded videos are in no split.

    Returns:
        one or two sentences on the leak of a split by video or face; None if nothing leaks.

    Raises:
        LeakageError: a split by group leaks; the message names keys, splits and videos.
    """
    rows = [row for row in placements if row.side is not Side.EXCLUDED]
    _refuse_torn([row for row in rows if row.unit == "group"])
    sentences = []
    mixed = sum(row.side is Side.MIXED for row in rows)
    if mixed:
        sentences.append(
            f"Split by face: faces of the same video are in several splits ({_videos(mixed)}), "
            f"{_FLATTERED}."
        )
    torn = _torn_sources([row for row in rows if row.side is not Side.MIXED])
    if torn:
        sources = "1 source is" if torn == 1 else f"{torn:,} sources are"
        sentences.append(
            f"Split by video: {sources} (group, original, donor or identical content) in several "
            f"splits, {_FLATTERED}."
        )
    return " ".join(sentences) or None


def _refuse_torn(rows: Sequence[Placement]) -> None:
    seen: dict[str, dict[Side, str]] = defaultdict(dict)
    for row in rows:
        for key in _bonds(row):
            seen[key].setdefault(row.side, row.path)
    culprits = {key: sides for key, sides in seen.items() if len(sides) > 1}
    if culprits:
        listed = "; ".join(
            f"{key}: " + ", ".join(f"{path} in {side.value}" for side, path in sides.items())
            for key, sides in sorted(culprits.items())[:10]
        )
        raise LeakageError(
            f"sources in two splits: {len(culprits)} ({listed}). "
            "Run `framejury split` again; do not edit a split by hand"
        )


def _torn_sources(rows: Sequence[Placement]) -> int:
    """Count sources in two splits; videos that share a key, also indirectly, are one source."""
    sides: dict[str, set[Side]] = defaultdict(set)
    for row, source in zip(rows, group_names([_bonds(row) for row in rows]), strict=True):
        sides[source].add(row.side)
    return sum(len(found) > 1 for found in sides.values())


def _bonds(row: Placement) -> tuple[str, ...]:
    return (f"group {row.group}", *row.keys)


def _videos(count: int) -> str:
    return "1 video" if count == 1 else f"{count:,} videos"
