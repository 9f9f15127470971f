"""Tables of a model card: figures by source and by method, what was not tested, learning curves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from framejury.model.figure_sets import KNOWN_OR_NOT, FigureSet
from framejury.model.manifest import Manifest, Measurement
from framejury.model.schedule import EpochRecord
from framejury.schemas.outcomes import FEW_VIDEOS
from framejury.schemas.statuses import UNNAMED, Side

MOST_EPOCHS = 20
"""Most epochs in the table of a card; `curves.csv` has all."""

FEW_NOTE = (
    f"(few): fewer than {FEW_VIDEOS} videos, so a single one moves these figures by 10 points or "
    "more."
)

SAMPLED_NOTE = (
    "With sampled faces: with the videos of face sets, of which only a few faces are stored. They "
    "have figures by source and by method, and do not count as held-out videos above."
)

Figures = Mapping[str, Measurement]


def figure_tables(manifest: Manifest) -> list[str]:
    """Return the test figures by source and by method as Markdown; empty without any."""
    tables = [*_by_source(manifest), *_by_method(manifest)]
    if any("(few)" in table for table in tables):
        tables.append(FEW_NOTE)
    return tables


def _by_source(manifest: Manifest) -> list[str]:
    rows = [
        (
            which.data_set,
            _count(figures, "real_videos"),
            _cell(figures, "video_fpr", ".1%"),
            _count(figures, "fake_videos"),
            _cell(figures, "video_recall_fake", ".1%"),
            _cell(figures, "video_auc", ".3f"),
        )
        for which, figures in _of_kind(manifest, "data set")
    ]
    if not rows:
        return []
    fit = manifest.rule_fit
    meant = "" if fit is None else f" The threshold is meant for at most {fit.target_fpr:.1%}."
    head = ("source", "reals", "reals called fake", "fakes", "fakes called fake", "AUC")
    return [f"By source of the videos.{meant}", markdown_table(head, rows)]


def _by_method(manifest: Manifest) -> list[str]:
    trained = manifest.data.methods
    rows = [
        (
            which.method,
            trained_word(which.method, trained),
            which.data_set,
            *_fakes(figures),
            _count(figures, "real_videos"),
        )
        for which, figures in _of_kind(manifest, "method")
    ]
    if not rows:
        return []
    for kind in reversed(KNOWN_OR_NOT):
        for _, figures in _of_kind(manifest, kind):
            word = kind.partition(" ")[0]
            row = (f"all {kind}", word, "all", *_fakes(figures), _count(figures, "real_videos"))
            rows.insert(0, row)
    head = ("method of the fakes", "in training", "source", "fakes", "called fake", "AUC")
    table = markdown_table((*head, "against reals"), rows)
    return ["By method of the fakes.", table, *([SAMPLED_NOTE] if "sampled faces" in table else [])]


def trained_word(method: str, trained: Collection[str] | None) -> str:
    """Return whether the network was trained on a method; empty where that is not recorded."""
    if trained is None or method == UNNAMED:
        return ""
    return "known" if method in trained else "unknown"


def untested(
    trained: Collection[str] | None, tested: Collection[str], without_reals: Collection[str] = ()
) -> list[str]:
    """Return what the tested videos lack, compared with the labels that were seen.

    Args:
        trained: methods of the training fakes; None: not recorded.
        tested: methods of the tested fakes.
        without_reals: sources that have tested fakes but no tested real video.
    """
    found = []
    if trained is not None:
        if missing := sorted(set(trained) - set(tested) - {UNNAMED}):
            found.append(f"methods it was trained on ({', '.join(missing)})")
        if not set(tested) - set(trained):
            found.append("methods it was not trained on")
    if without_reals:
        found.append(f"real videos of {', '.join(sorted(without_reals))}")
    return found


def untested_by(manifest: Manifest) -> list[str]:
    """Return the same for the test figures of a bundle; empty without figures by method."""
    methods = [which.method for which, _ in _of_kind(manifest, "method")]
    without = [
        which.data_set
        for which, figures in _of_kind(manifest, "data set")
        if not figures["real_videos"].value
    ]
    return untested(manifest.data.methods, methods, without) if methods else []


def epoch_table(curves: Sequence[EpochRecord], chosen: int | None) -> list[str]:
    """Return the learning curves as Markdown; empty without any.

    Args:
        curves: every epoch, in order.
        chosen: the epoch whose weights were kept, from 1; None: not known.
    """
    if not curves:
        return []
    step = -(-len(curves) // MOST_EPOCHS)
    shown = [one for one in curves if (one.epoch + 1) % step == 0 or one.epoch + 1 == chosen]
    rows = [
        (
            f"{one.epoch + 1} (chosen)" if one.epoch + 1 == chosen else str(one.epoch + 1),
            one.phase,
            f"{one.loss:.4f}",
            f"{one.val_loss:.4f}",
            "" if one.auc is None else f"{one.auc:.3f}",
            f"{one.val_auc:.3f}",
        )
        for one in shown
    ]
    head = ("epoch", "phase", "loss", "loss, validation", "AUC", "AUC, validation")
    left_out = "" if step == 1 else f" One epoch in {step} is shown; curves.csv has all."
    return [f"Learning curves, per epoch on single faces.{left_out}", markdown_table(head, rows)]


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    lines = [head, ["---" for _ in head], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |" for cells in lines
    )


def _of_kind(manifest: Manifest, kind: str) -> list[tuple[FigureSet, Figures]]:
    named = [(FigureSet.of(name), figures) for name, figures in manifest.metrics.items()]
    return [one for one in named if (one[0].split, one[0].kind) == (Side.TEST.value, kind)]


def _fakes(figures: Figures) -> tuple[str, str, str]:
    return (
        _count(figures, "fake_videos"),
        _cell(figures, "video_recall_fake", ".1%"),
        _cell(figures, "video_auc", ".3f"),
    )


def _count(figures: Figures, name: str) -> str:
    count = int(figures[name].value) if name in figures else 0
    return few_marked(count)


def few_marked(count: int, what: str = "") -> str:
    """Return a number of videos and what they are, marked where figures on them say little."""
    words = f"{count:,} {what}".rstrip()
    return f"{words} (few)" if 0 < count < FEW_VIDEOS else words


def _cell(figures: Figures, name: str, spec: str) -> str:
    figure = figures.get(name)
    if figure is None:
        return ""
    if figure.low is None or figure.high is None:
        return f"{figure.value:{spec}}"
    return f"{figure.value:{spec}} ({figure.low:{spec}} to {figure.high:{spec}})"


def bullets(lines: Iterable[str]) -> str:
    """Return a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)
