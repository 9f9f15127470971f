"""The learning curves of a model in its report: charts, the chosen epoch, the same as a table."""

from __future__ import annotations

from dataclasses import asdict

from framejury.report.bundle_info import BundleInfo
from framejury.report.report import build_report
from framejury.report.training_curves import HEADER, epoch_rows, training_figures, training_text
from tests.builders.curves import EPOCHS
from tests.builders.reports import Page, report
from tests.builders.rows import verdict_row

HISTORY = tuple(map(asdict, EPOCHS))
TRAINED = {"training": {"best_epoch": 2}}
ROWS = [verdict_row(0, p_fake=0.9), verdict_row(1, p_fake=0.1)]


def bundle(**changes: object) -> BundleInfo:
    values = {"history": HISTORY, "settings": TRAINED} | changes
    return BundleInfo("detector", "", **values)


def test_the_chosen_epoch_is_marked_in_each_curve() -> None:
    for name, figure in training_figures(HISTORY, 2).items():
        (axes,) = figure.axes
        assert "chosen: epoch 2" in axes.get_legend_handles_labels()[1], name
        (line,) = [one for one in axes.lines if one.get_label() == "chosen: epoch 2"]
        assert list(line.get_xdata()) == [2, 2]
    for figure in training_figures(HISTORY, None).values():
        assert not any("chosen" in label for label in figure.axes[0].get_legend_handles_labels()[1])


def test_curves_have_only_the_epochs_that_were_measured() -> None:
    (axes,) = training_figures(HISTORY)["auc"].axes
    points = {line.get_label(): list(line.get_xdata()) for line in axes.lines[:2]}
    assert points == {"training": [2], "validation": [1, 2]}


def test_the_table_says_the_same() -> None:
    rows = epoch_rows(HISTORY, 2)
    assert len(HEADER) == len(rows[0])
    assert rows[0] == ("1", "head", "0.7000", "0.6900", "", "0.6000", "0.5000", "0.5500")
    assert rows[1][:4] == ("2 (chosen)", "finetune", "0.4000", "0.5000")


def test_every_report_shows_them() -> None:
    files = build_report(report(ROWS, bundle=bundle()))
    page = files["report.html"].decode()
    assert "How the model was trained" in page
    for label in ("Loss per epoch", "AUC per epoch", "Accuracy per epoch"):
        assert f'aria-label="{label}, training and validation"' in page
    for said in (Page(page).text, files["report.txt"].decode()):
        assert "2 (chosen)" in said and "0.8500" in said
    assert {"loss.png", "auc.svg", "accuracy.png"} <= set(files)


def test_a_bundle_without_curves_says_nothing() -> None:
    files = build_report(report(ROWS, bundle=bundle(history=())))
    assert "How the model was trained" not in files["report.html"].decode()
    assert "Training of the model" not in files["report.txt"].decode()
    assert "loss.png" not in files and training_text(None) == ""


def test_an_epoch_that_is_not_there_is_not_chosen() -> None:
    assert bundle().chosen_epoch == 2
    for settings in (None, {}, {"training": {"best_epoch": 9}}, {"training": {"best_epoch": "1"}}):
        assert bundle(settings=settings).chosen_epoch is None
