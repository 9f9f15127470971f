"""Samples of one or several frames, put together from intact frames in presentation order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from framejury.media.decoders import RankedFrame
from framejury.media.sample import Indices, Walk


class _Sample:
    """A sample that has begun.

    Attributes:
        frames: its frames so far, at least one.
    """

    def __init__(self, first: RankedFrame, offsets: Sequence[int]) -> None:
        self.frames = [first]
        self._offsets = offsets

    @property
    def is_whole(self) -> bool:
        return len(self.frames) == len(self._offsets)

    def goes_on(self, ranked: RankedFrame) -> bool:
        """Take the next intact frame if it is one of the sample; False: it lacks one before."""
        due = self.frames[0].rank + self._offsets[len(self.frames)]
        if ranked.rank == due:
            self.frames.append(ranked)
        return ranked.rank <= due


def samples_in_order(
    decoded: Iterable[RankedFrame], ranks: Indices, stop: int | None, offsets: Sequence[int]
) -> Iterator[tuple[RankedFrame, ...]]:
    """Yield for each rank the sample that starts there.

    A sample that lacks a frame begins again at the next intact one, whatever the samples around it
    do. So parts of a video give the samples that the whole one does. Those that come to the same
    start are one.

    Args:
        decoded: frames in presentation order; not read when `ranks` is empty.
        ranks: int64 (k,), increasing.
        stop: samples start before this rank; None: anywhere.
        offsets: of the frames of a sample.
    """
    wanted = deque(ranks.tolist())
    begun: list[_Sample] = []
    for ranked in decoded if wanted else ():
        going_on = [sample for sample in begun if sample.goes_on(ranked)]
        begins = len(going_on) < len(begun)
        while wanted and wanted[0] <= ranked.rank:
            wanted.popleft()
            begins = True
        if begins and (stop is None or ranked.rank < stop):
            going_on.append(_Sample(ranked, offsets))
        yield from (tuple(sample.frames) for sample in going_on if sample.is_whole)
        begun = [sample for sample in going_on if not sample.is_whole]
        if not wanted and not begun:
            return


def walked_in_order(
    decoded: Iterable[RankedFrame], walk: Walk
) -> Iterator[tuple[RankedFrame, ...]]:
    """Yield samples, each where `walk` wants the next.

    Args:
        decoded: frames in presentation order.
        walk: told by the caller what a sample showed, before the next one is taken.
    """
    sample: _Sample | None = None
    for ranked in decoded:
        if ranked.rank >= walk.stop:
            return
        if (sample is None or not sample.goes_on(ranked)) and ranked.rank >= walk.next_rank:
            sample = _Sample(ranked, walk.offsets)
        if sample is not None and sample.is_whole:
            yield tuple(sample.frames)
            sample = None
            if walk.is_over:
                return
