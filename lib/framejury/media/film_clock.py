"""From the clocks of a file to the time of its film. Pure functions of packet headers.

A file can hold several recordings end to end, each a *stretch* with a clock of its own, and clocks
can jump. Neither what lies between two stretches nor what a jump skips is film: the time of the
film runs on from the frame before to the frame after. Elsewhere it is the presentation time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framejury.media.sample import Indices, Times

GAP_S = 10.0
"""A clock that jumps by more than this beyond the end of a frame has a gap (as in ffmpeg,
`-dts_delta_threshold`). Shorter ones are film: a frame may stand still."""

_JITTER_S = 0.1
"""Steps back by at most this are jitter, not a new clock (as in ffmpeg)."""
_REORDER_S = 1.0
"""The same where only presentation times are known, which step back with every B-frame."""

_AT_JOIN = 2
"""So many packets before a join libav may mark as damaged, as its counters do not go on there."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PacketTimes:
    """The packets of a stream in file order, all arrays of length n.

    Attributes:
        pts: int64, presentation times, ticks.
        dts: int64, decoding times, ticks; None: not all packets have one.
        duration: int64, ticks; 0: unknown.
        key: bool, decoding may start here.
        hidden: bool, decoded but not shown (an edit list leaves it out).
        fragmented: whether libav also hides what overlaps an earlier fragment; it does so where
            two recordings of one clock are put end to end.
        tick_s: seconds per tick.
        frame_s: duration of a frame where the packet has none, seconds.
    """

    pts: Indices
    dts: Indices | None
    duration: Indices
    key: Flags
    hidden: Flags
    fragmented: bool
    tick_s: float
    frame_s: float


@dataclass(frozen=True)
class Film:
    """When each packet's picture is shown.

    Attributes:
        rank: int64 (n,), place among the shown pictures, from 0; -1: not shown.
        order: int64 (n,), presentation order within a stretch, also of pictures not shown.
        times_s: float64 (k,), film time of each shown picture, strictly increasing from 0.
        end_s: when the last one ends.
        unique: whether no two shown pictures have the same time.
        orphan: bool (n,), depends on a key frame that is not in the file.
        restarts: how often the clock began again or stepped back.
        starts_s: film time at which each recording begins, of those that show anything.
        gaps_s: what jumps forward left out, seconds each.
        before_join: bool (n,), among the last packets before another recording.
        first_tick, last_tick: presentation times on the clock of the file: of the first shown
            picture, and the latest of all.
    """

    rank: Indices
    order: Indices
    times_s: Times
    end_s: float
    unique: bool
    orphan: Flags
    restarts: int
    starts_s: tuple[float, ...]
    gaps_s: tuple[float, ...]
    before_join: Flags
    first_tick: int
    last_tick: int


def film_of(packets: PacketTimes) -> Film:
    """Put the pictures of all stretches on one clock."""
    starts = _stretch_starts(packets)
    count = len(packets.pts)
    rank = np.full(count, -1, np.int64)
    orphan, before_join = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    times: list[Times] = []
    starts_s: list[float] = []
    gaps_s: list[float] = []
    shown_before, film_s, first_tick, end_tick, unique = 0, 0.0, None, 0, True
    for first, stop in zip(starts, [*starts[1:], count], strict=True):
        before_join[max(first, stop - _AT_JOIN) : stop] = stop < count
        orphan[first:stop] = _orphans(packets, first, stop)
        left_out = orphan[first:stop].copy()
        if first == 0 or not packets.fragmented:
            left_out |= packets.hidden[first:stop]
        shown = first + np.flatnonzero(~left_out)
        if len(shown) == 0:
            continue
        starts_s.append(film_s)
        ticks, where, place = np.unique(packets.pts[shown], return_index=True, return_inverse=True)
        unique = unique and len(ticks) == len(shown)
        rank[shown] = shown_before + place
        # In ticks, so that times of a clock without gaps stay exact.
        durations, steps = packets.duration[shown[where]][:-1], np.diff(ticks)
        skipped_s = (steps - durations) * packets.tick_s
        gap = skipped_s > GAP_S
        gaps_s += skipped_s[gap].tolist()
        frame = max(round(packets.frame_s / packets.tick_s), 1)
        steps[gap] = np.where(durations > 0, durations, frame)[gap]
        times.append(film_s + np.concatenate([[0], np.cumsum(steps)]) * packets.tick_s)
        known = packets.duration[first:stop][packets.duration[first:stop] > 0]
        last_s = float(known[-1]) * packets.tick_s if len(known) else packets.frame_s
        film_s = float(times[-1][-1]) + last_s
        first_tick = int(ticks[0]) if first_tick is None else first_tick
        end_tick = max(end_tick, int(ticks[-1]))
        shown_before += len(ticks)
    return Film(
        rank=rank,
        order=packets.pts,
        times_s=np.concatenate(times) if times else np.zeros(0),
        end_s=film_s,
        unique=unique,
        orphan=orphan,
        before_join=before_join,
        restarts=len(starts) - 1,
        starts_s=tuple(starts_s),
        gaps_s=tuple(gaps_s),
        first_tick=first_tick or 0,
        last_tick=end_tick,
    )


def _stretch_starts(packets: PacketTimes) -> list[int]:
    """Return the packets where a clock begins; the first is 0."""
    clock = packets.pts if packets.dts is None else packets.dts
    back_s = _REORDER_S if packets.dts is None else _JITTER_S
    back = np.diff(clock) * packets.tick_s < -back_s
    return [0, *(np.flatnonzero(back) + 1).tolist()]


def _orphans(packets: PacketTimes, first: int, stop: int) -> Flags:
    """Return which packets of a stretch precede its first key frame or depend on what does.

    Those are the packets before it in the file and, except in the first stretch, the pictures coded
    after it and shown before it: their references are in a recording that is not there. In
    the first stretch the decoder knows which of them are whole.
    """
    keys = first + np.flatnonzero(packets.key[first:stop])
    at = np.arange(first, stop)
    if len(keys) == 0:  # no key frame is marked, as in streams that refresh part by part
        return np.zeros(stop - first, np.bool_)
    orphan = at < keys[0]
    if first > 0:
        until = keys[1] if len(keys) > 1 else stop
        orphan |= (at < until) & (packets.pts[first:stop] < packets.pts[keys[0]])
    return np.asarray(orphan, np.bool_)
