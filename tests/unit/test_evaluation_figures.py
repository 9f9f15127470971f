from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread

from framejury.evaluation import figures
from framejury.evaluation.binary import Confusion, roc_points
from framejury.evaluation.breakdown import VerdictCounts
from framejury.evaluation.figures import RocSeries, ScoreSeries
from framejury.evaluation.style import DARK, LIGHT

CONFUSION = Confusion(tn=40, fp=10, fn=5, tp=45)
VERDICTS = {"FAKE": VerdictCounts(40, 4, 4, 2), "REAL": VerdictCounts(6, 38, 5, 1)}
HISTORY = [
    {"epoch": 1, "phase": "head", "loss": 0.7, "accuracy": 0.5, "val_loss": 0.7},
    {"epoch": 2, "phase": "head", "loss": 0.6, "accuracy": 0.6, "val_loss": 0.65},
    {"epoch": 1, "phase": "finetune", "loss": 0.4, "accuracy": 0.8, "val_loss": None},
]


def pixels(png: bytes) -> np.ndarray:
    """float32 (height, width, 4), 0 to 1."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return imread(io.BytesIO(png), format="png")


def roc_series() -> RocSeries:
    labels, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.5, 0.9])
    curve = roc_points(labels, scores)
    assert curve is not None
    return RocSeries("videos", curve, 0.75, 4, 0.5, 0.5)


def score_series(labels: list[str | None]) -> ScoreSeries:
    scores = np.linspace(0.1, 0.9, len(labels))
    weights = np.ones(len(labels), np.int64)
    return ScoreSeries("videos", scores, weights, np.array(labels, object), 0.5)


def drawn() -> dict[str, bytes]:
    return {
        "face": figures.confusion_face_figure(CONFUSION, 0.5),
        "video": figures.confusion_video_figure(CONFUSION, VERDICTS),
        "roc": figures.roc_figure([roc_series()], ""),
        "scores": figures.scores_figure([score_series(["FAKE", "REAL", None])]),
        **figures.training_figures(HISTORY),
    }


def test_pictures_are_large_enough_and_the_same_every_time():
    first, second = drawn(), drawn()
    assert first == second
    for name, png in first.items():
        height, width, _ = pixels(png).shape
        assert min(height, width) >= 400, name
        ink = (pixels(png)[..., :3] < 0.5).all(axis=2).mean()
        assert 0.002 < ink < 0.2, name


def test_the_numbers_are_in_the_picture():
    """Another count gives another picture; the shares decide the shade of a cell."""
    other = Confusion(tn=41, fp=10, fn=5, tp=45)
    assert figures.confusion_face_figure(CONFUSION, 0.5) != figures.confusion_face_figure(
        other, 0.5
    )
    doubts = {**VERDICTS, "REAL": VerdictCounts(6, 38, 4, 2)}
    one = figures.confusion_video_figure(CONFUSION, VERDICTS)
    assert one != figures.confusion_video_figure(CONFUSION, doubts)


def test_the_operating_point_and_the_threshold_are_drawn():
    series = roc_series()
    moved = RocSeries("videos", series.curve, 0.75, 4, 0.0, 0.5)
    assert figures.roc_figure([series], "") != figures.roc_figure([moved], "")
    scores = score_series(["FAKE", "REAL"])
    without = ScoreSeries("videos", scores.scores, scores.weights, scores.labels, None)
    assert figures.scores_figure([scores]) != figures.scores_figure([without])


@pytest.mark.parametrize(
    "png",
    [
        figures.confusion_face_figure(None, 0.5),
        figures.confusion_face_figure(Confusion(0, 0, 0, 0), 0.5),
        figures.confusion_video_figure(
            Confusion(0, 0, 0, 0),
            {"FAKE": VerdictCounts(0, 0, 0, 0), "REAL": VerdictCounts(0, 0, 0, 0)},
        ),
        figures.roc_figure([], "All labelled videos are FAKE."),
        figures.scores_figure([score_series([])]),
        *figures.training_figures([]).values(),
    ],
)
def test_nothing_to_draw_is_said_in_a_small_picture(png: bytes):
    assert pixels(png).shape[0] < 300


def test_one_class_alone_is_drawn():
    one_class = {"FAKE": VERDICTS["FAKE"], "REAL": VerdictCounts(0, 0, 0, 0)}
    picture = pixels(figures.confusion_video_figure(Confusion(0, 0, 5, 45), one_class))
    assert picture.shape[0] > 400


def test_dark_pictures_are_dark():
    light = pixels(figures.confusion_face_figure(CONFUSION, 0.5, LIGHT))
    dark = pixels(figures.confusion_face_figure(CONFUSION, 0.5, DARK))
    assert light[2, 2, :3].min() > 0.95
    assert dark[2, 2, :3].max() < 0.15


def test_a_history_without_validation_still_has_its_curves():
    history = [{"epoch": 1, "phase": "head", "loss": 0.7, "accuracy": 0.5}]
    files = figures.training_figures(history)
    assert sorted(files) == ["accuracy.png", "loss.png"]
    assert files["loss.png"] != figures.training_figures([*history, history[0]])["loss.png"]
    assert pixels(files["accuracy.png"]).shape[0] > 400


def test_drawing_needs_no_spark_no_tensorflow_and_no_pyplot():
    code = (
        "import sys, framejury.evaluation.report as r;"
        "from framejury.evaluation import figures;"
        "figures.training_figures([{'loss': 1.0, 'accuracy': 0.5}]);"
        "print([m for m in ('pyspark', 'tensorflow', 'keras', 'matplotlib.pyplot', 'cv2')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
