"""Tables of the protocol as text, for `report.txt` and `report.html`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from framejury.evaluation.bootstrap import Interval
from framejury.evaluation.protocol_numbers import (
    CALL_FIGURES,
    FACE_FIGURES,
    VERDICT_FIGURES,
    Estimate,
    MethodSlice,
    ProtocolFindings,
    ProtocolSlice,
)
from framejury.evaluation.reliability import BINS
from framejury.model.card_tables import FEW_NOTE, few_marked, trained_word
from framejury.report.bundle_info import BundleInfo
from framejury.report.wording import decimal, percent


@dataclass(frozen=True, slots=True)
class FigureLabel:
    """Names of a figure, in full and as column header, and its meaning."""

    label: str
    short: str
    is_share: bool
    meaning: str

    def value(self, estimate: Estimate) -> str:
        return (percent if self.is_share else decimal)(estimate.value)

    def interval(self, estimate: Estimate) -> str:
        return interval_of(estimate.interval, self.is_share)


FIGURES = {
    "auc": FigureLabel(
        "AUC", "AUC", False, "a random fake scores above a random real; 0.5 is chance"
    ),
    "eer": FigureLabel("Equal error rate", "EER", True, "where false alarms equal missed fakes"),
    "average_precision": FigureLabel(
        "Average precision",
        "AP",
        False,
        "area under precision and recall; chance is the share of fakes",
    ),
    "log_loss": FigureLabel(
        "Log loss", "log loss", False, "0 is perfect; always answering 0.5 gives 0.693"
    ),
    "ece": FigureLabel(
        "Calibration error",
        "ECE",
        False,
        f"score against share of fakes, {BINS} bins; 0 is perfect",
    ),
    "tpr_at_fpr_1": FigureLabel(
        "TPR at 1% FPR", "TPR@1%", True, "fakes found when at most 1% of reals are called fake"
    ),
    "tpr_at_fpr_5": FigureLabel(
        "TPR at 5% FPR", "TPR@5%", True, "fakes found when at most 5% of reals are called fake"
    ),
    "accuracy": FigureLabel("Accuracy", "accuracy", True, "correct calls at the threshold"),
    "balanced_accuracy": FigureLabel(
        "Balanced accuracy", "balanced", True, "mean of the two accuracies below"
    ),
    "recall_real": FigureLabel(
        "Accuracy on reals", "acc. reals", True, "reals below the threshold"
    ),
    "recall_fake": FigureLabel(
        "Accuracy on fakes", "acc. fakes", True, "fakes not below the threshold"
    ),
    "reals_called_fake": FigureLabel(
        "Reals called fake", "reals called fake", True, "verdict fake on a real video"
    ),
    "reals_inconclusive": FigureLabel(
        "Reals inconclusive", "reals inconclusive", True, "verdict inconclusive on a real video"
    ),
    "fakes_called_real": FigureLabel(
        "Fakes called real", "fakes called real", True, "verdict real on a fake video"
    ),
    "fakes_inconclusive": FigureLabel(
        "Fakes inconclusive", "fakes inconclusive", True, "verdict inconclusive on a fake video"
    ),
    "coverage": FigureLabel(
        "Coverage", "coverage", True, "share of all labelled videos with verdict fake or real"
    ),
}

BROAD = (*FACE_FIGURES, "recall_real", "recall_fake", "reals_called_fake", "coverage")
"""Columns of the tables by data set and frames."""

OF_METHOD = (
    "auc",
    "eer",
    "average_precision",
    "tpr_at_fpr_1",
    "tpr_at_fpr_5",
    "recall_fake",
    "fakes_called_real",
    "fakes_inconclusive",
)
"""Columns of the table by method: figures that depend on its fakes."""

NARROW = ("auc", "eer", "tpr_at_fpr_5", "recall_real", "recall_fake", "reals_called_fake")
"""Columns of the robustness tables."""

FAMILY_NAMES = {
    "jpeg": ("JPEG", "quality"),
    "h264": ("H.264", "rate factor (CRF)"),
    "scale": ("Scale", "scaled down to this ratio and up again"),
    "blur": ("Gaussian blur", "sigma in pixels of the crop"),
}
UNTOUCHED = "none"

_WORDS = {
    *("figure", "meaning", "data set", "method", "in training", "against", "frames"),
    *("p_fake", "perturbation"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as text; `interval` may be empty."""

    value: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a header; `words`: which columns are text rather than figures."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    @property
    def words(self) -> tuple[bool, ...]:
        return tuple(name in _WORDS for name in self.header)


def protocol_tables(
    p: ProtocolFindings, judges: str = "face", bundle: BundleInfo | None = None
) -> list[Table]:
    """Return all tables in reading order.

    Args:
        p: the figures.
        judges: face or frame: what the model scores.
        bundle: of the model; None: not available.
    """
    return [
        headline_table(p, judges),
        *_data_sets(p),
        *_methods(p, None if bundle is None else bundle.methods),
        *_frames(p),
        *_robustness(p, judges),
        _reliability(p),
    ]


def headline_table(p: ProtocolFindings, judges: str = "face") -> Table:
    """Return every figure of all videos, next to that of single faces."""
    one = p.overall
    rows = []
    for name in (*CALL_FIGURES, *VERDICT_FIGURES):
        figure = FIGURES[name]
        face = one.faces.get(name)
        rows.append(
            (
                Cell(figure.label),
                _cell(name, one.videos[name]),
                _cell(name, face) if face else Cell(""),
                Cell(figure.meaning),
            )
        )
    c, faces = one.metrics.coverage, one.face_count
    title = f"All videos: {c.labelled:,} labelled, {c.scored:,} scored, {faces:,} {judges}s"
    note = (
        f"Videos are judged by {p.headline_frames}; {judges}s are those of all samples, each "
        "compared with the label of its video."
    )
    return Table(title, ("figure", "videos", f"{judges}s", "meaning"), tuple(rows), note)


