"""Confidence intervals of metrics by resampling groups of videos.

Videos of one group (an original and its fakes, one actor) are not independent, so whole groups are
drawn with replacement (cluster bootstrap, percentile interval: Davison and Hinkley, Bootstrap
Methods, 1997, sections 3.8 and 5.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framejury.evaluation.binary import SCORE_CLIP, Floats, Integers
from framejury.evaluation.reliability import BINS, score_bins

DRAWS = 1000
LEVEL = 0.95
"""Share of the draws inside an interval."""

MIN_GROUPS = 5
"""With fewer groups of a class, an interval would claim more than the data support."""

SCORE_STEPS = 10_000
"""Ranking metrics are resampled on scores rounded to this many steps, to bound the work."""

_CELLS_AT_ONCE = 2_000_000
_MIN_USABLE_DRAWS = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """Ends of a percentile interval, in the unit of its metric."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Intervals by name of the metric.

    Attributes:
        level: of the intervals, 0 to 1.
        draws: resamples, count.
        groups: resampled groups; groups_real and groups_fake: those with that class.
        intervals: None where a class has fewer than `MIN_GROUPS` groups, or where (nearly) all
            draws give the same value and so show no uncertainty.
    """

    level: float
    draws: int
    groups: int
    groups_real: int
    groups_fake: int
    intervals: dict[str, Interval | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """The data, summed so that one draw is cheap.

    `cells` is int64 (groups, 4): tn, fp, fn, tp of each group. `losses` is float64 (groups,).
    `surplus` is float64 (groups, BINS): fakes less scores in each bin of the reliability diagram.
    For ranking: the group and the bin of each row of a class, sorted by bin, with `bins` distinct
    bins over both classes.
    """

    cells: Integers
    losses: Floats
    surplus: Floats
    bins: int
    real_groups: Integers
    real_bins: Integers
    fake_groups: Integers
    fake_bins: Integers


def bootstrap_intervals(
    labels: Integers,
    scores: Floats,
    called_fake: npt.NDArray[np.bool_],
    groups: Integers,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Bootstrap:
    """Compute percentile intervals of the metrics in `BinaryMetrics`, resampled by group.

    Args:
        labels: int8 (n,), 1 = FAKE.
        scores: float64 (n,), 0 to 1.
        called_fake: bool (n,), the call at the threshold.
        groups: integer (n,), 0 to g - 1, each present; rows of one group are drawn together.
        draws: resamples, count.
        seed: of the draws; the same data and seed give the same ends.

    Returns:
        the intervals; None with fewer than `MIN_GROUPS` groups of a class that the metric needs.
    """
    labels = np.asarray(labels, np.int64)
    group_count = int(groups.max()) + 1 if groups.size else 0
    reals, fakes = (len(np.unique(groups[labels == label])) for label in (0, 1))
    names = _names(reals, fakes)
    values: dict[str, list[Floats]] = {name: [] for name in names}
    if names:
        sample = _prepare(labels, scores, called_fake, groups, group_count)
        rng = np.random.default_rng(seed)
        at_once = max(1, _CELLS_AT_ONCE // max(group_count, len(labels)))
        for start in range(0, draws, at_once):
            counts = _draw(rng, group_count, min(at_once, draws - start))
            found = _statistics(sample, counts)
            for name in names:
                values[name].append(found[name])
    intervals: dict[str, Interval | None] = dict.fromkeys(_NEEDS)
    for name in names:
        intervals[name] = _interval(np.concatenate(values[name]))
    return Bootstrap(LEVEL, draws, group_count, reals, fakes, intervals)


_NEEDS: dict[str, str] = {
    "accuracy": "present",
    "balanced_accuracy": "both",
    "precision_fake": "both",
    "recall_fake": "fake",
    "f1_fake": "both",
    "fpr": "real",
    "auc": "both",
    "average_precision": "both",
    "log_loss": "present",
    "eer": "both",
    "recall_real": "real",
    "tpr_at_fpr_1": "both",
    "tpr_at_fpr_5": "both",
    "ece": "both",
}


def share_interval(flags: npt.NDArray[np.bool_], groups: Integers) -> Interval | None:
    """Compute the percentile interval of the share of flagged rows, resampled by group.

    Args:
        flags, groups: (n,), as in `bootstrap_intervals`.

    Returns:
        None with fewer than `MIN_GROUPS` groups, or when every draw gives the same share.
    """
    group_count = int(groups.max()) + 1 if groups.size else 0
    if group_count < MIN_GROUPS:
        return None
    rows = np.bincount(groups, minlength=group_count)
    hits = np.bincount(groups, flags, group_count)
    counts = _draw(np.random.default_rng(0), group_count, DRAWS)
    return _interval(counts @ hits / (counts @ rows))


def _names(reals: int, fakes: int) -> list[str]:
    """Return the metrics whose classes have enough groups."""
    enough = {
        "real": reals >= MIN_GROUPS,
        "fake": fakes >= MIN_GROUPS,
        "both": min(reals, fakes) >= MIN_GROUPS,
        "present": any((reals, fakes)) and all(n >= MIN_GROUPS for n in (reals, fakes) if n),
    }
    return [name for name, need in _NEEDS.items() if enough[need]]


def _prepare(
    labels: Integers,
    scores: Floats,
    called_fake: npt.NDArray[np.bool_],
    groups: Integers,
    group_count: int,
) -> _Sample:
    cells = np.bincount(groups * 4 + 2 * labels + called_fake, minlength=4 * group_count)
    held = np.clip(scores, SCORE_CLIP, 1 - SCORE_CLIP)
    losses = -np.log(np.where(labels == 1, held, 1 - held))
    group_losses = np.zeros(group_count)
    np.add.at(group_losses, groups, losses)
    surplus = np.zeros((group_count, BINS))
    np.add.at(surplus, (groups, score_bins(scores)), labels - scores)
    distinct, bins = np.unique(np.rint(scores * SCORE_STEPS), return_inverse=True)
    order = np.argsort(bins, kind="stable")
    real, fake = order[labels[order] == 0], order[labels[order] == 1]
    return _Sample(
        cells=cells.reshape(group_count, 4),
        losses=group_losses,
        surplus=surplus,
        bins=len(distinct),
        real_groups=groups[real],
        real_bins=bins[real],
        fake_groups=groups[fake],
        fake_bins=bins[fake],
    )


def _draw(rng: np.random.Generator, group_count: int, draws: int) -> Integers:
    """Return how often each group is drawn, int64 (draws, groups); each row sums to groups."""
    picks = rng.integers(0, group_count, size=(draws, group_count))
    picks += np.arange(draws)[:, None] * group_count
    flat = np.bincount(picks.ravel(), minlength=draws * group_count)
    return flat.reshape(draws, group_count)


def _statistics(sample: _Sample, counts: Integers) -> dict[str, Floats]:
    """Return each metric by draw, float64 (draws,), NaN where a draw lacks a class."""
    tn, fp, fn, tp = (counts @ sample.cells).T.astype(np.float64)
    total = tn + fp + fn + tp
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, fpr = tp / (tp + fn), fp / (tn + fp)
        found = {
            "accuracy": (tp + tn) / total,
            "balanced_accuracy": (recall + 1 - fpr) / 2,
            "precision_fake": tp / (tp + fp),
            "recall_fake": recall,
            "f1_fake": 2 * tp / (2 * tp + fp + fn),
            "fpr": fpr,
            "recall_real": 1 - fpr,
            "log_loss": counts @ sample.losses / total,
            "ece": np.abs(counts @ sample.surplus).sum(axis=1) / total,
        }
        found.update(_ranking(sample, counts))
    return found


def _ranking(sample: _Sample, counts: Integers) -> dict[str, Floats]:
    """Return AUC, average precision, EER and TPR at fixed FPRs by draw."""
    # Highest score first, so that a running sum counts what is called fake at each threshold.
    reals = _by_bin(counts, sample.real_groups, sample.real_bins, sample.bins)[:, ::-1]
    fakes = _by_bin(counts, sample.fake_groups, sample.fake_bins, sample.bins)[:, ::-1]
    false_calls, true_calls = reals.cumsum(axis=1), fakes.cumsum(axis=1)
    real_total, fake_total = false_calls[:, -1:], true_calls[:, -1:]
    # Share of (fake, real) pairs in the right order; ties count half (Mann-Whitney).
    below = real_total - false_calls + reals / 2
    auc = (fakes * below).sum(axis=1) / (real_total * fake_total)[:, 0]
    called = true_calls + false_calls
    precision = np.divide(true_calls, called, out=np.zeros_like(called), where=called > 0)
    ap = (fakes * precision).sum(axis=1) / fake_total[:, 0]
    fpr, tpr = false_calls / real_total, true_calls / fake_total
    return {
        "auc": auc,
        "average_precision": ap,
        "eer": _equal_error(fpr, tpr),
        "tpr_at_fpr_1": np.where(fpr <= 0.01, tpr, 0.0).max(axis=1),
        "tpr_at_fpr_5": np.where(fpr <= 0.05, tpr, 0.0).max(axis=1),
    }


def _by_bin(counts: Integers, groups: Integers, bins: Integers, bin_count: int) -> Floats:
    """Return the weight of one class in each bin, float64 (draws, bins)."""
    weights = np.zeros((len(counts), bin_count))
    if groups.size:
        filled, starts = np.unique(bins, return_index=True)
        weights[:, filled] = np.add.reduceat(counts[:, groups], starts, axis=1)
    return weights


def _equal_error(fpr: Floats, tpr: Floats) -> Floats:
    """Return FPR where it equals 1 - TPR, on the interpolated ROC curve of each row."""
    start = np.zeros((len(fpr), 1))
    fpr, rising = np.hstack([start, fpr]), np.hstack([start, fpr + tpr])
    rows = np.arange(len(fpr))
    after = np.maximum((rising >= 1).argmax(axis=1), 1)
    before = after - 1
    step = rising[rows, after] - rising[rows, before]
    share = (1 - rising[rows, before]) / step
    result: Floats = fpr[rows, before] + share * (fpr[rows, after] - fpr[rows, before])
    return result


def _interval(values: Floats) -> Interval | None:
    usable = values[np.isfinite(values)]
    if len(usable) < _MIN_USABLE_DRAWS * len(values):
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(usable, [tail, 1 - tail])
    if math.isclose(low, high):
        return None  # an interval of 100 to 100% would claim certainty
    return Interval(low=float(low), high=float(high))
