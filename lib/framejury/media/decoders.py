"""Decode the packets of a plan and nothing else, or a whole video in order.

A plan relies on what the first pass over the packets saw; `IrregularError` tells when that was
wrong. Decoding in order leaves out damaged frames.

Each packet enters the decoder with its number in place of its time. So every frame that comes out
tells which packet it is from, also in files where a clock begins again and times occur twice.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from heapq import heappop, heappush
from typing import Any, NamedTuple

import av
import av.error
import av.logging
import numpy as np

from framejury.media.decode_plan import DecodePlan
from framejury.media.probe import Packets
from framejury.media.sample import Indices

_SEEK_BYTES = 8 * 2**20
"""Larger gaps are seeked over; smaller ones are faster to read."""
_WITHOUT_INDEX = ("mpegts", "mpeg")
"""Containers whose seeking is inexact; they are read from start to end."""


class RankedFrame(NamedTuple):
    """A frame, its rank in presentation order, and the shape of its pixels.

    Attributes:
        pixel_ratio: width of a pixel to its height, by the coded pictures; None: not told.
    """

    rank: int
    frame: av.VideoFrame
    pixel_ratio: Fraction | None


class IrregularError(Exception):
    """Packets differ from what the first pass saw, or do not decode cleanly."""


@dataclass
class DecodeCounts:
    """What decoding one file has come across so far."""

    frames: int = 0
    bad_packets: int = 0
    bad_frames: int = 0


class _Decoder:
    """Decodes numbered packets of one stream."""

    def __init__(self, context: Any, packets: Packets, counts: DecodeCounts) -> None:
        _hear_libav()
        self._context, self._packets, self._counts = context, packets, counts
        self._ratio_of: dict[int, Fraction | None] = {}
        self._ratio: Fraction | None = context.sample_aspect_ratio
        self.concealed: set[int] = set()
        """Numbers of packets whose pictures libav patched up with neighbouring pixels."""

    def decode(self, number: int, packet: Any) -> Iterator[tuple[int, RankedFrame]]:
        """Yield the frames that this packet completes, each with the number of its packet.

        Raises:
            av.error.FFmpegError: the packet is damaged.
        """
        packet.pts = packet.dts = number
        if packet.is_discard and self._packets.rank[number] >= 0:
            packet = _shown(packet)
        # Its own frame gets a flag, but those that depend on it may come out before it.
        with av.logging.Capture() as said:
            frames = self._context.decode(packet)
        if any(_CONCEALING in text for _, _, text in said):
            self.concealed.add(number)
        # The decoder reads headers at once and returns frames later.
        self._ratio = self._ratio_of[number] = self._context.sample_aspect_ratio
        return self._ranked(frames)

    def rest(self) -> Iterator[tuple[int, RankedFrame]]:
        """Yield the frames that still wait in the decoder, and make it ready for a key frame."""
        yield from self._ranked(self._context.decode(None))
        self._context.flush_buffers()

    def _ranked(self, frames: Iterable[av.VideoFrame]) -> Iterator[tuple[int, RankedFrame]]:
        for frame in frames:
            self._counts.frames += 1
            number = -1 if frame.pts is None else frame.pts
            rank = int(self._packets.rank[number]) if 0 <= number < len(self._packets.rank) else -1
            yield number, RankedFrame(rank, frame, self._ratio_of.pop(number, self._ratio))


_CONCEALING = "concealing"
"""In what libav's error resilience says: MPEG-1, 2 and 4, H.263, H.264, WMV, RealVideo."""


@cache
def _hear_libav() -> None:
    """Let what libav says reach `Capture`; what nobody captures is not printed.

    From here on a thread of libav that speaks waits for the interpreter. Threads that decode frames
    ahead (`thread_type` FRAME or AUTO) would wait forever: whoever closes the file holds the
    interpreter and waits for them. PyAV's default, SLICE, has none.
    """
    logger = logging.getLogger("libav")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    av.logging.set_skip_repeated(False)
    av.logging.set_level(av.logging.INFO)


def _shown(packet: Any) -> Any:
    """Return the packet without the flag that makes the decoder drop its frame."""
    copy = av.Packet(bytes(packet))
    copy.pts, copy.dts = packet.pts, packet.dts
    return copy


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
    decoder = _Decoder(stream.codec_context, packets, counts)
    for run in plan.runs:
        for number, ranked in _decode_run(reader, decoder, run):
            if number < 0 or ranked.frame.is_corrupt:
                raise IrregularError
            if wanted and ranked.rank > wanted[0]:
                raise IrregularError
            if wanted and ranked.rank == wanted[0]:
                wanted.popleft()
                yield ranked
    if wanted:
        raise IrregularError


