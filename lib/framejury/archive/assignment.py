"""Assignment of groups, videos or faces to splits.

By group, no source is in two splits. By video or face, as many published recipes do, the videos of
one source may be in several; the leakage gate reports it.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from framejury.archive.labelled_video import SIDES, Placement
from framejury.errors import SplitError
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings


def assign_groups(
    members: Mapping[str, Sequence[Placement]],
    settings: SplitSettings,
    pinned: Mapping[str, Side],
) -> dict[str, Side]:
    """Assign every group to a split.

    Groups are taken in an order drawn with `settings.seed`, those with both classes first. The
    smaller splits first take the one group that fits them best; every other group goes to the
    split that lacks most of its share, counted in videos per label.

    Args:
        members: group -> its videos; those with a reason are ignored.
        settings: shares and seed.
        pinned: group -> split, of groups that are not free.

    Raises:
        SplitError: there are fewer groups than splits.
    """
    shares = _shares(settings)
    sides = [side for side in SIDES if shares[side] > 0 or side in pinned.values()]
    if len(members) < len(sides):
        raise SplitError(
            f"{len(members)} groups of labelled videos with faces cannot fill {len(sides)} splits; "
            "label more sources, or do without a test split: --set split.train=0.9 "
            "--set split.test=0"
        )
    order = sorted(members)
    random.Random(settings.seed).shuffle(order)
    # Groups of both classes first: every split needs them.
    order.sort(key=lambda group: len({row.label for row in members[group]}), reverse=True)
    wanted = {
        (side, label): shares[side]
        * sum(r.label is label and r.reason is None for rows in members.values() for r in rows)
        for side in sides
        for label in Label
    }
    counts_of = {
        group: Counter(row.label for row in members[group] if row.reason is None) for group in order
    }
    for group, side in pinned.items():
        _take(wanted, side, counts_of[group])
    side_of = _first_picks(order, counts_of, wanted, sides, pinned)
    for group in order:
        if group not in side_of:
            counts = counts_of[group]
            best = max(sides, key=lambda side: (_need(wanted, side, counts), -sides.index(side)))
            side_of[group] = best
            _take(wanted, best, counts)
    return side_of


Wanted = dict[tuple[Side, Label], float]
"""How many videos of a label a split still lacks."""


def _first_picks(
    order: list[str],
    counts_of: dict[str, Counter[Label]],
    wanted: Wanted,
    sides: list[Side],
    pinned: Mapping[str, Side],
) -> dict[str, Side]:
    """Give val and test one group of each label, as small shares may round to none."""
    side_of = dict(pinned)
    for side in sides[1:]:
        for label in Label:
            if any(counts_of[group][label] for group, at in side_of.items() if at is side):
                continue
            free = [group for group in order if group not in side_of and counts_of[group][label]]
            if len(free) < 2:
                continue  # the last one stays in train
            fit = {g: (len(counts_of[g]), _need(wanted, side, counts_of[g])) for g in free}
            best = max(free, key=fit.__getitem__)
            side_of[best] = side
            _take(wanted, side, counts_of[best])
    return side_of


def _shares(settings: SplitSettings) -> dict[Side, float]:
    return {Side.TRAIN: settings.train, Side.VAL: settings.val, Side.TEST: settings.test}


def _take(wanted: Wanted, side: Side, counts: Counter[Label]) -> None:
    for label, count in counts.items():
        wanted[side, label] -= count


def _need(wanted: Wanted, side: Side, counts: Counter[Label]) -> float:
    """Rate how well a group fills what a split lacks; overfilling is penalised."""
    return sum(
        min(wanted[side, label], count) - 2 * max(count - wanted[side, label], 0)
        for label, count in counts.items()
    )


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
    shares = _shares(settings)
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


@dataclass(frozen=True, slots=True)
class FaceDraw:
    """Draws the split of a face from its identity, whatever the reading order.

    Attributes: as the settings `split.*`.
    """

    seed: int
    train: float
    val: float
    test: float

    def side_of(self, video_id: str, frame_index: int, face_index: int) -> Side:
        """Return the split of one face of `faces`."""
        drawn = _drawn(f"{self.seed}:{video_id}:{frame_index}:{face_index}")
        if drawn < self.train:
            return Side.TRAIN
        # Sums of shares are not exact; what lies beyond them goes to the last split.
        return Side.TEST if self.test > 0 and drawn >= self.train + self.val else Side.VAL


@dataclass(frozen=True, slots=True)
class FaceCut:
    """Keeps a drawn part of a video's faces, whatever the reading order.

    Attributes:
        seed: `split.seed`.
        below: faces drawn below this are kept, 0 to 1.
    """

    seed: int
    below: float

    def keeps(self, video_id: str, frame_index: int, face_index: int) -> bool:
        """Return whether one face of `faces` counts."""
        return balance_draw(self.seed, video_id, frame_index, face_index) < self.below


def balance_draw(seed: int, video_id: str, frame_index: int, face_index: int) -> float:
    """Return the rank of a face among those to keep, 0 to 1; independent of its split."""
    return _drawn(f"balance:{seed}:{video_id}:{frame_index}:{face_index}")


def _drawn(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
