"""Which seconds of a video look fake: the suspicious stretches of each face track.

`verdict.judge` and `tables.reduce` use the same functions. The rule:

* A moment is one second of one face track. It is suspicious if the mean of its face scores is at
  or above the threshold of single faces (`verdict.judge.face_threshold`).
* A stretch is a run of suspicious moments of one track, with at least `LEAST_FACES` faces. A
  moment below the threshold ends it. So does a time without the track that is longer than
  `MOST_STEPS` steps; a step is the median distance of the seconds in which the video has faces.
* If every track of at least `LEAST_FACES` faces has `THROUGHOUT_RATIO` of its faces in stretches,
  the video has no part that stands out: it lists none.

A stretch begins with its first face and ends with its last one; what lies between the sampled
frames is unknown. It is no verdict: its scores are not calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from framejury.verdict.calibration import UNITS

LEAST_FACES = 2
MOST_STEPS = 2
THROUGHOUT_RATIO = 0.8

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A suspicious part of a video; fields as in `verdicts.stretches`."""

    start_s: float
    end_s: float
    person: int
    mean_score: float


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The moments of one video in any order, each (person, second) once, m >= 1.

    Attributes:
        person: int64 (m,), the face track.
        second: int64 (m,), `floor(pts_s)` of the frames.
        first_s, last_s: float64 (m,), times of the first and the last face of the moment.
        total: int64 (m,), sum of the scores in units of 1/UNITS.
        faces: int64 (m,), number of scores.
    """

    person: Integers
    second: Integers
    first_s: Floats
    last_s: Floats
    total: Integers
    faces: Integers

    @property
    def means(self) -> Floats:
        """Return the mean score of each moment, 0 to 1."""
        return self.total / (UNITS * self.faces)

    def part(self, places: slice | Integers) -> Moments:
        """Return the moments at some places."""
        return Moments(**{one.name: getattr(self, one.name)[places] for one in fields(self)})


def moments_of(person: Sequence[int], pts_s: Sequence[float], units: Sequence[int]) -> Moments:
    """Return the moments of one video.

    Args:
        person, pts_s, units: track, time in seconds and score in units of 1/UNITS of each face,
            as many of each, at least one.
    """
    who, times = np.asarray(person, np.int64), np.asarray(pts_s, np.float64)
    order = np.lexsort((times, who))
    who, times = who[order], times[order]
    second = np.floor(times).astype(np.int64)
    first = np.flatnonzero(np.r_[True, (np.diff(who) != 0) | (np.diff(second) != 0)])
    last = np.r_[first[1:], len(who)] - 1
    return Moments(
        person=who[first],
        second=second[first],
        first_s=times[first],
        last_s=times[last],
        total=np.add.reduceat(np.asarray(units, np.int64)[order], first),
        faces=last - first + 1,
    )


def stretches_of(moments: Moments, threshold: float) -> list[Stretch]:
    """Return the suspicious stretches of one video by time, then track.

    Args:
        moments: of the video.
        threshold: of single faces, 0 to 1; above 1 nothing is suspicious.
    """
    ordered = _ordered(moments)
    inside = _suspicious(ordered, threshold)
    if not inside or _throughout(ordered.person, ordered.faces, inside):
        return []
    return _stretches(ordered, inside)


def suspicious_parts(moments: Moments, threshold: float) -> list[Stretch]:
    """Return what `stretches_of` returns, also where no part of the video stands out."""
    ordered = _ordered(moments)
    return _stretches(ordered, _suspicious(ordered, threshold))


def _ordered(moments: Moments) -> Moments:
    return moments.part(np.lexsort((moments.second, moments.person)))


def _suspicious(ordered: Moments, threshold: float) -> list[slice]:
    """Return the runs of suspicious moments, in order of track and time."""
    person, second, faces = ordered.person, ordered.second, ordered.faces
    suspicious = ordered.means >= threshold
    if not suspicious.any():
        return []
    known = np.unique(second)
    step = float(np.median(np.diff(known))) if len(known) > 1 else 1.0
    apart = (np.diff(person) != 0) | (np.diff(second) > MOST_STEPS * step)
    begins = np.flatnonzero(suspicious & np.r_[True, apart | ~suspicious[:-1]])
    ends = np.flatnonzero(suspicious & np.r_[apart | ~suspicious[1:], True])
    inside = [slice(a, b + 1) for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]
    return [part for part in inside if faces[part].sum() >= LEAST_FACES]


def _stretches(ordered: Moments, inside: Sequence[slice]) -> list[Stretch]:
    person, faces = ordered.person, ordered.faces
    found = [
        Stretch(
            start_s=float(ordered.first_s[part.start]),
            end_s=float(ordered.last_s[part.stop - 1]),
            person=int(person[part.start]),
            mean_score=float(ordered.total[part].sum() / (UNITS * faces[part].sum())),
        )
        for part in inside
    ]
    return sorted(found, key=lambda one: (one.start_s, one.person))


def _throughout(person: Integers, faces: Integers, inside: Sequence[slice]) -> bool:
    """Return whether no track differs from the others, and none within itself."""
    count, covered = np.bincount(person, faces), np.zeros(int(person.max()) + 1)
    for part in inside:
        covered[person[part.start]] += faces[part].sum()
    known = count >= LEAST_FACES
    return bool((covered[known] >= THROUGHOUT_RATIO * count[known]).all())


def in_words(stretch: Mapping[str, Any], judges: str = "face") -> str:
    """Return an element of `verdicts.stretches` in words.

    Args:
        stretch: the element.
        judges: face, or frame where each "face" is a whole frame.
    """
    whose = f"track {stretch['person']}, " if judges == "face" else ""
    return (
        f"{stretch['start_s']:.1f} to {stretch['end_s']:.1f} s, {whose}"
        f"mean {judges} score {stretch['mean_score']:.3f}"
    )