def _decode_run(
    reader: _PacketReader, decoder: _Decoder, run: Indices
) -> Iterator[tuple[int, RankedFrame]]:
    try:
        for number, packet in reader.read(run):
            found = decoder.decode(number, packet)
            if decoder.concealed:
                raise IrregularError
            yield from found
        yield from decoder.rest()
    except av.error.FFmpegError as error:
        # Frames decoded before the error are intact and still wait in the decoder.
        with suppress(av.error.FFmpegError):
            yield from decoder.rest()
        raise IrregularError from error


class _PacketReader:
    """Reads wanted packets in decoding order from a container just opened."""

    def __init__(self, container: Any, stream: Any, packets: Packets) -> None:
        index, ticks = packets.index, packets.ticks
        assert index is not None and ticks is not None
        self._container, self._stream, self._ticks = container, stream, ticks
        self._packets = packets
        self._offsets = np.concatenate([[0], np.cumsum(index.bytes)])
        self._stored = _stored_packets(container, stream)
        self._next: int | None = 0  # number of the packet read next; None: just seeked
        self._read = 0
        jumps = packets.seekable and container.format.name not in _WITHOUT_INDEX
        self._number = {tick: at for at, tick in enumerate(ticks.tolist())} if jumps else {}

    def read(self, run: Indices) -> Iterator[tuple[int, Any]]:
        """Yield the packets of these numbers, increasing, and none in between.

        Raises:
            IrregularError: a packet is damaged or not where the first pass saw it.
            av.error.FFmpegError: the container cannot seek.
        """
        skipped_bytes = self._offsets[run[0]] - self._offsets[self._read]
        if self._number and skipped_bytes > _SEEK_BYTES:
            self._container.seek(int(self._ticks[run[0]]), stream=self._stream)
            self._stored = _stored_packets(self._container, self._stream)
            self._next = None
        wanted = iter(run.tolist())
        next_wanted = next(wanted)
        for packet in self._stored:
            if packet.size == 0:
                continue
            number = self._numbered(packet)
            if number < next_wanted:
                continue
            if number > next_wanted or _is_damaged(packet, number, self._packets):
                break
            self._read = number + 1
            yield number, packet
            next_wanted = next(wanted, -1)
            if next_wanted < 0:
                return
        raise IrregularError

    def _numbered(self, packet: Any) -> int:
        """Return the packet's number in the file.

        Raises:
            IrregularError: the first pass saw another packet here.
        """
        number = self._number.get(packet.pts, -1) if self._next is None else self._next
        if not 0 <= number < len(self._ticks) or self._ticks[number] != packet.pts:
            raise IrregularError
        self._next = number + 1
        return number


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


def _is_damaged(packet: Any, number: int, packets: Packets) -> bool:
    """Whether the container marks a packet as damaged.

    It also marks what comes just before another recording, as its counters do not go on there.
    """
    return packet.is_corrupt and not packets.before_join[number]


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
    decoder = _Decoder(stream.codec_context, packets, counts)
    restart, last_rank = 0, -1  # number of the last key packet; rank of the last frame
    bad: list[int] = []  # heap of the numbers of bad packets since then
    for found, bad_packet in _decoded_in_order(container, stream, packets, decoder):
        if bad_packet is not None:
            counts.bad_packets += 1
            heappush(bad, bad_packet)
        for number, ranked in found:
            frame = ranked.frame
            whole = not frame.is_corrupt and number not in decoder.concealed
            if whole and frame.key_frame:
                restart = max(number, restart)
            if not whole:
                heappush(bad, max(number, restart))
            while bad and bad[0] < restart:
                heappop(bad)
            # Frames come out later than packets go in: what is damaged since does not matter.
            intact = whole and not (bad and (number < 0 or bad[0] < number))
            counted = number < 0 or (ranked.rank >= 0 and not packets.timed)
            rank = last_rank + 1 if counted else ranked.rank
            if not last_rank < rank < packets.frames:
                continue
            last_rank = rank
            if intact:
                yield ranked._replace(rank=rank)
            else:
                counts.bad_frames += 1


def _decoded_in_order(
    container: Any, stream: Any, packets: Packets, decoder: _Decoder
) -> Iterator[tuple[list[tuple[int, RankedFrame]], int | None]]:
    """Yield what each packet completes, and its number if it is damaged; at last what waits."""
    stored = (packet for packet in _stored_packets(container, stream) if packet.size)
    for number, packet in enumerate(stored):
        try:
            damaged = _is_damaged(packet, number, packets)
            found = list(decoder.decode(number, packet))
            damaged = damaged or number in decoder.concealed
            yield found, number if damaged else None
        except MemoryError:
            raise
        except av.error.FFmpegError:
            yield [], number
    try:
        yield list(decoder.rest()), None
    except MemoryError:
        raise
    except av.error.FFmpegError:
        yield [], len(packets.rank)
