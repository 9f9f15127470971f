"""What the headers and packets of a video file contain, before any frame is decoded."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from framejury.errors import MediaError
from framejury.media.decode_plan import PacketIndex
from framejury.media.references import layer_reader
from framejury.media.sample import Indices, Times
from framejury.records import Size
from framejury.schemas.statuses import Status
from framejury.settings import LimitSettings

VideoSource = Path | int
"""A video: its path, or the descriptor of the open file."""

_MP4_ATOMS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof")
_VIDEO_PREFIXES = (
    b"\x1a\x45\xdf\xa3",  # EBML: Matroska, WebM
    b"FLV\x01",
    b"OggS",
    b"GIF8",
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG-1/2 video
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"\x06\x0e\x2b\x34",  # MXF
)
_TS_PACKET_BYTES = 188
_HEAD_BYTES = 4 * _TS_PACKET_BYTES

_FORMATS_OF_SEVERAL_FILES = frozenset(
    ("concat", "dash", "hls", "image2", "imf", "mlv", "rtsp", "sap", "sdp", "vobsub")
)
"""libav's formats that open other files or hosts named in the file."""

_DURATION_TAG = re.compile(r"^(\d+):(\d\d):(\d\d(?:\.\d+)?)$")
_DURATION_SLACK_S = 1.0


@dataclass(frozen=True)
class VideoFacts:
    """A video by its packet headers.

    Attributes:
        container: libav's name of the format, such as `mov,mp4,m4a,3gp,3g2,mj2`.
        codec: libav's name of the codec, such as `h264`.
        coded_size: before rotation, pixels.
        times_s: float64 (n,), presentation times from the first frame, increasing.
        duration_s: until the last frame ends, seconds.
        cut_short: what the header announces and the file lacks, in words; None: nothing.
    """

    container: str
    codec: str
    coded_size: Size
    times_s: Times
    duration_s: float
    cut_short: str | None


@dataclass(frozen=True)
class Packets:
    """The packets of the picture stream in decoding order.

    Attributes:
        ticks: int64 (n,), presentation times in the stream's time base, increasing; frame
            numbers if the stream has no times.
        timed: whether its time identifies a frame; otherwise frames are counted.
        index: dependencies between packets; None: times do not identify them.
        key_frames: int64, ranks of the key frames, increasing.
    """

    ticks: Indices
    timed: bool
    index: PacketIndex | None
    key_frames: Indices


def open_container(source: VideoSource, limits: LimitSettings) -> Any:
    """Open the file in libav (`av.container.InputContainer`).

    A descriptor is read from the start of the file; libav then guesses the format from the bytes
    alone.

    Raises:
        MediaError: `missing`; `not_video`; `too_large` with too many streams; `unreadable` if
            the first bytes are those of a video.
    """
    # Only this file may be read: playlists must not reach other files or hosts.
    options = {"format_whitelist": _single_file_formats()}
    try:
        if isinstance(source, int):
            os.lseek(source, 0, os.SEEK_SET)
            options |= {"protocol_whitelist": "fd", "fd": str(source)}
            container = av.open("fd:", options=options)
        else:
            container = av.open(str(source), options=options | {"protocol_whitelist": "file"})
    except FileNotFoundError:
        raise MediaError(Status.MISSING, "the file no longer exists") from None
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = _reason(error)
    else:
        count = len(container.streams)
        if count > limits.streams:
            container.close()
            raise MediaError(
                Status.TOO_LARGE, f"{count} streams, more than limits.streams = {limits.streams}"
            )
        return container
    try:
        video = looks_like_video(source)
    except OSError as error:
        raise MediaError(Status.UNREADABLE, f"cannot read the file: {_reason(error)}") from None
    if video:
        raise MediaError(Status.UNREADABLE, f"damaged or cut short: {reason}")
    raise MediaError(Status.NOT_VIDEO, f"not a media file: {reason}")


