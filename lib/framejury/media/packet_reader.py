"""Read the packets of a plan from the container, skipping or seeking past all others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av.error
import numpy as np

from framejury.media.probe import Packets
from framejury.media.sample import Indices

_SEEK_BYTES = 8 * 2**20
"""Larger gaps are seeked over; smaller ones are faster to read."""
_WITHOUT_INDEX = ("mpegts", "mpeg")
"""Containers whose seeking is inexact; they are read from start to end."""


class IrregularError(Exception):
    """Packets differ from what the first pass saw, or do not decode cleanly."""


class PacketReader:
    """Reads wanted packets in decoding order from a container just opened."""

    def __init__(self, container: Any, stream: Any, packets: Packets) -> None:
        index = packets.index
        assert index is not None
        self._container, self._stream = container, stream
        self._ticks = packets.ticks[index.rank]
        self._position = {tick: at for at, tick in enumerate(self._ticks.tolist())}
        self._offsets = np.concatenate([[0], np.cumsum(index.bytes)])
        self._stored = stored_packets(container, stream)
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
            self._stored = stored_packets(self._container, self._stream)
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


def stored_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield packets until the end, or until the container itself is damaged."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except MemoryError:
            raise
        except (StopIteration, av.error.FFmpegError):
            return
