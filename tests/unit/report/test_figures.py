from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread

from framejury.evaluation.binary import POINTS, Confusion, precision_recall, roc_points, thinned
from framejury.evaluation.breakdown import VerdictCounts
from framejury.evaluation.reliability import reliability
from framejury.pages.style import DARK, LIGHT, chart_css, inline_svg, png, svg
from framejury.pages.templating import TEMPLATES
from framejury.report import curve_figures, figures, training_curves
from framejury.report.curve_figures import Ranked
from framejury.report.figures import ScoreSeries
from framejury.report.since import JudgedRun

CONFUSION = Confusion(tn=40, fp=10, fn=5, tp=45)
VERDICTS = {"FAKE": VerdictCounts(40, 4, 4, 2), "REAL": VerdictCounts(6, 38, 5, 1)}
HISTORY = [
    {"epoch": 1, "phase": "head", "loss": 0.7, "accuracy": 0.5, "val_loss": 0.7, "auc": 0.5},
    {"epoch": 2, "phase": "head", "loss": 0.6, "accuracy": 0.6, "val_loss": 0.65},
    {"epoch": 1, "phase": "finetune", "loss": 0.4, "accuracy": 0.8, "val_loss": None, "auc": 0.9},
]


def pixels(figure: Figure) -> np.ndarray:
    """float32 (height, width, 4), 0 to 1."""
    drawn = png(figure)
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    return imread(io.BytesIO(drawn), format="png")


def texts(figure: Figure) -> list[str]:
    """The words of the SVG file, in the order they stand there."""
    found = ElementTree.fromstring(svg(figure)).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(one.itertext()).strip() for one in found]


def ranked(count: int = 4, **changes: object) -> Ranked:
    """Scores that tell much but not all; an operating point in the middle of the curve."""
    rng = np.random.default_rng(5)
    labels = (np.arange(count) % 2).astype(np.int8)
    scores = np.clip(rng.normal(0.35 + 0.3 * labels, 0.2), 0, 1)
    roc, pr = roc_points(labels, scores), precision_recall(labels, scores)
    assert roc is not None and pr is not None
    one = Ranked("videos", count, roc, pr, 0.75, 0.7, 0.5, 0.5, 0.5)
    return replace(one, **changes)


def score_series(labels: list[str | None]) -> ScoreSeries:
    scores = np.linspace(0.1, 0.9, len(labels))
    weights = np.ones(len(labels), np.int64)
    return ScoreSeries("videos", scores, weights, np.array(labels, object), 0.5)


def nights(count: int, hours: float = 24) -> list[JudgedRun]:
    start = datetime(2026, 2, 1, 2, 30, tzinfo=UTC)
    return [
        JudgedRun(f"run-{i}", start + i * timedelta(hours=hours), VerdictCounts(2, 5, 1, i), 60.0)
        for i in range(count)
    ]


def calibrated(count: int = 60) -> Figure:
    rng = np.random.default_rng(2)
    scores = rng.random(count)
    labels = (rng.random(count) < scores).astype(np.int8)
    return curve_figures.calibration_figure(reliability(labels, scores), 0.05)


def drawn() -> dict[str, Figure]:
    return {
        "face": figures.confusion_face_figure(CONFUSION, 0.5),
        "video": figures.confusion_video_figure(CONFUSION, VERDICTS),
        "roc": curve_figures.roc_figure([ranked()], ""),
        "det": curve_figures.det_figure([ranked()], ""),
        "precision_recall": curve_figures.precision_recall_figure([ranked()], ""),
        "calibration": calibrated(),
        "scores": figures.scores_figure([score_series(["FAKE", "REAL", None])]),
        "nights": figures.runs_figure(nights(3)),
        **training_curves.training_figures(HISTORY),
    }


@pytest.mark.long
def test_pictures_are_large_enough_and_the_same_every_time():
    first, second = drawn(), drawn()
    for name, figure in first.items():
        assert png(figure) == png(second[name]), name
        assert svg(figure) == svg(second[name]), name
        height, width, _ = pixels(figure).shape
        assert min(height, width) >= 400, name
        ink = (pixels(figure)[..., :3] < 0.5).all(axis=2).mean()
        assert 0.002 < ink < 0.2, name


def test_drawings_hold_no_pixels_and_little_weight_whatever_they_show():
    many = ranked(20_000)
    rng = np.random.default_rng(0)
    scores = ScoreSeries(
        "faces",
        rng.random(50_000),
        np.ones(50_000, np.int64),
        np.array(["FAKE", "REAL"] * 25_000, object),
        0.5,
    )
    heavy = {
        "roc": curve_figures.roc_figure([many, many], ""),
        "det": curve_figures.det_figure([many, many], ""),
        "precision_recall": curve_figures.precision_recall_figure([many, many], ""),
        "scores": figures.scores_figure([scores, scores]),
        "nights": figures.runs_figure(nights(14)),
    }
    for name, figure in (drawn() | heavy).items():
        drawing = svg(figure)
        assert len(drawing) < 150_000, name
        assert b"<image" not in drawing, name


