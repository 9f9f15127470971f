"""What is known of the training of a network that framejury did not train."""

from __future__ import annotations

from framejury.model.manifest import Manifest
from framejury.redaction import printable

FEW_WORDS = (
    "Some of these videos may be among those that the model was trained on, which would flatter "
    "these figures."
)
"""Beside figures on labelled videos, where `training_remark` stands above."""


def training_unknown(bundle: Manifest) -> bool:
    """Return whether nobody knows which videos a network was trained on."""
    return bundle.adopted is not None and bundle.adopted.trained_on is None


def training_remark(bundle: Manifest) -> str | None:
    """Return what must stand wherever accuracy is stated; None where framejury trained it."""
    if bundle.adopted is None:
        return None
    name = printable(bundle.adopted.name)
    if training_unknown(bundle):
        return (
            f"The training data of {name} are unknown. The videos judged here may be among them, "
            "so figures measured on them may flatter the model."
        )
    told = printable(bundle.adopted.trained_on or "").rstrip(".")
    return (
        f"{name} was trained elsewhere; its training data, as its publisher states them: {told}. "
        "framejury cannot check this. Videos from these sources flatter the model."
    )
