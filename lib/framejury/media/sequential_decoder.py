"""Decode a whole video in order, leaving out damaged frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import av
import av.error
import numpy as np

from framejury.media.packet_reader import stored_packets
from framejury.media.planned_decoder import DecodeCounts, RankedFrame
from framejury.media.probe import Packets
from framejury.media.sample import Indices


def decode_in_order(
    container: Any, stream: Any, packets: Packets, counts: DecodeCounts
) -> Iterator[RankedFrame]:
    """Yield every intact frame in presentation order.

    The decoder conceals a damaged frame with its neighbours, and later frames inherit that.
    None of them shows what was filmed, so all are left out until the next key frame.

    Args:
        container, stream: of a file just opened.
        packets: as the first pass found them.
        counts: updated.
    """
    intact = True
    last_rank = -1
    for packet in stored_packets(container, stream):
        try:
            frames = packet.decode()
            bad = packet.is_corrupt
        except MemoryError:
            raise
        except av.error.FFmpegError:
            frames, bad = [], True
        counts.bad_packets += bad
        intact = intact and not bad
        for frame in frames:
            counts.frames += 1
            intact = not frame.is_corrupt and (intact or frame.key_frame)
            rank = _rank(frame, packets, last_rank)
            if not last_rank < rank < len(packets.ticks):
                continue
            last_rank = rank
            if intact:
                yield rank, frame
            else:
                counts.bad_frames += 1


def samples_in_order(
    decoded: Iterable[RankedFrame], ranks: Indices, stop: int | None, span: int
) -> Iterator[tuple[RankedFrame, ...]]:
    """Yield for each rank the first `span` consecutive frames that start there or later.

    Args:
        decoded: frames in presentation order; not read when `ranks` is empty.
        ranks: int64 (k,), increasing.
        stop: samples start before this rank; None: anywhere.
        span: frames per sample.
    """
    wanted = deque(ranks.tolist())
    latest: deque[RankedFrame] = deque(maxlen=span)
    for rank, frame in decoded if wanted else ():
        if latest and rank != latest[-1][0] + 1:
            latest.clear()
        latest.append((rank, frame))
        first = latest[0][0]
        if len(latest) < span or first < wanted[0]:
            continue
        if stop is not None and first >= stop:
            return
        while wanted and wanted[0] <= first:
            wanted.popleft()
        yield tuple(latest)
        if not wanted:
            return


def _rank(frame: av.VideoFrame, packets: Packets, last_rank: int) -> int:
    """Return the rank of the frame by the nearest time; without times, count."""
    if not packets.timed or frame.pts is None:
        return last_rank + 1
    ticks = packets.ticks
    after = int(np.searchsorted(ticks, frame.pts))
    if after == len(ticks):
        return after - 1
    if after and frame.pts - ticks[after - 1] < ticks[after] - frame.pts:
        return after - 1
    return after
