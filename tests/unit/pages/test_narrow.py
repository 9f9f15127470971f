"""Figures on a phone: panels below each other, every word inside the figure, none too many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from framejury.evaluation.breakdown import VerdictCounts
from framejury.pages.narrow import WIDTH_IN, narrow
from framejury.pages.style import new_figure, sentence_figure, style_axes, style_legend
from framejury.report.figures import runs_figure
from framejury.report.since import JudgedRun
from framejury.report.training_curves import training_figures

HISTORY = [{"epoch": n, "phase": "head", "loss": 0.7 / n, "val_loss": 0.8 / n} for n in (1, 2, 3)]


def beside() -> Figure:
    """Two panels in a row, each with a legend, as robustness is drawn."""
    figure = new_figure(7.0, 3.3)
    for axes, name in zip(figure.subplots(1, 2), ("AUC", "calls"), strict=True):
        style_axes(axes, title=f"H.264 compression of crops: {name}", x_label="x", y_label="y")
        axes.plot([0, 1], [0, 1], label=name)
        style_legend(axes, loc="best")
    return figure


def nights(count: int) -> Figure:
    start = datetime(2026, 2, 1, 2, 30, tzinfo=UTC)
    return runs_figure(
        [
            JudgedRun(
                f"run-{n}",
                start + n * timedelta(days=1),
                VerdictCounts(2, 5, 1, n),
                60.0,
                is_this=n == count - 1,
            )
            for n in range(count)
        ]
    )


@pytest.mark.parametrize(
    "figure", [beside(), nights(3), nights(30), training_figures(HISTORY)["loss"]]
)
def test_all_words_are_inside(figure: Figure) -> None:
    narrow(figure)
    figure.canvas.draw()
    assert figure.get_figwidth() == WIDTH_IN
    width, height = figure.get_size_inches() * figure.dpi
    box = figure.get_tightbbox()
    assert box is not None
    left, low, right, top = (edge * figure.dpi for edge in box.extents)
    assert left >= -1 and low >= -1 and right <= width + 1 and top <= height + 1


def test_panels_side_by_side_come_below_each_other() -> None:
    figure = beside()
    narrow(figure)
    figure.canvas.draw()
    upper, lower = (axes.get_position() for axes in figure.axes)
    assert upper.y0 > lower.y1 and abs(upper.x0 - lower.x0) < 0.02
    assert upper.width > 0.6
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["AUC", "calls"]
    assert all(axes.get_legend() is None for axes in figure.axes)


def test_many_nights_keep_the_names_of_some_the_last_among_them() -> None:
    figure = nights(30)
    narrow(figure)
    words = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert 6 <= len(words) <= 12
    assert "2026-03-02 (this)" in words


def test_the_letters_keep_their_size() -> None:
    def sizes(figure: Figure) -> list[float]:
        texts = (text for text in figure.findobj(Text) if text.get_text().strip())
        return sorted({text.get_fontsize() for text in texts})

    figure = beside()
    before = sizes(figure)
    narrow(figure)
    assert sizes(figure) == before and before[0] >= 9


def test_a_sentence_stays_as_it_is() -> None:
    figure = sentence_figure("ROC curve", "There is nothing to draw. " * 9)
    size = tuple(figure.get_size_inches())
    narrow(figure)
    assert tuple(figure.get_size_inches()) == size