def broad_table(
    title: str,
    lead: tuple[str, ...],
    rows: Sequence[tuple[tuple[str, ...], ProtocolSlice]],
    *,
    note: str = "",
    figures: Sequence[str] = BROAD,
) -> Table:
    """Return a table with one slice per row.

    Args:
        title: of the table.
        lead: headers of the leading columns.
        rows: the texts of those columns, and the slice.
        note: a sentence below the table.
        figures: names of figures, one column each.
    """
    header = (*lead, *(FIGURES[name].short for name in figures))
    cells = tuple(
        (*map(Cell, words), *(_cell(name, one.videos[name]) for name in figures))
        for words, one in rows
    )
    return Table(title, header, cells, note)


def _data_sets(p: ProtocolFindings) -> Iterator[Table]:
    """Yield the table by data set, if there are several."""
    if len(p.data_sets) > 1:
        rows = [((one.name, *_counts(one)), one) for one in p.data_sets]
        header = ("data set", "reals", "fakes")
        note = " ".join(part for part in (p.data_set_rule, few_note(rows)) if part)
        yield broad_table("By data set", header, rows, note=note)


def _methods(p: ProtocolFindings, trained: Collection[str] | None) -> Iterator[Table]:
    """Yield the table by method, if any fake has a named method."""
    if p.methods:
        rows = [
            ((m.data_set, m.method, *trained_cells(m.method, trained), *_against(m)), m.figures)
            for m in p.methods
        ]
        known = () if trained is None else ("in training",)
        header = ("data set", "method", *known, "against", "fakes")
        yield broad_table("By method", header, rows, note=few_note(rows), figures=OF_METHOD)


def _frames(p: ProtocolFindings) -> Iterator[Table]:
    """Yield the table by frames per video, if frames are spread evenly."""
    if not p.by_frames:
        return
    rows = [((str(count), *_counts(one)), one) for count, one in p.by_frames.items()]
    note = (
        f"The headline uses {p.headline_frames}. Subsets are spread evenly over the sampled "
        "frames; reals and fakes are those with a score."
    )
    yield broad_table("By frames per video", ("frames", "reals", "fakes"), rows, note=note)


def _robustness(p: ProtocolFindings, judges: str) -> Iterator[Table]:
    """Yield one table of all perturbations, unperturbed faces first, if they were measured."""
    rows = [(("unperturbed",), one) for one in p.robustness.get(UNTOUCHED, {}).values()]
    rows += [
        ((f"{FAMILY_NAMES[family][0]} {strength:g}",), one)
        for family, points in p.robustness.items()
        if family != UNTOUCHED
        for strength, one in points.items()
    ]
    if rows:
        axes = "; ".join(f"{name}: {axis}" for name, axis in FAMILY_NAMES.values())
        seen = "Samples" if judges == "frame" else f"Faces of {p.headline} frames per video"
        note = f"{seen}, perturbed and scored again. {axes}."
        yield broad_table("Robustness", ("perturbation",), rows, note=note, figures=NARROW)


def labelled_points(
    before: Mapping[float, ProtocolSlice], points: Mapping[float, ProtocolSlice]
) -> list[tuple[str, ProtocolSlice]]:
    """Return unperturbed faces first, then strengths from mild to strong."""
    return [
        *(("unperturbed", one) for one in before.values()),
        *((f"{strength:g}", one) for strength, one in points.items()),
    ]


def _reliability(p: ProtocolFindings) -> Table:
    r = p.reliability
    rows = [
        (
            Cell(f"{index / BINS:.1f} to {(index + 1) / BINS:.1f}"),
            Cell(f"{count:,}"),
            Cell(decimal(float(mean)) if count else ""),
            Cell(percent(float(share)) if count else ""),
        )
        for index, (count, mean, share) in enumerate(
            zip(r.counts, r.mean_score, r.fake_share, strict=True)
        )
    ]
    return Table(
        "Reliability of the video score",
        ("p_fake", "videos", "mean p_fake", "share of fakes"),
        tuple(rows),
        "Scores are calibrated where mean and share agree. On as many videos, perfectly calibrated "
        f"scores have an ECE of {decimal(p.ece_by_chance)} by chance.",
    )


def _cell(name: str, estimate: Estimate) -> Cell:
    figure = FIGURES[name]
    return Cell(figure.value(estimate), figure.interval(estimate))


def interval_of(interval: Interval | None, is_share: bool) -> str:
    """Return a short text for columns: `0.81-0.93` or `81-93 %`."""
    if interval is None:
        return ""
    if is_share:
        return f"{100 * interval.low:.0f}-{100 * interval.high:.0f}%"
    return f"{interval.low:.2f}-{interval.high:.2f}"


def _counts(one: ProtocolSlice) -> tuple[str, str]:
    return few_marked(one.metrics.scored.reals), few_marked(one.metrics.scored.fakes)


def _against(method: MethodSlice) -> tuple[str, str]:
    scored = method.figures.metrics.scored
    return few_marked(scored.reals, f"reals of {method.reals_of}"), few_marked(scored.fakes)


def trained_cells(method: str, trained: Collection[str] | None) -> tuple[str, ...]:
    """Return the cell of the column `in training`; none where methods are not recorded."""
    return () if trained is None else (trained_word(method, trained),)


def few_note(rows: Sequence[tuple[tuple[str, ...], ProtocolSlice]]) -> str:
    """Return what `(few)` means, if a row has it."""
    return FEW_NOTE if any("(few)" in word for words, _ in rows for word in words) else ""
