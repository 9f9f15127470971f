"""Figures on fakes of methods that a model was trained on, and of methods that it never saw.

Both kinds are measured against the same reals: all that are labelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from framejury.evaluation.protocol_numbers import Flags, ProtocolSlice, protocol_slice
from framejury.evaluation.rows import VideoRows, is_known
from framejury.schemas.statuses import UNNAMED, Label


@dataclass(frozen=True, slots=True)
class MethodsApart:
    """Fakes of known and of unknown methods.

    Attributes:
        known, unknown: methods with a labelled fake, by name; known: the model was trained on it.
        of_known, of_unknown: figures of these fakes against all reals; None without a fake.
        unnamed: labelled fakes without a named method, which belong to neither, count.
        trained_unnamed: training fakes without a named method, count.
    """

    known: tuple[str, ...]
    unknown: tuple[str, ...]
    of_known: ProtocolSlice | None
    of_unknown: ProtocolSlice | None
    unnamed: int
    trained_unnamed: int


def has_methods(rows: VideoRows) -> bool:
    """Return whether a labelled fake has a named method."""
    return bool(((rows.labels == Label.FAKE.value) & is_known(rows.methods)).any())


def methods_apart(rows: VideoRows, trained: Mapping[str, int]) -> MethodsApart:
    """Measure fakes of known and of unknown methods.

    Args:
        rows: labelled or not, scored or not.
        trained: method -> its fakes that the model was trained on, count; `UNNAMED` for those
            without a named method.
    """
    real, fake = rows.labels == Label.REAL.value, rows.labels == Label.FAKE.value
    named = fake & is_known(rows.methods)
    known = named & np.isin(rows.methods, list(trained.keys() - {UNNAMED}))
    unknown = named & ~known
    return MethodsApart(
        known=_names(rows, known),
        unknown=_names(rows, unknown),
        of_known=_against(rows, known, real, "known methods"),
        of_unknown=_against(rows, unknown, real, "unknown methods"),
        unnamed=int((fake & ~named).sum()),
        trained_unnamed=trained.get(UNNAMED, 0),
    )


def _names(rows: VideoRows, fakes: Flags) -> tuple[str, ...]:
    return tuple(sorted(set(rows.methods[fakes])))


def _against(rows: VideoRows, fakes: Flags, reals: Flags, name: str) -> ProtocolSlice | None:
    return protocol_slice(name, rows, fakes | reals) if fakes.any() else None
