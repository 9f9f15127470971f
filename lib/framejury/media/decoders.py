"""Decode the packets of a plan and nothing else, or a whole video in order.

A plan relies on what the first pass over the packets saw; `IrregularError` tells when that was
wrong. Decoding in order leaves out damaged frames.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import av
import av.error
import numpy as np

from framejury.media.decode_plan import DecodePlan
from framejury.media.probe import Packets
from framejury.media.sample import Indices

RankedFrame = tuple[int, av.VideoFrame]
"""A frame and its rank in presentation order."""

_SEEK_BYTES = 8 * 2**20
"""Larger gaps are seeked over; smaller ones are faster to read."""
_WITHOUT_INDEX = ("mpegts", "mpeg")
"""Containers whose seeking is inexact; they are read from start to end."""


class IrregularError(Exception):
    """Packets differ from what the first pass saw, or do not decode cleanly."""


@dataclass
class DecodeCounts:
    """What decoding one file has come across so far."""

    frames: int = 0
    bad_packets: int = 0
    bad_frames: int = 0


def decode_planned(
    container: Any, stream: Any, packets: Packets, plan: DecodePlan, counts: DecodeCounts
) -> Iterator[RankedFrame]:
    """Yield each frame of the plan in its order.

    Args:
        container, stream: of a file just opened.
        packets: as the first pass found them; with an index.
        plan: what to decode.
        counts: updated.

    Raises:
        IrregularError: a packet is damaged or differs from the first pass, or a frame of the
            plan is missing. What was yielded before is intact.
    """
    wanted = deque(plan.ranks.tolist())
    reader = _PacketReader(container, stream, packets)
    for run in plan.runs:
        for frame in _decode_run(reader, stream.codec_context, run):
            counts.frames += 1
            rank = _exact_rank(frame, packets.ticks)
            if frame.is_corrupt or (wanted and rank > wanted[0]):
                raise IrregularError
            if wanted and rank == wanted[0]:
                wanted.popleft()
                yield rank, frame
    if wanted:
        raise IrregularError


def _decode_run(reader: _PacketReader, context: Any, run: Indices) -> Iterator[av.VideoFrame]:
    try:
        for packet in reader.read(run):
            yield from packet.decode()
        yield from context.decode(None)
        context.flush_buffers()
    except av.error.FFmpegError as error:
        # Frames decoded before the error are intact and still wait in the decoder.
        with suppress(av.error.FFmpegError):
            yield from context.decode(None)
        raise IrregularError from error


def _exact_rank(frame: av.VideoFrame, ticks: Indices) -> int:
    """Return the rank of the frame with exactly this time."""
    rank = int(np.searchsorted(ticks, frame.pts)) if frame.pts is not None else len(ticks)
    if rank == len(ticks) or ticks[rank] != frame.pts:
        raise IrregularError
    return rank


class _PacketReader:
    """Reads wanted packets in decoding order from a container just opened."""

    def __init__(self, container: Any, stream: Any, packets: Packets) -> None:
        index = packets.index
        assert index is not None
        self._container, self._stream = container, stream
        self._ticks = packets.ticks[index.rank]
        self._position = {tick: at for at, tick in enumerate(self._ticks.tolist())}
        self._offsets = np.concatenate([[0], np.cumsum(index.bytes)])
        self._stored = _stored_packets(container, stream)
        self._next = 0
        self._jumps = container.format.name not in _WITHOUT_INDEX

    def read(self, run: Indices) -> Iterator[Any]:
        """Yield the packets at these positions, increasing, and none in between.

        Raises:
            IrregularError: a packet is damaged or not where the first pass saw it.
            av.error.FFmpegError: the container cannot seek.
        """
        skipped_bytes = self._offsets[run[0]] - self._offsets[self._next]
        if self._jumps and skipped_bytes > _SEEK_BYTES:
            self._container.seek(int(self._ticks[run[0]]), stream=self._stream)
            self._stored = _stored_packets(self._container, self._stream)
        wanted = iter(run.tolist())
        next_wanted = next(wanted)
        for packet in self._stored:
            if packet.size == 0 or packet.is_discard:
                continue
            at = self._position.get(packet.pts, len(self._ticks))
            if at < next_wanted:
                continue
            if at > next_wanted or packet.is_corrupt:
                break
            self._next = at + 1
            yield packet
            next_wanted = next(wanted, -1)
            if next_wanted < 0:
                return
        raise IrregularError


def _stored_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield packets until the end, or until the container itself is damaged."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except MemoryError:
            raise
        except (StopIteration, av.error.FFmpegError):
            return


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
    for packet in _stored_packets(container, stream):
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
            rank = _nearest_rank(frame, packets, last_rank)
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


def _nearest_rank(frame: av.VideoFrame, packets: Packets, last_rank: int) -> int:
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
