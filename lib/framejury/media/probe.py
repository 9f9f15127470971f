"""What a video file is, from its headers and packets, before any frame is decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from framejury.errors import MediaError
from framejury.media.sample import Times
from framejury.media.signatures import looks_like_video
from framejury.records import Size
from framejury.schemas import Status
from framejury.settings import LimitSettings

_FORMATS_OF_SEVERAL_FILES = frozenset(
    ("concat", "dash", "hls", "image2", "imf", "mlv", "rtsp", "sap", "sdp", "vobsub")
)
"""libav's formats that open other files or hosts by what the file says."""

_DURATION_TAG = re.compile(r"^(\d+):(\d\d):(\d\d(?:\.\d+)?)$")
_DURATION_SLACK_S = 1.0


@dataclass(frozen=True)
class VideoFacts:
    """What the packet headers say of a video.

    Attributes:
        container: libav's name of the format, such as `mov,mp4,m4a,3gp,3g2,mj2`.
        codec: libav's name of the codec, such as `h264`.
        coded_size: before rotation, pixels.
        times_s: float64 (n,), presentation times from the first frame, increasing.
        duration_s: until the last frame ends, seconds.
        timed: whether a frame's own time says which one it is; else frames are counted.
        cut_short: what the header promised and the file does not hold, in words.
    """

    container: str
    codec: str
    coded_size: Size
    times_s: Times
    duration_s: float
    timed: bool
    cut_short: str | None


def open_container(path: Path) -> Any:
    """The file, opened by libav (`av.container.InputContainer`).

    Raises:
        MediaError: `missing`, `not_video`, or `unreadable` when its header is a video's.
    """
    # Only this one file may be read: playlists must not reach other files or hosts.
    options = {"protocol_whitelist": "file", "format_whitelist": _single_file_formats()}
    try:
        return av.open(str(path), options=options)
    except FileNotFoundError:
        raise MediaError(Status.MISSING, "the file is gone") from None
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = _reason(error)
    try:
        video = looks_like_video(path)
    except OSError as error:
        raise MediaError(Status.UNREADABLE, f"cannot be read: {_reason(error)}") from None
    if video:
        raise MediaError(Status.UNREADABLE, f"damaged or cut short: {reason}")
    raise MediaError(Status.NOT_VIDEO, f"not a media file: {reason}")


@cache
def _single_file_formats() -> str:
    return ",".join(sorted(av.formats_available - _FORMATS_OF_SEVERAL_FILES))


def picture_stream(container: Any) -> Any:
    """The stream of the moving picture (`av.VideoStream`): not cover art, not a still image.

    Raises:
        MediaError: `not_video` when there is none, `unreadable` without a decoder for it.
    """
    name = container.format.name
    if name.endswith("_pipe") or name == "image2":
        raise MediaError(Status.NOT_VIDEO, f"a still image ({name})")
    attached = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if stream.disposition & attached:
            continue
        if stream.codec_context is None:
            raise MediaError(Status.UNREADABLE, "no decoder for the codec of the picture")
        return stream
    kinds = sorted({stream.type for stream in container.streams})
    raise MediaError(Status.NOT_VIDEO, f"no moving picture; streams: {', '.join(kinds) or 'none'}")


def read_facts(container: Any, stream: Any) -> tuple[VideoFacts, Any]:
    """Facts from the packet headers, and the presentation ticks: int64 (n,), increasing.

    Raises:
        MediaError: `unreadable` when the stream has no packets.
    """
    ticks: list[int] = []
    listed = 0
    untimed = 0
    last_duration = 0
    try:
        for packet in container.demux(stream):
            listed += packet.dts is not None or packet.size > 0
            if packet.size == 0 or packet.is_discard:
                continue
            if packet.pts is None:
                untimed += 1
            else:
                ticks.append(packet.pts)
                last_duration = packet.duration or last_duration
    except MemoryError:
        raise
    except av.error.FFmpegError:
        pass  # damaged here: what was listed up to now is what can be decoded
    total = len(ticks) + untimed
    if total == 0:
        raise MediaError(Status.UNREADABLE, "the video stream has no packets")
    context = stream.codec_context
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    if untimed == 0:
        unique = np.unique(np.asarray(ticks, dtype=np.int64))
        time_base = float(stream.time_base)
        times_s = (unique - unique[0]) * time_base
        end_s = float(times_s[-1]) + (last_duration * time_base or 1 / rate)
    else:
        unique = np.arange(total, dtype=np.int64)
        times_s = unique / rate
        end_s = total / rate
    # AVI stores no presentation times; libav makes them up in decoding order, which with
    # B-frames is another. The set of times is then right, whose is whose is not.
    made_up = context.has_b_frames and total > 1 and ticks == sorted(ticks)
    facts = VideoFacts(
        container=container.format.name,
        codec=context.name,
        coded_size=Size(context.height, context.width),
        times_s=times_s,
        duration_s=end_s,
        timed=untimed == 0 and not made_up,
        cut_short=_missing_frames(stream, listed, end_s),
    )
    return facts, unique


def _missing_frames(stream: Any, listed: int, end_s: float) -> str | None:
    """What the header promised (MP4 and AVI: frames, Matroska: a duration) and is not there."""
    if listed < stream.frames:
        return f"cut short: {listed} of {stream.frames} frames are there"
    clock = _DURATION_TAG.match(stream.metadata.get("DURATION", ""))
    if clock is None:
        return None
    hours, minutes, seconds = (float(part) for part in clock.groups())
    promised_s = hours * 3600 + minutes * 60 + seconds
    if end_s + _DURATION_SLACK_S < promised_s:
        return f"cut short: {end_s:.1f} of {promised_s:.1f} seconds are there"
    return None


def check_limits(facts: VideoFacts, limits: LimitSettings) -> None:
    """Refuse what is larger or longer than `limits` allow.

    Raises:
        MediaError: `too_large`.
    """
    size = facts.coded_size
    if size.height * size.width > limits.frame_px:
        raise MediaError(Status.TOO_LARGE, too_many_pixels(size, limits))
    if facts.duration_s > limits.duration_s:
        raise MediaError(
            Status.TOO_LARGE,
            f"{facts.duration_s:.0f} s long, limits.duration_s is {limits.duration_s:g}",
        )


def too_many_pixels(size: Any, limits: LimitSettings) -> str:
    """What to say of a frame (anything with `width`, `height`) beyond `limits.frame_px`."""
    return f"frames of {size.width} x {size.height} pixels, limits.frame_px is {limits.frame_px:,}"


def _reason(error: BaseException) -> str:
    """libav's words without our path in them."""
    return getattr(error, "strerror", None) or str(error)
