"""Verdicts that contradict the label, most confident first. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from framejury.schemas.statuses import Label

SHOWN = 12
"""Mistakes per kind that are shown with their faces."""


@dataclass(frozen=True, slots=True, eq=False)
class Mistakes:
    """Wrong verdicts of labelled videos, as rows of the predictions.

    Inconclusive videos are not among them.

    Attributes:
        accused: reals called fake, highest score first; each is a false accusation.
        missed: fakes called real, lowest score first.
    """

    accused: pa.Table
    missed: pa.Table

    @property
    def count(self) -> int:
        return int(self.accused.num_rows + self.missed.num_rows)


def find_mistakes(predictions: pa.Table) -> Mistakes:
    """Return the wrong verdicts of the predictions."""
    wrong = predictions.filter(pc.fill_null(pc.invert(predictions["correct"]), False))
    accused = wrong.filter(pc.equal(wrong["label"], Label.REAL.value))
    missed = wrong.filter(pc.equal(wrong["label"], Label.FAKE.value))
    return Mistakes(accused, missed.sort_by([("p_fake", "ascending"), ("path", "ascending")]))
