"""Whether a run's scores are spread as those of the runs before it.

A histogram of each run's scores is stored in its commit. The newest is compared with the sum of
those before it by two figures, each beside what chance alone brings at these sizes:

* population stability index, `sum((a - b) * ln(a / b))` over the bins' shares `a` and `b`, each
  share taken of its count plus `SMOOTHING`. Without drift it is about `(1/n + 1/m)` times a
  chi-square of `bins - 1` degrees (Yurdakul and Naranjo, Statistical properties of the population
  stability index, Journal of Risk Model Validation 14(4), 2020). The usual marks, 0.1 and 0.25
  (Siddiqi, Credit Risk Scorecards, 2006), know nothing of `n`: at 100 videos against 100, chance
  alone reaches 0.38 on average.
* Kolmogorov-Smirnov distance, the largest difference of the two distribution functions at the
  bins' edges; by chance below `K * sqrt(1/n + 1/m)` with Kolmogorov's K (Smirnov, 1948). Looking
  at edges only makes it smaller, never larger.

Faces of one video are no independent witnesses, so chance is always reckoned by videos.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from framejury.warehouse.commits import Commit, ScoreFacts

BINS = 20
"""Equal bins over 0..1. A score falls into bin `floor(p_fake * BINS)`, 1.0 into the last."""

REFERENCE_RUNS = 14
"""Nights looked back at, the latest with the same model."""

MIN_VIDEOS = 50
"""Fewer scored videos on either side give no drift."""

SMOOTHING = 0.5
"""Added to each bin's count (Jeffreys), so that an empty one has a logarithm."""

CHANCE = 0.001
"""How often chance alone exceeds `psi_chance` or `ks_chance`: once in a thousand nights."""

Counts = tuple[int, ...]


@dataclass(frozen=True)
class ScoreHistograms:
    """How many scores of a run fell into each bin, lowest first; `BINS` counts each.

    Attributes:
        videos: of `p_fake` of its scored videos.
        faces: of `p_fake` of their faces.
    """

    videos: Counts
    faces: Counts

    def __post_init__(self) -> None:
        for counts in (self.videos, self.faces):
            if len(counts) != BINS or min(counts) < 0:
                raise ValueError(f"a score histogram has {BINS} counts from 0 up, not {counts!r}")

    @classmethod
    def of_commit(cls, commit: Commit) -> ScoreHistograms | None:
        """Return those in a commit; None when it has none, or other bins of another framejury."""
        scores = commit.facts.scores
        if scores is None or len(scores.videos) != BINS:
            return None
        return cls(scores.videos, scores.faces)

    def to_facts(self) -> ScoreFacts:
        """Return the histograms as a commit keeps them."""
        return ScoreFacts(videos=self.videos, faces=self.faces)


@dataclass(frozen=True)
class Drift:
    """One histogram against those before it.

    Attributes:
        runs: earlier nights compared with.
        videos: scored videos of the run.
        reference_videos: scored videos of the earlier runs.
        psi: population stability index, from 0 up.
        psi_expected: its mean without any drift, at these sizes.
        psi_chance: what it exceeds without any drift once in a thousand runs (`CHANCE`).
        ks: Kolmogorov-Smirnov distance at the bins' edges, 0 to 1.
        ks_chance: as `psi_chance`, of `ks`.
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
        """Whether either figure is larger than chance explains."""
        return self.psi > self.psi_chance or self.ks > self.ks_chance

    def to_plain(self) -> dict[str, Any]:
        """Attributes and `is_beyond_chance`, as JSON takes them."""
        return asdict(self) | {"is_beyond_chance": self.is_beyond_chance}


@dataclass(frozen=True)
class RunDrift:
    """Drift of a run's scores; None where there are too few videos to tell.

    Attributes:
        videos: of the videos' `p_fake`.
        faces: of their faces' `p_fake`.
    """

    videos: Drift | None = None
    faces: Drift | None = None

    def to_plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            name: None if found is None else found.to_plain()
            for name, found in (("videos", self.videos), ("faces", self.faces))
        }


def histogram(p_fake: npt.ArrayLike) -> Counts:
    """Counts of scores in `BINS` bins.

    Args:
        p_fake: float (n,), 0 to 1.

    Raises:
        ValueError: a score is outside 0..1, or not a number.
    """
    scores = np.asarray(p_fake, np.float64)
    if not np.all((scores >= 0) & (scores <= 1)):
        raise ValueError("scores must lie in 0..1")
    bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    return tuple(np.bincount(bins, minlength=BINS).tolist())


def summed(parts: Sequence[ScoreHistograms]) -> ScoreHistograms:
    """Histograms of the batches of one night as one."""
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
) -> RunDrift:
    """Drift of a run that is about to be committed, against the runs before it.

    Args:
        scores: of the run.
        commits: every committed run, oldest first.
        model_id: only runs that scored with this model are compared with.
        rule: `rule_facts` of the run; videos are compared with runs of the same rule, for
            another reducer or calibration is another scale. None: with all.
    """
    faces = _before(commits, model_id)
    videos = _before(commits, model_id, rule)
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
    """A run's histogram against the sum of others; None below `MIN_VIDEOS` on either side.

    Args:
        counts: of the run.
        before: of each run that it is compared with.
        videos: independent scores behind `counts`: videos, also where `counts` are of faces.
        reference_videos: the same of all of `before`.
    """
    if min(videos, reference_videos) < MIN_VIDEOS:
        return None
    pair = np.array([counts, np.sum(before, axis=0)], np.float64)
    if not pair.any(axis=1).all():
        return None
    # Imported here: a machine that only scans, or lists runs, has no need of it.
    from scipy.special import chdtri, kolmogi

    pair = pair[:, pair.any(axis=0)]  # a bin that neither has says nothing
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
    """The first run of the night that a commit belongs to; its own where it stands alone."""
    batch = commit.facts.batch
    return commit.run_id if batch is None else batch.night


def _before(
    commits: Sequence[Commit], model_id: str, rule: dict[str, Any] | None = None
) -> list[ScoreHistograms]:
    """Histograms of the latest `REFERENCE_RUNS` nights that scored with the model."""
    wanted = json.loads(json.dumps(rule))  # as a commit record keeps it: lists, no tuples
    nights: dict[str, list[ScoreHistograms]] = {}
    for commit in commits:
        scores = ScoreHistograms.of_commit(commit)
        if (
            scores is not None
            and any(scores.videos)
            and commit.model_id == model_id
            and (rule is None or commit.facts.rule == wanted)
        ):
            nights.setdefault(night_of(commit), []).append(scores)
    return [summed(batches) for batches in list(nights.values())[-REFERENCE_RUNS:]]


def _scored(runs: Sequence[ScoreHistograms]) -> int:
    return sum(sum(run.videos) for run in runs)
