"""Which seconds of a video become clips, and where the face is in them. Pure functions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from framejury.examine.faces import ExaminedFace, scores_of
from framejury.records import Box, Region, Size
from framejury.verdict.judge import suspicious_parts_of
from framejury.verdict.rule import Rule
from framejury.verdict.stretches import Stretch

LONGEST_S = 2.0
"""Longest clip, seconds."""
_AROUND_S = 0.5
"""How far a clip may reach beyond its suspicious part on each side, seconds."""
_BETWEEN_S = 2.0
"""Between two sampled faces of a track that are further apart, no box is interpolated."""
_NEAR_S = 1.0
"""A box is drawn where its face was at most this long before or after, seconds."""
_MARGIN_RATIO = 0.5
"""Margin around all places of the face, as a share of its larger side."""


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """One clip to make.

    Attributes:
        start_s, end_s: film time of its ends, seconds.
        first_s, latest_s: between which its ends may be moved, seconds.
        peak: the face with the highest score in between.
        score: mean score of the suspicious part, 0 to 1.
        faces: of the track, by time.
    """

    start_s: float
    end_s: float
    peak: ExaminedFace
    score: float
    faces: tuple[ExaminedFace, ...]
    first_s: float
    latest_s: float

    def starting_at(self, times_s: Sequence[float]) -> list[ClipPlan]:
        """Return the same clip, beginning at some of the given times.

        They are those at which it is as long and still shows its peak.
        """
        length_s = self.end_s - self.start_s
        found = [
            at_s
            for at_s in times_s
            if at_s <= self.peak.pts_s <= at_s + length_s <= self.latest_s and at_s >= self.first_s
        ]
        return [replace(self, start_s=at_s, end_s=at_s + length_s) for at_s in found]

    def box_at(self, at_s: float) -> Box | None:
        """Return where the face is at a time, full-frame pixels; None: unknown."""
        times = [face.pts_s for face in self.faces]
        after = bisect_right(times, at_s)
        around = self.faces[max(after - 1, 0) : after + 1]
        first, last = around[0], around[-1]
        if first.pts_s <= at_s <= last.pts_s <= first.pts_s + _BETWEEN_S and first != last:
            share = (at_s - first.pts_s) / (last.pts_s - first.pts_s)
            return _between(first.face.box, last.face.box, share)
        nearest = min(around, key=lambda face: abs(face.pts_s - at_s))
        return nearest.face.box if abs(nearest.pts_s - at_s) <= _NEAR_S else None

    def region(self, size: Size) -> Region:
        """Return the part of the frames that the clip shows: all places of the face, with margin.

        Args:
            size: of the frames.
        """
        near = [
            face.face.box
            for face in self.faces
            if self.start_s - _NEAR_S <= face.pts_s <= self.end_s + _NEAR_S
        ]
        margin = _MARGIN_RATIO * max(max(box.width, box.height) for box in near)
        left = max(int(min(box.x for box in near) - margin), 0)
        top = max(int(min(box.y for box in near) - margin), 0)
        right = min(int(max(box.x + box.width for box in near) + margin), size.width)
        bottom = min(int(max(box.y + box.height for box in near) + margin), size.height)
        return Region(left, top, max(right - left, 1), max(bottom - top, 1))


def plan_clips(faces: Sequence[ExaminedFace], rule: Rule, most: int) -> list[ClipPlan]:
    """Return the clips of one video, by time: those of its most suspicious parts.

    Args:
        faces: of the video, in any order.
        rule: of its verdict.
        most: clips, count.
    """
    columns = scores_of(faces)
    if len(columns.score) == 0 or most == 0:
        return []
    parts = sorted(suspicious_parts_of(columns, rule), key=lambda part: -part.mean_score)[:most]
    return sorted((_plan(part, faces) for part in parts), key=lambda plan: plan.start_s)


def _plan(part: Stretch, faces: Sequence[ExaminedFace]) -> ClipPlan:
    track = sorted((one for one in faces if one.person == part.person), key=lambda one: one.pts_s)
    inside = [face for face in track if part.start_s <= face.pts_s <= part.end_s]
    peak = max(inside, key=lambda face: face.score or 0.0)
    earliest, latest = max(part.start_s - _AROUND_S, 0.0), part.end_s + _AROUND_S
    start_s = max(min(peak.pts_s - LONGEST_S / 2, latest - LONGEST_S), earliest)
    end_s = min(start_s + LONGEST_S, latest)
    return ClipPlan(start_s, end_s, peak, part.mean_score, tuple(track), earliest, latest)


def _between(first: Box, last: Box, share: float) -> Box:
    def mixed(a: float, b: float) -> float:
        return a + share * (b - a)

    return Box(
        mixed(first.x, last.x),
        mixed(first.y, last.y),
        mixed(first.width, last.width),
        mixed(first.height, last.height),
    )
