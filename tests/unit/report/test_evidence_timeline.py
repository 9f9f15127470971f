"""The chart over time: what is drawn, that people are told apart, and that it stays small."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from framejury.pages.style import LIGHT
from framejury.pages.templating import style_of
from framejury.report.evidence.timeline import MOST_POINTS, Scale, binned, timeline
from framejury.report.evidence.video_evidence import STYLES, FaceEvidence, tracks_of

SCALE = Scale(0.5, (0.6, 0.8))


def face(
    at: float, score: float = 0.5, person: int = 0, ssim: float | None = 0.8, **fields: object
) -> FaceEvidence:
    known: dict[str, object] = {"confidence": 0.99} | fields
    return FaceEvidence(round(at * 25), at, person, person, score, None, known["confidence"], ssim)  # type: ignore[arg-type]


def chart(faces: list[FaceEvidence], scale: Scale = SCALE, **fields: object) -> str:
    known: dict[str, object] = {"sampled_s": [f.pts_s for f in faces], "duration_s": 10.0} | fields
    return timeline(tracks_of(faces, 0), scale, **known)  # type: ignore[arg-type]


def words(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.text]


def test_all_panels_on_one_axis() -> None:
    svg = chart([face(1.0, 0.9), face(2.0, 0.7)])
    said = " ".join(words(svg))
    for title in ("Face score", "Detector confidence", "SSIM", "Sampled frames"):
        assert title in said
    assert said.count("time in the video, seconds") == 1
    assert {"threshold", "interval"} <= set(words(svg))


def test_what_was_not_kept_has_no_panel() -> None:
    svg = chart([face(1.0, ssim=None, confidence=None)], Scale(None, None), sampled_s=None)
    said = " ".join(words(svg))
    assert "SSIM" not in said and "confidence" not in said
    assert "threshold" not in said and "interval" not in said
    assert "Face score" in said


def test_no_face_at_all_still_shows_the_sampled_times() -> None:
    svg = timeline((), SCALE, [0.5, 1.5, 2.5], 3.0)
    assert "Sampled frames" in words(svg)
    assert "Face score (not calibrated)" not in words(svg)


def test_people_differ_in_shape_and_dash_not_in_colour_alone() -> None:
    assert (
        len({style.marker for style in STYLES})
        == len({style.glyph for style in STYLES})
        == len(STYLES)
    )
    assert all(a.dash != b.dash for a, b in pairwise(STYLES))
    faces = [face(at, person=person) for at in (1.0, 2.0) for person in range(3)]
    svg = chart(faces)
    marks = re.findall(r"<use xlink:href=\"#(timeline-m\w+)\"", svg)
    assert len(set(marks)) >= 3
    assert {f"var(--track-{n})" for n in range(3)} <= set(re.findall(r"var\(--track-\d\)", svg))


def test_every_colour_follows_the_theme() -> None:
    faces = [face(at, person=person) for at in (1.0, 2.0) for person in range(8)]
    svg = chart(faces)
    assert re.findall(r"#[0-9a-f]{6}\b", svg) == []
    sheet = style_of("evidence.css")
    for name in set(re.findall(r"var\((--[\w-]+)\)", svg)):
        assert f"{name}:" in sheet, name
    assert LIGHT.ink not in svg


def test_styles_go_to_the_highest_scoring_track_and_the_most_seen() -> None:
    faces = [face(float(at), person=person) for person in range(10) for at in range(person + 1)]
    tracks = tracks_of(sorted(faces, key=lambda f: f.pts_s), worst=0)
    assert [track.number for track in tracks] == list(range(10))
    styled = {track.number for track in tracks if track.style}
    assert styled == {0, *range(5, 10)}
    assert [p.style for p in tracks if p.style] == list(STYLES)  # in order of their numbers


def test_bins_keep_the_extremes_and_the_mean() -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 100, 5000))
    values = rng.uniform(0.2, 0.6, 5000)
    values[1234] = 0.97
    curve = binned(times.tolist(), values.tolist())
    assert curve.low is not None and curve.high is not None
    assert len(curve.times) <= MOST_POINTS
    assert curve.high.max() == 0.97 and curve.low.min() == values.min()
    assert np.all(curve.low <= curve.values) and np.all(curve.values <= curve.high)
    assert np.all(np.diff(curve.times) > 0)
    assert curve.values.mean() == pytest.approx(values.mean(), abs=0.01)
    few = binned([1.0, 2.0], [0.1, 0.9])
    assert few.low is None and few.values.tolist() == [0.1, 0.9]


def test_faces_all_at_one_time_are_one_stretch() -> None:
    curve = binned([3.0] * 300, [0.1, 0.9] * 150)
    assert curve.times.tolist() == [3.0] and curve.values.tolist() == [pytest.approx(0.5)]


def test_a_long_video_stays_small_and_is_told_in_minutes() -> None:
    faces = [
        face(float(at), 0.3, person)
        for at in range(3600)
        for person in range(3)
        if at % 7 != person
    ]
    svg = chart(faces, duration_s=3600.0)
    assert len(svg) < 120_000
    assert "time in the video, minutes:seconds" in words(svg)
    assert "10:00" in words(svg)


def test_marks_of_a_curve_share_their_style() -> None:
    """It would be a third of the picture's bytes otherwise."""
    svg = chart([face(float(at)) for at in range(100)])
    marks = re.findall(r"<use [^>]*>", svg)
    assert len(marks) > 300
    assert sum("style=" in mark for mark in marks) < 10


def test_the_same_video_gives_the_same_picture() -> None:
    faces = [face(1.0), face(2.0, person=1)]
    assert chart(faces) == chart(faces)
