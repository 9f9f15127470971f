"""One video file, opened and decoded once: its facts and the frames asked for.

Sampling goes by presentation time: a first pass reads the packet headers (no
decoding), frames are chosen from those times, a second pass decodes up to the
last one chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error
import numpy as np

from framejury.errors import MediaError
from framejury.media.probe import (
    check_limits,
    open_container,
    picture_stream,
    read_facts,
    too_many_pixels,
)
from framejury.media.sample import choose_frames
from framejury.records import Image, SampledFrame
from framejury.schemas import Status
from framejury.settings import LimitSettings, SamplingSettings


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
        self._container = open_container(path)
        try:
            self._stream = picture_stream(self._container)
            self.facts, self._ticks = read_facts(self._container, self._stream)
            check_limits(self.facts, limits)
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
                raise MediaError(Status.TOO_LARGE, too_many_pixels(frame, self._limits))
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
        self._container = open_container(self._path)
        self._stream = picture_stream(self._container)
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
