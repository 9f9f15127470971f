"""What the model card of an ensemble says of its members."""

from __future__ import annotations

from framejury.model.card_tables import bullets, markdown_table
from framejury.model.manifest import Manifest


def members_summary(manifest: Manifest) -> str:
    """Return what it is, in place of the summary of a single network."""
    return (
        f"{len(manifest.members)} detectors that judge together. Each scores every face, and the "
        "score of a face is that of the weighted mean of their logits, 0 to 1; 1 means "
        f"manipulated. Written {manifest.created_at:%Y-%m-%d %H:%M %Z} by framejury."
    )


def members_table(manifest: Manifest) -> str:
    """Return the members, the largest weight first, with where to read about each."""
    ordered = sorted(manifest.members, key=lambda one: -one.weight)
    rows = [
        (one.model_id, f"{one.weight:.3f}", f"`members/{one.name}/MODEL_CARD.md`")
        for one in ordered
    ]
    return markdown_table(("member", "weight", "its card"), rows)


def members_input() -> str:
    """Return what the networks see."""
    return bullets(
        ["Each member sees faces cut as its own card says; frames and faces are the same for all."]
    )
