"""The learning curves of a model: figures, and the same as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from framejury.pages.style import (
    LIGHT,
    new_figure,
    picture_files,
    sentence_figure,
    style_axes,
    style_legend,
)
from framejury.pages.text_table import grid, heading
from framejury.report.bundle_info import BundleInfo

LOSS = "loss"
AUC = "auc"
ACCURACY = "accuracy"
"""Names of the figures; they never change."""

History = Sequence[Mapping[str, Any]]
"""One mapping per epoch, in order, with the fields of `model.schedule.EpochRecord`; values that
were not measured are None or absent."""

_COLUMNS = (
    ("phase", "phase"),
    ("loss", "loss"),
    ("val_loss", "loss, validation"),
    ("auc", "AUC"),
    ("val_auc", "AUC, validation"),
    ("accuracy", "accuracy"),
    ("val_accuracy", "accuracy, validation"),
)
HEADER = ("epoch", *(title for _, title in _COLUMNS))


def training_figures(history: History, chosen: int | None = None) -> dict[str, Figure]:
    """Draw the figures `loss`, `auc` and `accuracy` of a training.

    Args:
        history: its epochs.
        chosen: the epoch whose weights were kept, from 1, which is marked; None: not known.
    """
    titles = {
        LOSS: "Loss (binary cross-entropy)",
        AUC: "AUC on single crops or frames",
        ACCURACY: "Accuracy on single crops or frames, %",
    }
    return {name: _curve(history, name, title, chosen) for name, title in titles.items()}


def training_files(history: History, chosen: int | None = None) -> dict[str, bytes]:
    """Return the same as files, PNG and SVG, by name."""
    return picture_files(training_figures(history, chosen))


def epoch_rows(history: History, chosen: int | None = None) -> list[tuple[str, ...]]:
    """Return one row of `HEADER` per epoch; unmeasured values are empty."""
    return [
        (
            f"{number} (chosen)" if number == chosen else str(number),
            *(_cell(epoch.get(name)) for name, _ in _COLUMNS),
        )
        for number, epoch in enumerate(history, 1)
    ]


def training_text(bundle: BundleInfo | None) -> str:
    """Return the block of `report.txt`; nothing for a model without recorded epochs."""
    if bundle is None or not bundle.history:
        return ""
    table = grid(HEADER, epoch_rows(bundle.history, bundle.chosen_epoch), "ll" + 6 * "r")
    return f"{heading('Training of the model')}\n{table}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _curve(history: History, name: str, y_label: str, chosen: int | None) -> Figure:
    kinds = (
        (name, "training", LIGHT.real, "-", "o"),
        (f"val_{name}", "validation", LIGHT.fake, "--", "s"),
    )
    if not any(epoch.get(key) is not None for epoch in history for key, *_ in kinds):
        return sentence_figure(y_label, "No epoch was recorded.")
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    style_axes(axes, title="", x_label="Epoch, all phases", y_label=y_label)
    for key, label, color, dash, marker in kinds:
        points = [(i, e[key]) for i, e in enumerate(history, 1) if e.get(key) is not None]
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, color=color, linestyle=dash, marker=marker, ms=4, lw=1.8, label=label)
    if chosen is not None and 1 <= chosen <= len(history):
        label = f"chosen: epoch {chosen}"
        axes.axvline(chosen, color=LIGHT.ink, linestyle="-.", linewidth=1.2, label=label)
    _mark_phases(axes, [str(epoch.get("phase") or "") for epoch in history])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(0.5, max(len(history), 2) + 0.5)
    if name == ACCURACY:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    elif name == LOSS:
        axes.set_ylim(bottom=0)
    style_legend(axes, loc="best")
    return figure


def _mark_phases(axes: Axes, phases: Sequence[str]) -> None:
    """Name each phase above its first epoch and draw a line where it begins."""
    for index, phase in enumerate(phases):
        if index and phase == phases[index - 1]:
            continue
        if index:
            axes.axvline(index + 0.5, color=LIGHT.undecided, linewidth=1, linestyle=":")
        axes.annotate(
            phase,
            (index + 0.55, 1.02),
            xycoords=("data", "axes fraction"),
            fontsize=9,
            color=LIGHT.undecided,
        )
