"""Which seconds become clips, and where the face is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from framejury.examine.clip_plan import LONGEST_S, ClipPlan, plan_clips
from framejury.examine.faces import ExaminedFace
from framejury.records import Box, DetectedFace, Region, Size
from framejury.settings import VerdictSettings
from framejury.verdict.judge import FaceScores, judge
from framejury.verdict.rule import Rule

RULE = Rule(threshold=0.5)


def face(at_s: float, score: float, person: int = 0, x: float = 100.0) -> ExaminedFace:
    box = Box(x, 50.0, 40.0, 60.0)
    found = DetectedFace(box, 0.99, None)
    where = Region(int(x), 50, 40, 60)
    return ExaminedFace(
        round(25 * at_s), at_s, person, person, box, found, where, None, score=score
    )


def track(scores: Mapping[float, float], person: int = 0) -> list[ExaminedFace]:
    return [face(at_s, score, person) for at_s, score in scores.items()]


def test_clips_are_those_of_the_stretches_of_the_verdict() -> None:
    faces = track({n / 2: 0.9 if 8 <= n < 20 else 0.1 for n in range(40)})
    judged = judge(
        FaceScores(
            score=[one.score or 0 for one in faces],
            frame_index=[one.frame_index for one in faces],
            pts_s=[one.pts_s for one in faces],
            person=[one.person for one in faces],
        ),
        RULE,
        VerdictSettings(),
    )
    (stretch,) = judged.stretches or []
    (clip,) = plan_clips(faces, RULE, 3)
    assert clip.score == stretch.mean_score
    assert stretch.start_s - 0.5 <= clip.start_s < clip.end_s <= stretch.end_s + 0.5
    assert clip.end_s - clip.start_s == LONGEST_S
    assert clip.start_s <= clip.peak.pts_s <= clip.end_s


def test_a_video_that_is_suspicious_throughout_has_a_clip_too() -> None:
    """Its verdict lists no stretch, and it needs a look most of all."""
    (clip,) = plan_clips(track({float(n): 0.9 for n in range(10)}), RULE, 3)
    assert clip.peak.score == 0.9


def test_no_suspicion_no_clip() -> None:
    assert plan_clips(track({float(n): 0.4 for n in range(10)}), RULE, 3) == []
    assert plan_clips([], RULE, 3) == []
    assert plan_clips(track({float(n): 0.9 for n in range(10)}), RULE, 0) == []


def test_the_most_suspicious_parts_by_time() -> None:
    level = {0: 0.7, 10: 0.95, 20: 0.6, 30: 0.8}
    scores = {float(n): level.get(n // 10 * 10, 0) if n % 10 < 4 else 0.1 for n in range(40)}
    assert [round(clip.score, 2) for clip in plan_clips(track(scores), RULE, 2)] == [0.95, 0.8]
    assert [round(clip.score, 2) for clip in plan_clips(track(scores), RULE, 9)] == [
        *(0.7, 0.95, 0.6, 0.8)
    ]


def test_a_short_part_has_a_short_clip() -> None:
    scores = {n / 10: 0.9 if n in (50, 52) else 0.1 for n in range(0, 100, 2)}
    # Two faces of one second are not the mean of that second: take them alone in it.
    scores = {at: score for at, score in scores.items() if not 5 <= at < 6 or score > 0.5}
    (clip,) = plan_clips(track(scores), RULE, 3)
    assert (clip.start_s, clip.end_s) == (pytest.approx(4.5), pytest.approx(5.7))


def moving() -> ClipPlan:
    faces = (face(1.0, 0.9, x=100.0), face(2.0, 0.9, x=140.0), face(6.0, 0.9, x=300.0))
    return ClipPlan(0.5, 2.5, faces[0], 0.9, faces, 0.0, 6.5)


@pytest.mark.parametrize(
    ("at_s", "x"),
    [(1.0, 100), (1.25, 110), (2.0, 140), (0.5, 100), (2.9, 140), (5.1, 300), (6.5, 300)],
)
def test_boxes_are_interpolated_and_held_for_a_moment(at_s: float, x: float) -> None:
    box = moving().box_at(at_s)
    assert box is not None and (box.x, box.width) == (pytest.approx(x), 40)


@pytest.mark.parametrize("at_s", [3.5, 4.9, 7.1])
def test_no_box_far_from_a_sampled_face(at_s: float) -> None:
    assert moving().box_at(at_s) is None


def test_the_region_shows_all_places_of_the_face_inside_the_frame() -> None:
    region = moving().region(Size(150, 200))
    for x in (100, 140):
        assert region.x <= x - 25 and x + 40 <= region.x + region.width
    assert region.x + region.width <= 200 and region.y + region.height <= 150
    assert (region.x, region.y) == (70, 20)


def test_a_clip_may_begin_elsewhere_if_it_is_as_long_and_shows_its_peak() -> None:
    scores = {n / 2: 0.9 if 8 <= n < 20 else 0.1 for n in range(40)} | {6.0: 0.99}
    (clip,) = plan_clips(track(scores), RULE, 1)
    moved = clip.starting_at([0.0, 3.4, 3.9, 4.0, 5.5, 6.1, 9.0])
    # It may begin 0.5 s before its part, which begins at 4 s, and not after its peak at 6 s.
    assert [(one.start_s, one.end_s) for one in moved] == [(4.0, 6.0), (5.5, 7.5)]
