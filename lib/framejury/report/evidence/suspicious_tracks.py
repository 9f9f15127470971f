"""The face tracks of a video, which of them are suspicious, and where each is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framejury.pages.text_table import counted
from framejury.report.evidence.video_evidence import FaceTrack, Row
from framejury.report.sound_words import is_by_sound
from framejury.schemas.statuses import Verdict
from framejury.verdict.rule import ONE_TRACK

_ON_ONE_SIDE = 0.8
"""Share of the other faces in its frames that a face must have on one side, to be left or right."""


@dataclass(frozen=True, slots=True)
class DescribedTrack:
    """A face track of a video, and where it is.

    Attributes:
        person: number of the track.
        position: left, middle or right of the other faces in its frames; None: it is alone there.
        start_s, end_s: times of its first and last scored face, seconds.
        faces: scored faces, count.
        mean_score: their mean, 0 to 1, not calibrated.
    """

    person: int
    position: str | None
    start_s: float
    end_s: float
    faces: int
    mean_score: float

    @property
    def in_words(self) -> str:
        """Return the track, where it is and when as text."""
        where = "" if self.position is None else f" ({self.position})"
        return (
            f"track {self.person}{where}, {self.start_s:.1f} to {self.end_s:.1f} s, "
            f"{counted(self.faces, 'face')}, mean face score {self.mean_score:.3f}"
        )


def suspicious_tracks(
    verdict: Row, tracks: Sequence[FaceTrack], threshold: float | None
) -> list[DescribedTrack]:
    """Return the suspicious tracks of a video: the highest-scoring one, then by number.

    They are those whose mean alone would be called fake. Where one track decides (per_person,
    worst_person), a verdict of fake always has the highest-scoring one; a verdict on all faces
    together names nobody for being the highest. Nothing is returned for a verdict of real, for one
    by its sound, and where there is one track only.

    Args:
        verdict: columns of `verdicts`.
        tracks: of the video.
        threshold: of single faces; None: unknown.
    """
    if verdict["verdict"] == Verdict.REAL or is_by_sound(verdict) or len(tracks) < 2:
        return []
    worst = verdict["worst_person"]
    decides = verdict["verdict"] == Verdict.FAKE and verdict["reducer"] in ONE_TRACK
    high = [
        track
        for track in tracks
        if (decides and track.number == worst)
        or (threshold is not None and not track.is_brief and track.mean >= threshold)
    ]
    return [_described(track, tracks) for track in sorted(high, key=lambda t: t.number != worst)]


def tracks_by_score(tracks: Sequence[FaceTrack], worst: int | None) -> list[DescribedTrack]:
    """Return all tracks of a video: the highest-scoring one, then by their means, descending.

    Args:
        tracks: of the video.
        worst: `verdicts.worst_person`, the highest one by the rule, which draws tracks of few
            faces towards the video's mean.
    """
    ranked = sorted(tracks, key=lambda track: (track.number != worst, -track.mean, track.number))
    return [_described(track, tracks) for track in ranked]


def rests_on(found: Sequence[DescribedTrack], verdict: Row) -> str | None:
    """Return the suspicious tracks as a sentence; None if there are none.

    Only where one track decides does the suspicion rest on it.

    Args:
        found: by `suspicious_tracks`.
        verdict: columns of `verdicts`.
    """
    if not found:
        return None
    first, *others = found
    if verdict["reducer"] not in ONE_TRACK or first.person != verdict["worst_person"]:
        tracks = "; ".join(one.in_words for one in found)
        return f"Tracks whose own mean is above the face threshold: {tracks} (not calibrated)."
    text = f"The suspicion rests on {first.in_words} (not calibrated)."
    if others:
        text += f" Also suspicious: {'; '.join(one.in_words for one in others)}."
    return text


def _described(track: FaceTrack, tracks: Sequence[FaceTrack]) -> DescribedTrack:
    times = [face.pts_s for face in track.faces]
    return DescribedTrack(
        person=track.number,
        position=_position(track, tracks),
        start_s=min(times),
        end_s=max(times),
        faces=len(track.faces),
        mean_score=track.mean,
    )


def _position(track: FaceTrack, tracks: Sequence[FaceTrack]) -> str | None:
    own = {face.frame_index: face.box.center[0] for face in track.faces if face.box is not None}
    others = [
        own[face.frame_index] < face.box.center[0]
        for other in tracks
        if other is not track
        for face in other.faces
        if face.box is not None and face.frame_index in own
    ]
    if not others:
        return None
    left = sum(others) / len(others)
    if left >= _ON_ONE_SIDE:
        return "left"
    return "right" if left <= 1 - _ON_ONE_SIDE else "middle"
