"""What is said about sound: never that it was judged where it was not. Pure: rows in, text out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from framejury.pages.text_table import counted
from framejury.schemas.statuses import SOUND_MEANING, DecidedBy, SoundOutcome, Verdict

SOUND = "Sound was not judged: a video in which only the voice is fake can be called real."
_CAN_BE_MISSED = "Where it was not, a video in which only the voice is fake can be called real."

_NOT_JUDGED = {
    SoundOutcome.NO_SOUND: ("has none", "have none"),
    SoundOutcome.SILENT: ("is silent", "are silent"),
    SoundOutcome.TOO_SHORT: ("has too little", "have too little"),
    SoundOutcome.UNREADABLE: ("could not be decoded", "could not be decoded"),
    SoundOutcome.TIMEOUT: ("took too long", "took too long"),
    SoundOutcome.CRASHED: ("crashed its decoder", "crashed their decoder"),
    None: ("was not analysed", "were not analysed"),
}


def sound_sentences(outcomes: Sequence[str | None]) -> str:
    """Return in how many videos sound was judged, and why not in the others.

    Args:
        outcomes: column `sound` of `verdicts`, one per video.
    """
    if all(one is None for one in outcomes):
        return SOUND
    counts = Counter(None if one is None else SoundOutcome(one) for one in outcomes)
    judged = counts[SoundOutcome.SCORED]
    parts = [f"Sound was judged in {judged:,} of {counted(len(outcomes), 'video')}"]
    parts += [
        f"{counts[one]:,} {single if counts[one] == 1 else many}"
        for one, (single, many) in _NOT_JUDGED.items()
        if counts[one]
    ]
    text = "; ".join(parts) + "."
    return text if judged == len(outcomes) else f"{text} {_CAN_BE_MISSED}"


def is_by_sound(row: Mapping[str, Any]) -> bool:
    """Return whether the sound decided the verdict; rows of old warehouses have no such column."""
    return row.get("decided_by") == DecidedBy.SOUND


def decided_word(row: Mapping[str, Any]) -> str:
    """Return ` by its sound` or ` by its picture` after a fake of two scores, else nothing."""
    by = row.get("decided_by")
    return "" if by is None or row["verdict"] != Verdict.FAKE else f" by its {by}"


def sound_score_sentence(row: Mapping[str, Any]) -> str | None:
    """Return the score of a video's sound; None where sound was not judged."""
    if row.get("sound_p_fake") is None:
        return None
    text = (
        f"The score of its sound is {row['sound_p_fake']:.3f}, on a scale from 0 (real) to 1 "
        f"(fake). Scores of {row['sound_threshold']:.3f} and above count as fake "
        f"(sound model {row['sound_model_id']})."
    )
    if not is_by_sound(row):
        return text
    why = "is less clearly fake"
    if row["p_fake"] is None:
        why = "has no score"
    elif row["p_fake"] < row["threshold"]:
        why = "is not called fake"
    return f"{text} The sound decides, because the picture {why}."


def sound_limit(row: Mapping[str, Any]) -> str:
    """Return what about the sound of one video limits its verdict."""
    outcome = row.get("sound")
    if outcome is None:
        return SOUND
    if outcome == SoundOutcome.SCORED:
        return "Sound was judged by a model of its own, from the start of the first sound track."
    meaning = SOUND_MEANING[SoundOutcome(outcome)].replace("`", "")
    return f"Sound was not judged: {meaning}. If only the voice is fake, that was missed."
