"""One video file, opened once: its headers and its sampled frames.

A first pass reads packet headers without decoding, and frames are chosen by their times. Each
further pass decodes only what its samples depend on (`decode_planned`). If it finds damage, or
packets have no reliable times, it decodes every frame up to the last one (`decode_in_order`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from types import TracebackType
from typing import Literal, Self

import numpy as np

from framejury.errors import MediaError
from framejury.media.container import VideoSource, open_container
from framejury.media.decode_plan import (
    SECONDS_A_PIXEL,
    move_to_cheap,
    plan_decode,
    segment_windows,
)
from framejury.media.decoded_frame import DecodedFrame
from framejury.media.decoders import (
    IrregularError,
    RankedFrame,
    decode_in_order,
    decode_planned,
)
from framejury.media.origin import origin_of
from framejury.media.pass_counts import PassCounts
from framejury.media.pixel_shape import PixelShape
from framejury.media.probe import check_limits, check_size, read_packets
from framejury.media.sample import (
    Indices,
    Walk,
    choose_frames,
    frame_range,
    more_frames,
    sampled_ranks,
)
from framejury.media.streams import choose_stream
from framejury.media.whole_samples import samples_in_order, walked_in_order
from framejury.records import SampledFrame, Size
from framejury.schemas.notes import VideoNote
from framejury.schemas.statuses import Note, Status
from framejury.settings import LimitSettings, SamplingSettings

_MOST_NAMED = 5
_ALONE = (0,)
"""`SamplingSettings.offsets` of samples of one frame."""
_UNITS = {_ALONE: "frames", (0, 1): "pairs"}
_EXCHANGED_MODES = ("uniform", "random", "every_s")


class VideoFile:
    """A video open for reading; use as a context manager.

    Attributes:
        facts: what the packet headers contain.
        stream_index: of the stream that is judged.
        other_streams: video streams that are not judged, in words.
        origin: what the file claims about its making.
    """

    def __init__(
        self,
        source: VideoSource,
        limits: LimitSettings,
        threads: int = 1,
        stream: Literal["auto"] | int = "auto",
    ) -> None:
        """Open the file and read its packet headers.

        Args:
            source: a path, or the descriptor of an open file, which stays open.
            limits: on streams, frames, their size, and duration.
            threads: decoder threads.
            stream: index of the stream to look at; auto: what a player shows.

        Raises:
            MediaError: `missing`, `not_video`, `unreadable` or `too_large`.
        """
        self._source = source
        self._limits = limits
        self._threads = threads
        self._container = open_container(source, limits)
        try:
            choice = choose_stream(self._container, source, stream)
            self.stream_index = choice.index
            if choice.moved:
                self._reopen()
            self._stream = self._container.streams[self.stream_index]
            self._shape = PixelShape(self._stream)
            self.facts, self._packets = read_packets(self._container, self._stream, limits)
            check_limits(self.facts, limits)
            self.origin = origin_of(source, self._container, self._stream, self.facts.head)
        except BaseException:
            self._container.close()
            raise
        self.other_streams = choice.others
        self._passes = PassCounts()
        self._lights: set[str] = set()
        self._sizes: set[Size] = set()
        self._is_interlaced = False

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
    def damage(self) -> str | None:
        """What was damaged or missing in the passes so far, in words; None: nothing."""
        return self._passes.damage(self.facts.cut_short)

    @property
    def frames_decoded(self) -> int:
        """How many frames the decoder has returned so far."""
        return self._passes.frames

    @property
    def key_frames(self) -> Indices:
        """Ranks of the key frames that the container marks, int64, increasing."""
        return self._packets.key_frames

    @property
    def start_s(self) -> float:
        """Time of the first frame, seconds, on the clock shared by all streams of the file."""
        return float(self._packets.start_tick * self._stream.time_base)

    def notes(self) -> list[VideoNote]:
        """Return what a reader should know about the file; complete once decoding has ended."""
        facts = self.facts
        left_out = facts.orphans + self._passes.bad_frames
        starts = ", ".join(f"{start_s:.1f} s" for start_s in facts.starts_s[1 : _MOST_NAMED + 1])
        recordings = f"{facts.restarts + 1:,} recordings"
        recordings += f", the next from {starts}" if starts else ""
        gaps = ", ".join(f"{gap_s:,.0f} s" for gap_s in facts.gaps_s[:_MOST_NAMED])
        found: list[tuple[Note, object, str | None]] = [
            (Note.OTHER_STREAMS, self.other_streams, ", ".join(self.other_streams[:_MOST_NAMED])),
            (Note.CLOCK_RESTARTED, facts.restarts, recordings),
            (Note.CLOCK_JUMPED, facts.gaps_s, f"skipped: {gaps}"),
            (Note.FRAMES_CONCEALED, left_out, f"frames: {left_out:,}"),
            (Note.CUT_SHORT, facts.cut_short, (facts.cut_short or "").removeprefix("cut short: ")),
            (Note.DAMAGED, self._passes.is_damaged, None),
            (Note.TONE_MAPPED, self._lights, ", ".join(sorted(self._lights))),
            (Note.INTERLACED, self._is_interlaced, None),
            (Note.SIZE_CHANGED, len(self._sizes) > 1, _named(self._sizes)),
        ]
        return [VideoNote(code, detail or None) for code, holds, detail in found if holds]

    def choose(self, settings: SamplingSettings, key: str) -> Indices:
        """Return the first frame of each sample: int64 (k,) presentation ranks, increasing.

        Args:
            settings: mode, count, range, tolerance, pairs or clips.
            key: seeds mode `random` per video, such as the `video_id`.
        """
        times_s = self.facts.times_s
        chosen = choose_frames(
            times_s, self.facts.duration_s, settings, key, self._packets.key_frames
        )
        return self._moved(chosen, settings)

    def choose_more(self, settings: SamplingSettings, known: Indices, count: int) -> Indices:
        """Return the first frame of each sample that a further round adds, as `choose` does.

        Args:
            settings: as in `choose`, with mode uniform.
            known: first frames of the samples so far, increasing, at least one.
            count: samples of all rounds together.
        """
        times_s, end_s = self.facts.times_s, self.facts.duration_s
        return self._moved(more_frames(times_s, end_s, settings, known, count), settings, known)

    def _moved(
        self, chosen: Indices, settings: SamplingSettings, known: Indices | None = None
    ) -> Indices:
        """Move samples to cheaper neighbours that are not known."""
        times_s, index = self.facts.times_s, self._packets.index
        # Pairs and clips are not moved: the cost of their later frames depends on the first.
        moves = settings.mode in _EXCHANGED_MODES and settings.offsets == _ALONE
        if index is None or not moves:
            return chosen
        within = frame_range(len(times_s), settings)
        return move_to_cheap(index, times_s, chosen, settings.tolerance_s, within, taken=known)

    def readable(self) -> Indices:
        """Decode everything; return the ranks of all intact frames, increasing."""
        self._passes.begin()
        return np.array([ranked.rank for ranked in self._decode_in_order()], np.int64)

    def segments(
        self, ranks: Indices, most_s: float, each_s: float, offsets: Sequence[int] = _ALONE
    ) -> list[tuple[tuple[int, int], float]]:
        """Cut the video into segments that can be processed separately; estimate their costs.

        Args:
            ranks: of `choose`.
            most_s: target for the work of one segment, seconds on one core.
            each_s: work per frame besides decoding, seconds.
            offsets: of the frames of a sample, which belongs to the segment it starts in.

        Returns:
            ((first, stop) ranks, estimated seconds), at least one; `stop` is exclusive.
        """
        index = self._packets.index
        sample_s = each_s * len(offsets)
        if index is None:
            whole = 0, len(self.facts.times_s)
            return [(whole, sample_s * len(ranks))]
        segments = []
        for first, stop in segment_windows(index, ranks, most_s, sample_s):
            inside = ranks[(ranks >= first) & (ranks < stop)]
            plan = plan_decode(index, sampled_ranks(inside, offsets))
            segments.append(((first, stop), plan.cost_s + sample_s * len(inside)))
        return segments

    def decoding_s(self, ranks: Indices) -> float:
        """Estimate the seconds on one core that decoding the frames of `ranks` takes."""
        if self._packets.index is not None:
            return plan_decode(self._packets.index, ranks).cost_s
        size = self.facts.coded_size  # everything before them is decoded too
        return float(SECONDS_A_PIXEL * size.height * size.width * (ranks[-1] + 1))

    def frames(self, ranks: Indices, stop: int | None = None) -> Iterator[SampledFrame]:
        """Yield the frames of these ranks in presentation order, in one more pass over the file.

        A frame that cannot be decoded intact is replaced by the next one that can; `damage`
        then reports it. Fewer frames than planned are yielded when the file ends early.

        Args:
            ranks: int64 (k,), increasing; of `choose`, or a stretch of them.
            stop: where the next segment starts. A replacement from there on is left to that
                segment, and finding no frame here is not an error.

        Raises:
            MediaError: `unreadable` when no frame of all can be decoded, `too_large` when a
                frame inside the stream exceeds `limits.frame_px`.
        """
        for sample in self.samples(ranks, stop):
            yield from sample

    def samples(
        self, ranks: Indices, stop: int | None = None, offsets: Sequence[int] = _ALONE
    ) -> Iterator[tuple[SampledFrame, ...]]:
        """Yield samples as `frames` does: one frame each, in pairs and clips also those after it.

        A sample with a damaged frame is replaced by the next one of intact frames.

        Args:
            ranks: int64 (k,), first frames, increasing, so far apart that no sample meets another.
            stop: as in `frames`; a sample may reach beyond.
            offsets: of the frames of a sample (`SamplingSettings.offsets`).

        Raises:
            MediaError: as `frames`.
        """
        self._passes.begin()
        found = 0
        group_starts = self._first_of_groups(ranks)
        for sample in self._decoded(ranks, stop, offsets):
            found += 1
            yield tuple(self._sampled(ranked, group_starts) for ranked in sample)
        self._passes.end(found, len(ranks), _UNITS.get(tuple(offsets), "clips"))
        if found == 0 and len(ranks) and stop is None:
            raise MediaError(Status.UNREADABLE, self.damage or "no frame could be decoded")

    def walk(self, walk: Walk) -> Iterator[tuple[SampledFrame, ...]]:
        """Yield samples as `samples` does, each where `walk` wants the next.

        Where a sample lies depends on what the one before it showed, so nothing can be planned:
        all frames are decoded in order, up to the last sample.

        Args:
            walk: the caller passes it what each sample showed, before the next one is taken.

        Raises:
            MediaError: as `frames`.
        """
        self._passes.begin()
        found = 0
        for sample in walked_in_order(self._decode_in_order(), walk):
            found += 1
            yield tuple(self._sampled(ranked, frozenset()) for ranked in sample)
        if found == 0:
            raise MediaError(Status.UNREADABLE, self.damage or "no frame could be decoded")

    def _decoded(
        self, ranks: Indices, stop: int | None, offsets: Sequence[int]
    ) -> Iterator[tuple[RankedFrame, ...]]:
        """Follow the plan; where it fails, decode in order for the samples still missing."""
        found = 0
        try:
            planned = self._decode_planned(ranks, offsets)
            for sample in zip(*[planned] * len(offsets), strict=False):
                found += 1
                yield sample
            return
        except IrregularError:
            missing = ranks[found:]
        yield from samples_in_order(self._decode_in_order(), missing, stop, offsets)

    def _decode_planned(self, ranks: Indices, offsets: Sequence[int]) -> Iterator[RankedFrame]:
        if self._packets.index is None:
            raise IrregularError
        plan = plan_decode(self._packets.index, sampled_ranks(ranks, offsets))
        self._reopen()
        counts = self._passes.latest
        yield from decode_planned(self._container, self._stream, self._packets, plan, counts)

    def _decode_in_order(self) -> Iterator[RankedFrame]:
        self._reopen()
        counts = self._passes.latest
        yield from decode_in_order(self._container, self._stream, self._packets, counts)

    def _sampled(self, ranked: RankedFrame, group_starts: frozenset[int]) -> SampledFrame:
        rank, frame, ratio = ranked
        picture = DecodedFrame(frame, self._shape.of(ratio))
        check_size(picture.size, self._limits)
        self._sizes.add(picture.size)
        self._is_interlaced |= picture.is_interlaced
        if picture.light is not None:
            self._lights.add(picture.light.value)
        return SampledFrame(rank, float(self.facts.times_s[rank]), picture, rank in group_starts)

    def _first_of_groups(self, ranks: Indices) -> frozenset[int]:
        """Return the ranks that come first in their group of pictures."""
        index = self._packets.index
        if index is None or len(ranks) == 0:
            return frozenset()
        starts = index.starts()[index.positions()[ranks]]
        return frozenset(ranks[np.diff(starts, prepend=-1) > 0].tolist())

    def _reopen(self) -> None:
        """Return to the first packet. Seeking there is not exact in MPEG program streams."""
        self._container.close()
        self._container = open_container(self._source, self._limits)
        self._stream = self._container.streams[self.stream_index]
        self._stream.codec_context.thread_count = self._threads


def _named(sizes: set[Size]) -> str:
    listed = [f"{size.width} x {size.height}" for size in sorted(sizes, key=astuple)[:_MOST_NAMED]]
    return ", ".join(listed)
