"""How well a model finds fakes of methods that it was trained on, and of others."""

from __future__ import annotations

from collections.abc import Iterable

from framejury.evaluation.known_methods import MethodsApart, has_methods, methods_apart
from framejury.evaluation.rows import VideoRows, is_known
from framejury.model.card_tables import few_marked, untested
from framejury.pages.text_table import counted
from framejury.report.bundle_info import BundleInfo
from framejury.report.protocol_tables import OF_METHOD, Table, broad_table, few_note
from framejury.schemas.statuses import Label, SoundOutcome

TITLE = "Known and unknown methods"
NOT_RECORDED = (
    "The model's training methods are not recorded, so known and unknown methods of manipulation "
    "cannot be told apart."
)


def find_methods(rows: VideoRows, bundle: BundleInfo | None) -> MethodsApart | None:
    """Measure known and unknown methods; None if no fake has a method or nothing is recorded."""
    if bundle is None or bundle.methods is None or not has_methods(rows):
        return None
    return methods_apart(rows, bundle.methods)


def methods_sentence(rows: VideoRows, bundle: BundleInfo | None) -> str | None:
    """Return what a report must say where it cannot tell known and unknown methods apart."""
    is_unknown = bundle is not None and bundle.methods is None
    return NOT_RECORDED if is_unknown and has_methods(rows) else None


def untested_sentence(
    rows: VideoRows, bundle: BundleInfo | None, sounds: Iterable[str | None]
) -> str | None:
    """Return what no labelled video here tests; None without a labelled video.

    Args:
        rows: the videos that figures count.
        bundle: of the model; None: not available.
        sounds: column `sound` of their verdicts.
    """
    fake, real = rows.labels == Label.FAKE.value, rows.labels == Label.REAL.value
    if not (fake | real).any():
        return None
    methods = set(rows.methods[fake & is_known(rows.methods)])
    trained = None if bundle is None else bundle.methods
    parts = untested(trained, methods, set(rows.layouts[fake]) - set(rows.layouts[real]))
    if SoundOutcome.SCORED.value not in sounds:
        parts.append("sound")
    return f"Not tested here: {', '.join(parts)}." if parts else None


def known_table(apart: MethodsApart) -> Table:
    """Return one row per kind of method, with intervals."""
    kinds = (
        ("known", apart.known, apart.of_known),
        ("unknown", apart.unknown, apart.of_unknown),
    )
    rows = []
    for kind, names, figures in kinds:
        if figures is not None:
            count = figures.metrics.scored
            reals, fakes = few_marked(count.reals, "reals"), few_marked(count.fakes)
            words = (f"{kind}: {', '.join(names)}", reals, fakes)
            rows.append((words, figures))
    header = ("method", "against", "fakes")
    title = "Fakes of methods in the model's training data, and of others"
    note = " ".join(part for part in (_note(apart), few_note(rows)) if part)
    return broad_table(title, header, rows, note=note, figures=OF_METHOD)


def _note(apart: MethodsApart) -> str:
    """Explain the two kinds, and which fakes belong to neither."""
    sentences = [
        "Known: fakes of the method were in the model's training data. Both kinds are measured "
        "against the same reals."
    ]
    if apart.unnamed:
        have = "has" if apart.unnamed == 1 else "have"
        sentences.append(
            f"{counted(apart.unnamed, 'fake')} here {have} no named method and count in neither."
        )
    if apart.trained_unnamed:
        sentences.append(
            f"The method of {counted(apart.trained_unnamed, 'training fake')} is not named, so a "
            "method counted as unknown may have been among them."
        )
    return " ".join(sentences)
