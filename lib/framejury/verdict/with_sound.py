"""The surer "fake" of picture and sound decides the verdict: the reference.

`tables.sound_columns` computes the same in Spark SQL, and a test compares the two. The score of the
picture (`p_fake`, `threshold`) stays what it was; only the verdict may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from framejury.schemas.statuses import DecidedBy, Verdict

SOUND_COLUMNS = ("sound", "sound_p_fake", "sound_threshold", "sound_model_id", "decided_by")
"""Columns of `verdicts` that are null where sound was not judged."""


def sureness(p_fake: float, threshold: float) -> float:
    """Return how sure a "fake" is: 0 at the threshold, 1 at the score 1; below 0 it is no fake.

    Scores of two models with two thresholds are compared by it: (p - t) / (1 - t).
    """
    if threshold >= 1:
        return 0.0 if p_fake >= threshold else -1.0
    return (p_fake - threshold) / (1 - threshold)


def joined(
    verdict: Verdict, p_fake: float | None, threshold: float, sound: Mapping[str, Any] | None
) -> tuple[Verdict, dict[str, Any]]:
    """Return the verdict of picture and sound, and the columns `SOUND_COLUMNS`.

    The sound decides if it is fake and the picture is not, or is less surely so. A sound that is
    not fake, or has no score, leaves the picture's verdict as it is.

    Args:
        verdict: of the picture.
        p_fake: of the picture, 0 to 1; None: not scored.
        threshold: of the picture.
        sound: the row of `sounds`; None: sound was not judged.
    """
    if sound is None:
        return verdict, dict.fromkeys(SOUND_COLUMNS)
    score = sound["p_fake"]
    by: DecidedBy | None = None if verdict is Verdict.INCONCLUSIVE else DecidedBy.PICTURE
    if score is not None and (surely := sureness(score, sound["threshold"])) >= 0:
        fake = verdict is Verdict.FAKE and p_fake is not None
        if not fake or p_fake is None or surely > sureness(p_fake, threshold):
            verdict, by = Verdict.FAKE, DecidedBy.SOUND
    return verdict, {
        "sound": sound["outcome"],
        "sound_p_fake": score,
        "sound_threshold": None if score is None else sound["threshold"],
        "sound_model_id": sound["model_id"],
        "decided_by": None if by is None else by.value,
    }
