"""What the packets of a video stream contain, before any frame is decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import av.error
import numpy as np

from framejury.errors import MediaError
from framejury.media.decode_plan import PacketIndex
from framejury.media.film_clock import Film, Flags, PacketTimes, film_of
from framejury.media.origin import HEAD_BYTES
from framejury.media.references import layer_reader
from framejury.media.sample import Indices, Times
from framejury.records import Size
from framejury.schemas.statuses import Note, Status
from framejury.settings import LimitSettings

_DURATION_TAG = re.compile(r"^(\d+):(\d\d):(\d\d(?:\.\d+)?)$")
_DURATION_SLACK_S = 1.0
_ENCRYPTED = "encryption_info"
_FRAME_RATE = 25.0
"""Where a stream has neither times nor a rate."""


@dataclass(frozen=True)
class VideoFacts:
    """A video by its packet headers.

    Attributes:
        container: libav's name of the format, such as `mov,mp4,m4a,3gp,3g2,mj2`.
        codec: libav's name of the codec, such as `h264`.
        coded_size: as stored: before rotation, and not in square pixels.
        times_s: float64 (n,), film time of each frame, increasing from 0.
        duration_s: until the last frame ends, seconds; gaps between recordings are no film.
        cut_short: what the header announces and the file lacks, in words; None: nothing.
        orphans: frames left out because they depend on a key frame that is not in the file.
        restarts: how often the clock begins again, as in recordings put end to end.
        starts_s: when each of the recordings begins, seconds.
        gaps_s: what the clock skips, seconds each.
        head: first bytes of the first packet.
    """

    container: str
    codec: str
    coded_size: Size
    times_s: Times
    duration_s: float
    cut_short: str | None
    orphans: int
    restarts: int
    starts_s: tuple[float, ...]
    gaps_s: tuple[float, ...]
    head: bytes = b""


@dataclass(frozen=True)
class Packets:
    """The packets of the picture stream that are not empty, in file order.

    Attributes:
        rank: int64 (n,), rank of the frame of each packet; -1: not shown.
        timed: whether `rank` tells which frame is which; otherwise frames are counted.
        index: dependencies between packets; None: they are not known.
        key_frames: int64, ranks of the key frames, increasing.
        ticks: int64 (n,), presentation times on the clock of the file; None: there are none.
        before_join: bool (n,), among the last packets before another recording.
        start_tick: of the first frame.
        seekable: whether a presentation time identifies a packet.
    """

    rank: Indices
    timed: bool
    index: PacketIndex | None
    key_frames: Indices
    ticks: Indices | None
    before_join: Flags
    start_tick: int
    seekable: bool

    @property
    def frames(self) -> int:
        """How many frames are shown."""
        return int(self.rank.max(initial=-1)) + 1


def read_packets(container: Any, stream: Any, limits: LimitSettings) -> tuple[VideoFacts, Packets]:
    """Read packet headers and the first bytes of each packet, without decoding.

    Raises:
        MediaError: `unreadable` if the stream has no packets or is encrypted, `too_large` if it
            has more than `limits.frames`.
    """
    indexed = len(stream.index_entries)  # before packets are read, which may add entries
    listed = _list_packets(container, stream, limits)
    if not listed.packet_bytes:
        raise MediaError(Status.UNREADABLE, "the video stream has no packets")
    timed = None not in listed.pts
    film = film_of(listed.times(stream, timed=timed))
    if not timed:
        rate = _rate(stream)
        count = len(film.times_s)
        film = replace(film, times_s=np.arange(count) / rate, end_s=count / rate)
    packets = _packets(stream.codec_context, listed, film, timed=timed)
    context = stream.codec_context
    facts = VideoFacts(
        container=container.format.name,
        codec=context.name,
        coded_size=Size(context.height, context.width),
        times_s=film.times_s,
        duration_s=film.end_s,
        cut_short=_missing_frames(stream, len(listed.packet_bytes), film, indexed),
        orphans=int(film.orphan.sum()),
        restarts=film.restarts,
        starts_s=film.starts_s,
        gaps_s=film.gaps_s,
        head=listed.head,
    )
    return facts, packets


@dataclass
class _Listed:
    """The packets of a stream that are not empty, in file order."""

    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    duration: list[int] = field(default_factory=list)
    packet_bytes: list[int] = field(default_factory=list)
    key: list[bool] = field(default_factory=list)
    hidden: list[bool] = field(default_factory=list)
    layer: list[int] = field(default_factory=list)
    head: bytes = b""

    def times(self, stream: Any, *, timed: bool) -> PacketTimes:
        """Return their times; those of a stream without times by its frame rate."""
        frame_s = 1 / _rate(stream)
        key, hidden = np.asarray(self.key, np.bool_), np.asarray(self.hidden, np.bool_)
        if not timed:
            counted = np.arange(len(self.packet_bytes), dtype=np.int64)
            once = np.ones(len(counted), np.int64)
            return PacketTimes(counted, None, once, key, hidden, False, frame_s, frame_s)
        return PacketTimes(
            pts=np.asarray(self.pts, np.int64),
            dts=None if None in self.dts else np.asarray(self.dts, np.int64),
            duration=np.asarray(self.duration, np.int64),
            key=key,
            hidden=hidden,
            fragmented=stream.frames == 0,
            tick_s=float(stream.time_base),
            frame_s=frame_s,
        )


def _rate(stream: Any) -> float:
    return float(stream.average_rate or stream.guessed_rate or _FRAME_RATE)


def _list_packets(container: Any, stream: Any, limits: LimitSettings) -> _Listed:
    layer_of = layer_reader(stream.codec_context.name, stream.codec_context.extradata)
    found = _Listed()
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.is_keyframe and packet.has_sidedata(_ENCRYPTED):
                raise MediaError(
                    Status.UNREADABLE,
                    "the video is encrypted; decrypt it with its key and judge the copy",
                    Note.ENCRYPTED,
                )
            if not found.packet_bytes:
                found.head = bytes(packet)[:HEAD_BYTES]
            found.pts.append(packet.pts)
            found.dts.append(packet.dts)
            found.duration.append(packet.duration or 0)
            found.packet_bytes.append(packet.size)
            found.key.append(packet.is_keyframe)
            found.hidden.append(packet.is_discard)
            found.layer.append(layer_of(bytes(packet)) if layer_of is not None else 0)
            if len(found.packet_bytes) > limits.frames:
                raise MediaError(
                    Status.TOO_LARGE, f"more frames than limits.frames = {limits.frames:,}"
                )
    except MemoryError:
        raise
    except av.error.FFmpegError:
        pass  # damaged here; the packets listed so far can be decoded
    return found


def _packets(context: Any, listed: _Listed, film: Film, *, timed: bool) -> Packets:
    key = np.asarray(listed.key, np.bool_)
    key_frames = np.unique(film.rank[key & (film.rank >= 0)])
    if not timed:
        return Packets(film.rank, False, None, key_frames, None, film.before_join, 0, False)
    ticks = np.asarray(listed.pts, np.int64)
    # AVI stores no presentation times; libav derives them in decoding order, which differs
    # with B-frames: the set of times is right, but not which packet has which.
    timed = not (context.has_b_frames and len(ticks) > 1 and bool(np.all(np.diff(ticks) > 0)))
    index = None
    if timed and film.unique:
        index = PacketIndex(
            rank=film.rank,
            bytes=np.asarray(listed.packet_bytes, np.int64),
            key=key,
            reference=_references(listed.layer) & ~film.orphan,
            frame_px=context.height * context.width,
            order=film.order,
        )
    seekable = film.restarts == 0 and len(np.unique(ticks)) == len(ticks)
    return Packets(
        film.rank,
        timed,
        index,
        key_frames,
        ticks,
        film.before_join,
        film.first_tick,
        seekable,
    )


def _references(layers: list[int]) -> Flags:
    layer = np.asarray(layers, np.int64)
    return np.asarray((layer == 0) | (layer < layer.max()), np.bool_)


def _missing_frames(stream: Any, listed: int, film: Film, indexed: int) -> str | None:
    """Describe what the header announces (frames; in Matroska a duration) and the file lacks.

    Args:
        listed: packets in the file.
        indexed: packets in its index.
    """
    promised = stream.frames
    if listed < promised and indexed >= listed:
        # The header also counts frames that an edit list leaves out, and AVI's empty ones, which
        # repeat the frame before. An index has neither.
        promised = indexed
    if listed < promised:
        return f"cut short: {listed} of {promised} frames present"
    tick_s = float(stream.time_base)
    clock = _DURATION_TAG.match(stream.metadata.get("DURATION", ""))
    if clock is not None:
        hours, minutes, seconds = (float(part) for part in clock.groups())
        promised_s = hours * 3600 + minutes * 60 + seconds
    elif listed < stream.frames:
        promised_s = (stream.duration or 0) * tick_s
    else:
        return None
    # Some writers count from the first frame, others from zero on the clock of the file.
    end_s = max(film.end_s, film.last_tick * tick_s)
    if end_s + _DURATION_SLACK_S < promised_s:
        return f"cut short: {film.end_s:.1f} of {promised_s:.1f} seconds present"
    return None


def check_limits(facts: VideoFacts, limits: LimitSettings) -> None:
    """Refuse a video that is larger or longer than `limits` allow.

    Raises:
        MediaError: `too_large`.
    """
    check_size(facts.coded_size, limits)
    if facts.duration_s > limits.duration_s:
        raise MediaError(
            Status.TOO_LARGE,
            f"{facts.duration_s:.0f} s long, more than limits.duration_s = {limits.duration_s:g}",
        )


def check_size(size: Size, limits: LimitSettings) -> None:
    """Refuse frames of more than `limits.frame_px` pixels.

    Raises:
        MediaError: `too_large`.
    """
    if size.height * size.width > limits.frame_px:
        raise MediaError(
            Status.TOO_LARGE,
            f"frames of {size.width} x {size.height} pixels, more than "
            f"limits.frame_px = {limits.frame_px:,}",
        )
