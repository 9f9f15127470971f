"""Verdicts that are wrong, the most confident first. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from framejury.schemas.statuses import Label

SHOWN = 12
"""Mistakes of a kind that are shown with their faces."""


@dataclass(frozen=True, slots=True, eq=False)
class Mistakes:
    """Wrong verdicts of labelled videos: rows of the predictions.

    A verdict is only given where its interval lies on one side of the threshold, so each of these
    was confident; what was left open is no mistake.

    Attributes:
        accused: reals called fake, the highest score first. They come first: each is an accusation.
        missed: fakes called real, the lowest score first.
    """

    accused: pa.Table
    missed: pa.Table

    @property
    def count(self) -> int:
        return int(self.accused.num_rows + self.missed.num_rows)


def find_mistakes(predictions: pa.Table) -> Mistakes:
    """From the predictions, most suspicious first."""
    wrong = predictions.filter(pc.fill_null(pc.invert(predictions["correct"]), False))
    accused = wrong.filter(pc.equal(wrong["label"], Label.REAL.value))
    missed = wrong.filter(pc.equal(wrong["label"], Label.FAKE.value))
    return Mistakes(accused, missed.sort_by([("p_fake", "ascending"), ("path", "ascending")]))
