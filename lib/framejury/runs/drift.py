"""Drift: whether a run's scores are distributed like those of earlier runs.

A histogram of each run's scores is stored in its commit. The newest is compared with the sum of
earlier ones by two statistics, each beside the value that chance alone reaches at these sizes:

* Population stability index: `sum((a - b) * ln(a / b))` over the bins' shares `a` and `b`, where
  each count has `SMOOTHING` added. Without drift it is distributed like `(1/n + 1/m)` times a
  chi-square with `bins - 1` degrees of freedom (Yurdakul and Naranjo, Statistical properties of the
  population stability index, Journal of Risk Model Validation 14(4), 2020). The usual limits, 0.1
  and 0.25 (Siddiqi, Credit Risk Scorecards, 2006), ignore `n`: with 100 videos against 100, chance
  alone gives 0.38 on average.
* Kolmogorov-Smirnov distance: the largest difference of the two distribution functions at the bin
  edges; by chance below `K * sqrt(1/n + 1/m)` with Kolmogorov's K (Smirnov, 1948). Using only the
  edges makes it smaller, never larger.

Faces of one video are not independent, so chance is always computed from the number of videos.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from framejury.settings import SamplingSettings
from framejury.verdict.rule import Rule, rule_of_facts
from framejury.warehouse.commits import Commit, ScoreFacts

BINS = 20
"""Number of equal bins over 0..1; a score is in bin `floor(score * BINS)`, 1.0 in the last."""

REFERENCE_RUNS = 14
"""Number of nightly runs to compare with: the latest with the same model."""

MIN_VIDEOS = 50
"""With fewer scored videos in either sample, no drift is computed."""

SMOOTHING = 0.5
"""Added to each bin's count (Jeffreys), so that an empty bin has a logarithm."""

CHANCE = 0.001
"""Probability that chance alone exceeds `psi_chance` or `ks_chance`: once in 1,000 runs."""

Counts = tuple[int, ...]


@dataclass(frozen=True)
class ScoreHistograms:
    """Histograms of a run's scores: `BINS` counts each, lowest bin first.

    Attributes:
        videos: histogram of `p_fake` of the scored videos.
        faces: histogram of `score` of their faces.
    """

    videos: Counts
    faces: Counts

    def __post_init__(self) -> None:
        for counts in (self.videos, self.faces):
            if len(counts) != BINS or min(counts) < 0:
                raise ValueError(f"a score histogram has {BINS} counts from 0 up, not {counts!r}")

    @classmethod
    def of_commit(cls, commit: Commit) -> ScoreHistograms | None:
        """Return the histograms in a commit; None if it has none, or another number of bins."""
        scores = commit.facts.scores
        if scores is None or len(scores.videos) != BINS:
            return None
        return cls(scores.videos, scores.faces)

    def to_facts(self) -> ScoreFacts:
        """Return the histograms as a commit keeps them."""
        return ScoreFacts(videos=self.videos, faces=self.faces)


@dataclass(frozen=True)
class Drift:
    """One histogram compared with earlier ones.

    Attributes:
        runs: earlier nightly runs compared with, count.
        videos: scored videos of the run, count.
        reference_videos: scored videos of the earlier runs, count.
        psi: population stability index, 0 or more.
        psi_expected: mean of `psi` without drift, at these sizes.
        psi_chance: value that `psi` exceeds without drift once in 1,000 runs (`CHANCE`).
        ks: Kolmogorov-Smirnov distance at the bin edges, 0 to 1.
        ks_chance: value that `ks` exceeds without drift once in 1,000 runs.
    """

    runs: int
    videos: int
    reference_videos: int
    psi: float
    psi_expected: float
    psi_chance: float
    ks: float
    ks_chance: float

    @property
    def is_beyond_chance(self) -> bool:
        """Whether `psi` or `ks` is larger than chance explains."""
        return self.psi > self.psi_chance or self.ks > self.ks_chance

    def to_plain(self) -> dict[str, Any]:
        """Return the attributes and `is_beyond_chance` as JSON values."""
        return asdict(self) | {"is_beyond_chance": self.is_beyond_chance}


