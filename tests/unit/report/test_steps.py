"""The settings that a report shows are those of the runs behind its rows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from framejury.report.report import build_report
from framejury.report.steps import EXTRACTION, SCORING, SECTIONS, VERDICTS, Step, steps_of, used_by
from framejury.settings import Settings
from tests.builders.reports import Page, mixed_rows, report


def used(**detection: int) -> dict[str, Any]:
    settings: dict[str, Any] = Settings().model_dump(mode="json")
    settings["detection"] |= detection
    return settings


RUNS = {
    "run-1": used(min_face_px=20, frame_side_px=4320),
    "run-2": used(),
    "run-3": used(min_face_px=20, frame_side_px=4320) | {"verdict": {"min_faces": 9}},
}
MADE = {
    EXTRACTION: {"run-2": 3, "run-1": 2, "run-3": 4},
    SCORING: {"run-3": 9},
    VERDICTS: {"run-3": 9},
}
TRAINED = {"training": {"backbone": "efficientnet_lite0", "input_px": 96}}


def test_runs_with_the_same_settings_are_one_step_and_others_are_listed_apart() -> None:
    steps = steps_of(MADE, RUNS, {"b0": TRAINED})
    shown = [(step.name, step.run_ids, step.videos) for step in steps]
    assert shown == [
        ("extraction", ("run-1", "run-3"), 6),  # they differ in a setting of another step
        ("extraction", ("run-2",), 3),
        ("scoring", ("run-3",), 9),
        ("verdicts", ("run-3",), 9),
        ("training", (), None),
    ]
    many, few, _, verdicts, training = steps
    assert many.settings["detection"]["min_face_px"] == 20
    assert few.settings["detection"]["min_face_px"] == Settings().detection.min_face_px
    assert verdicts.settings == {"verdict": {"min_faces": 9}}
    assert (training.settings, training.title) == (TRAINED, "training of b0")
    assert many.title == "extraction of 6 videos in 2 runs, run-1 to run-3"
    assert few.title == "extraction of 3 videos in run run-2"


def test_a_step_has_only_the_settings_that_it_uses() -> None:
    """The process that writes the page has a section `training`, too, and trained nothing."""
    steps = steps_of(MADE, RUNS, {})
    assert {step.name for step in steps} == set(SECTIONS)
    for step in steps:
        assert set(step.settings) <= set(SECTIONS[step.name])
    assert not any("training" in step.settings for step in steps)


def test_a_step_names_its_model_and_its_rule() -> None:
    runs = {"r": used_by(RUNS["run-3"], "b0", {"threshold": 0.4})}
    steps = steps_of({name: {"r": 1} for name in SECTIONS}, runs, {})
    _, scoring, verdicts = steps
    assert scoring.settings["model"] == verdicts.settings["model"] == {"model_id": "b0"}
    assert verdicts.settings["rule"] == {"threshold": 0.4} and "rule" not in scoring.settings
    assert used_by({}, None, None) == {}


def test_a_run_that_stored_no_settings_shows_none() -> None:
    (step,) = steps_of({VERDICTS: {"old": 2}}, {"old": {}}, {"b0": None})
    assert step == Step(VERDICTS, ("old",), 2, {})


def test_text_page_and_json_list_every_step() -> None:
    steps = steps_of(MADE, RUNS, {"b0": TRAINED})
    files = build_report(report(mixed_rows(), steps=steps))
    text = " ".join(files["report.txt"].decode().split())
    page = Page(files["report.html"].decode()).text
    for shown in (text, page):
        assert "Settings: extraction of 6 videos in 2 runs, run-1 to run-3" in shown
        assert "Settings: extraction of 3 videos in run run-2" in shown
        assert "detection.min_face_px 20" in shown and "detection.min_face_px 48" in shown
        assert "detection.frame_side_px 4320" in shown
        assert "training.backbone efficientnet_lite0 training.input_px 96" in shown
        assert "noisy" not in shown
    run = json.loads(files["report.json"])["run"]
    assert "settings" not in run and len(run["steps"]) == 5
    assert run["steps"][0]["run_ids"] == ["run-1", "run-3"] and run["steps"][0]["videos"] == 6


def test_the_order_of_runs_is_theirs_not_that_of_their_names() -> None:
    (step, *_) = steps_of({VERDICTS: {"a": 1, "z": 1}}, {"z": {}, "a": {}}, {})
    assert step.run_ids == ("z", "a")
    assert replace(step, videos=1).title.startswith("verdicts of 1 video in 2 runs")


def test_the_time_of_a_run_is_taken_when_its_figures_are_drawn() -> None:
    """A page can name the time of its own making only as far as it is made."""
    files = build_report(report(mixed_rows()), seconds=lambda: {"start": 20.0, "report": 7.5})
    text = " ".join(files["report.txt"].decode().split())
    assert "seconds: start 20.0 seconds: report 7.5" in text and "seconds: index" not in text
    document = json.loads(files["report.json"])
    assert document["run"]["seconds"] == {"start": 20.0, "report": 7.5}
    assert document["effort"]["rates"]["wall_s"] == 27.5
