"""The score of each face track, and what several people in one picture change.

A video is fake if one person in it is. So each face track is judged, and the highest decides. Two
things would make that accuse real people:

* A track of few faces has a high mean by chance, and one person may have several tracks, because
  cuts and turned heads break them. So a track's score is drawn towards that of the video: with n of
  its own faces and m = `Reducer.shrink_faces`, it is (n * own + m * video's) / (n + m).
* Even so, the highest of k scores can be high more often than one score. The logit of the highest
  is lowered by b * ln k, with b = `Reducer.company_shift`, fitted so that the high scores of two
  real people in one video are as high as those of one (`evaluation.estimators.company_shift`). Here
  k is the number of faces per frame, which a person with several tracks does not raise.

`tables.rule_columns` computes the same in Spark SQL, and a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from framejury.verdict.calibration import UNITS, in_steps, logit, sigmoid
from framejury.verdict.rule import Reducer


def track_scores(units: Sequence[int], person: Sequence[int], reducer: Reducer) -> dict[int, int]:
    """Return the score of each face track in units of 1/UNITS**2, truncated.

    It is the track's mean unless the rule is per person.

    Args:
        units: (n,) scores in units of 1/UNITS.
        person: (n,) the face track of each.
    """
    middle = _median if reducer.name == "per_person_median" else _mean
    units_of: dict[int, list[int]] = {}
    for unit, who in zip(units, person, strict=True):
        units_of.setdefault(who, []).append(unit)
    pull = reducer.shrink_faces or 0
    whole = middle(units) if pull else 0
    return {
        who: (len(theirs) * middle(theirs) + pull * whole) // (len(theirs) + pull)
        for who, theirs in units_of.items()
    }


def for_company(score: float, crowd: float, reducer: Reducer) -> float:
    """Return the score of the highest track, 0 to 1, corrected for several people.

    Args:
        score: 0 to 1.
        crowd: faces per frame, 1 or more.
    """
    if crowd == 1 or not reducer.company_shift:
        return score
    lowered = logit(np.asarray(score)) - reducer.company_shift * math.log(crowd)
    return float(in_steps(sigmoid(lowered)))


def interval_weights(
    person: Sequence[int], decides: int, reducer: Reducer
) -> npt.NDArray[np.int64]:
    """Return how much each face counts in the score of the track that decides, int64 (n,).

    With these weights, the weighted mean of all faces is that track's mean, drawn towards the
    video's as in `track_scores`. Weight 0: the face has no part in it.
    """
    own: npt.NDArray[np.bool_] = np.asarray(person) == decides
    pull = reducer.shrink_faces
    if not pull:
        return own.astype(np.int64)
    return np.asarray(np.where(own, len(own) + pull, pull), np.int64)


def _mean(units: Sequence[int]) -> int:
    return sum(units) * UNITS // len(units)


def _median(units: Sequence[int]) -> int:
    ordered, count = sorted(units), len(units)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) * UNITS // 2
