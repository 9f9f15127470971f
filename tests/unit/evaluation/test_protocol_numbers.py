"""The protocol's figures, tables, pictures and files from made-up verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from framejury.evaluation.protocol_numbers import (
    CALL_FIGURES,
    FACE_FIGURES,
    VERDICT_FIGURES,
    ProtocolData,
    find_protocol,
)
from framejury.report.known import NOT_RECORDED
from framejury.report.protocol_tables import FIGURES, protocol_tables
from framejury.report.report import BundleInfo, RunReport, build_report
from framejury.report.report_figures import protocol_names
from tests.builders.reports import RUN, Page
from tests.builders.rows import face_table, realistic_run, verdict_row, verdict_table


def hand_rows() -> list[dict[str, Any]]:
    """Two data sets; one video is undecided, and one of each class not scored."""
    a, b = {"layout": "ffpp"}, {"layout": "labels_csv"}
    return [
        verdict_row(0, label="REAL", p_fake=0.1, **a),
        verdict_row(1, label="REAL", p_fake=0.6, **a),
        verdict_row(2, label="REAL", p_fake=0.48, verdict="inconclusive", **a),
        verdict_row(3, label="FAKE", p_fake=0.9, method="swap", **a),
        verdict_row(4, label="FAKE", p_fake=0.3, method="blend", **a),
        verdict_row(5, label="FAKE", p_fake=0.7, method="swap", **a),
        verdict_row(6, label="REAL", p_fake=0.2, **b),
        verdict_row(7, label="FAKE", p_fake=None, status="no_face", method="swap", **b),
        verdict_row(8, label="REAL", p_fake=None, status="timeout", **b),
    ]


def hand_data(**changes: Any) -> ProtocolData:
    table = verdict_table(hand_rows())
    data = ProtocolData(
        headline=11,
        by_frames={1: table, 11: table},
        data_sets=[("ffpp", "ffpp c40")] * 2 + [("ffpp", "ffpp c23")] * 4 + [("web",)] * 3,
        data_set_rule="Data set: by folder.",
        face_scores=np.array([0.1, 0.7, 0.9, 0.8, 0.3]),
        face_videos=np.array([0, 0, 3, 3, 4]),
    )
    return replace(data, **changes)


def test_figures_of_all_videos_counted_by_hand() -> None:
    found = find_protocol(hand_data())
    videos = {name: one.value for name, one in found.overall.videos.items()}
    assert set(videos) == {*CALL_FIGURES, *VERDICT_FIGURES}
    # Pairs of scored: 4 reals, 3 fakes; 0.9 and 0.7 beat all, 0.3 beats two of four.
    assert videos["auc"] == pytest.approx(10 / 12)
    assert videos["recall_real"] == pytest.approx(3 / 4)
    assert videos["recall_fake"] == pytest.approx(2 / 3)
    assert videos["reals_called_fake"] == pytest.approx(1 / 4)
    assert videos["reals_inconclusive"] == pytest.approx(1 / 4)
    assert videos["fakes_called_real"] == pytest.approx(1 / 3)
    assert videos["fakes_inconclusive"] == 0
    assert videos["coverage"] == pytest.approx(6 / 9)  # undecided and not scored have no answer
    faces = {name: one.value for name, one in found.overall.faces.items()}
    assert set(faces) == set(FACE_FIGURES)
    assert faces["auc"] == pytest.approx(5 / 6)  # of 2 x 3 pairs 0.7 beats 0.3
    assert found.overall.face_count == 5


def test_data_sets_hold_their_videos_and_faces() -> None:
    found = {one.name: one for one in find_protocol(hand_data()).data_sets}
    assert list(found) == ["ffpp", "ffpp c23", "ffpp c40", "web"]
    labelled = {name: one.metrics.coverage.labelled for name, one in found.items()}
    assert labelled == {"ffpp": 6, "ffpp c23": 4, "ffpp c40": 2, "web": 3}
    assert {name: one.face_count for name, one in found.items()} == {
        "ffpp": 5,
        "ffpp c23": 3,
        "ffpp c40": 2,
        "web": 0,
    }
    assert found["ffpp"].videos["auc"].value == pytest.approx(7 / 9)
    assert found["ffpp c40"].videos["auc"].value is None
    assert found["web"].videos["coverage"].value == pytest.approx(1 / 3)


def test_methods_stand_against_the_reals_of_their_data_set() -> None:
    found = {(one.data_set, one.method): one for one in find_protocol(hand_data()).methods}
    assert set(found) == {("ffpp", "blend"), ("ffpp", "swap"), ("web", "swap")}
    swap = found["ffpp", "swap"]
    assert (swap.reals_of, swap.figures.metrics.scored.reals) == ("ffpp", 3)
    assert swap.figures.videos["auc"].value == 1.0
    assert found["ffpp", "blend"].figures.videos["auc"].value == pytest.approx(1 / 3)
    only_fakes = hand_rows()
    only_fakes[6]["label"] = only_fakes[8]["label"] = "FAKE"
    found = {
        (one.data_set, one.method): one
        for one in find_protocol(hand_data(by_frames={11: verdict_table(only_fakes)})).methods
    }
    assert found["web", "swap"].reals_of == "all data sets"


def test_frames_and_degradations_have_figures_of_their_own() -> None:
    rows = hand_rows()
    rows[4] |= {"p_fake": 0.95, "verdict": "fake", "p_fake_low": 0.9, "p_fake_high": 1.0}
    better, same = verdict_table(rows), verdict_table(hand_rows())
    found = find_protocol(
        hand_data(
            by_frames={1: better, 11: same}, perturbed={"none": {0: same}, "jpeg": {30: better}}
        )
    )
    assert {count: one.videos["auc"].value for count, one in found.by_frames.items()} == {
        1: pytest.approx(1.0),
        11: pytest.approx(10 / 12),
    }
    assert found.robustness["jpeg"][30].videos["auc"].value == pytest.approx(1.0)
    assert found.robustness["none"][0].videos["auc"].value == pytest.approx(10 / 12)


def test_unlabelled_or_unmatched_videos_are_refused() -> None:
    rows = hand_rows()
    rows[0]["label"] = None
    with pytest.raises(ValueError, match="labelled videos only"):
        find_protocol(hand_data(by_frames={11: verdict_table(rows)}))
    with pytest.raises(ValueError, match="9 videos have verdicts, but 1 have data sets"):
        find_protocol(hand_data(data_sets=[("a",)]))


def test_faces_have_intervals_by_group_and_so_do_videos() -> None:
    verdicts, _ = realistic_run()
    rng = np.random.default_rng(1)
    scores = np.array([p for p in verdicts["p_fake"].to_pylist() if p is not None])
    where = np.flatnonzero(np.array([p is not None for p in verdicts["p_fake"].to_pylist()]))
    data = hand_data(
        by_frames={11: verdicts},
        data_sets=[(name,) for name in verdicts["layout"].to_pylist()],
        face_scores=np.clip(np.repeat(scores, 8) + rng.normal(0, 0.1, 8 * len(scores)), 0, 1),
        face_videos=np.repeat(where, 8),
    )
    overall = find_protocol(data).overall
    for figures in (overall.videos, overall.faces):
        for name, one in figures.items():
            assert one.value is not None and one.interval is not None, name
            assert one.interval.low < one.interval.high
    # Eight faces of a video are no eight witnesses.
    videos, faces = overall.videos["auc"].interval, overall.faces["auc"].interval
    assert videos is not None and faces is not None
    assert faces.high - faces.low > 0.5 * (videos.high - videos.low)


# ---------------------------------------------------------------- files


@pytest.fixture(scope="module")
def files() -> Mapping[str, bytes]:
    table = verdict_table(hand_rows())
    data = hand_data(perturbed={"none": {0: table}, "h264": {18: table, 40: table}})
    faces = face_table([("REAL", None, "ffpp", 0.1, 1), ("FAKE", "swap", "ffpp", 0.9, 2)])
    report = RunReport(table, faces, RUN, notes=("Held out.",), protocol=data)
    return build_report(report)


@pytest.mark.long
def test_files_have_fixed_names(files: Mapping[str, bytes]) -> None:
    added = {"metrics.json", "protocol.txt"}
    for name in ("frames_per_video", "robustness_h264"):
        added |= {f"{name}.png", f"{name}.svg"}
    assert added | {"det.png", "calibration.png"} <= set(files)
    assert all(files[name].startswith(b"\x89PNG") for name in added if name.endswith(".png"))
    without = build_report(RunReport(verdict_table(hand_rows()), None, RUN))
    assert not added & set(without)


def test_metrics_json_has_every_figure_with_its_ends(files: Mapping[str, bytes]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(files["metrics.json"], parse_constant=refuse)
    assert document["schema_version"] == 2
    assert document["notes"][-1] == "Held out."
    assert document["frames_per_video"] == 11
    assert document["known_methods"]["note"] == NOT_RECORDED
    assert set(document["figures"]) == set(FIGURES) == {*CALL_FIGURES, *VERDICT_FIGURES}
    for one in (
        document["overall"],
        *document["data_sets"].values(),
        *document["methods"],
        *document["by_frames"].values(),
        *document["robustness"]["h264"],
    ):
        assert set(one["videos"]) == set(FIGURES)
        assert all(set(figure) == {"value", "low", "high"} for figure in one["videos"].values())
    assert document["overall"]["videos"]["auc"]["value"] == pytest.approx(10 / 12)
    assert document["overall"]["confusion"] == {"tn": 3, "fp": 1, "fn": 1, "tp": 2}
    assert document["overall"]["verdicts"]["FAKE"]["not_scored"] == 1
    assert [one["strength"] for one in document["robustness"]["h264"]] == [18, 40]
    assert sum(document["reliability"]["counts"]) == 7
    assert len(document["det"]["videos"]["fpr"]) == len(document["det"]["videos"]["fnr"])


@pytest.mark.long
def test_figures_that_flatter_say_so_in_every_file() -> None:
    table = verdict_table(hand_rows())
    for leak in ("Split by video: 3 sources.", None):
        run = replace(RUN, bundle=BundleInfo("detector", "", leak=leak))
        files = build_report(RunReport(table, None, run, protocol=hand_data()))
        assert json.loads(files["metrics.json"])["leak"] == leak
        for name in ("protocol.txt", "report.txt", "report.html"):
            assert ("Split by video: 3 sources." in files[name].decode()) is bool(leak), name


def test_text_and_page_show_the_same_tables(files: Mapping[str, bytes]) -> None:
    text, page = files["protocol.txt"].decode(), Page(files["report.html"].decode())
    assert files["report.txt"].decode().count("Evaluation protocol") == 1
    for words in (
        "By data set",
        "By method",
        "By frames per video",
        "Robustness",
        "Reliability of the video score",
        "Data set: by folder.",
        "3 reals of ffpp",
        "H.264 40",
        "unperturbed",
        "0.833",
        NOT_RECORDED,
    ):
        assert words in text, words
        assert words in page.text, words
    pictures = [value for name, value in page.attributes if name == "aria-label"]
    found = find_protocol(hand_data(perturbed={"h264": {}}))
    assert {words for _, words in protocol_names(found)} <= set(pictures)


def test_tables_are_rectangular() -> None:
    for table in protocol_tables(find_protocol(hand_data())):
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.header)}


@pytest.mark.long
def test_faces_may_have_a_threshold_of_their_own() -> None:
    faces = face_table([("REAL", None, "ffpp", 0.3, 4), ("FAKE", "swap", "ffpp", 0.9, 2)])
    table: pa.Table = verdict_table(hand_rows())
    for threshold, called_fake in ((None, 0), (0.25, 4)):
        report = RunReport(table, faces, RUN, face_threshold=threshold)
        document = json.loads(build_report(report)["report.json"])
        assert document["faces"]["labelled"]["confusion"]["fp"] == called_fake
