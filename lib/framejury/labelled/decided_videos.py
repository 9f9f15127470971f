"""Videos without a label that a person has decided on, as labelled videos.

They measure and calibrate, and never train: a network that learned from decisions, made by people
who saw its verdicts, would confirm itself. So none is put into split train by this module. A video
follows the split of what it shares a source or its content with; others are drawn for val or test
as a whole source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from framejury.archive.groups import group_names
from framejury.archive.labelled_video import SIDES, Placement, keys_of
from framejury.decisions.decided import label_of
from framejury.logs import say
from framejury.pages.text_table import counted
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings
from framejury.warehouse import Warehouse
from framejury.warehouse.deciding import standing_decisions

if TYPE_CHECKING:
    from framejury.labelled.videos import LabelledVideo
    from framejury.training.source import FaceSource

CAVEAT = (
    "People decided after they had seen a verdict, so figures on these videos flatter the model "
    "that they saw."
)


def decided_notes(
    warehouses: Sequence[Warehouse], videos: Sequence[LabelledVideo], *, used: bool
) -> tuple[str, ...]:
    """Tell how many videos count by a decision, or that some could; return caveats of a report.

    Args:
        warehouses: of the videos.
        videos: that are measured.
        used: whether decisions count.
    """
    if not used:
        if count := sum(len(decided_labels(warehouse)) for warehouse in warehouses):
            say(
                f"  note: people decided on {counted(count, 'video')}; those without a label "
                "count with --decisions"
            )
        return ()
    count = sum(video.decided for video in videos)
    note = decided_sentence(count, len(videos))
    say(f"  note: {note}")
    return (note,)


def decided_sentence(count: int, total: int) -> str:
    """Return how many of the measured videos count by a decision, and what that means."""
    has = "has no label and counts" if count == 1 else "have no label and count"
    return f"{count:,} of {counted(total, 'video')} {has} by a decision of a person. {CAVEAT}"


def without_decided(source: FaceSource, videos: Sequence[LabelledVideo]) -> FaceSource:
    """Return the faces of videos with a label of their own, as the fingerprint counts them."""
    by_people = {video.row["video_id"] for video in videos if video.decided}
    kept = {key: one for key, one in source.videos.items() if key not in by_people}
    return replace(source, videos=kept)


def decided_labels(warehouse: Warehouse) -> dict[str, Label]:
    """Return video_id -> label by the current decision of a person; unclear is none."""
    found = {key: label_of(one) for key, one in standing_decisions(warehouse).items()}
    return {key: label for key, label in found.items() if label is not None}


def decided_placements(
    rows: Sequence[Placement], videos: Sequence[LabelledVideo], settings: SplitSettings
) -> list[Placement]:
    """Return where the videos with a decision belong, beside the rows of a split by group.

    Args:
        rows: of the split; may be empty.
        videos: with a label by a decision.
        settings: `val`, `test` and `seed` of the split.

    Returns:
        a row per video, excluded where it is tied to several splits or to faces drawn one by one.
    """
    candidates = [video.candidate for video in videos]
    bonds = [(f"group {row.group}", *row.keys) for row in rows]
    sources = group_names([*bonds, *map(keys_of, candidates)])
    sides: dict[str, set[Side]] = defaultdict(set)
    for row, source in zip(rows, sources, strict=False):
        if row.side is not Side.EXCLUDED:
            sides[source].add(row.side)
    found = []
    for one, source in zip(candidates, sources[len(rows) :], strict=True):
        side, reason = _drawn(source, settings), None
        if tied := sides.get(source):
            side = next(iter(tied))
            if len(tied) > 1 or side not in SIDES:
                side, reason = Side.EXCLUDED, "its sources are in several splits"
        found.append(
            Placement(
                one.video_id,
                one.path,
                one.label,
                source,
                side,
                reason,
                keys_of(one),
                method=one.method,
            )
        )
    return found


def _drawn(source: str, settings: SplitSettings) -> Side:
    """Draw val or test for a source that is in no split; the same source is always drawn alike."""
    digest = blake2b(f"{settings.seed} {source}".encode(), digest_size=8).digest()
    share = int.from_bytes(digest, "big") / 2**64
    return Side.VAL if share * (settings.val + settings.test) < settings.val else Side.TEST
