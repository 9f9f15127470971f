"""Which packets must be decoded for chosen frames, and which neighbours are cheaper.

Pure functions of the packet index. The cost of a frame is that of its dependencies: every
reference picture from the key frame on. So frames at or near a key frame are nearly free, and
pictures that no other depends on are decoded only when sampled themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framejury.media.sample import Indices, Times

SECONDS_A_PIXEL = 0.7e-9
SECONDS_A_BYTE = 1.7e-7
"""libav's H.264 decoder on one core of 2024; a plan uses only their ratio."""

_ROUNDING_S = 1e-9
"""Rounding error allowed when times are compared with a tolerance."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PacketIndex:
    """The coded pictures of a video in decoding order.

    Attributes:
        rank: int64 (n,), place among the shown pictures in presentation order, from 0, each once;
            -1: not shown.
        bytes: int64 (n,), size of each packet.
        key: bool (n,), decoding may start here.
        reference: bool (n,), others may depend on it; True if unknown.
        frame_px: pixels of one frame.
        order: int64 (n,), presentation order that also holds pictures not shown; compared only
            between a key frame and what follows it.
    """

    rank: Indices
    bytes: Indices
    key: Flags
    reference: Flags
    frame_px: int
    order: Indices

    def positions(self) -> Indices:
        """Return the packet of each shown picture: int64 (k,), by rank."""
        shown = np.flatnonzero(self.rank >= 0)
        return shown[np.argsort(self.rank[shown])]

    def costs_s(self) -> Times:
        """Estimate the seconds to decode each packet on one core: float64 (n,)."""
        seconds = SECONDS_A_PIXEL * self.frame_px + SECONDS_A_BYTE * self.bytes
        return np.asarray(seconds, np.float64)

    def starts(self) -> Indices:
        """Return where decoding must start for each packet: int64 (n,), positions.

        This is the last key frame at or before the packet that is not shown after it: a picture
        coded after a key frame and shown before it (an open group of pictures) depends on the
        previous group.
        """
        keys = np.flatnonzero(self.key)
        if len(keys) == 0 or keys[0] != 0:
            keys = np.concatenate([[0], keys])
        group = np.searchsorted(keys, np.arange(len(self.rank)), side="right") - 1
        while True:
            leading = (group > 0) & (self.order[keys[group]] > self.order)
            if not leading.any():
                return np.asarray(keys[group], np.int64)
            group = group - leading


@dataclass(frozen=True)
class DecodePlan:
    """Sampled frames and the packets they require.

    Attributes:
        ranks: int64 (k,), sampled frames, increasing.
        runs: packets to decode in decoding order, int64 each, increasing; each run starts with
            a fresh decoder at a key frame.
        cost_s: estimated seconds of decoding on one core.
    """

    ranks: Indices
    runs: tuple[Indices, ...]
    cost_s: float


def move_to_cheap(
    index: PacketIndex,
    times_s: Times,
    ideal: Indices,
    tolerance_s: float,
    within: tuple[int, int] | None = None,
    *,
    taken: Indices | None = None,
) -> Indices:
    """Replace sampled frames by cheaper neighbours where that saves decoding.

    The result is the cheapest choice overall (shortest path over the candidates of each sample).
    A sample moves by at most `tolerance_s` and a quarter of the distance to the next one, which
    keeps samples spread.

    Args:
        index: of the video.
        times_s: float64 (n,), presentation times, increasing.
        ideal: int64 (k,), ranks, increasing.
        tolerance_s: longest move of a sample, seconds; 0 keeps `ideal`.
        within: (first, stop) ranks that samples must not leave, `stop` exclusive; None: no
            limit.
        taken: ranks to which no sample may move, as earlier rounds have them; None: none.

    Returns:
        int64 (k,) ranks, increasing.
    """
    if tolerance_s <= 0 or len(ideal) in (0, len(times_s)):
        return ideal
    position = index.positions()
    starts = index.starts()
    costs_s = index.costs_s()
    reached_s = np.concatenate([[0.0], np.cumsum(np.where(index.reference, costs_s, 0.0))])
    # Moving a sample by the full tolerance must save at least one average frame.
    penalty_s = float(costs_s.mean()) / tolerance_s

    def decoding_s(previous: int, rank: int) -> float:
        """Return the extra cost of `rank` after `previous` was decoded (-1: nothing yet)."""
        at = int(position[rank])
        own_s = 0.0 if index.reference[at] else float(costs_s[at])
        fed = int(position[previous]) + 1 if previous >= 0 else 0
        begin = max(int(starts[at]), fed)
        return own_s + max(float(reached_s[at + 1] - reached_s[min(begin, at + 1)]), 0.0)

    cheapest_s = {-1: 0.0}  # cost of the cheapest path to each candidate
    trail: list[dict[int, int]] = []
    first, stop = (0, len(times_s)) if within is None else within
    candidates = _candidates(index, times_s, ideal, tolerance_s, (first, stop - 1))
    not_free = set() if taken is None else set(taken.tolist())
    for rank, reachable in zip(ideal.tolist(), candidates, strict=True):
        choices = [choice for choice in reachable if choice not in not_free] or [rank]
        reached: dict[int, float] = {}
        came_from: dict[int, int] = {}
        for choice in choices:
            moved_s = penalty_s * abs(float(times_s[choice] - times_s[rank]))
            total_s, came_from[choice] = min(
                (spent_s + decoding_s(previous, choice), previous)
                for previous, spent_s in cheapest_s.items()
            )
            reached[choice] = total_s + moved_s
        cheapest_s = reached
        trail.append(came_from)
    chosen = [min(cheapest_s, key=lambda rank: (cheapest_s[rank], rank))]
    for came_from in reversed(trail[1:]):
        chosen.append(came_from[chosen[-1]])
    return np.array(chosen[::-1], np.int64)


def _candidates(
    index: PacketIndex,
    times_s: Times,
    ideal: Indices,
    tolerance_s: float,
    ends: tuple[int, int],
) -> list[list[int]]:
    """Return the ranks to which each sample may move, within `ends`.

    These are the nearest and the first-decoded reference picture, and likewise of key frames.
    """
    position = index.positions()
    shown = index.rank >= 0
    references = np.sort(index.rank[index.reference & shown])
    keys = np.sort(index.rank[index.key & shown])
    quarters = np.diff(ideal) // 4
    lowest = np.concatenate([[ends[0]], ideal[1:] - quarters])
    highest = np.concatenate([ideal[:-1] + quarters, [ends[1]]])
    reach_s = tolerance_s + _ROUNDING_S
    first = np.searchsorted(times_s, times_s[ideal] - reach_s, side="left")
    last = np.searchsorted(times_s, times_s[ideal] + reach_s, side="right") - 1
    result = []
    for rank, low, high in zip(
        ideal, np.maximum(first, lowest), np.minimum(last, highest), strict=True
    ):
        choices = set()
        for ranks in (references, keys):
            inside = ranks[np.searchsorted(ranks, low) : np.searchsorted(ranks, high, "right")]
            if len(inside):
                nearest = inside[np.argmin(np.abs(times_s[inside] - times_s[rank]))]
                choices |= {int(nearest), int(inside[np.argmin(position[inside])])}
        result.append(sorted(choices) or [int(rank)])
    return result


def plan_decode(index: PacketIndex, ranks: Indices) -> DecodePlan:
    """Plan the packets that must be decoded for `ranks`, and no others.

    Args:
        index: of the video.
        ranks: int64 (k,), increasing.
    """
    position = index.positions()
    starts = index.starts()
    costs_s = index.costs_s()
    spans: list[list[int]] = []  # first and last packet of each run
    for at in position[ranks].tolist():
        start = int(starts[at])
        if spans and start <= spans[-1][1] + 1:
            spans[-1][1] = max(spans[-1][1], at)
        else:
            spans.append([start, at])
    wanted = np.zeros(len(index.rank), np.bool_)
    wanted[position[ranks]] = True
    runs = []
    for first, last in spans:
        between = np.arange(first, last + 1)
        needed = index.reference[between] | wanted[between]
        if first > 0:  # pictures shown before the first key frame of the run cannot be decoded
            needed &= index.order[between] >= index.order[first]
        runs.append(between[needed])
    cost_s = float(sum(costs_s[run].sum() for run in runs))
    return DecodePlan(ranks, tuple(runs), cost_s)


def segment_windows(
    index: PacketIndex, ranks: Indices, most_s: float, each_s: float
) -> list[tuple[int, int]]:
    """Cut a video at key frames into stretches of about `most_s` seconds of work.

    Args:
        index: of the video.
        ranks: int64 (k,), sampled frames, increasing.
        most_s: target for one stretch, seconds; one group of pictures may take longer.
        each_s: work per sampled frame besides decoding, seconds.

    Returns:
        (first, stop) ranks, `stop` exclusive; together they contain each of `ranks` once.
    """
    if len(ranks) == 0:
        return [(0, int(index.rank.max(initial=-1)) + 1)]
    position = index.positions()
    starts = index.starts()
    sampled = starts[position[ranks]]
    breaks = np.flatnonzero(np.diff(sampled, prepend=-1) > 0)  # first sample of each group
    needed = np.concatenate(plan_decode(index, ranks).runs)
    group = np.searchsorted(sampled[breaks], starts[needed], side="right") - 1
    decoding_s = np.bincount(group.clip(0), index.costs_s()[needed], len(breaks))
    group_s = decoding_s + each_s * np.diff(breaks, append=len(ranks))
    windows: list[tuple[int, int]] = []
    first, spent_s = 0, 0.0
    for begin, seconds in zip(breaks.tolist(), group_s.tolist(), strict=True):
        if begin > first and spent_s + seconds > most_s:
            windows.append((int(ranks[first]), int(ranks[begin])))
            first, spent_s = begin, 0.0
        spent_s += seconds
    windows.append((int(ranks[first]), len(position)))
    return windows
