"""The files of recipe face_frames: one minus the numbers of the verdicts, to the last digit."""

from __future__ import annotations

import json
import random
import re
from dataclasses import asdict
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from framejury.evaluation.binary import Confusion
from framejury.evaluation.breakdown import VerdictCounts
from framejury.pages.style import png
from framejury.report.figures import confusion_face_figure, confusion_video_figure
from framejury.report.published_files import (
    FacePrediction,
    confusion_of,
    mapreduce_text,
    measured_outputs,
    predictions_json,
    predictions_of,
    training_outputs,
    verdict_outputs,
)
from framejury.report.training_curves import training_figures
from framejury.schemas.statuses import Label
from framejury.settings import VerdictSettings
from framejury.verdict.calibration import Calibration
from framejury.verdict.judge import FaceScores, judge
from framejury.verdict.rule import Reducer, Rule
from tests.builders.rows import verdict_row, verdict_table

HISTORY = [
    {"epoch": n, "phase": "finetune", "loss": 1 / (n + 1), "accuracy": 0.5 + n / 10}
    | {"val_loss": 1.2 / (n + 1), "val_accuracy": 0.5 + n / 12}
    for n in range(4)
]
PNG = b"\x89PNG\r\n\x1a\n"


def faces(seed: int = 5) -> pd.DataFrame:
    """Scores of 12 videos that sums in binary hold exactly; two of them lie at 0.5."""
    draw = random.Random(seed)
    rows = [
        {"path": f"v{number:02d}.mp4", "frame": frame, "face": face, "score": p}
        for number in range(12)
        for frame in range(draw.randint(1, 9))
        for face in range(2)
        for p in [0.5 if number < 2 else draw.randint(0, 64) / 64]
    ]
    return pd.DataFrame(rows)


def judged(table: pd.DataFrame, rule: Rule, **labels: str | None) -> list[dict[str, Any]]:
    rows = []
    for number, (path, part) in enumerate(table.groupby("path")):
        columns = FaceScores(
            score=part["score"].tolist(),
            frame_index=part["frame"].tolist(),
            pts_s=part["frame"].tolist(),
            person=[0] * len(part),
        )
        found = asdict(judge(columns, rule, VerdictSettings()))
        known = {"label": labels.get(str(path)[:3], "FAKE" if number % 3 else "REAL")}
        facts = {"threshold": rule.threshold, "reducer": rule.reducer.name}
        rows.append(verdict_row(number, **{**found, **facts, **known, "path": path}))
    return rows


def read(text: str) -> dict[str, tuple[float, int, str, str]]:
    """mean, faces, prediction and truth by path."""
    body = text.split("truth  video\n", 1)[1].split("\n\n", 1)[0]
    found = {}
    for line in body.splitlines():
        mean, count, call, truth, path = line.split(None, 4)
        found[path] = (float(mean), int(count.replace(",", "")), call, truth)
    return found


