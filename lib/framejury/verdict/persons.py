"""The score of each face track, and what several people in one picture change.

A video is fake if one person in it is. So each face track is judged, and the highest decides. Two
things would make that accuse real people:

* A track of few faces has a high mean by chance, and one person may have several tracks, because
  cuts and turned heads break them. So a track of fewer faces than m = `Reducer.shrink_faces` is
  filled up with faces at the video's mean: with n of its own, its score is
  (n * own + (m - n) * video's) / m. A track of m faces or more stands for itself, so that nobody
  hides a fake by adding real faces.
* Even so, the highest of k scores can be high more often than one score. The logit of the highest
  is lowered by b * ln k, with b = `Reducer.company_shift`, fitted so that the high scores of two
  real people in one video are as high as those of one (`evaluation.estimators.company_shift`). Here
  k is the number of faces per frame, which a person with several tracks does not raise; above
  `MOST_COMPANY` it counts as that.

`tables.rule_columns` computes the same in Spark SQL, and a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from framejury.verdict.calibration import UNITS, in_steps, logit, sigmoid
from framejury.verdict.rule import Reducer

MOST_COMPANY = 3
"""Faces per frame from which on more of them lower the score no further: a crowd hides no fake."""


def track_scores(units: Sequence[int], person: Sequence[int], reducer: Reducer) -> dict[int, int]:
    """Return the score of each face track in units of 1/UNITS**2, truncated.

    It is the track's mean unless the rule is per person.

    Args:
        units: (n,) scores in units of 1/UNITS.
        person: (n,) the face track of each.
    """
    units_of: dict[int, list[int]] = {}
    for unit, who in zip(units, person, strict=True):
        units_of.setdefault(who, []).append(unit)
    wanted, whole = reducer.shrink_faces or 0, _mean(units)
    scores = {}
    for who, theirs in units_of.items():
        filled = max(wanted - len(theirs), 0)
        scores[who] = (len(theirs) * _mean(theirs) + filled * whole) // (len(theirs) + filled)
    return scores


def for_company(score: float, crowd: float, reducer: Reducer) -> float:
    """Return the score of the highest track, 0 to 1, corrected for several people.

    Args:
        score: 0 to 1.
        crowd: faces per frame, 1 or more.
    """
    if crowd == 1 or not reducer.company_shift:
        return score
    lowered = logit(np.asarray(score)) - reducer.company_shift * math.log(min(crowd, MOST_COMPANY))
    return float(in_steps(sigmoid(lowered)))


def interval_weights(
    person: Sequence[int], decides: int, reducer: Reducer
) -> npt.NDArray[np.int64]:
    """Return how much each face counts in the score of the track that decides, int64 (n,).

    With these weights, the weighted mean of all faces is that track's mean, filled up with the
    video's as in `track_scores`. Weight 0: the face has no part in it. They sum to at most
    n * max(1, shrink_faces).
    """
    own: npt.NDArray[np.bool_] = np.asarray(person) == decides
    filled = max((reducer.shrink_faces or 0) - int(own.sum()), 0)
    if not filled:
        return own.astype(np.int64)
    return np.asarray(np.where(own, len(own) + filled, filled), np.int64)


def _mean(units: Sequence[int]) -> int:
    return sum(units) * UNITS // len(units)
