"""What an evidence page says about its heat maps. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from framejury.report.evidence.shown_pictures import FacePicture
from framejury.schemas.statuses import HeatBy

_NONE = (
    "There are no heat maps: the network of this model gives none. By covering parts of the "
    "pictures they are made only where a score is that of a fake (setting evidence.occlusion_s)."
)


def heat_legend(shown: Sequence[FacePicture], judges: str, *, several: bool = False) -> str:
    """Return how to read the heat maps of a page, or why it has none.

    Args:
        shown: the pictures, at least one.
        judges: face or frame: what each picture shows.
        several: whether several detectors judge together.
    """
    heated = [one for one in shown if one.heated]
    if not heated:
        return _NONE
    if heated[0].heat_by is HeatBy.OCCLUSION:
        text = (
            f"Each {judges} is shown with a heat map. It was made by covering parts of the "
            f"{judges} with a grey patch and scoring it again (occlusion): red where the score "
            f"fell most for this {judges}, uncoloured where it did not fall. It is coarse."
        )
    else:
        text = (
            f"Each {judges} is shown with a heat map of what made the network suspect it "
            f"(Grad-CAM): blue is little, red the most of this {judges}."
        )
    text += (
        f" Each map has its own scale, so maps of two {judges}s cannot be compared, and red on a "
        f"{judges} with a low score still means little. A map shows where the network looks, not "
        "that it is right."
    )
    if several:
        text += f" Several detectors judge; the maps are of those that see the {judges} as shown."
    missing = len(shown) - len(heated)
    if missing:
        have = "has" if missing == 1 else "have"
        text += (
            f" {missing} of the {len(shown)} {judges}s {have} no map: maps are made only where the "
            "score is that of a fake, while their time lasts (setting evidence.occlusion_s)."
        )
    return text


def heat_outside(shown: Sequence[FacePicture]) -> str | None:
    """Return a warning if in a face of high score most heat lies outside the face; else None."""
    high = [one for one in shown if one.is_highest and one.inside is not None]
    outside = sum(one.is_outside for one in high)
    if not outside:
        return None
    whose = "the face" if len(high) == 1 else f"{outside} of the {len(high)} faces"
    return (
        f"In {whose} with the highest scores, most of what made the network suspect the face lies "
        "outside it. Treat the score with care."
    )
