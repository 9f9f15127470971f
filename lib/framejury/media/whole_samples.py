"""Samples of one or several frames, put together from frames in presentation order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from framejury.media.decoders import RankedFrame
from framejury.media.sample import Indices, Walk


class _SampleCollector:
    """Puts samples together from intact frames in presentation order."""

    def __init__(self, offsets: Sequence[int]) -> None:
        self._offsets = offsets
        self._frames: list[RankedFrame] = []

    def add(self, ranked: RankedFrame, wanted: int, stop: int | None) -> bool:
        """Take a frame, if the sample needs it; a sample that lacks one begins again.

        Args:
            wanted: no sample begins before this rank.
            stop: nor does any at or after this one; None: no limit.

        Returns:
            False once no further sample can begin.
        """
        if self._frames and ranked.rank > self._due:
            self._frames = []
        if not self._frames:
            if stop is not None and ranked.rank >= stop:
                return False
            if ranked.rank >= wanted:
                self._frames = [ranked]
        elif ranked.rank == self._due:
            self._frames.append(ranked)
        return True

    @property
    def _due(self) -> int:
        """Rank of the next frame of a sample that has begun."""
        return self._frames[0].rank + self._offsets[len(self._frames)]

    def take(self) -> tuple[RankedFrame, ...] | None:
        """Return the sample once it is complete, to begin the next one."""
        if len(self._frames) < len(self._offsets):
            return None
        sample, self._frames = tuple(self._frames), []
        return sample


def samples_in_order(
    decoded: Iterable[RankedFrame], ranks: Indices, stop: int | None, offsets: Sequence[int]
) -> Iterator[tuple[RankedFrame, ...]]:
    """Yield for each rank the first sample of intact frames that starts there or later.

    Args:
        decoded: frames in presentation order; not read when `ranks` is empty.
        ranks: int64 (k,), increasing.
        stop: samples start before this rank; None: anywhere.
        offsets: of the frames of a sample.
    """
    wanted = deque(ranks.tolist())
    collector = _SampleCollector(offsets)
    for ranked in decoded if wanted else ():
        if not collector.add(ranked, wanted[0], stop):
            return
        sample = collector.take()
        if sample is None:
            continue
        while wanted and wanted[0] <= sample[0].rank:
            wanted.popleft()
        yield sample
        if not wanted:
            return


def walked_in_order(
    decoded: Iterable[RankedFrame], walk: Walk
) -> Iterator[tuple[RankedFrame, ...]]:
    """Yield samples, each where `walk` wants the next.

    Args:
        decoded: frames in presentation order.
        walk: told by the caller what a sample showed, before the next one is taken.
    """
    collector = _SampleCollector(walk.offsets)
    for ranked in decoded:
        if ranked.rank >= walk.stop:
            return
        collector.add(ranked, walk.next_rank, None)
        sample = collector.take()
        if sample is not None:
            yield sample
            if walk.is_over:
                return
