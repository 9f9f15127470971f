"""Whether a video needs a further round of sampled frames, judging by its scores."""

from __future__ import annotations

from framejury.schemas.statuses import Verdict
from framejury.settings import VerdictSettings
from framejury.verdict.judge import FaceScores, judge
from framejury.verdict.rule import Rule

ROUNDS_WITHOUT_FACE = 2
"""After so many rounds without any scored face, no further one follows."""


def is_settled(faces: FaceScores, rule: Rule, settings: VerdictSettings, *, rounds: int) -> bool:
    """Check that a video needs no further round of frames: its verdict is fake or real.

    It is the verdict that `judge` gives by the same rule. So too few faces, or an interval that
    crosses the threshold, ask for more frames.

    Args:
        faces, rule, settings: as for `judge`; `faces` may be empty.
        rounds: made so far, count.

    Raises:
        ValueError: a score outside 0 to 1 (NaN included).
    """
    if len(faces.score) == 0:
        return rounds >= ROUNDS_WITHOUT_FACE
    return judge(faces, rule, settings).verdict is not Verdict.INCONCLUSIVE
