"""Which stream of a file is judged: the one that a player shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import av
import av.error

from framejury.errors import MediaError
from framejury.media.container import VideoSource, is_animated_webp
from framejury.schemas.statuses import Status

_NEVER_SHOWN = ("attached_pic", "timed_thumbnails", "still_image", "dependent")
"""Dispositions of cover art, thumbnails, still pictures, and of what belongs to another stream,
such as a depth map or an alpha plane."""


@dataclass(frozen=True)
class StreamChoice:
    """The stream that is judged, and video streams that are not.

    Attributes:
        index: of the stream in the file.
        others: the other moving pictures in words, such as `stream 1 (h264, 1920 x 1080)`.
        moved: whether packets were read.
    """

    index: int
    others: tuple[str, ...] = ()
    moved: bool = False


def choose_stream(
    container: Any, source: VideoSource, wanted: Literal["auto"] | int
) -> StreamChoice:
    """Choose the moving picture that a player shows: the default one, else the largest.

    Where several streams are candidates, packets are read and counted, since a stream of one packet
    is a still picture whatever its header says. The file must then be opened again.

    Args:
        container: just opened.
        source: its file.
        wanted: index of the stream to take instead (`sampling.stream`); auto: choose.

    Raises:
        MediaError: `not_video` if there is no moving picture or none of this index,
            `unreadable` without a decoder for it.
    """
    name = container.format.name
    if name == "webp_pipe" and is_animated_webp(source):
        raise MediaError(
            Status.NOT_VIDEO, "an unsupported moving picture (animated WebP); convert it to MP4"
        )
    if name.endswith("_pipe") or name == "image2":
        raise MediaError(Status.NOT_VIDEO, f"a still image ({name})")
    shown = [stream for stream in container.streams.video if not _is_never_shown(stream)]
    if wanted != "auto":
        shown = [stream for stream in container.streams.video if stream.index == wanted]
        if not shown:
            raise MediaError(Status.NOT_VIDEO, _no_such_stream(container, wanted))
    if not shown:
        kinds = sorted({stream.type for stream in container.streams})
        found = ", ".join(kinds) or "none"
        raise MediaError(Status.NOT_VIDEO, f"no moving picture; streams: {found}")
    known = [stream for stream in shown if stream.codec_context is not None]
    if not known:
        raise MediaError(Status.UNREADABLE, "no decoder for the codec of the video stream")
    if len(known) == 1:
        return StreamChoice(known[0].index)
    counts = _packet_counts(container, known)
    moving = [stream for stream in known if counts[stream.index] > 1] or known
    default = [stream for stream in moving if _has(stream, "default")] or moving
    chosen = max(default, key=lambda stream: (_in_colour(stream), _pixels(stream), -stream.index))
    others = [stream for stream in moving if stream is not chosen and _in_colour(stream)]
    return StreamChoice(chosen.index, tuple(map(_described, others)), moved=True)


def _is_never_shown(stream: Any) -> bool:
    return any(_has(stream, name) for name in _NEVER_SHOWN)


def _has(stream: Any, disposition: str) -> bool:
    return bool(stream.disposition & getattr(av.stream.Disposition, disposition))


def _packet_counts(container: Any, streams: list[Any]) -> Counter[int]:
    """Count packets with content per stream, until each has two."""
    counts: Counter[int] = Counter()
    try:
        for packet in container.demux(streams):
            counts[packet.stream_index] += packet.size > 0
            if len(counts) == len(streams) and min(counts.values()) > 1:
                break
    except MemoryError:
        raise
    except av.error.FFmpegError:
        pass  # damaged here; what was counted so far decides
    return counts


def _in_colour(stream: Any) -> bool:
    """Whether the pixels have colour; a second picture in grey is a depth map or an alpha plane."""
    return not str(stream.codec_context.pix_fmt or "").startswith(("gray", "mono"))


def _pixels(stream: Any) -> int:
    return int(stream.codec_context.width * stream.codec_context.height)


def _described(stream: Any) -> str:
    context = stream.codec_context
    return f"stream {stream.index} ({context.name}, {context.width} x {context.height})"


def _no_such_stream(container: Any, wanted: int) -> str:
    known = [
        _described(stream) for stream in container.streams.video if stream.codec_context is not None
    ]
    return f"no picture with sampling.stream = {wanted}; there are: {', '.join(known) or 'none'}"
