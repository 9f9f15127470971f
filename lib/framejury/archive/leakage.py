"""The leakage gate: what ties videos together must stand on one side of a split.

It looks at every split. Where whole groups were to be divided, it refuses one that leaks. Where
videos or faces were divided on purpose, as some published recipes do, it says in a sentence what
leaks, and every report repeats that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from framejury.archive.groups import group_names
from framejury.archive.labelled_video import Placement
from framejury.errors import LeakageError
from framejury.schemas.statuses import Side

_FLATTERED = "so figures on val and test are too good"


def check_leakage(placements: Iterable[Placement]) -> str | None:
    """The gate: no key (group, original, donor, content) may stand on two sides.

    Excluded videos are on no side.

    Returns:
        what leaks, one or two sentences for every report, where videos or faces were divided
        rather than groups; None when nothing does.

    Raises:
        LeakageError: something does among videos whose groups were to stay whole; the message
            names keys, sides and videos.
    """
    rows = [row for row in placements if row.side is not Side.EXCLUDED]
    _refuse_torn([row for row in rows if row.unit == "group"])
    said = []
    mixed = sum(row.side is Side.MIXED for row in rows)
    if mixed:
        said.append(
            f"Split by face: faces of the same video stand on both sides ({_videos(mixed)}), "
            f"{_FLATTERED}."
        )
    torn = _torn_sources([row for row in rows if row.side is not Side.MIXED])
    if torn:
        sources = "1 source stands" if torn == 1 else f"{torn:,} sources stand"
        said.append(
            f"Split by video: {sources} (group, original, donor or identical content) on two "
            f"sides or more, {_FLATTERED}."
        )
    return " ".join(said) or None


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
            f"{len(culprits)} sources stand on two sides of the split: {listed}. "
            "Run `framejury split` again; a split must not be edited by hand"
        )


def _torn_sources(rows: Sequence[Placement]) -> int:
    """How many sources stand on two sides: videos that share a key, directly or over others."""
    sides: dict[str, set[Side]] = defaultdict(set)
    for row, source in zip(rows, group_names([_bonds(row) for row in rows]), strict=True):
        sides[source].add(row.side)
    return sum(len(found) > 1 for found in sides.values())


def _bonds(row: Placement) -> tuple[str, ...]:
    return (f"group {row.group}", *row.keys)


def _videos(count: int) -> str:
    return "1 video" if count == 1 else f"{count:,} videos"
