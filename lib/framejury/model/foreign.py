"""What is known of networks that framejury did not train, alone or in an ensemble."""

from __future__ import annotations

from framejury.model.manifest import Adopted, Manifest
from framejury.redaction import printable

FEW_WORDS = (
    "Some of these videos may be among those that the model was trained on, which would flatter "
    "these figures."
)
"""Beside figures on labelled videos, where `training_remark` stands above."""


def training_remark(bundle: Manifest) -> str | None:
    """Return what must stand wherever accuracy is stated; None where there is nothing to say.

    That is so where framejury trained the network, or all members, and a rule was fitted.
    """
    said = [_about_training(one) for one in _foreign(bundle)]
    if bundle.rule_fit is None and (said or bundle.members):
        said.append(
            f"No threshold was fitted: {bundle.threshold:g} is only the middle of the scores. A "
            "verdict of fake says that the score is above it, and real people may be called fake."
        )
    return " ".join(said) or None


def _about_training(adopted: Adopted) -> str:
    name = printable(adopted.name)
    if adopted.trained_on is None:
        return (
            f"The training data of {name} are unknown. The videos judged here may be among them, "
            "so figures measured on them may flatter the model."
        )
    told = printable(adopted.trained_on).rstrip(".")
    return (
        f"{name} was trained elsewhere; its training data, as its publisher states them: {told}. "
        "framejury cannot check this. Videos from these sources flatter the model."
    )


def _foreign(bundle: Manifest) -> list[Adopted]:
    """Return the origins of the network, or of members, that were trained elsewhere."""
    origins = [bundle.adopted, *(member.adopted for member in bundle.members)]
    return [one for one in origins if one is not None]