@dataclass(frozen=True)
class RunDrift:
    """Drift of a run's scores; None where there are too few videos.

    Attributes:
        videos: drift of the videos' `p_fake`.
        faces: drift of the faces' `score`.
    """

    videos: Drift | None = None
    faces: Drift | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return the drift as JSON values."""
        return {
            name: None if found is None else found.to_plain()
            for name, found in (("videos", self.videos), ("faces", self.faces))
        }


def histogram(scores: npt.ArrayLike) -> Counts:
    """Count scores in `BINS` bins.

    Args:
        scores: float (n,), 0 to 1.

    Raises:
        ValueError: a score is outside 0..1 or not a number.
    """
    values = np.asarray(scores, np.float64)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError("scores must lie in 0..1")
    bins = np.minimum((values * BINS).astype(np.int64), BINS - 1)
    return tuple(np.bincount(bins, minlength=BINS).tolist())


def summed(parts: Sequence[ScoreHistograms]) -> ScoreHistograms:
    """Add up the histograms of the batches of one nightly run."""
    zero = (0,) * BINS
    return ScoreHistograms(
        videos=tuple(map(sum, zip(zero, *(part.videos for part in parts), strict=True))),
        faces=tuple(map(sum, zip(zero, *(part.faces for part in parts), strict=True))),
    )


def drift_of(
    scores: ScoreHistograms,
    commits: Sequence[Commit],
    model_id: str,
    rule: dict[str, Any] | None = None,
    sampling: Mapping[str, Any] | None = None,
) -> RunDrift:
    """Compute the drift of a run's scores against earlier runs.

    Args:
        scores: histograms of the run.
        commits: the earlier commits, oldest first.
        model_id: compare only with runs that scored with this model.
        rule: `rule_facts` of the run. Videos are compared only with runs of the same rule, because
            another aggregation or calibration gives another scale. None: with all runs.
        sampling: settings of the run's sampling. Scores are compared only with runs that sampled
            alike, because other frames give other scores. None: with all runs.

    Rules and settings are compared with the defaults of this framejury filled in, so that a
    parameter that an upgrade adds does not end all comparisons.
    """
    alike = [
        commit
        for commit in commits
        if commit.model_id == model_id
        and (sampling is None or _sampling(commit.settings.get("sampling")) == _sampling(sampling))
    ]
    faces = _before(alike)
    wanted = _rule(rule)
    videos = _before([c for c in alike if rule is None or _rule(c.facts.rule) == wanted])
    return RunDrift(
        videos=compare(
            scores.videos,
            [before.videos for before in videos],
            videos=sum(scores.videos),
            reference_videos=_scored(videos),
        ),
        faces=compare(
            scores.faces,
            [before.faces for before in faces],
            videos=sum(scores.videos),
            reference_videos=_scored(faces),
        ),
    )


def compare(
    counts: Counts, before: Sequence[Counts], *, videos: int, reference_videos: int
) -> Drift | None:
    """Compare a run's histogram with the sum of others; None below `MIN_VIDEOS` in either sample.

    Args:
        counts: histogram of the run.
        before: histograms of the earlier runs.
        videos: independent scores behind `counts`: videos, even if `counts` is of faces.
        reference_videos: independent scores behind `before`.
    """
    if min(videos, reference_videos) < MIN_VIDEOS:
        return None
    pair = np.array([counts, np.sum(before, axis=0)], np.float64)
    if not pair.any(axis=1).all():
        return None
    # Imported here: a machine that only scans or lists runs does not need SciPy.
    from scipy.special import chdtri, kolmogi

    pair = pair[:, pair.any(axis=0)]  # bins that are empty in both
    size = 1 / videos + 1 / reference_videos
    freedom = pair.shape[1] - 1
    smooth = pair + SMOOTHING
    now, then = smooth / smooth.sum(axis=1, keepdims=True)
    steps = np.cumsum(pair / pair.sum(axis=1, keepdims=True), axis=1)
    return Drift(
        runs=len(before),
        videos=videos,
        reference_videos=reference_videos,
        psi=float(((now - then) * np.log(now / then)).sum()),
        psi_expected=freedom * size,
        psi_chance=float(chdtri(freedom, CHANCE)) * size if freedom else 0.0,
        ks=float(np.abs(steps[0] - steps[1]).max()),
        ks_chance=float(kolmogi(CHANCE)) * math.sqrt(size),
    )


def night_of(commit: Commit) -> str:
    """Return the first run of the nightly run that a commit belongs to; else its own run."""
    batch = commit.facts.batch
    return commit.run_id if batch is None else batch.night


def _rule(facts: Mapping[str, Any] | None) -> Rule | None:
    """Return a rule from a commit; None without one, or by another framejury's terms."""
    try:
        return None if facts is None else rule_of_facts({"rule": facts})
    except (KeyError, ValueError):
        return None


def _sampling(settings: Mapping[str, Any] | None) -> SamplingSettings | None:
    """Return the settings of sampling in a commit; None as of `_rule`."""
    try:
        return None if settings is None else SamplingSettings.model_validate(settings)
    except ValueError:
        return None


def _before(commits: Sequence[Commit]) -> list[ScoreHistograms]:
    """Return histograms of the latest `REFERENCE_RUNS` nightly runs."""
    nights: dict[str, list[ScoreHistograms]] = {}
    for commit in commits:
        scores = ScoreHistograms.of_commit(commit)
        if scores is not None and any(scores.videos):
            nights.setdefault(night_of(commit), []).append(scores)
    return [summed(batches) for batches in list(nights.values())[-REFERENCE_RUNS:]]


def _scored(runs: Sequence[ScoreHistograms]) -> int:
    return sum(sum(run.videos) for run in runs)
