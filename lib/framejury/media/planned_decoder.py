"""Decode the packets of a plan, and nothing else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import av
import av.error
import numpy as np

from framejury.media.decode_plan import DecodePlan
from framejury.media.packet_reader import IrregularError, PacketReader
from framejury.media.probe import Packets
from framejury.media.sample import Indices

RankedFrame = tuple[int, av.VideoFrame]
"""A frame and its rank in presentation order."""


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
    reader = PacketReader(container, stream, packets)
    for run in plan.runs:
        for frame in _decode_run(reader, stream.codec_context, run):
            counts.frames += 1
            rank = _rank(frame, packets.ticks)
            if frame.is_corrupt or (wanted and rank > wanted[0]):
                raise IrregularError
            if wanted and rank == wanted[0]:
                wanted.popleft()
                yield rank, frame
    if wanted:
        raise IrregularError


def _decode_run(reader: PacketReader, context: Any, run: Indices) -> Iterator[av.VideoFrame]:
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


def _rank(frame: av.VideoFrame, ticks: Indices) -> int:
    """Return the rank of the frame with exactly this time."""
    rank = int(np.searchsorted(ticks, frame.pts)) if frame.pts is not None else len(ticks)
    if rank == len(ticks) or ticks[rank] != frame.pts:
        raise IrregularError
    return rank
