"""How many real videos a threshold will call fake: what to expect, with an interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv

from framejury.evaluation.binary import Floats
from framejury.evaluation.estimators import Names, RealLimit, by_group
from framejury.verdict.rule import FalseAlarms

LEVEL = 0.95
MIN_GROUPS = 10
"""Real groups of a source for which its own rate is given."""


def expected_alarms(reals: Floats, groups: Names, limit: RealLimit) -> FalseAlarms:
    """Return the share of new real videos at or above a threshold.

    Where the threshold is an order statistic of these scores with x of n groups above it, the share
    is distributed as Beta(x + 1, n - x), with mean (x + 1) / (n + 1). With a margin above the
    highest score it may be 0. For a threshold that was given, the share is x / n with Clopper and
    Pearson's interval (Biometrika 26, 1934). A group weighs 1 whatever the number of its videos, so
    x need not be whole.

    Args:
        reals: float64 (v,), scores of real videos on the scale of the threshold, v >= 1.
        groups: (v,) group of each.
        limit: the threshold and its source.
    """
    weights = by_group(groups)
    whole = float(weights.sum())
    above = float(weights[reals >= limit.score].sum())
    below = whole - above
    tail = (1 - LEVEL) / 2
    high = _quantile(above + 1, below, 1 - tail)
    # A threshold of 1 has the videos that score 1 not below it, so it is no order statistic.
    if limit.source == "given" or (limit.score >= 1 and above > 1e-9):
        low = _quantile(above, below + 1, tail)
        rate = above / whole
    else:
        rate = (above + 1) / (whole + 1)
        low = 0.0 if limit.source == "maximum" else _quantile(above + 1, below, tail)
    return FalseAlarms(rate=rate, low=low, high=high, level=LEVEL, groups=round(whole))


def _quantile(a: float, b: float, share: float) -> float:
    """Return a quantile of Beta(a, b); 1 without any video below, 0 without any above."""
    if b < 1e-9:
        return 1.0
    return float(betaincinv(a, b, share)) if a > 1e-9 else 0.0


def alarms_by_source(
    reals: Floats, groups: Names, sources: Sequence[str], threshold: float
) -> dict[str, FalseAlarms]:
    """Return the shares of the real videos of each source with `MIN_GROUPS` groups, by name.

    The threshold counts as given: that it was chosen on all sources together is left out.

    Args:
        reals, groups: as of `expected_alarms`.
        sources: (v,) data set of each; empty: not known.
        threshold: on the scale of the scores.
    """
    named, found = np.asarray(sources), {}
    for source in sorted(set(sources) - {""}):
        part = named == source
        if len(set(groups[part])) >= MIN_GROUPS:
            limit = RealLimit(threshold, "given")
            found[source] = expected_alarms(reals[part], groups[part], limit)
    return found
