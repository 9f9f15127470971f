"""When figures rest on too few videos to mean much; reports and comparisons share the rule."""

from __future__ import annotations

from framejury.schemas.outcomes import FEW_VIDEOS

CURVES_FROM = 30
"""Labelled videos from which on curves are drawn. With 29, the 95% interval of a share is up to 34
points wide (Wilson, at one half), and one video moves a curve by 7 points if half are fakes."""


def too_few_for_curves(videos: int) -> str | None:
    """Return a sentence where fewer than `CURVES_FROM` labelled videos were scored, else None."""
    if not 0 < videos < CURVES_FROM:
        return None
    were = _counted(videos, "labelled video")
    return (
        f"No curves are drawn: {were} {'was' if videos == 1 else 'were'} scored, and below "
        f"{CURVES_FROM} a single video moves a curve by several points. Counts are shown instead."
    )


def few_videos(reals: int, fakes: int) -> str | None:
    """Return a sentence where a class has fewer than `FEW_VIDEOS` videos, else None."""
    if min(reals, fakes) >= FEW_VIDEOS:
        return None
    what = f"{_counted(reals, 'real video')} and {_counted(fakes, 'fake')}"
    return f"Too few videos: figures of {what} say little (below {FEW_VIDEOS} of a class)."


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
