"""Accuracy is measured on videos that are new to the model; those it had seen stand apart."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from framejury.evaluation.protocol_numbers import ProtocolData
from framejury.model.seen import KnownVideo, Recognised, SeenVideos, recognise
from framejury.report.bundle_info import BundleInfo
from framejury.report.inputs import Context, RunReport
from framejury.report.published_files import mapreduce_text
from framejury.report.report import build_report
from framejury.schemas.statuses import Side
from framejury.verdict.rule import Rule
from tests.builders.reports import Page, report
from tests.builders.rows import verdict_row, verdict_table

ROWS = [
    verdict_row(0, label="FAKE", p_fake=0.9),  # trained on, as are 1 and 2
    verdict_row(1, label="REAL", p_fake=0.1),
    verdict_row(2, label=None, p_fake=0.8),
    verdict_row(3, label="FAKE", p_fake=0.8),  # chosen by
    verdict_row(4, label="REAL", p_fake=0.9),  # new, as are all others; a false accusation
    verdict_row(5, label="FAKE", p_fake=0.7),
]
SIDES = {0: Side.TRAIN, 1: Side.TRAIN, 2: Side.TRAIN, 3: Side.VAL}


def recognised(rows: list[dict[str, Any]]) -> Recognised:
    record = SeenVideos.of((side, KnownVideo(str(n), ())) for n, side in SIDES.items())
    ids = [row["video_id"] for row in rows]
    models = [row["model_id"] for row in rows]
    contents = {verdict_row(n)["video_id"]: KnownVideo(str(n), ()) for n in range(9)}
    known = [contents[video_id] for video_id in ids]
    return recognise({models[0]: record}, ids, models, known)


def seen_report(rows: list[dict[str, Any]] = ROWS) -> RunReport:
    return replace(report(rows), context=Context(seen=recognised(rows)))


def test_figures_are_of_new_videos_and_seen_ones_stand_apart() -> None:
    files = build_report(seen_report())
    found = json.loads(files["report.json"])
    overall = found["videos"]["overall"]
    assert (overall["coverage"]["labelled"], overall["scored"]["accuracy"]) == (2, 0.5)
    assert found["mistakes"]["reals_called_fake"] == [ROWS[4]["video_id"]]
    assert found["counts"]["videos"] == 6
    assert found["counts"]["outcomes"]["fake"] == 5
    train, val = found["seen"]["sides"]
    assert (train["side"], train["videos"], train["metrics"]["coverage"]["labelled"]) == (
        *("train", 3, 2),
    )
    assert train["metrics"]["scored"]["accuracy"] == 1.0
    assert (val["side"], val["videos"]) == ("val", 1)
    assert (found["seen"]["new"], found["seen"]["unrecorded"]) == (2, {})


def test_text_and_page_name_them() -> None:
    files = build_report(seen_report())
    text, page = files["report.txt"].decode(), Page(files["report.html"].decode()).text
    for shown in (text, page):
        assert "2 labelled videos are new to the model. framejury decided all of them" in shown
        assert (
            "Not counted: 3 labelled videos that the model had seen in training (2 trained on, 1 "
            "used to choose the best epoch or the rule)" in shown
        )
        assert "Videos the model had seen in training" in shown
        assert "one by chance are below 1 in " in shown
        assert "It is not recorded" not in shown
    rows = csv.DictReader(io.StringIO(files["predictions.csv"].decode("utf-8-sig")))
    assert {row["path"]: row["seen"] for row in rows} == {
        row["path"]: SIDES.get(n, "no") for n, row in enumerate(ROWS)
    }


def test_that_no_video_was_seen_is_said() -> None:
    found = json.loads(build_report(seen_report(ROWS[4:]))["report.json"])
    assert "The model had seen no labelled video here in training." in found["summary"][-1]
    assert found["seen"]["sides"] == []


def test_without_new_labelled_videos_nothing_is_measured() -> None:
    files = build_report(seen_report(ROWS[:3]))
    found = json.loads(files["report.json"])
    assert "had seen every labelled video" in found["why_no_accuracy"]
    assert found["videos"]["overall"]["scored"]["accuracy"] is None
    assert found["seen"]["sides"][0]["metrics"]["scored"]["accuracy"] == 1.0
    assert "trained on" in files["report.txt"].decode()


def test_without_a_record_the_report_says_so() -> None:
    for one in (report(ROWS), replace(seen_report(), context=Context())):
        found = json.loads(build_report(one)["report.json"])
        assert found["videos"]["overall"]["coverage"]["labelled"] == 5
        assert any(
            note.startswith(f"It is not recorded which videos {ROWS[0]['model_id']} learned from")
            and note.endswith("This does not concern the figures of the model's own test.")
            for note in found["notes"]
        )


@pytest.mark.parametrize("is_calibrated", [False, True])
def test_of_a_network_trained_elsewhere_no_video_is_called_new(is_calibrated: bool) -> None:
    """Also where the videos of its calibration are recorded."""
    bundle = BundleInfo("detector", "", training="The training data of X are unknown.")
    found = recognised(ROWS)
    sides = [row["seen"] if row["seen"] != "no" else None for row in found.videos.to_pylist()]
    part = found.videos.set_column(1, "seen", pa.array(sides, pa.string()))
    seen = replace(found, videos=part) if is_calibrated else None
    one = replace(report(ROWS, bundle=bundle), context=Context(seen=seen))
    files = build_report(one)
    data = json.loads(files["report.json"])
    assert data["training"] == bundle.training
    for shown in (files["report.txt"].decode(), Page(files["report.html"].decode()).text):
        text = " ".join(shown.split())
        assert "new to the model" not in text and "had seen no labelled" not in text
        assert "The training data of X are unknown." in text
        assert "Some of these videos may be among those that the model was trained on" in text
        assert "It is not recorded" not in text  # that is said already
        assert ("Not counted: 3 labelled videos" in text) == is_calibrated


def test_published_accuracy_is_that_of_new_videos() -> None:
    lines = mapreduce_text(verdict_table(ROWS), Rule(), "all", seen_report().context).splitlines()
    assert lines[0] == "Video accuracy: 0.5 (1 of 2)"
    assert lines[1] == "Separately, on videos the model had seen in training: 1.0 (3 of 3)"
    new, seen = (n for n, line in enumerate(lines) if line.startswith("label REAL"))
    assert lines[new].split()[2:] == ["1", "0"]
    assert lines[seen].split()[2:] == ["0", "1"]
    unknown = mapreduce_text(verdict_table(ROWS), Rule(), "all")
    assert "Video accuracy: 0.8 (4 of 5)" in unknown
    assert "Note: It is not recorded" in unknown


@pytest.mark.parametrize("new", [ROWS[4:], []])
def test_the_protocol_measures_new_videos(new: list[dict[str, Any]]) -> None:
    table: pa.Table = verdict_table(new)
    scores = np.array([row["p_fake"] for row in new])
    data = ProtocolData(1, {1: table}, [("set",)] * len(new), "", scores, np.arange(len(new)))
    files = build_report(replace(seen_report(), protocol=data))
    metrics = json.loads(files["metrics.json"])
    assert metrics["overall"]["labelled"] == len(new)
    assert metrics["seen"]["sides"][0]["metrics"]["coverage"]["labelled"] == 2
    assert "Videos the model had seen in training" in files["protocol.txt"].decode()
