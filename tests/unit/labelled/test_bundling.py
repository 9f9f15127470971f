"""What a bundle carries about judging, from the settings and runs behind its training."""

from __future__ import annotations

from typing import Any

import pytest

from framejury.labelled.bundling import carried_settings, named_reducer
from framejury.settings import Settings
from framejury.settings.loading import load_settings
from framejury.verdict.rule import MEAN, Rule, rule_in_use
from framejury.warehouse.commits import Commit


def both(preset: str | None = None, *overrides: str) -> tuple[Settings, Settings]:
    """Return the settings of judging and of learning."""
    judging = load_settings(preset, overrides=overrides, judging=True)
    return judging, load_settings(preset, overrides=overrides)


def run(job: str = "extract", **sections: dict[str, Any]) -> Commit:
    settings = Settings.model_validate(sections).model_dump(mode="json")
    return Commit(1, job, job, "2026-01-01T00:00:00Z", {"faces": 1}, settings=settings)


def test_frames_are_those_of_judging() -> None:
    sampling = carried_settings(*both("flow_fusion"), [])["sampling"]
    assert (sampling["mode"], sampling["frames"], sampling["skip_frames"]) == (
        "strided_retry",
        30,
        4,
    )


def test_the_detector_preset_is_judged_as_before() -> None:
    carried = carried_settings(*both("detector"), [run(crops={"max_side_px": 256})])
    assert carried["sampling"] == Settings().sampling.model_dump(mode="json")
    assert carried["crops"]["max_side_px"] == 512


def test_faces_are_found_as_in_the_runs_that_were_learned_from() -> None:
    haar = run(detection={"detector": "haar"})
    stills = run("import", detection={"threshold": 0.8})
    assert carried_settings(*both(), [haar, stills])["detection"]["detector"] == "haar"


def test_an_import_alone_changes_nothing() -> None:
    stills = run("import", detection={"threshold": 0.8})
    assert carried_settings(*both(), [stills])["detection"]["threshold"] == 0.95


def test_where_runs_differ_the_options_of_the_training_hold() -> None:
    runs = [run(detection={"detector": "haar"}), run(detection={"detector": "mtcnn"})]
    carried = carried_settings(*both(None, "detection.threshold=0.9"), runs)
    assert (carried["detection"]["detector"], carried["detection"]["threshold"]) == ("mtcnn", 0.9)


def test_rule_and_crop_geometry_have_their_own_places() -> None:
    carried = carried_settings(*both("flow_fusion"), [])
    assert carried["verdict"] == {"min_faces": 1, "confidence_level": None, "interval": "bootstrap"}
    assert carried["crops"].keys() == {"format", "jpeg_quality", "max_side_px"}


@pytest.mark.parametrize("preset", ["all_frames", "face_frames", "detector"])
def test_a_bundle_without_a_fitted_rule_aggregates_as_its_preset_says(preset: str) -> None:
    verdict = load_settings(preset).verdict
    own = Rule(reducer=named_reducer(verdict) or MEAN)
    assert own.reducer.name == (verdict.reducer or "mean")
    assert rule_in_use(own, verdict).remark == ""