def test_the_text_holds_the_means_that_pandas_finds() -> None:
    table = faces()
    rows = judged(table, Rule(), v03=None)
    text = mapreduce_text(verdict_table(rows), Rule(), "split test")
    means, counts = table.groupby("path")["score"].mean(), table.groupby("path").size()
    found = read(text)
    assert {path: row[0] for path, row in found.items()} == (1 - means).to_dict()
    p_real = {row["path"]: 1 - row["p_fake"] for row in rows}
    assert {path: row[0] for path, row in found.items()} == p_real
    assert {path: row[1] for path, row in found.items()} == counts.to_dict()
    called = {path: "FAKE" if mean >= 0.5 else "REAL" for path, mean in means.items()}
    assert {path: row[2] for path, row in found.items()} == called
    assert called["v00.mp4"] == "FAKE"  # exactly 0.5
    rounded = {path: ("FAKE", "REAL")[round(mean)] for path, mean in p_real.items()}
    assert rounded == called  # as the recipe rounds P(REAL): half to even
    truth = {row["path"]: row["label"] or "-" for row in rows}
    assert {path: row[3] for path, row in found.items()} == truth
    known = [path for path in called if truth[path] != "-"]
    right = sum(called[path] == truth[path] for path in known)
    assert text.startswith(f"Video accuracy: {right / 11!r} ({right} of 11)\n")
    assert "\nVideos: split test\nScores: 1 is REAL, 0 is FAKE\n" in text
    assert "Rule: the mean of all faces of a video, rounded; above 0.5 is REAL" in text
    cross = pd.crosstab(pd.Series(truth), pd.Series(called))
    for name, label in (("label FAKE", "FAKE"), ("label REAL", "REAL"), ("no label", "-")):
        line = re.search(rf"^{name} +(\d+) +(\d+)$", text, re.MULTILINE)
        assert line is not None
        assert [int(n) for n in line.groups()] == [
            cross.get(call, {}).get(label, 0) for call in ("FAKE", "REAL")
        ]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(threshold=0.4), "in use: mean, above 0.6 is REAL"),
        (Rule(reducer=Reducer(name="median")), "in use: median, above 0.5 is REAL"),
        (
            Rule(calibration=Calibration(method="platt", slope=2.0, intercept=0.3)),
            "in use, calibrated (platt): mean, above 0.5 is REAL",
        ),
    ],
)
def test_another_rule_is_named(rule: Rule, words: str) -> None:
    rows = judged(faces(), rule)
    text = mapreduce_text(verdict_table(rows), rule, "all")
    assert "Note: this is not the recipe's mean rounded at 0.5" in text and words in text
    assert "Rule: the mean" not in text
    found = read(text)
    assert {path: row[0] for path, row in found.items()} == {
        row["path"]: 1 - row["p_fake"] for row in rows
    }
    assert {path: row[2] for path, row in found.items()} == {
        row["path"]: "FAKE" if row["p_fake"] >= rule.threshold else "REAL" for row in rows
    }


def test_videos_judged_by_an_older_rule_are_told() -> None:
    rows = judged(faces(), Rule())
    rows[3] |= {"reducer": "median", "threshold": 0.25}
    text = mapreduce_text(verdict_table(rows), Rule(), "all")
    assert "mean, above 0.5 is REAL; median, above 0.75 is REAL" in text


def test_what_has_no_score_or_no_label_is_listed_and_in_no_accuracy() -> None:
    rows = [
        verdict_row(0, label="FAKE", p_fake=0.75, path="a\nb.mp4"),
        verdict_row(1, label=None, p_fake=0.25),
        verdict_row(2, label="REAL", p_fake=None, status="timeout"),
    ]
    text = mapreduce_text(verdict_table(rows), Rule(), "all")
    assert text.startswith("Video accuracy: 1.0 (1 of 1)\n")
    assert set(read(text)) == {"a\\nb.mp4", "clips/001.mp4"}
    assert "Without a score, not counted above (1)" in text
    assert re.search(r"timeout +REAL +clips/002\.mp4$", text, re.MULTILINE)
    nobody = mapreduce_text(verdict_table(rows[1:2]), Rule(), "all")
    assert nobody.startswith("Video accuracy: no video is labelled\n")
    nothing = mapreduce_text(verdict_table([]), Rule(), "all")
    assert "Prediction against label" in nothing


def test_predictions_are_one_object_a_video() -> None:
    table = faces()
    members = [FacePrediction(*row) for row in table.itertuples(index=False)]
    content = json.loads(b"".join(predictions_json(members)))
    assert content == {
        path: {f"{row.frame}_{row.face}": 1 - row.score for row in part.itertuples()}
        for path, part in table.groupby("path")
    }
    hostile = FacePrediction('a"b\n\u202e\\.mp4', 0, 0, 0.25)
    assert json.loads(b"".join(predictions_json([hostile]))) == {hostile.path: {"0_0": 0.75}}
    assert json.loads(b"".join(predictions_json([]))) == {}


def test_predictions_are_made_a_video_at_a_time() -> None:
    asked = []

    def endless() -> Any:
        for number in range(10**9):
            asked.append(number)
            yield FacePrediction(f"v{number // 3}", number % 3, 0, 0.5)

    pieces = predictions_json(endless())
    assert json.loads(next(pieces) + b"}") == {"v0": {"0_0": 0.5, "1_0": 0.5, "2_0": 0.5}}
    assert len(asked) <= 4


