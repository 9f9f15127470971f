"""The evidence page: what it says of each kind of video, and that hostile names stay text."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from framejury.faces.crop import decode_crop
from framejury.report.bundle_info import BundleInfo
from framejury.report.evidence import sentences as words
from framejury.report.evidence.scan_pages import IndexEntry, index_html
from framejury.report.evidence.shown_clips import shown_clips
from framejury.report.evidence.shown_pictures import contact_sheet, frame_picture
from framejury.report.evidence.timeline import Scale
from framejury.report.evidence.video_evidence import Evidence
from framejury.report.evidence.video_page import MOST_ROWS, About, _scale, evidence_html
from framejury.report.findings import DEMO_BANNER, LEAK_BANNER
from framejury.report.sound_words import SOUND
from framejury.report.wording import clock
from framejury.schemas.statuses import VERDICT_STATUSES, Status
from framejury.verdict.calibration import Calibration
from framejury.verdict.judge import face_threshold
from framejury.verdict.rule import Reducer, Rule
from tests.builders.evidence_rows import (
    ABOUT,
    ORIGIN,
    clip_row,
    evidence,
    extraction_row,
    picture_rows,
    score_rows,
    times,
    unscored,
)
from tests.builders.reports import ATTACKS, Page

_PICTURE = re.compile(r"data:image/jpeg;base64,[^\"]*")


def page(one: Evidence, about: About = ABOUT) -> Page:
    return Page(evidence_html(one, about))


def test_the_verdict_comes_first_with_interval_and_threshold() -> None:
    html = evidence_html(evidence(p_fake=0.84, p_fake_low=0.79, p_fake_high=0.89), ABOUT)
    text = Page(html).text
    assert "framejury calls this video fake." in text
    assert "p_fake is 0.840 (95% interval 0.790 to 0.890)" in text
    assert "A p_fake of 0.500 and above counts as fake." in text
    assert html.index("calls this video fake") < html.index("Over time") < html.index("The file")


def test_a_verdict_without_an_interval_names_none() -> None:
    """As `verdict.confidence_level: null` of published recipes gives them."""
    text = page(evidence(p_fake=0.84, p_fake_low=0.84, p_fake_high=0.84)).text
    assert "Its p_fake is 0.840, on a scale from 0 (real) to 1 (fake)." in text
    assert "interval of the verdict" not in text


def test_why_a_verdict_is_inconclusive() -> None:
    crossing = page(evidence(verdict="inconclusive", p_fake_low=0.4, p_fake_high=0.9)).text
    assert "The interval crosses the threshold" in crossing
    few = page(evidence(score_rows([0.9]), verdict="inconclusive", p_fake_low=0.8)).text
    assert "Too few faces: 1 scored; at least 3 are needed." in few
    assert "crosses" not in few
    assert "crosses" not in page(evidence()).text


def test_a_video_that_got_no_further_frames_names_the_remedy() -> None:
    note = "rounds_left_out: they could have taken more than half of limits.timeout_s"
    crossing = {"verdict": "inconclusive", "p_fake_low": 0.4, "p_fake_high": 0.9}
    remedy = "raise limits.timeout_s or limits.cpu_s and judge the video again"
    assert remedy in page(evidence(**crossing, notes=note)).text
    assert remedy not in page(evidence(**crossing)).text
    assert remedy not in page(evidence(notes=note)).text


def test_suspicious_parts_are_listed() -> None:
    part = {"start_s": 61.0, "end_s": 64.5, "person": 1, "mean_score": 0.93}
    some = page(evidence(stretches=[part], verdict="real", p_fake=0.3)).text
    assert "Suspicious parts 61.0 to 64.5 s, track 1, mean face score 0.930" in some
    assert "are not verdicts: the scores are not calibrated" in some
    assert "No part stands out" not in some
    fake = page(evidence(stretches=[])).text
    assert "Suspicious parts" not in fake and "No part stands out" in fake
    for quiet in (evidence(stretches=None), evidence(stretches=[], verdict="real")):
        text = page(quiet).text
        assert "Suspicious parts" not in text and "No part stands out" not in text


@pytest.mark.parametrize("verdict", ["fake", "real", "inconclusive"])
def test_each_verdict_has_its_chip(verdict: str) -> None:
    html = evidence_html(evidence(verdict=verdict), ABOUT)
    assert f'<span class="chip {verdict}">{verdict}</span>' in html


def test_how_the_score_came_about() -> None:
    rows = score_rows([0.9, 0.8, 0.9]) + score_rows([0.2, 0.3, 0.1], person=1, face_index=1)
    two = evidence(rows, persons=2, worst_person_score=0.866, reducer="median", frames_scored=3)
    text = page(two, replace(ABOUT, rule=Rule(reducer=Reducer(name="median")))).text
    assert "based on 6 faces in 3 frames (2 face tracks)" in text
    assert "; p_fake is the median of these scores." in text
    assert (
        "The highest-scoring track is track 0, with a mean face score of 0.866 (not calibrated)."
        in text
    )


def test_limits_of_a_verdict() -> None:
    looked = [0.5, 1.0, 2.0, 7.0, 9.5]
    extraction = extraction_row(
        frames_sampled=5, sampled_s=looked, faces_found=9, faces_kept=6, error="tail damaged"
    )
    rows = score_rows([0.9, 0.8, 0.9]) + score_rows([0.2], person=1, face_index=1)
    found = words.limits_of(evidence(rows, extraction, frames_scored=3), tracks_of(rows))
    assert found[0] == SOUND and found[-1] == words.NO_PROOF
    text = " ".join(found)
    assert "2 of 5 sampled frames show no face that can be judged." in text
    assert "3 faces were found but not judged: too small" in text
    assert "5 of 250 frames were sampled, about one every 1.8 s; anything" in text
    assert "The longest gap is 5.0 s, from 0:02.00 to 0:07.00." in text
    assert "1 of 2 face tracks has fewer than 3 scored faces, so its mean is unreliable." in text
    assert "Part of the file could not be decoded" in text


@pytest.mark.parametrize(
    ("rounds", "said"), [(None, None), (1, None), (2, "1 further round,"), (3, "2 further rounds,")]
)
def test_frames_that_were_added_are_explained(rounds: int | None, said: str | None) -> None:
    extraction = extraction_row(frames_sampled=3, sampled_s=[0.5, 1.0, 2.0]) | {"rounds": rounds}
    rows = score_rows([0.9, 0.8, 0.9])
    found = words.limits_of(evidence(rows, extraction, frames_scored=3), tracks_of(rows))
    (text,) = [sentence for sentence in found if "Frames were added" in sentence] or [None]
    assert (text is None) is (said is None)
    if said is not None:
        assert f"added in {said} because the verdict was still open." in str(text)


def test_limits_of_a_verdict_of_pairs() -> None:
    """Times are those of the first frames; a face may be gone in the second."""
    extraction = extraction_row(
        frames_sampled=10, sampled_s=[0.5, 1.0, 2.0, 7.0, 9.5], faces_found=9, faces_kept=6
    )
    rows = score_rows([0.9, 0.8, 0.9])
    found = words.limits_of(evidence(rows, extraction, frames_scored=3), tracks_of(rows))
    text = " ".join(found)
    assert "2 of 5 sampled pairs of frames show no face that can be judged." in text
    assert "3 faces were found but not judged: not in both frames of a pair, too small" in text
    assert "5 pairs out of 250 frames were sampled, about one every 1.8 s; anything" in text
    one = words.between(extraction_row(frames_sampled=2), [4.0])
    assert one.startswith("1 pair out of 250 frames was sampled;")


def test_a_score_that_mixes_people_says_so() -> None:
    """The mean of a fake face and a real one is near neither."""
    fake, real = score_rows([0.99] * 4), score_rows([0.02] * 4, person=1, face_index=1)
    said = page(evidence(fake + real, persons=2)).text
    assert (
        "The face tracks differ: the mean face score of track 0 is 0.990, of track 1 it is 0.020"
        in said
    )
    alike = score_rows([0.7] * 4, person=1, face_index=1)
    assert "The face tracks differ" not in page(evidence(fake + alike, persons=2)).text
    brief = score_rows([0.02] * 2, person=1, face_index=1)
    assert "The face tracks differ" not in page(evidence(fake + brief, persons=2)).text
    about = replace(ABOUT, rule=Rule(reducer=Reducer(name="worst_person")))
    one = evidence(fake + real, persons=2, reducer="worst_person")
    assert "The face tracks differ" not in page(one, about).text


def tracks_of(rows: list[dict[str, Any]]) -> Any:
    from framejury.report.evidence.video_evidence import tracks_of as found

    return found(evidence(rows).faces, 0)


def test_nothing_lies_between_where_every_frame_was_looked_at() -> None:
    extraction = extraction_row(frames_total=11)
    text = " ".join(words.limits_of(evidence(None, extraction, frames_scored=11), ()))
    assert "longest gap" not in text and "show no face" not in text
    # The beginning and the end count as well.
    edges = words.between(extraction_row(), [4.0, 5.0])
    assert "5.0 s, from 0:05.00 to 0:10.00" in edges


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0:00.00"), (3.236, "0:03.24"), (59.999, "1:00.00"), (3723.5, "1:02:03.50")],
)
def test_clock(value: float, text: str) -> None:
    assert clock(value) == text


@pytest.mark.parametrize("status", [s for s in VERDICT_STATUSES if s is not Status.SCORED])
def test_a_video_without_a_score_says_why_and_what_to_do(status: Status) -> None:
    text = page(
        unscored(status.value, "moov atom not found" if status is Status.UNREADABLE else None)
    ).text
    assert "This video has no score" in text
    assert f"Reason: {status.value.replace('_', ' ')}" in text
    assert "What to do:" in text
    assert ("moov atom not found" in text) == (status is Status.UNREADABLE)
    assert "Highest scores" not in text
    assert "p_fake is" not in text
    # There is no verdict whose limits or accuracy could be named.
    assert "Limits of this verdict" not in text and SOUND not in text
    assert "How often the verdicts" not in text


@pytest.mark.parametrize("status", [Status.MISSING, Status.NOT_SCORED, Status.NO_FACE])
def test_frames_without_a_face_are_drawn_only_where_they_were_judged(status: Status) -> None:
    """Frames that were sampled before a file was deleted did show faces, perhaps."""
    one = evidence([], extraction_row(), p_fake=None, status=status.value, verdict="inconclusive")
    assert ("Over time" in page(one).text) == (status is Status.NO_FACE)


def test_a_deleted_video_keeps_its_verdict_and_says_that_it_is_gone() -> None:
    gone = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
    text = page(evidence(missing_since=gone)).text
    assert "framejury calls this video fake." in text and "Highest scores" in text
    assert "deleted from the archive (first missing 2026-03-02 02:30 UTC)" in text
    assert "This is its verdict from before." in text
    never = page(unscored("missing", missing_since=gone)).text
    assert "first missing 2026-03-02" in never and "from before" not in never
    assert "deleted" not in page(evidence()).text


def test_the_truth_is_told_where_it_is_known() -> None:
    assert (
        "labels it FAKE (method swap): the verdict is right."
        in page(evidence(label="FAKE", method="swap")).text
    )
    assert "the verdict is wrong." in page(evidence(label="REAL")).text
    assert "labels it" not in page(evidence(label=None)).text


# ---------------------------------------------------------------- threshold and interval


def test_threshold_and_band_on_the_scale_of_faces() -> None:
    rule = Rule(
        reducer=Reducer(name="median"),
        calibration=Calibration(method="platt", slope=2.0, intercept=1.5),
        threshold=0.8,
    )
    row = evidence(
        p_fake=0.9, p_fake_low=0.75, p_fake_high=0.95, threshold=0.8, reducer="median"
    ).verdict
    scale = _scale(row, rule)
    assert scale.threshold == face_threshold(rule) < 0.6
    assert scale.band is not None
    # It crosses the threshold on both scales, and only then.
    assert scale.band[0] < scale.threshold < scale.band[1]
    assert _scale({**row, "p_fake_low": 0.81}, rule).band[0] > scale.threshold  # type: ignore[index]
    assert _scale(row, None) == Scale(None, None)


def test_a_verdict_by_another_rule_gets_no_line() -> None:
    text = page(evidence(threshold=0.7)).text
    assert "The rule behind this verdict is no longer available" in text
    other = replace(ABOUT, model_id="b0-of-today")
    assert "The rule behind" in page(evidence(), other).text
    same = replace(ABOUT, model_id=evidence().verdict["model_id"])
    for about in (ABOUT, same):
        assert "The rule behind" not in page(evidence(), about).text


def test_a_calibrated_rule_is_explained() -> None:
    calibration = Calibration(method="platt", slope=2.0, intercept=1.5)
    about = replace(ABOUT, rule=Rule(calibration=calibration))
    text = page(evidence(), about).text
    assert "converted to the scale of face scores" in text
    assert text.count("Face scores and p_fake are different scales") == 1
    assert re.search(r"threshold is 0\.3\d\d for face scores and 0\.500 for p_fake", text)
    plain = page(evidence()).text
    assert "converted to the scale" not in plain and "different scales" not in plain


# ---------------------------------------------------------------- pictures


def test_a_contact_sheet_of_faces_with_their_maps() -> None:
    scores = [0.5, 0.9, 0.1, 0.7, 0.3, 0.95, 0.05]
    shown = contact_sheet(evidence(score_rows(scores)))
    assert [one.face.pts_s for one in shown] == sorted(one.face.pts_s for one in shown)
    assert [one.face.score for one in shown if one.is_highest] == [0.9, 0.7, 0.95]
    assert [one.face.score for one in shown if not one.is_highest] == [0.1, 0.3, 0.05]
    assert all(one.heated and one.heated != one.plain for one in shown)
    text = page(evidence(score_rows(scores))).text
    assert "red the most of this face" in text and "two faces cannot be compared" in text


@pytest.mark.parametrize(
    ("inside", "warns"), [(0.2, True), (0.49, True), (0.5, False), (None, False)]
)
def test_heat_outside_the_face_is_a_warning(inside: float | None, warns: bool) -> None:
    rows = score_rows([0.9, 0.8, 0.3, 0.2])
    pictures = picture_rows(rows, each=2)
    for row in pictures:
        if row["kind"] == "face" and row["score"] in (0.9, 0.2):
            row["heat_inside"] = inside
    text = page(evidence(rows, pictures=pictures)).text
    sentence = "In 1 of the 2 faces with the highest scores, most of what made the network suspect"
    assert (sentence in text) == warns
    assert ("Treat the score with care." in text) == warns
    assert text.count("heat mostly outside the face") == (2 if warns else 0)


def test_a_map_without_heat_says_so() -> None:
    rows = score_rows([0.9, 0.8, 0.3, 0.2])
    pictures = picture_rows(rows)
    assert "no heat" not in page(evidence(rows, pictures=pictures)).text
    pictures[0]["heat"] = [0.0] * 16
    shown = contact_sheet(evidence(rows, pictures=pictures))
    assert [one.has_heat for one in shown].count(False) == 1
    text = page(evidence(rows, pictures=pictures)).text
    assert text.count("· no heat") == 1 and "little most of this face" in text
    without = [row | {"heat": None} for row in picture_rows(rows)]
    text = page(evidence(rows, pictures=without)).text
    assert "There are no heat maps: the network of this model gives none" in text
    assert "· no heat" not in text and "little" not in text


def test_the_page_says_how_a_map_was_made_and_which_are_missing() -> None:
    rows = score_rows([0.9, 0.8, 0.3, 0.2])
    made = [row | {"heat_by": row["heat"] and "occlusion"} for row in picture_rows(rows)]
    text = page(evidence(rows, pictures=made)).text
    assert "covering parts of the face with a grey patch" in text and "Grad-CAM" not in text
    assert "have no map" not in text and "has no map" not in text
    own = [row | {"heat_by": row["heat"] and "gradient"} for row in picture_rows(rows)]
    text = page(evidence(rows, pictures=own)).text
    assert "(Grad-CAM)" in text and "grey patch" not in text
    made[0] |= {"heat": None, "heat_by": None}
    text = page(evidence(rows, pictures=made)).text
    assert "1 of the 4 faces has no map: maps are made only where" in text
    assert "little most of this face" in text


def test_the_maps_of_several_detectors_are_of_some_of_them() -> None:
    said = [{"model_id": f"m{n}-0123456789ab", "score": 0.9, "fake": True} for n in (1, 2)]
    assert "maps are of those that see the face as shown" in page(evidence(members=said)).text
    assert "maps are of those that see" not in page(evidence()).text


def test_a_model_trained_elsewhere_may_have_seen_this_very_video() -> None:
    bundle = BundleInfo("detector", "", training="The training data of X are unknown.")
    text = page(evidence(score_rows([0.9, 0.8])), replace(ABOUT, bundle=bundle)).text
    assert "The training data of X are unknown." in text
    assert words.NO_PROOF_ELSEWHERE in text and words.NO_PROOF not in text
    assert words.NO_PROOF in page(evidence(score_rows([0.9, 0.8]))).text


def test_only_scores_that_reach_the_threshold_are_coloured() -> None:
    """A low score of a fake may reach it, and the highest of a real video may not."""
    html = evidence_html(evidence(score_rows([0.9, 0.8, 0.6, 0.55])), ABOUT)
    assert html.count('<b class="over">') == 4
    text = Page(html).text
    assert "0.900 ▲ , among the highest of this video" in text
    assert "0.550 ▲ , among the lowest of this video" in text
    html = evidence_html(evidence(score_rows([0.4, 0.1]), verdict="real"), ABOUT)
    assert 'class="over"><b' not in html and '<b class="over">' not in html
    assert "0.400 , among the highest of this video" in Page(html).text
    unknown = evidence_html(evidence(threshold=0.7), ABOUT)
    assert 'class="over"' not in unknown


def test_heat_outside_a_face_of_low_score_is_no_warning() -> None:
    rows = score_rows([0.9, 0.8, 0.3, 0.2])
    pictures = [
        row | {"heat_inside": 0.1 if row["score"] < 0.5 else 0.9} for row in picture_rows(rows)
    ]
    assert "Treat the score with care." not in page(evidence(rows, pictures=pictures)).text


def test_rows_without_shares_of_heat_are_shown() -> None:
    """Of a run before they were kept."""
    rows = score_rows([0.9, 0.2])
    pictures = [
        {name: value for name, value in row.items() if name != "heat_inside"}
        for row in picture_rows(rows)
    ]
    assert "outside the face" not in page(evidence(rows, pictures=pictures)).text


# ---------------------------------------------------------------- clips


def test_clips_with_track_and_part() -> None:
    rows = score_rows([0.9, 0.7]) + score_rows([0.8], person=1, face_index=1)
    pictures = [*picture_rows(rows), clip_row(rows[1]), clip_row(rows[2])]
    one = evidence(rows, pictures=pictures, stretches=None)
    html = evidence_html(one, ABOUT)
    assert html.count("<video ") == 2
    video = html[html.index("<video ") : html.index("</video>")]
    for wanted in ("controls", "loop", "muted", "playsinline", 'src="data:video/webm;base64,'):
        assert wanted in video
    assert "autoplay" not in html  # nothing moves until the reader starts it
    text = page(one).text
    assert "0:00.00 to 0:01.00" in text and "track 1 · mean face score of this part 0.800" in text
    assert "media-src data:" in html


def test_a_clip_of_a_video_that_is_suspicious_throughout_is_an_example() -> None:
    rows = score_rows([0.9, 0.7])
    pictures = [*picture_rows(rows), clip_row(rows[0])]
    example = "an example: the whole video is about equally suspicious"
    throughout = page(evidence(rows, pictures=pictures, stretches=[])).text
    assert example in throughout and "of this part" not in throughout
    part = {"start_s": 0.0, "end_s": 1.0, "person": 0, "mean_score": 0.9}
    for stretches, verdict in (([part], "fake"), (None, "fake"), ([], "real")):
        one = evidence(rows, pictures=pictures, stretches=stretches, verdict=verdict)
        assert example not in page(one).text


def test_without_clips_nothing_is_said_of_them() -> None:
    html = evidence_html(evidence(), ABOUT)
    assert "<video" not in html and "Press play" not in html


def test_a_clip_of_an_unknown_face_is_left_out() -> None:
    rows = score_rows([0.9, 0.7])
    lost = clip_row(rows[0]) | {"face_index": 5}
    assert shown_clips(evidence(rows, pictures=[*picture_rows(rows), lost])) == ()


# ---------------------------------------------------------------- the file


def test_what_the_file_says_about_its_making() -> None:
    text = page(evidence()).text
    for said in (
        "Such tags can be forged",
        "Lavf60.16.100 (FFmpeg: saved by a program or a platform, rarely by a camera)",
        "Adobe Premiere Pro 2023.1 (names an editing program)",
        "Apple iPhone 13",
        "2023-04-07T08:11:12Z (2 days after its creation)",
        "3 entries",
        "stored in the file; not shown here",
        "absent, as in most videos",
    ):
        assert said in text, said


def test_a_manifest_is_present_but_not_verified() -> None:
    origin = asdict(replace(ORIGIN, c2pa="present", location=False, edits=1))
    text = page(evidence(extraction=extraction_row(origin=origin))).text
    assert "present, not verified" in text and "1 entry" in text and "location" not in text
    text = page(evidence(extraction=extraction_row(origin=origin | {"c2pa": None}))).text
    assert "not looked for in this format" in text


def test_claims_that_are_attacks_stay_text() -> None:
    origin = asdict(replace(ORIGIN, software="<script>alert(1)</script>", created="yesterday"))
    html = evidence_html(evidence(extraction=extraction_row(origin=origin)), ABOUT)
    assert "<script>" not in html and "&lt;script&gt;alert(1)" in html
    assert "2023-04-07T08:11:12Z<" in html  # no distance from a time that is none


def test_runs_before_origins_were_kept_have_no_such_table() -> None:
    assert "about its making" not in page(evidence(extraction=extraction_row(origin=None))).text


def test_a_network_without_maps_says_so() -> None:
    rows = score_rows([0.9, 0.2])
    pictures = [row | {"heat": None} for row in picture_rows(rows)]
    html = evidence_html(evidence(rows, pictures=pictures), ABOUT)
    assert "There are no heat maps" in html
    assert "with its heat map" not in html


def test_a_damaged_picture_costs_itself_only() -> None:
    rows = score_rows([0.9, 0.2, 0.4])
    pictures = picture_rows(rows)
    pictures[0]["picture"] = pictures[0]["picture"][:-40] + b"x" * 40
    pictures[-1]["picture"] = b"\xff\xd8 nothing"
    one = evidence(rows, pictures=pictures)
    assert len(contact_sheet(one)) == 2
    assert frame_picture(one) is None
    assert page(one).text


def test_the_frame_has_boxes_where_the_faces_are() -> None:
    rows = score_rows([0.9, 0.2]) + score_rows([0.4], person=1, face_index=1)
    rows[1]["box"] = None
    rows[2]["box"] = {"x": -64.0, "y": 648.0, "width": 128.0, "height": 500.0}
    frame = frame_picture(evidence(rows))
    assert frame is not None and frame.frame_index == 0
    first, cut = frame.boxes
    assert (first.left, first.top) == (25.0, 25.0)
    assert (first.width, first.height) == pytest.approx((12.5, 100 * 200 / 720))
    # Cut at the border: what lies beyond would be drawn over the page.
    assert (cut.left, cut.top, cut.width, cut.height) == pytest.approx((0, 90, 5, 10))
    html = evidence_html(evidence(rows), ABOUT)
    assert "left: 25.0%; top: 25.0%; width: 12.5%" in html
    assert ">0: 0.900<" in html and ">1: 0.400<" in html


def test_without_pictures_it_is_said() -> None:
    assert "No face pictures were stored" in page(evidence(pictures=[])).text


# ---------------------------------------------------------------- the table, size, time


def test_every_face_has_its_row() -> None:
    html = evidence_html(evidence(score_rows([0.9, 0.35, 0.8])), ABOUT)
    rows = re.findall(r"<tr><td>(\d+:\d\d\.\d\d)<td>(\d+)<td>", html)
    assert [frame for _, frame in rows] == ["0", "20", "40"]
    assert html.count('<b title="at or above the threshold"') == 2
    assert "<details open>" in html


def test_very_many_faces_are_bounded() -> None:
    rng = [0.2 + 0.1 * (number % 5) for number in range(4000)]
    rng[3999] = 0.99
    rows = score_rows(rng)
    extraction = extraction_row(frames_total=4000, frames_sampled=4000, sampled_s=times(4000))
    one = evidence(rows, extraction)
    started_s = time.process_time()
    html = evidence_html(one, ABOUT)
    taken_s = time.process_time() - started_s
    assert html.count("<tr><td>") == MOST_ROWS
    assert "the 500 highest scores of 4,000" in html and "<td>0.990<b" in html
    assert "table face_scores of the warehouse" in html
    assert len(_PICTURE.sub("", html)) < 250_000
    assert taken_s < 3  # some 0.1 s; a loop over all pairs would take minutes


def test_a_usual_page_is_small_without_its_pictures() -> None:
    html = evidence_html(evidence(score_rows([0.5] * 11)), ABOUT)
    assert len(_PICTURE.sub("", html)) < 70_000


def test_the_same_evidence_gives_the_same_page() -> None:
    assert evidence_html(evidence(), ABOUT) == evidence_html(evidence(), ABOUT)


# ---------------------------------------------------------------- hostile texts


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_texts_stay_text(attack: str) -> None:
    words_of = dict.fromkeys(
        ("path", "uri", "layout", "method", "group", "model_id", "run_id"), attack
    )
    texts = dict.fromkeys(("error", "container", "codec", "content_id", "settings_id"), attack)
    shapes = []
    for text in (attack, "harmless"):
        own, file = dict.fromkeys(words_of, text), dict.fromkeys(texts, text)
        scored = evidence(None, extraction_row(**file), label="FAKE", **own)
        failed = unscored("unreadable", text, **own)
        for one in (scored, failed):
            html = evidence_html(one, ABOUT)
            found = Page(html)
            names = [name for name, _ in found.attributes]
            shapes.append((found.tags, names, found.addresses))
            assert not [name for name in names if name.startswith("on")]
            assert not any(ord(char) < 32 and char != "\n" for char in html)
            assert "\u202e" not in html and "\u2028" not in html
    # The very same elements and addresses, whatever the texts are.
    assert shapes[:2] == shapes[2:]


def test_a_hostile_name_on_the_index() -> None:
    name = "<script>alert(1)</script>.mp4"
    row = {**evidence().verdict, "path": name}
    html = index_html([IndexEntry(row, "001-x.html")], ABOUT.created_at, "Trust.")
    assert "<script" not in html
    assert name in Page(html).text
    assert "001-x.html" in Page(html).addresses


@pytest.mark.parametrize(
    "secret",
    ["s3://key:hunter2secret@bucket/a.mp4", "https://host/a.mp4?X-Amz-Signature=hunter2secret"],
)
def test_no_secret_leaves(secret: str) -> None:
    for one in (evidence(uri=secret), unscored("unreadable", f"cannot read {secret}")):
        assert "hunter2secret" not in evidence_html(one, ABOUT)


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        ("/archive/a b#c/\u00e9%20?.mp4", "file:///archive/a%20b%23c/%C3%A9%2520%3F.mp4"),
        ('/archive/"><script>.mp4', "file:///archive/%22%3E%3Cscript%3E.mp4"),
        ("file:///archive/a b.mp4", "file:///archive/a%20b.mp4"),
        ("s3://bucket/a.mp4", None),
        ("https://host/a.mp4", None),
        ("clips/a.mp4", None),
        ("javascript:alert(1)", None),
        ("/archive/a.mp4?token=hunter2secret", None),
    ],
)
def test_a_local_file_can_be_opened_from_its_page(uri: str, link: str | None) -> None:
    html = evidence_html(evidence(uri=uri), ABOUT)
    outside = [a for a in Page(html).addresses if not a.startswith(("data:", "#", ".."))]
    assert outside == ([] if link is None else [link])
    assert html.count('rel="noreferrer"') == len(outside)


def test_technical_facts_are_folded() -> None:
    html = evidence_html(evidence(), ABOUT)
    open_part, folded = html[html.index('id="file"') :].split('<details class="technical">')
    for name in ("SHA-256", "resolution", "address"):
        assert f">{name}<" in open_part and f">{name}<" not in folded
    for name in ("settings_id", "aggregation", "group", "container, codec", "video_id"):
        assert f">{name}<" in folded and f">{name}<" not in open_part


def test_it_asks_for_nothing() -> None:
    found = page(evidence(uri="s3://bucket/a.mp4"))
    policy = dict(found.attributes)["content"]
    assert policy is not None and policy.startswith("default-src 'none'")
    assert "script" not in found.tags and "link" not in found.tags
    outside = [a for a in found.addresses if not a.startswith(("data:image/jpeg;base64,", "#"))]
    assert outside == ["../report.html"]


# ---------------------------------------------------------------- about


def test_a_demo_model_is_warned_of() -> None:
    demo = replace(ABOUT, bundle=BundleInfo("demo", ""))
    assert DEMO_BANNER in page(evidence(), demo).text
    assert DEMO_BANNER not in page(evidence()).text


def test_a_model_of_a_leaking_split_is_warned_of() -> None:
    leaky = replace(ABOUT, bundle=BundleInfo("detector", "", leak="Split by video: <b>."))
    found = page(evidence(), leaky)
    assert f"{LEAK_BANNER} Split by video: <b>." in found.text
    assert DEMO_BANNER not in found.text
    assert LEAK_BANNER not in page(evidence()).text


def test_a_page_of_whole_frames_speaks_of_no_face() -> None:
    """One that judges whole frames has sought none, whatever its rows are called."""
    whole = replace(ABOUT, bundle=BundleInfo("detector", "", judges="frame"))
    assert "1 face track" in page(evidence()).text  # where faces are judged, they are spoken of
    for one in (
        evidence(frames_scored=5, faces_scored=5),
        evidence(score_rows([0.9] * 2000), frames_scored=2000),
        evidence(pictures=[]),
    ):
        found = page(one, whole)
        spoken = [value or "" for name, value in found.attributes if name in ("alt", "aria-label")]
        text = " ".join([found.text, *spoken]).replace("evidence.faces", "")
        assert not re.search(
            r"\b(?:faces?|persons?|people|tracks?|boxed|detector)\b", text, re.IGNORECASE
        )
        assert "whole frames" in text and "the score of each frame" in text


def test_flicker_between_neighbours_is_seen_only_where_no_frame_is_left_out() -> None:
    not_seen = "consecutive frames cannot be seen here"
    assert not_seen in page(evidence()).text
    all_of_them = extraction_row(frames_total=5, frames_sampled=5, sampled_s=times(5))
    text = page(evidence(extraction=all_of_them)).text
    assert "Flicker lowers it" in text and not_seen not in text
    before_times = extraction_row(frames_total=5, frames_sampled=5, sampled_s=None)
    assert not_seen in page(evidence(extraction=before_times)).text


def test_a_page_without_a_report_leads_nowhere() -> None:
    alone = page(evidence(), replace(ABOUT, report=None, scanned=True))
    assert "report.html" not in alone.addresses
    assert "run-1" not in alone.text  # there was no run


def test_a_scan_tells_how_to_record_a_decision() -> None:
    scanned = evidence_html(evidence(), replace(ABOUT, report=None, scanned=True, warehouse=None))
    assert '<h2 id="decision">What to do</h2>' in scanned and ">Decision<" not in scanned
    assert "framejury nightly FOLDER --warehouse DIR" in scanned
    judged = evidence_html(evidence(), replace(ABOUT, warehouse="/data/w"))
    assert '<h2 id="decision">Decision</h2>' in judged and "nightly FOLDER" not in judged


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        About(created_at=datetime(2026, 1, 1))


def test_old_rows_without_box_confidence_and_times() -> None:
    """Of a run before these were kept."""
    rows = [row | {"box": None, "confidence": None, "ssim": None} for row in score_rows([0.9, 0.8])]
    html = evidence_html(evidence(rows, extraction_row(sampled_s=None), []), ABOUT)
    assert "Face score (not calibrated)" in html and "SSIM)" not in html and "SSIM (" not in html
    assert ">0:00.00<" in html


def test_heat_is_drawn_over_the_very_face() -> None:
    one = evidence(score_rows([0.9, 0.2]))
    shown = contact_sheet(one)[0]
    kept = next(
        picture
        for picture in one.pictures
        if (picture.frame_index, picture.face_index)
        == (shown.face.frame_index, shown.face.face_index)
    )
    assert (shown.height, shown.width) == decode_crop(kept.picture).shape[:2]
