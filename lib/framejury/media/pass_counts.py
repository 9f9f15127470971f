"""What the passes over one file have come across: frames, damage, samples that are missing."""

from __future__ import annotations

from framejury.media.decoders import DecodeCounts


class PassCounts:
    """Counts of all passes over one file, which meet the same damage.

    Attributes:
        latest: counts of the pass under way.
    """

    def __init__(self) -> None:
        self._passes: list[DecodeCounts] = []
        self._found = self._planned = 0
        self._what = ""

    def begin(self) -> None:
        """Start another pass."""
        self._passes.append(DecodeCounts())

    @property
    def latest(self) -> DecodeCounts:
        return self._passes[-1]

    @property
    def frames(self) -> int:
        """Frames that the decoder returned in all passes."""
        return sum(counts.frames for counts in self._passes)

    @property
    def bad_packets(self) -> int:
        """Damaged packets of the pass that met most of them."""
        return max((counts.bad_packets for counts in self._passes), default=0)

    @property
    def bad_frames(self) -> int:
        """Frames left out as damaged, of the pass that met most of them."""
        return max((counts.bad_frames for counts in self._passes), default=0)

    @property
    def is_damaged(self) -> bool:
        """Whether packets were damaged or samples are missing."""
        return self.bad_packets > 0 or self._found < self._planned

    def end(self, found: int, planned: int, what: str) -> None:
        """End a pass that was to find `planned` samples; `what` names them, such as frames."""
        self._found += found
        self._planned += planned
        self._what = what

    def damage(self, cut_short: str | None) -> str | None:
        """Return what was damaged or missing so far, in words; None: nothing.

        Args:
            cut_short: how far the file falls short of its headers; None: the file is whole.
        """
        found, planned = self._found, self._planned
        packets, frames = self.bad_packets, self.bad_frames
        parts = (
            cut_short,
            packets and f"damaged packets: {packets}",
            frames and f"damaged frames left out: {frames}",
            found < planned and f"{found} of {planned} planned {self._what} could be decoded",
        )
        return "; ".join(str(part) for part in parts if part) or None
