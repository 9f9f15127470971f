"""The plan of a nightly run: its videos, batches and estimated time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from framejury.examine.costs import Counts, Seconds, deal_batches, estimate_costs_s
from framejury.night.plan import REASON
from framejury.schemas.statuses import REASON_MEANING, Reason
from framejury.settings import Settings
from framejury.tables.resources import slots
from framejury.warehouse.commits import Commit

_MEASURED_RUNS = 7
"""Latest runs whose measured cost scales the estimate, count."""


@dataclass(frozen=True)
class NightPlan:
    """The videos of a nightly run, in batches.

    Attributes:
        videos: rows of `videos` with `REASON`, in the order of the work.
        costs_s: float64 (n,), estimated seconds on one core; 0 for videos that are not opened.
        batches: int64 (n,), batch of each video.
        slots: tasks that run at the same time, count.
        scale: measured time of earlier runs as a multiple of the estimate; None without any.
    """

    videos: pa.Table
    costs_s: Seconds
    batches: Counts
    slots: int
    scale: float | None

    @property
    def reasons(self) -> dict[str, int]:
        """Videos by `Reason`; reasons that do not occur are left out."""
        return dict(Counter(self.videos[REASON].to_pylist()))

    @property
    def core_s(self) -> float:
        """Estimated time on one core, seconds."""
        return float(self.costs_s.sum()) * (1.0 if self.scale is None else self.scale)

    def lines(self, known: int) -> list[str]:
        """Return the plan in words; `known` is the number of videos in the archive."""
        opened = self.videos.filter(pc.not_equal(self.videos[REASON], Reason.MISSING.value))
        size_bytes = pc.sum(opened["bytes"]).as_py() or 0
        count = int(self.batches.max()) + 1 if len(self.batches) else 0
        unsure = "" if self.scale is not None else " (a rough estimate: no earlier run)"
        lines = [f"  {self.videos.num_rows:,} of {known:,} videos to process"]
        lines += [
            f"    {self.reasons[reason]:>9,} {reason:<9} {REASON_MEANING[reason]}"
            for reason in Reason
            if reason in self.reasons
        ]
        return [
            *lines,
            f"  {size_bytes / 1e9:,.2f} GB to read, about {_hours(self.core_s)} on one core, "
            f"{_hours(self.core_s / self.slots)} on {self.slots} at once, "
            f"{count} commit{'s' * (count != 1)}{unsure}",
        ]


def make_plan(planned: DataFrame, settings: Settings, commits: Sequence[Commit]) -> NightPlan:
    """Collect the planned videos (one row each) and divide them into batches.

    Args:
        planned: from `night.plan`.
        settings: settings of the run.
        commits: every committed run; their measured times scale the estimate.
    """
    videos = planned.orderBy("path").toArrow()
    costs_s = estimate_costs_s(videos["bytes"].to_numpy(), settings.sampling)
    costs_s[pc.equal(videos[REASON], Reason.MISSING.value).to_numpy()] = 0.0
    scale = _measured_scale(commits)
    at_once = slots(planned.sparkSession)
    commit_s = settings.run.commit_s / (1.0 if scale is None else scale)
    return NightPlan(videos, costs_s, deal_batches(costs_s, at_once, commit_s), at_once, scale)


def _measured_scale(commits: Sequence[Commit]) -> float | None:
    """Return measured over estimated core seconds of the latest runs; None without any."""
    costs = [commit.facts.cost for commit in commits if commit.facts.cost is not None]
    estimated_s = sum(cost.estimated_s for cost in costs[-_MEASURED_RUNS:])
    measured_s = sum(cost.measured_s for cost in costs[-_MEASURED_RUNS:])
    return measured_s / estimated_s if estimated_s > 0 and measured_s > 0 else None


def _hours(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"