def test_a_thinned_curve_keeps_its_ends_and_its_shape():
    one = ranked(20_000)
    x, y = thinned(one.roc.fpr, one.roc.tpr)
    assert len(one.roc.fpr) > 2 * POINTS and len(x) <= POINTS
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.abs(np.interp(one.roc.fpr, x, y) - one.roc.tpr).max() < 0.01
    even = np.linspace(0, 1, 10_000)
    assert [one[-1] for one in thinned(even, -even)] == [1, -1]
    few = thinned(x[:5], y[:5])
    assert few[0].tolist() == x[:5].tolist()


def test_precision_and_recall_by_hand():
    labels, scores = np.array([0, 1, 0, 1], np.int8), np.array([0.1, 0.4, 0.5, 0.9])
    weights = np.array([3, 1, 2, 1])
    found = precision_recall(labels, scores, weights)
    assert found is not None
    # From 0.4 on: two fakes and the two weighted reals at 0.5.
    assert found.precision.tolist() == [2 / 7, 2 / 4, 1 / 3, 1.0, 1.0]
    assert found.recall.tolist() == [1.0, 1.0, 0.5, 0.5, 0.0]
    assert found.share_fake == pytest.approx(2 / 7)
    assert precision_recall(labels[:1], scores[:1]) is None
    assert precision_recall(labels, scores, np.array([1, 0, 1, 0])) is None


def test_the_numbers_are_in_the_picture():
    """Another count gives another picture; the shares decide the shade of a cell."""
    other = Confusion(tn=41, fp=10, fn=5, tp=45)
    words = texts(figures.confusion_face_figure(CONFUSION, 0.5))
    assert {"40", "10", "5", "45", "80.0%", "90.0%"} <= set(words)
    assert svg(figures.confusion_face_figure(CONFUSION, 0.5)) != svg(
        figures.confusion_face_figure(other, 0.5)
    )
    doubts = {**VERDICTS, "REAL": VerdictCounts(6, 38, 4, 2)}
    one = figures.confusion_video_figure(CONFUSION, VERDICTS)
    assert svg(one) != svg(figures.confusion_video_figure(CONFUSION, doubts))
    assert "2 videos, AUC 0.750" in texts(curve_figures.roc_figure([ranked(2)], ""))


@pytest.mark.parametrize("draw", ["roc_figure", "det_figure", "precision_recall_figure"])
def test_the_operating_point_is_drawn(draw: str):
    paint = getattr(curve_figures, draw)
    one = ranked(200, fpr=0.2, tpr=0.6, precision=0.7)
    assert "videos at the threshold" in texts(paint([one], ""))
    for changes in ({"tpr": 0.7}, {"fpr": 0.3, "precision": 0.6}):
        assert svg(paint([one], "")) != svg(paint([replace(one, **changes)], "")), changes


def test_without_a_call_there_is_no_precision_to_mark():
    figure = curve_figures.precision_recall_figure([ranked(precision=None)], "")
    assert "videos at the threshold" not in texts(figure)


def test_the_threshold_is_drawn():
    scores = score_series(["FAKE", "REAL"])
    assert "threshold 0.50" in texts(figures.scores_figure([scores]))
    assert "threshold 0.50" not in texts(figures.scores_figure([replace(scores, threshold=None)]))


def test_few_scores_are_dots_and_many_are_bars():
    few = score_series(["FAKE", "REAL", None] * 9)
    few = replace(few, weights=np.array([2, *[1] * 26]))  # 28 scores
    figure = figures.scores_figure([few, score_series([None] * 30)])
    above, below = figure.axes
    points = [np.column_stack(line.get_data()) for line in above.lines[:3]]
    assert [len(one) for one in points] == [9, 9, 10]
    assert len({tuple(point) for point in np.concatenate(points)}) == 28  # none hides another
    assert not above.patches
    assert below.patches
    assert all(axes.xaxis.get_tick_params()["labelbottom"] for axes in (above, below))


def test_outcomes_have_the_colours_of_their_tiles():
    css = (TEMPLATES / "base.css").read_text()
    light, dark = css.split("@media", 1)
    for theme, sheet in ((LIGHT, light), (DARK, dark)):
        assert f"--open: {theme.inconclusive};" in sheet
        assert f"--none: {theme.unscored};" in sheet
    bars = figures.runs_figure(nights(2)).axes[0].containers
    colors = [to_hex(one.patches[0].get_facecolor()) for one in bars]
    assert colors == [LIGHT.fake, LIGHT.real, LIGHT.inconclusive, LIGHT.unscored]


def test_a_run_without_videos_shows_its_zero():
    empty = replace(nights(1)[0], outcomes=VerdictCounts(0, 0, 0, 0))
    for runs, zeros in (([*nights(2), empty], 1), ([empty], 1), (nights(2), 0)):
        assert [one.get_text() for one in figures.runs_figure(runs).axes[0].texts] == ["0"] * zeros


