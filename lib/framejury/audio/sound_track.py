"""The sound of a video as one row of samples. Runs in a sandboxed child process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import av.error
import numpy as np
from av.filter import Graph

from framejury.audio import RATE_HZ, Samples
from framejury.media.container import VideoSource, open_container
from framejury.settings import LimitSettings


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Decoded sound.

    Attributes:
        samples: int16 (n,), all channels mixed, at `framejury.audio.RATE_HZ`.
        start_s: of the first sample, on the clock of the file.
        damaged_ratio: share of its packets that could not be decoded, 0 to 1.
    """

    samples: Samples
    start_s: float
    damaged_ratio: float


def sound_streams(container: Any) -> list[Any]:
    """Return the sound streams of an open container that libav has a decoder for."""
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def read_sound(source: VideoSource, limits: LimitSettings, seconds: float) -> Track | None:
    """Read the first `seconds` of the first sound stream; None if nothing can be decoded.

    Packets that cannot be decoded are skipped; gaps in time are filled with silence.

    Raises:
        MediaError: the file cannot be opened.
    """
    with open_container(source, limits) as container:
        stream = next(iter(sound_streams(container)), None)
        if stream is None:
            return None
        stream.codec_context.thread_count = 1
        mixer, packets, damaged = _Mixer(round(seconds * RATE_HZ)), 0, 0
        try:
            for packet in container.demux(stream):
                packets += 1
                try:
                    for frame in packet.decode():
                        mixer.add(frame)
                except av.error.FFmpegError:
                    damaged += 1  # the next packet may be intact
                    continue
                if mixer.is_full:
                    break
            mixer.finish()
        except (av.error.FFmpegError, ValueError):
            damaged += 1  # from here on; keep what was decoded
        return mixer.track(damaged / max(packets, damaged, 1))


class _Mixer:
    """Converts frames of any layout and rate to at most `most` samples."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._graph: Graph | None = None
        self._form: tuple[Any, ...] = ()
        self._parts: list[Samples] = []
        self._count = 0
        self._start_s: float | None = None

    @property
    def is_full(self) -> bool:
        return self._count >= self._most

    def add(self, frame: Any) -> None:
        form = (frame.sample_rate, frame.format.name, frame.layout.name)
        if self._graph is None or form != self._form:
            self.finish()
            self._graph, self._form = _resampler(frame), form
        if frame.pts is not None and frame.time_base is not None:
            at_s = float(frame.pts * frame.time_base)
            if self._start_s is None:
                self._start_s = at_s
            self._fill_to(round((at_s - self._start_s) * RATE_HZ))
        self._graph.push(frame)
        self._take()

    def finish(self) -> None:
        if self._graph is not None:
            self._graph.push(None)
            self._take()
            self._graph = None

    def track(self, damaged_ratio: float) -> Track | None:
        if not self._parts:
            return None
        samples = np.concatenate(self._parts)[: self._most]
        return Track(samples, self._start_s or 0.0, damaged_ratio)

    def _fill_to(self, at: int) -> None:
        """Fill a gap of more than a tenth of a second with silence."""
        missing = min(at, self._most) - self._count
        if missing > RATE_HZ // 10:
            self._parts.append(np.zeros(missing, np.int16))
            self._count += missing

    def _take(self) -> None:
        assert self._graph is not None
        while True:
            try:
                mixed = self._graph.pull()
            except (av.error.EOFError, av.error.BlockingIOError):
                return
            part = np.asarray(mixed.to_ndarray(), np.int16).reshape(-1)
            if self._count < self._most:
                self._parts.append(part)
                self._count += len(part)


def _resampler(frame: Any) -> Graph:
    """Build a graph by hand: that of `AudioResampler` starts one thread per core."""
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "abuffer",
        sample_rate=str(frame.sample_rate),
        sample_fmt=frame.format.name,
        channel_layout=frame.layout.name,
        time_base=f"1/{frame.sample_rate}",
    )
    target = graph.add(
        "aformat", sample_rates=str(RATE_HZ), sample_fmts="s16", channel_layouts="mono"
    )
    sink = graph.add("abuffersink")
    source.link_to(target)
    target.link_to(sink)
    graph.configure()
    return graph
