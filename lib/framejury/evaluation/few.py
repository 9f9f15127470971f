"""When figures rest on too few videos to mean much; reports and comparisons share the rule."""

from __future__ import annotations

FEW = 10
"""With fewer videos of a class, even a perfect score says little: the 95% Wilson interval of 9 of 9
correct calls begins at 70%."""


def few_videos(reals: int, fakes: int) -> str | None:
    """Return a sentence where a class has fewer than `FEW` videos, else None."""
    if min(reals, fakes) >= FEW:
        return None
    what = f"{_counted(reals, 'real video')} and {_counted(fakes, 'fake')}"
    return f"Too few videos: figures of {what} say little (below {FEW} of a class)."


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