def test_faces_carry_labels_set_by_hand() -> None:
    scored = pa.table(
        {
            "video_id": ["1", "1", "2", "3"],
            "frame_index": [0, 7, 0, 0],
            "face_index": [0, 1, 0, 0],
            "score": pa.array([0.25, 0.5, 0.75, 1.0], pa.float32()),
        }
    )
    videos = [
        {"video_id": "1", "path": "one.mp4", "label": "FAKE"},
        {"video_id": "2", "path": "two.mp4", "label": None},
    ]
    assert predictions_of(scored, videos, {("1", 7): 0}) == [
        FacePrediction("one.mp4", 0, 0, 0.25, Label.FAKE),
        FacePrediction("one.mp4", 7, 1, 0.5, Label.REAL),
        FacePrediction("two.mp4", 0, 0, 0.75, None),
    ]


def test_a_training_leaves_its_curves_weights_and_the_test_set() -> None:
    tested = [
        FacePrediction("b.mp4", 1, 0, 0.5, Label.FAKE),
        FacePrediction("b.mp4", 0, 0, 0.75, Label.FAKE),
        FacePrediction("a.mp4", 0, 0, 0.5, Label.REAL),
        FacePrediction("a.mp4", 1, 0, 0.25, Label.REAL),
        FacePrediction("c.mp4", 0, 0, 0.25, Label.FAKE),
        FacePrediction("d.mp4", 0, 0, 0.25, None),
    ]
    verdicts = verdict_table([verdict_row(0, label="FAKE", p_fake=0.9)])
    measured = measured_outputs(tested, verdicts, Rule(), "split test")
    assert set(measured) == {
        *("cnn_preds_values.json", "mapreduce_res.txt", "Confusion.png", "ConfusionVideo.png"),
    }
    assert measured["mapreduce_res.txt"].decode() == mapreduce_text(verdicts, Rule(), "split test")
    trained = training_outputs(HISTORY, b"weights")
    assert set(trained) == {"Loss.png", "Accuracy.png", "best_weights.weights.h5"}
    files = trained | measured
    curves = training_figures(HISTORY)
    assert files["Loss.png"] == png(curves["loss"])
    assert files["Accuracy.png"] == png(curves["accuracy"])
    confusion = Confusion(tn=1, fp=1, fn=1, tp=2)
    assert files["Confusion.png"] == png(confusion_face_figure(confusion, 0.5))
    assert files["best_weights.weights.h5"] == b"weights"
    predictions = json.loads(files["cnn_preds_values.json"])
    assert list(predictions) == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    assert predictions["b.mp4"] == {"0_0": 0.25, "1_0": 0.5}  # P(REAL), in order


def test_verdicts_leave_the_text_and_both_matrices() -> None:
    rows = [
        verdict_row(0, label="FAKE", p_fake=0.9),
        verdict_row(1, label="FAKE", p_fake=0.6, verdict="inconclusive"),
        verdict_row(2, label="REAL", p_fake=0.7),
        verdict_row(3, label="REAL", p_fake=0.1),
        verdict_row(4, label="REAL", p_fake=None, status="timeout"),
        verdict_row(5, label=None, p_fake=0.9),
    ]
    counts = {("FAKE", True): 20, ("FAKE", False): 3, ("REAL", False): 7, (None, True): 99}
    table = verdict_table(rows)
    files = verdict_outputs(table, confusion_of(counts), Rule(), "all")
    assert set(files) == {"mapreduce_res.txt", "Confusion.png", "ConfusionVideo.png"}
    assert files["mapreduce_res.txt"].decode() == mapreduce_text(table, Rule(), "all")
    faces_drawn = png(confusion_face_figure(Confusion(tn=7, fp=0, fn=3, tp=20), 0.5))
    assert files["Confusion.png"] == faces_drawn
    verdicts = {"FAKE": VerdictCounts(1, 0, 1, 0), "REAL": VerdictCounts(1, 1, 0, 1)}
    calls = Confusion(tn=1, fp=1, fn=0, tp=2)
    assert files["ConfusionVideo.png"] == png(confusion_video_figure(calls, verdicts))


def test_where_nothing_is_labelled_the_pictures_say_so() -> None:
    table = verdict_table([verdict_row(0, label=None, p_fake=0.9)])
    files = verdict_outputs(table, confusion_of({(None, True): 11}), Rule(), "all")
    assert files["Confusion.png"] == png(confusion_face_figure(None, 0.5))
    none = VerdictCounts(0, 0, 0, 0)
    empty = confusion_video_figure(Confusion(0, 0, 0, 0), {"FAKE": none, "REAL": none})
    assert files["ConfusionVideo.png"] == png(empty)
    assert all(files[name].startswith(PNG) for name in ("Confusion.png", "ConfusionVideo.png"))
