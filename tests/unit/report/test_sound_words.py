"""A report says in how many videos sound was judged, and by which score a video is fake."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from framejury.pages.style import sentence_figure
from framejury.report.evidence.video_page import evidence_html
from framejury.report.report import build_report
from framejury.report.report_figures import ReportFigure
from framejury.report.sound_words import SOUND, sound_sentences
from tests.builders.evidence_rows import ABOUT, evidence
from tests.builders.reports import Page, mixed_rows, report
from tests.builders.rows import verdict_row


@pytest.fixture(autouse=True)
def _quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = {"roc": ReportFigure(sentence_figure("Quick", "Drawn elsewhere."), "What it shows")}
    monkeypatch.setattr("framejury.report.report.report_figures", lambda findings: blank)


HEARD = {
    "sound": "scored",
    "sound_p_fake": 0.91,
    "sound_threshold": 0.6,
    "sound_model_id": "sound-1",
    "decided_by": "sound",
}


def rows() -> list[dict[str, Any]]:
    """Fake by its sound: with a real picture, and without a face; the second is labelled REAL."""
    return [
        verdict_row(0, label="FAKE", p_fake=0.1, verdict="fake", path="voice.mp4", **HEARD),
        verdict_row(1, p_fake=None, status="no_face", path="dark.mp4", **HEARD)
        | {"verdict": "fake"},
        verdict_row(2, label="FAKE", p_fake=0.95, path="face.mp4")
        | {**HEARD, "sound_p_fake": 0.2, "decided_by": "picture"},
        verdict_row(3, p_fake=0.2, path="mute.mp4", sound="no_sound", decided_by="picture"),
        verdict_row(4, p_fake=None, status="crashed", path="late.mp4"),
    ]


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([], SOUND),
        ([None, None], SOUND),
        (["scored"], "Sound was judged in 1 of 1 video."),
        (
            ["scored"] * 12 + ["no_sound"] * 2,
            "Sound was judged in 12 of 14 videos; 2 have none. Where it was not, a video in which "
            "only the voice is fake can be called real.",
        ),
        (
            ["silent", "too_short", "unreadable", "timeout", "crashed", None],
            "Sound was judged in 0 of 6 videos; 1 is silent; 1 has too little; 1 could not be "
            "decoded; 1 took too long; 1 crashed its decoder; 1 was not analysed. Where it was "
            "not, a video in which only the voice is fake can be called real.",
        ),
    ],
)
def test_in_how_many_videos_sound_was_judged(outcomes: list[str | None], said: str) -> None:
    assert sound_sentences(outcomes) == said


def test_a_report_names_the_score_that_decided() -> None:
    files = build_report(report(rows()))
    text = files["report.txt"].decode()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    counts = "3 called fake, no sign of manipulation found in 1, 0 inconclusive, 1 not scored."
    assert f"5 videos: {counts}" in lines
    assert "2 videos are fake by the sound." in lines
    assert "0.950 fake by its picture FAKE yes 11 face.mp4" in lines
    assert "0.100 fake by its sound FAKE yes 11 voice.mp4" in lines
    assert "fake by its sound REAL no 0 dark.mp4" in lines
    said = "Sound was judged in 3 of 5 videos; 1 has none; 1 was not analysed."
    assert said in text and SOUND not in text
    assert said in json.loads(files["report.json"])["sound"]
    # What was not scored is listed as such; what is fake by its sound is not.
    assert "late.mp4" in text.split("Not scored: 1")[1].split("Run")[0]
    assert "dark.mp4" not in text.split("Not scored: 1")[1]
    page = Page(files["report.html"].decode()).text
    assert said in page and "1 real video was called fake" in page
    assert "fake by its sound, 0.910; picture" in page
    assert "Fake by its all picture sound" in page  # a filter of the table
    table = list(csv.DictReader(io.StringIO(files["predictions.csv"].decode("utf-8-sig"))))
    assert [row["decided_by"] for row in table] == ["picture", "picture", "sound", "sound", ""]
    assert [row["path"] for row in table][-2:] == ["dark.mp4", "late.mp4"]


def test_a_report_without_sound_says_nothing_new() -> None:
    files = build_report(report(mixed_rows()))
    page = Page(files["report.html"].decode()).text
    assert SOUND in page and "by its" not in page
    assert "by its" not in files["report.txt"].decode()


def test_the_evidence_page_says_by_which_score() -> None:
    def text(**fields: Any) -> str:
        return Page(evidence_html(evidence(**fields), ABOUT)).text

    voice = text(verdict="fake", p_fake=0.1, label="FAKE", **HEARD)
    assert "framejury calls this video fake by its sound." in voice
    assert "The score of its sound is 0.910" in voice and "of 0.600 and above" in voice
    assert "The sound decides, because the picture is not called fake." in voice
    assert "Its picture's p_fake is 0.100" in voice
    assert "The archive labels it FAKE: the verdict is right." in voice
    dark = text(scores=[], verdict="fake", p_fake=None, status="no_face", **HEARD)
    assert "The sound decides, because the picture has no score." in dark
    assert "This is not proof." in dark
    both = text(verdict="fake", p_fake=0.6, **HEARD)
    assert "The sound decides, because the picture is less clearly fake." in both
    assert dark.startswith("clips/000.mp4: fake ")
    face = text(verdict="fake", p_fake=0.95, **HEARD | {"decided_by": "picture"})
    assert "framejury calls this video fake by its picture." in face
    mute = text(p_fake=0.2, sound="unreadable", decided_by="picture")
    assert "Sound was not judged: the sound, or more than a tenth" in mute
    assert "If only the voice is fake, that was missed." in mute
    assert SOUND in text(p_fake=0.2)
