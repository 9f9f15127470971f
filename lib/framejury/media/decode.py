"""One video file, opened and decoded once: its facts and the frames asked for.

Sampling goes by presentation time: a first pass reads the packet headers (no
decoding), frames are chosen from those times, a second pass decodes up to the
last one chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error
import numpy as np

from framejury.config import LimitSettings, SamplingSettings
from framejury.errors import MediaError
from framejury.media.sample import Times, choose_frames
from framejury.media.signatures import looks_like_video
from framejury.records import Image, SampledFrame, Size
from framejury.schemas import Status

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


class VideoFile:
    """A video open for reading; use as a context manager.

    `facts` is there after opening. `frames(settings, key)` decodes once; afterwards
    `frames_decoded` and `damage` say how that went.
    """

    def __init__(self, path: Path, limits: LimitSettings, threads: int = 1) -> None:
        """Open the file and read its packet headers.

        Raises:
            MediaError: `missing`, `not_video`, `unreadable` or `too_large`.
        """
        self._path = path
        self._threads = threads
        self._container = _open(path)
        try:
            self._stream = _picture_stream(self._container)
            self.facts, self._ticks = _read_facts(self._container, self._stream)
            _check_limits(self.facts, limits)
        except BaseException:
            self._container.close()
            raise
        self._limits = limits
        self.frames_decoded = 0
        self._bad_packets = 0
        self._bad_frames = 0
        self.damage = self.facts.cut_short

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    def frames(self, settings: SamplingSettings, key: str) -> Iterator[SampledFrame]:
        """The sampled frames in presentation order, RGB, rotated as shown.

        A chosen frame that cannot be decoded whole is replaced by the next one that can;
        `damage` then says so. Yields fewer frames than planned when the file ends early.

        Raises:
            MediaError: `unreadable` when none of them can be decoded, `too_large`
                when a frame inside the stream exceeds `limits.frame_px`.
        """
        wanted = list(choose_frames(self.facts.times_s, self.facts.duration_s, settings, key))
        planned = len(wanted)
        found = 0
        for rank, frame in self._decode():
            if not wanted:
                break
            if rank < wanted[0]:
                continue
            while wanted and wanted[0] <= rank:
                wanted.pop(0)
            if frame.width * frame.height > self._limits.frame_px:
                raise MediaError(Status.TOO_LARGE, _too_many_pixels(frame, self._limits))
            found += 1
            yield SampledFrame(rank, float(self.facts.times_s[rank]), _to_image(frame))
            if not wanted:
                break
        self.damage = _join(
            self.facts.cut_short,
            self._bad_packets and f"damaged packets: {self._bad_packets}",
            self._bad_frames and f"damaged frames left out: {self._bad_frames}",
            found < planned and f"{found} of {planned} planned frames could be read",
        )
        if found == 0:
            raise MediaError(Status.UNREADABLE, self.damage or "no frame could be decoded")

    def _reopen(self) -> None:
        """Back to the first packet. Seeking there is not exact in MPEG program streams."""
        self._container.close()
        self._container = _open(self._path)
        self._stream = _picture_stream(self._container)
        self._stream.codec_context.thread_count = self._threads

    def _decode(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """(rank in presentation order, frame) as the decoder gives them, damage counted.

        The decoder patches a damaged frame up from its neighbours, and those that build on
        it inherit that. None of them shows what was filmed, so from damage that it notices
        on they are left out until the next key frame.
        """
        if self.frames_decoded:
            raise RuntimeError("a VideoFile is decoded once; open it again")
        self._reopen()
        whole = True
        last_rank = -1
        for packet in _packets(self._container, self._stream):
            try:
                frames = packet.decode()
                bad = packet.is_corrupt
            except MemoryError:
                raise
            except av.error.FFmpegError:
                frames, bad = [], True
            self._bad_packets += bad
            whole = whole and not bad
            for frame in frames:
                self.frames_decoded += 1
                whole = not frame.is_corrupt and (whole or frame.key_frame)
                rank = self._rank(frame, last_rank)
                if not last_rank < rank < len(self.facts.times_s):
                    continue
                last_rank = rank
                if whole:
                    yield rank, frame
                else:
                    self._bad_frames += 1

    def _rank(self, frame: av.VideoFrame, last_rank: int) -> int:
        """Where a decoded frame stands in presentation order; the nearest time decides."""
        if not self.facts.timed or frame.pts is None:
            return last_rank + 1
        after = int(np.searchsorted(self._ticks, frame.pts))
        if after == len(self._ticks):
            return after - 1
        if after and frame.pts - self._ticks[after - 1] < self._ticks[after] - frame.pts:
            return after - 1
        return after


def _open(path: Path) -> Any:
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


def _picture_stream(container: Any) -> Any:
    """The moving picture: not cover art, not a still image."""
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


def _read_facts(container: Any, stream: Any) -> tuple[VideoFacts, Any]:
    """Facts from the packet headers, and the sorted presentation ticks (int64)."""
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


def _check_limits(facts: VideoFacts, limits: LimitSettings) -> None:
    size = facts.coded_size
    if size.height * size.width > limits.frame_px:
        raise MediaError(Status.TOO_LARGE, _too_many_pixels(size, limits))
    if facts.duration_s > limits.duration_s:
        raise MediaError(
            Status.TOO_LARGE,
            f"{facts.duration_s:.0f} s long, limits.duration_s is {limits.duration_s:g}",
        )


def _too_many_pixels(size: Any, limits: LimitSettings) -> str:
    return f"frames of {size.width} x {size.height} pixels, limits.frame_px is {limits.frame_px:,}"


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Packets until the end, or until the container itself is damaged."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except MemoryError:
            raise
        except (StopIteration, av.error.FFmpegError):
            return


def _to_image(frame: av.VideoFrame) -> Image:
    image = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4  # libav counts counterclockwise, as rot90 does
    return np.ascontiguousarray(np.rot90(image, turns), dtype=np.uint8)


def _join(*parts: str | int | None) -> str | None:
    """What is there of `parts` in one line; None when nothing is."""
    return "; ".join(str(part) for part in parts if part) or None


def _reason(error: BaseException) -> str:
    """libav's words without our path in them."""
    return getattr(error, "strerror", None) or str(error)
