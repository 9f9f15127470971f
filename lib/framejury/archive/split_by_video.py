"""Splits videos one by one, per label, as many published recipes do.

Videos of one source may end up in several splits; the leakage gate reports it.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from framejury.archive.labelled_video import SIDES, Placement
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings


def assign_videos(
    rows: Sequence[Placement], settings: SplitSettings, pinned: Mapping[str, Side]
) -> dict[str, Side]:
    """Assign every video to a split; each split gets its share of each label, and of stills.

    Args:
        rows: usable videos, by path.
        settings: with order drawn, videos are drawn with the seed; with name, each split gets a
            run of consecutive videos in name order: train, then val, then test.
        pinned: video_id -> split, of videos that are not free; they count towards the shares.

    Returns:
        video_id -> split.
    """
    strata: dict[tuple[Label, bool], list[str]] = defaultdict(list)
    for row in rows:
        strata[row.label, row.still].append(row.video_id)
    side_of: dict[str, Side] = {}
    for (label, still), ids in strata.items():
        held = {video_id: pinned[video_id] for video_id in ids if video_id in pinned}
        free = [video_id for video_id in ids if video_id not in held]
        if settings.order == "drawn":
            random.Random(f"{settings.seed}:{label.value}:{still}").shuffle(free)
        side_of |= held
        start = 0
        for side, count in quotas(len(free), settings, Counter(held.values())).items():
            side_of |= dict.fromkeys(free[start : start + count], side)
            start += count
    return side_of


def quotas(free: int, settings: SplitSettings, held: Mapping[Side, int]) -> dict[Side, int]:
    """Return how many of the free videos of one label each split takes, in the order of `SIDES`.

    Shares refer to all videos of the label and are rounded by largest remainders; a split that
    holds more than its share gets none. Val and test get one video if their share rounds to
    zero, as long as the split that gives it keeps one.

    Args:
        free: videos to assign, count.
        settings: the shares.
        held: videos that a split has already, count.
    """
    shares = {Side.TRAIN: settings.train, Side.VAL: settings.val, Side.TEST: settings.test}
    total = free + sum(held.values())
    lacking = {side: max(share * total - held.get(side, 0), 0.0) for side, share in shares.items()}
    scale = free / (sum(lacking.values()) or 1.0)
    # In floating point, 0.29 of 100 is slightly less than 29.
    ideal = {side: round(count * scale, 9) for side, count in lacking.items()}
    counts = {side: int(ideal[side]) for side in SIDES}
    by_remainder = sorted(SIDES, key=lambda side: counts[side] - ideal[side])
    for side in by_remainder[: free - sum(counts.values())]:
        counts[side] += 1
    for side in (Side.VAL, Side.TEST):
        giver = max(SIDES, key=counts.__getitem__)
        if shares[side] and not counts[side] and not held.get(side) and counts[giver] > 1:
            counts[giver] -= 1
            counts[side] += 1
    return counts