def looks_like_video(source: VideoSource) -> bool:
    """Check whether the first bytes are those of a video container: else it never was a video.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, int):
        head = os.pread(source, _HEAD_BYTES, 0)
    else:
        with source.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    if head.startswith(_VIDEO_PREFIXES):
        return True
    if head[4:8] in _MP4_ATOMS:
        # The length comes first; a text such as "The free ..." is not a box of 1.4 GB.
        return not all(0x20 <= byte < 0x7F for byte in head[:4])
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return True
    return len(head) > _TS_PACKET_BYTES and head[::_TS_PACKET_BYTES].strip(b"\x47") == b""


@cache
def _single_file_formats() -> str:
    return ",".join(sorted(av.formats_available - _FORMATS_OF_SEVERAL_FILES))


def picture_stream(container: Any) -> Any:
    """Return the moving picture (`av.VideoStream`): neither cover art nor a still image.

    Raises:
        MediaError: `not_video` if there is none, `unreadable` without a decoder for it.
    """
    name = container.format.name
    if name.endswith("_pipe") or name == "image2":
        raise MediaError(Status.NOT_VIDEO, f"a still image ({name})")
    attached = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if stream.disposition & attached:
            continue
        if stream.codec_context is None:
            raise MediaError(Status.UNREADABLE, "no decoder for the codec of the video stream")
        return stream
    kinds = sorted({stream.type for stream in container.streams})
    raise MediaError(Status.NOT_VIDEO, f"no moving picture; streams: {', '.join(kinds) or 'none'}")


def read_packets(container: Any, stream: Any, limits: LimitSettings) -> tuple[VideoFacts, Packets]:
    """Read packet headers and the first bytes of each packet, without decoding.

    Raises:
        MediaError: `unreadable` if the stream has no packets, `too_large` if it has more than
            `limits.frames`.
    """
    context = stream.codec_context
    found = _list_packets(container, stream, limits)
    ticks, sizes, keys, layers = found.ticks, found.bytes, found.keys, found.layers
    if not ticks:
        raise MediaError(Status.UNREADABLE, "the video stream has no packets")
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    key_positions = np.flatnonzero(keys)
    if None in ticks:
        shown = np.arange(len(ticks), dtype=np.int64)
        times_s = shown / rate
        end_s = len(ticks) / rate
        packets = Packets(shown, timed=False, index=None, key_frames=key_positions)
    else:
        decoded = np.asarray(ticks, dtype=np.int64)
        shown = np.unique(decoded)
        time_base = float(stream.time_base)
        times_s = (shown - shown[0]) * time_base
        end_s = float(times_s[-1]) + (found.last_duration * time_base or 1 / rate)
        # AVI stores no presentation times; libav derives them in decoding order, which differs
        # with B-frames: the set of times is right, but not which packet has which.
        timed = not (context.has_b_frames and len(ticks) > 1 and bool(np.all(np.diff(decoded) > 0)))
        rank = np.searchsorted(shown, decoded).astype(np.int64)
        index = None
        if timed and len(shown) == len(decoded):
            layer = np.asarray(layers, dtype=np.int64)
            reference = (layer == 0) | (layer < layer.max())
            frame_px = context.height * context.width
            index = PacketIndex(
                rank, np.asarray(sizes, np.int64), np.asarray(keys), reference, frame_px
            )
        packets = Packets(shown, timed, index, np.unique(rank[key_positions]))
    facts = VideoFacts(
        container=container.format.name,
        codec=context.name,
        coded_size=Size(context.height, context.width),
        times_s=times_s,
        duration_s=end_s,
        cut_short=_missing_frames(stream, found.count, end_s),
    )
    return facts, packets


@dataclass
class _Listed:
    """The packets of a stream, and how many there were including empty ones."""

    ticks: list[int | None] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    keys: list[bool] = field(default_factory=list)
    layers: list[int] = field(default_factory=list)
    count: int = 0
    last_duration: int = 0


def _list_packets(container: Any, stream: Any, limits: LimitSettings) -> _Listed:
    layer_of = layer_reader(stream.codec_context.name, stream.codec_context.extradata)
    found = _Listed()
    try:
        for packet in container.demux(stream):
            found.count += packet.dts is not None or packet.size > 0
            if found.count > limits.frames:
                raise MediaError(
                    Status.TOO_LARGE, f"more frames than limits.frames = {limits.frames:,}"
                )
            if packet.size == 0 or packet.is_discard:
                continue
            found.ticks.append(packet.pts)
            found.bytes.append(packet.size)
            found.keys.append(packet.is_keyframe)
            found.layers.append(layer_of(bytes(packet)) if layer_of is not None else 0)
            if packet.pts is not None:
                found.last_duration = packet.duration or found.last_duration
    except MemoryError:
        raise
    except av.error.FFmpegError:
        pass  # damaged here; the packets listed so far can be decoded
    return found


def _missing_frames(stream: Any, listed: int, end_s: float) -> str | None:
    """Describe what the header announces (frames; in Matroska a duration) and the file lacks."""
    if listed < stream.frames:
        return f"cut short: {listed} of {stream.frames} frames present"
    clock = _DURATION_TAG.match(stream.metadata.get("DURATION", ""))
    if clock is None:
        return None
    hours, minutes, seconds = (float(part) for part in clock.groups())
    promised_s = hours * 3600 + minutes * 60 + seconds
    if end_s + _DURATION_SLACK_S < promised_s:
        return f"cut short: {end_s:.1f} of {promised_s:.1f} seconds present"
    return None


def check_limits(facts: VideoFacts, limits: LimitSettings) -> None:
    """Refuse a video that is larger or longer than `limits` allow.

    Raises:
        MediaError: `too_large`.
    """
    size = facts.coded_size
    if size.height * size.width > limits.frame_px:
        raise MediaError(Status.TOO_LARGE, too_many_pixels(size, limits))
    if facts.duration_s > limits.duration_s:
        raise MediaError(
            Status.TOO_LARGE,
            f"{facts.duration_s:.0f} s long, more than limits.duration_s = {limits.duration_s:g}",
        )


def too_many_pixels(size: Any, limits: LimitSettings) -> str:
    """Describe a frame (anything with `width`, `height`) beyond `limits.frame_px`."""
    return (
        f"frames of {size.width} x {size.height} pixels, more than "
        f"limits.frame_px = {limits.frame_px:,}"
    )


def import_lazy_modules() -> None:
    """Import what PyAV and NumPy import on first use, for processes that lose access to files."""
    modules = {module.name for module in pkgutil.walk_packages(av.__path__, "av.")}
    used = {name for name in modules if not name.startswith(("av.datasets", "av.__main__"))}
    for name in sorted(used | {"numpy.random", "numpy.ma"}):
        importlib.import_module(name)


def _reason(error: BaseException) -> str:
    """Return libav's message without the path."""
    return getattr(error, "strerror", None) or str(error)
