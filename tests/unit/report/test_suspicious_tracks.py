"""Which people a verdict of fake rests on, and where they are in the picture."""

from __future__ import annotations

from typing import Any

import pytest

from framejury.records import Box
from framejury.report.evidence.suspicious_tracks import (
    rests_on,
    suspicious_tracks,
    tracks_by_score,
)
from framejury.report.evidence.video_evidence import FaceEvidence, FaceTrack, tracks_of

X = {0: 10.0, 1: 200.0, 2: 400.0}
"""Where each person is, from left to right."""


def tracks(*means: float, frames: int = 5, together: bool = True) -> tuple[FaceTrack, ...]:
    faces = [
        FaceEvidence(
            frame_index=frame if together else frame + 100 * who,
            pts_s=2.0 * frame,
            face_index=0,
            person=who,
            score=mean,
            box=Box(X[who], 50.0, 80.0, 90.0),
        )
        for who, mean in enumerate(means)
        for frame in range(frames)
    ]
    return tracks_of(faces, 0)


def verdict(worst: int, **others: Any) -> dict[str, Any]:
    row = {"verdict": "fake", "worst_person": worst, "decided_by": None, "reducer": "per_person"}
    return row | others


@pytest.mark.parametrize(("worst", "position"), [(0, "left"), (1, "middle"), (2, "right")])
def test_the_highest_track_is_named_with_its_place(worst: int, position: str) -> None:
    means = [0.1, 0.1, 0.1]
    means[worst] = 0.9
    (found,) = suspicious_tracks(verdict(worst), tracks(*means), 0.5)
    assert (found.person, found.position, found.faces) == (worst, position, 5)
    assert (found.start_s, found.end_s) == (0.0, 8.0)
    assert found.in_words == (
        f"track {worst} ({position}), 0.0 to 8.0 s, 5 faces, mean face score 0.900"
    )


def test_others_above_the_threshold_follow() -> None:
    found = suspicious_tracks(verdict(2), tracks(0.8, 0.2, 0.9), 0.5)
    assert [one.person for one in found] == [2, 0]
    said = rests_on(found, verdict(2))
    assert said is not None
    assert said.startswith("The suspicion rests on track 2 (right)")
    assert "Also suspicious: track 0 (left)" in said
    assert [one.person for one in suspicious_tracks(verdict(2), tracks(0.8, 0.2, 0.9), None)] == [2]


def test_a_brief_track_is_named_only_if_it_decides() -> None:
    short = [one for one in tracks(0.8, 0.9, frames=2) if one.number == 0]
    both = [*short, *(one for one in tracks(0.8, 0.9) if one.number == 1)]
    assert [one.person for one in suspicious_tracks(verdict(1), both, 0.5)] == [1]


def test_never_seen_with_others_it_has_no_place() -> None:
    (found,) = suspicious_tracks(verdict(1), tracks(0.1, 0.9, together=False), 0.5)
    assert found.position is None
    assert found.in_words.startswith("track 1, 0.0 to")


@pytest.mark.parametrize(
    "row",
    [
        verdict(0, verdict="real"),
        verdict(0, decided_by="sound"),
    ],
)
def test_nobody_is_named_without_a_fake_in_the_picture(row: dict[str, Any]) -> None:
    assert suspicious_tracks(row, tracks(0.9, 0.1), 0.5) == []
    assert rests_on([], row) is None


def test_without_a_verdict_those_above_the_threshold_are_named() -> None:
    row = verdict(0, verdict="inconclusive")
    assert [one.person for one in suspicious_tracks(row, tracks(0.9, 0.1), 0.5)] == [0]
    assert suspicious_tracks(row, tracks(0.4, 0.1), 0.5) == []
    assert [one.person for one in suspicious_tracks(verdict(0), tracks(0.4, 0.1), 0.5)] == [0]


@pytest.mark.parametrize("reducer", ["mean", "median", "learned"])
def test_a_verdict_on_all_faces_accuses_nobody_for_being_the_highest(reducer: str) -> None:
    """Two tracks, both just below the threshold of single faces: neither is named."""
    row = verdict(1, reducer=reducer)
    assert suspicious_tracks(row, tracks(0.48, 0.49), 0.5) == []
    assert suspicious_tracks(row, tracks(0.48, 0.49), None) == []
    found = suspicious_tracks(row, tracks(0.1, 0.9), 0.5)
    assert [one.person for one in found] == [1]
    said = rests_on(found, row)
    assert said is not None and "rests on" not in said
    assert said.startswith(
        "Tracks whose own mean is above the face threshold: track 1 (right), 0.0"
    )


def test_the_suspicion_rests_on_nobody_else_than_the_highest() -> None:
    """The highest track is brief, so an inconclusive verdict does not name it."""
    row = verdict(1, verdict="inconclusive")
    brief = [one for one in tracks(0.8, 0.9, frames=2) if one.number == 1]
    both = [*brief, *(one for one in tracks(0.8, 0.9) if one.number == 0)]
    found = suspicious_tracks(row, both, 0.5)
    said = rests_on(found, row)
    assert [one.person for one in found] == [0]
    assert said is not None and said.startswith("Tracks whose own mean")


def test_the_only_person_is_not_singled_out() -> None:
    assert suspicious_tracks(verdict(0), tracks(0.9), 0.5) == []


def test_all_tracks_are_listed_from_the_highest() -> None:
    assert [one.person for one in tracks_by_score(tracks(0.3, 0.7, 0.5), 1)] == [1, 2, 0]
    # By the rule, which draws brief tracks towards the video's mean, another one may be highest.
    assert [one.person for one in tracks_by_score(tracks(0.3, 0.7, 0.5), 2)] == [2, 1, 0]
    assert tracks_by_score([], None) == []
