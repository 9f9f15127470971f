"""Videos divided one by one, each label by itself: what many published recipes do.

Videos of one source then stand on several sides; the leakage gate says so.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from framejury.archive.labelled_video import SIDES, Placement
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings


def sides_of_videos(
    rows: Sequence[Placement], settings: SplitSettings, pinned: Mapping[str, Side]
) -> dict[str, Side]:
    """A side for every video; each side gets its share of each label, and of stills.

    Args:
        rows: usable videos, by path.
        settings: drawn: which videos a side gets is drawn under the seed; name: it gets a run
            of videos that follow each other in name order, train first, then val, then test.
        pinned: video_id -> side, of videos that are not free; they count towards the shares.

    Returns:
        video_id -> side.
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
    """How many of the free videos of one label each side takes, in the order of `SIDES`.

    Shares are rounded by largest remainders, and are of all videos of the label; a side that
    holds more than its share gets none. Val and test get one where their share rounds to
    nothing, as long as one is left for the side that gives it.

    Args:
        free: videos to divide, count.
        held: videos that a side has already, count.
    """
    shares = {Side.TRAIN: settings.train, Side.VAL: settings.val, Side.TEST: settings.test}
    total = free + sum(held.values())
    lacking = {side: max(share * total - held.get(side, 0), 0.0) for side, share in shares.items()}
    scale = free / (sum(lacking.values()) or 1.0)
    # A share such as 0.29 of 100 is a hair less than 29.
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