def test_calibration_counts_its_bins():
    scores = np.array([0.05, 0.15, 0.95, 0.95])
    labels = np.array([0, 0, 1, 0], np.int8)
    figure = curve_figures.calibration_figure(reliability(labels, scores), 0.1234)
    above, below = figure.axes
    line = next(one for one in above.lines if one.get_label() == "videos")
    assert line.get_xdata() == pytest.approx([0.05, 0.15, 0.95])
    assert line.get_ydata() == pytest.approx([0.0, 0.0, 0.5])
    assert [bar.get_height() for bar in below.patches] == [1, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert "Calibration of the video score (ECE 0.123)" in texts(figure)


def test_nights_stand_in_order_and_failures_among_them():
    figure = figures.runs_figure([*nights(2), replace(nights(3)[2], is_this=True)])
    (axes,) = figure.axes
    words = [label.get_text() for label in axes.get_xticklabels()]
    assert words == ["2026-02-01", "2026-02-02", "2026-02-03 (this)"]
    heights = [[bar.get_height() for bar in bars] for bars in axes.containers]
    assert heights == [[2, 2, 2], [5, 5, 5], [1, 1, 1], [0, 1, 2]]
    tops = [bar.get_y() + bar.get_height() for bar in axes.containers[-1]]
    assert tops == [8, 9, 10]
    twice = figures.runs_figure(nights(2, hours=5)).axes[0].get_xticklabels()
    assert [label.get_text() for label in twice] == ["2026-02-01 02:30", "2026-02-01 07:30"]


@pytest.mark.parametrize(
    "figure",
    [
        figures.confusion_face_figure(None, 0.5),
        figures.confusion_face_figure(Confusion(0, 0, 0, 0), 0.5),
        figures.confusion_video_figure(
            Confusion(0, 0, 0, 0),
            {"FAKE": VerdictCounts(0, 0, 0, 0), "REAL": VerdictCounts(0, 0, 0, 0)},
        ),
        curve_figures.roc_figure([], "All labelled videos are FAKE."),
        curve_figures.det_figure([], "All labelled videos are FAKE."),
        curve_figures.precision_recall_figure([], "All labelled videos are FAKE."),
        curve_figures.calibration_figure(None, None),
        curve_figures.calibration_figure(reliability(np.zeros(0, int), np.zeros(0)), None),
        figures.runs_figure([]),
        figures.scores_figure([score_series([])]),
        *training_curves.training_figures([]).values(),
    ],
)
def test_nothing_to_draw_is_said_in_a_small_picture(figure: Figure):
    assert pixels(figure).shape[0] < 300
    assert any(word.endswith(".") for word in texts(figure))


def test_one_class_alone_is_drawn():
    one_class = {"FAKE": VERDICTS["FAKE"], "REAL": VerdictCounts(0, 0, 0, 0)}
    picture = pixels(figures.confusion_video_figure(Confusion(0, 0, 5, 45), one_class))
    assert picture.shape[0] > 400


def test_within_a_page_no_colour_of_the_light_theme_is_left():
    """The reader's theme decides; a colour that stayed would be unseen on dark paper."""
    defined = set(re.findall(r"--chart-\w+", chart_css()))
    for name, figure in drawn().items():
        element = inline_svg(svg(figure), name.replace("_", "-"), f"Shows <{name}>")
        assert element.startswith('<svg class="chart" role="img" aria-label="Shows &lt;')
        assert not re.search(r"#[0-9a-fA-F]{6}\b", element), name
        assert set(re.findall(r"--chart-\w+", element)) <= defined
        ids = re.findall(r'\bid="([^"]*)"', element)
        assert ids and all(one.startswith(f"{name.replace('_', '-')}-") for one in ids)
        assert set(re.findall(r"url\(#([^)]*)\)|href=\"#([^\"]*)\"", element)) <= {
            pair for one in ids for pair in ((one, ""), ("", one))
        }
        ElementTree.fromstring(element)


def test_a_history_without_validation_still_has_its_curves():
    history = [{"epoch": 1, "phase": "head", "loss": 0.7, "accuracy": 0.5}]
    files = training_curves.training_files(history)
    assert sorted(files) == [
        f"{name}.{kind}" for name in ("accuracy", "auc", "loss") for kind in ("png", "svg")
    ]
    assert files["loss.png"] != training_curves.training_files([*history, history[0]])["loss.png"]
    assert pixels(training_curves.training_figures(history)["accuracy"]).shape[0] > 400


def test_drawing_needs_no_spark_no_tensorflow_and_no_pyplot():
    code = (
        "import sys, framejury.report.report as r;"
        "from framejury.report import training_curves;"
        "training_curves.training_figures([{'loss': 1.0, 'accuracy': 0.5}]);"
        "print([m for m in ('pyspark', 'tensorflow', 'keras', 'matplotlib.pyplot', 'cv2')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
