"""One video file, opened and decoded once: its facts and the frames asked for.

A first pass reads the packets' headers (no decoding), frames are chosen from their times, a
second pass decodes what those frames depend on and nothing else. Where that finds damage, or
the container cannot tell packets apart, every frame up to the last one is decoded in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

import av
import av.error
import numpy as np

from framejury.errors import MediaError
from framejury.media.decode_plan import DecodePlan, move_to_cheap, plan_decode, segment_windows
from framejury.media.packet_reader import IrregularError, PacketReader, stored_packets
from framejury.media.picture import Picture
from framejury.media.probe import (
    check_limits,
    open_container,
    picture_stream,
    read_packets,
    too_many_pixels,
)
from framejury.media.sample import (
    Indices,
    choose_frames,
    frame_range,
    frames_of_look,
    looked_at,
)
from framejury.media.signatures import VideoSource
from framejury.records import SampledFrame
from framejury.schemas.statuses import Status
from framejury.settings import LimitSettings, SamplingSettings

_EXCHANGED_MODES = ("uniform", "random", "every_s")


class VideoFile:
    """A video open for reading; use as a context manager.

    `facts` is there after opening. `frames(ranks)` decodes once; afterwards
    `frames_decoded` and `damage` say how that went.
    """

    def __init__(self, source: VideoSource, limits: LimitSettings, threads: int = 1) -> None:
        """Open the file and read its packet headers.

        Args:
            source: a path, or the descriptor of an open file, which stays open.
            limits: on streams, frames, their size, and duration.
            threads: of the decoder, count.

        Raises:
            MediaError: `missing`, `not_video`, `unreadable` or `too_large`.
        """
        self._source = source
        self._limits = limits
        self._threads = threads
        self._container = open_container(source, limits)
        try:
            self._stream = picture_stream(self._container)
            self.facts, self._packets = read_packets(self._container, self._stream, limits)
            check_limits(self.facts, limits)
        except BaseException:
            self._container.close()
            raise
        self.frames_decoded = 0
        self._bad_packets = 0
        self._bad_frames = 0
        self._group_starts: frozenset[int] = frozenset()
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

    @property
    def key_frames(self) -> int:
        """How many frames decoding may start at, as the container marks them."""
        return len(self._packets.key_frames)

    @property
    def start_s(self) -> float:
        """When the first frame is shown, on the clock that all streams of the file share."""
        return float(self._packets.ticks[0] * self._stream.time_base)

    def choose(self, settings: SamplingSettings, key: str) -> Indices:
        """The frames that looks start with: int64 (k,) ranks in presentation order, increasing.

        Args:
            settings: mode, count, range, tolerance, pairs.
            key: what makes mode `random` differ between videos, such as the `video_id`.
        """
        times_s = self.facts.times_s
        chosen = choose_frames(
            times_s, self.facts.duration_s, settings, key, self._packets.key_frames
        )
        # A pair stays one: what its second frame costs depends on the first.
        if self._packets.index is None or settings.mode not in _EXCHANGED_MODES or settings.pairs:
            return chosen
        within = frame_range(len(times_s), settings)
        return move_to_cheap(self._packets.index, times_s, chosen, settings.tolerance_s, within)

    def readable(self) -> Indices:
        """Ranks of all frames that can be decoded whole, increasing; decodes them all."""
        self._begin()
        return np.array([rank for rank, _ in self._decode_all()], np.int64)

    def segments(
        self, ranks: Indices, most_s: float, each_s: float, *, pairs: bool = False
    ) -> list[tuple[tuple[int, int], float]]:
        """Stretches of the video that may be worked on apart, and what each is estimated to cost.

        Args:
            ranks: of `choose`.
            most_s: of estimated work aimed at for one stretch, seconds on one core.
            each_s: spent on each frame besides decoding it, seconds.
            pairs: whether these are the first frames of pairs; each is worked on where it starts.

        Returns:
            ((first, stop) ranks, estimated seconds), one at least; `stop` is exclusive.
        """
        index = self._packets.index
        of_look_s = each_s * frames_of_look(pairs=pairs)
        if index is None:
            whole = 0, len(self.facts.times_s)
            return [(whole, of_look_s * len(ranks))]
        segments = []
        for first, stop in segment_windows(index, ranks, most_s, of_look_s):
            inside = ranks[(ranks >= first) & (ranks < stop)]
            plan = plan_decode(index, looked_at(inside, pairs=pairs))
            segments.append(((first, stop), plan.cost_s + of_look_s * len(inside)))
        return segments

    def frames(self, ranks: Indices, stop: int | None = None) -> Iterator[SampledFrame]:
        """The frames of these ranks in presentation order.

        A frame that cannot be decoded whole is replaced by the next one that can; `damage`
        then says so. Yields fewer frames than planned when the file ends early.

        Args:
            ranks: int64 (k,), increasing; of `choose`, or a stretch of them.
            stop: where the next stretch starts. What replaces a frame there is given by that
                one, and to find none here is no failure.

        Raises:
            MediaError: `unreadable` when none of them (of all) can be decoded, `too_large`
                when a frame inside the stream exceeds `limits.frame_px`.
        """
        for look in self.looks(ranks, stop):
            yield from look

    def looks(
        self, ranks: Indices, stop: int | None = None, *, pairs: bool = False
    ) -> Iterator[tuple[SampledFrame, ...]]:
        """As `frames`, by look: one frame, or with pairs one and the one that follows it.

        A pair of which a frame cannot be decoded whole is replaced by the next two that follow
        each other and can.

        Args:
            ranks: int64 (k,), increasing: with pairs their first frames, at least 2 apart.
            stop: as in `frames`; a pair may reach one frame beyond.
            pairs: whether frames are looked at two by two.
        """
        self._begin()
        found, span = 0, frames_of_look(pairs=pairs)
        self._group_starts = self._first_of_groups(ranks)
        look: deque[tuple[int, av.VideoFrame]] = deque(maxlen=span)
        try:
            if self._packets.index is not None:
                plan = plan_decode(self._packets.index, looked_at(ranks, pairs=pairs))
                for number, decoded in enumerate(self._decode_planned(plan), start=1):
                    look.append(decoded)
                    if number % span == 0:
                        found += 1
                        yield self._sampled(look)
        except IrregularError:
            pass
        look.clear()
        wanted = deque(ranks[found:].tolist())
        if wanted:
            for rank, frame in self._decode_all():
                if look and rank != look[-1][0] + 1:
                    look.clear()
                look.append((rank, frame))
                first = look[0][0]
                if len(look) < span or first < wanted[0]:
                    continue
                if stop is not None and first >= stop:
                    break
                while wanted and wanted[0] <= first:
                    wanted.popleft()
                found += 1
                yield self._sampled(look)
                if not wanted:
                    break
        self.damage = self._damage_after(found, len(ranks), "pairs" if pairs else "frames")
        if found == 0 and len(ranks) and stop is None:
            raise MediaError(Status.UNREADABLE, self.damage or "no frame could be decoded")

    def _begin(self) -> None:
        if self.frames_decoded:
            raise RuntimeError("a VideoFile is decoded once; open it again")

    def _damage_after(self, found: int, planned: int, what: str) -> str | None:
        return _join(
            self.facts.cut_short,
            self._bad_packets and f"damaged packets: {self._bad_packets}",
            self._bad_frames and f"damaged frames left out: {self._bad_frames}",
            found < planned and f"{found} of {planned} planned {what} could be read",
        )

    def _sampled(self, look: Iterable[tuple[int, av.VideoFrame]]) -> tuple[SampledFrame, ...]:
        frames = []
        for rank, frame in look:
            if frame.width * frame.height > self._limits.frame_px:
                raise MediaError(Status.TOO_LARGE, too_many_pixels(frame, self._limits))
            time_s, starts_group = float(self.facts.times_s[rank]), rank in self._group_starts
            frames.append(SampledFrame(rank, time_s, Picture(frame), starts_group))
        return tuple(frames)

    def _first_of_groups(self, ranks: Indices) -> frozenset[int]:
        """Of these ranks those that no other of their group of pictures comes before."""
        index = self._packets.index
        if index is None or len(ranks) == 0:
            return frozenset()
        starts = index.starts()[np.argsort(index.rank)[ranks]]
        return frozenset(ranks[np.diff(starts, prepend=-1) > 0].tolist())

    def _decode_planned(self, plan: DecodePlan) -> Iterator[tuple[int, av.VideoFrame]]:
        """(rank, frame) of each frame of the plan in its order, decoding only what it lists.

        Raises:
            IrregularError: something was not as the first pass saw it, or is damaged, or a
                frame of the plan did not come; what was yielded before is sound.
        """
        wanted = deque(plan.ranks.tolist())
        self._reopen()
        reader = PacketReader(self._container, self._stream, self._packets)
        for run in plan.runs:
            for frame in self._decode_run(reader, run):
                self.frames_decoded += 1
                rank = self._exact_rank(frame)
                if frame.is_corrupt or (wanted and rank > wanted[0]):
                    raise IrregularError
                if wanted and rank == wanted[0]:
                    wanted.popleft()
                    yield rank, frame
        if wanted:
            raise IrregularError

    def _decode_run(self, reader: PacketReader, run: Indices) -> Iterator[av.VideoFrame]:
        context = self._stream.codec_context
        try:
            for packet in reader.read(run):
                yield from packet.decode()
            yield from context.decode(None)
            context.flush_buffers()
        except av.error.FFmpegError as error:
            # What was decoded before that is sound, and waits in the decoder for its turn.
            with suppress(av.error.FFmpegError):
                yield from context.decode(None)
            raise IrregularError from error

    def _exact_rank(self, frame: av.VideoFrame) -> int:
        ticks = self._packets.ticks
        rank = int(np.searchsorted(ticks, frame.pts)) if frame.pts is not None else len(ticks)
        if rank == len(ticks) or ticks[rank] != frame.pts:
            raise IrregularError
        return rank

    def _reopen(self) -> None:
        """Back to the first packet. Seeking there is not exact in MPEG program streams."""
        self._container.close()
        self._container = open_container(self._source, self._limits)
        self._stream = picture_stream(self._container)
        self._stream.codec_context.thread_count = self._threads

    def _decode_all(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """(rank in presentation order, frame) as the decoder gives them, damage counted.

        The decoder patches a damaged frame up from its neighbours, and those that build on
        it inherit that. None of them shows what was filmed, so from damage that it notices
        on they are left out until the next key frame.
        """
        self._reopen()
        whole = True
        last_rank = -1
        for packet in stored_packets(self._container, self._stream):
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
        if not self._packets.timed or frame.pts is None:
            return last_rank + 1
        after = int(np.searchsorted(self._packets.ticks, frame.pts))
        if after == len(self._packets.ticks):
            return after - 1
        if (
            after
            and frame.pts - self._packets.ticks[after - 1] < self._packets.ticks[after] - frame.pts
        ):
            return after - 1
        return after


def _join(*parts: str | int | None) -> str | None:
    """What is there of `parts` in one line; None when nothing is."""
    return "; ".join(str(part) for part in parts if part) or None
