"""The runs of a warehouse and their outcomes, read from its commits. No Spark.

A nightly run may publish its work in several commits (`commits.BatchFacts`); here they are one run
with the id of the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from framejury.errors import UsageError
from framejury.runs.drift import night_of
from framejury.schemas.outcomes import OUTCOMES, outcome_counts
from framejury.schemas.statuses import FAILURE_STATUSES
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import DECIDE_JOB, Commit
from framejury.warehouse.lock import read_lock

_SHOWN_NAMES = 5


class State(StrEnum):
    """State of a run."""

    COMMITTED = "committed"
    UNDER_WAY = "under way"
    DROPPED = "dropped"


@dataclass(frozen=True)
class PastRun:
    """One run: a nightly run with all its batches, or a run of another job.

    Attributes:
        run_ids: ids of its commits, in order; of its folder if it has none.
        state: committed; under way, according to the lock; or dropped: it ended before its commit,
            and the next run removes its files.
        commits: its commits, in order.
        times: when its process started and when its report was written, UTC; None: not read
            (`details.timed`) or not known.
    """

    run_ids: tuple[str, ...]
    state: State
    commits: tuple[Commit, ...] = ()
    times: tuple[datetime, datetime] | None = None

    @property
    def run_id(self) -> str:
        """Id of the first commit."""
        return self.run_ids[0]

    @property
    def job(self) -> str | None:
        """Which job it was; None without a commit."""
        return self.commits[-1].job if self.commits else None

    @property
    def model_id(self) -> str | None:
        """The bundle that scored, if one did."""
        return self.commits[-1].model_id if self.commits else None

    @property
    def started_at(self) -> datetime | None:
        """When it started, UTC; without `times` from its id, None if the id has no time."""
        if self.times is not None:
            return self.times[0]
        try:
            started = datetime.strptime(self.run_id.partition("-")[0], "%Y%m%dT%H%M%SZ")
        except ValueError:
            return None
        return started.replace(tzinfo=UTC)

    @property
    def ended_at(self) -> datetime | None:
        """When its report was written, without `times` its last commit; None without a commit."""
        if self.times is not None:
            return self.times[1]
        return datetime.fromisoformat(self.commits[-1].created_at) if self.commits else None

    @property
    def wall_s(self) -> float | None:
        """Time from start to end, seconds; 0 if the clock was set back."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, (self.ended_at - self.started_at).total_seconds())

    @property
    def videos(self) -> int | None:
        """Videos with an outcome, or else listed, count; None for jobs that do neither."""
        if statuses := self.counted("statuses"):
            return sum(statuses.values())
        return self.commits[-1].tables.get("videos") if self.commits else None

    @property
    def has_judged(self) -> bool:
        """Whether it committed verdicts."""
        return any(commit.tables.get("verdicts") for commit in self.commits)

    @property
    def failures(self) -> dict[str, int] | None:
        """Failed videos by status, without deleted files; None for jobs that judge no videos."""
        if any(commit.facts.counts is not None for commit in self.commits):
            return self.counted("failures")
        statuses = self.counted("statuses")
        if not statuses:
            return None
        return {s.value: statuses[s.value] for s in FAILURE_STATUSES if statuses.get(s.value)}

    @property
    def outcomes(self) -> dict[str, int]:
        """Videos by `OUTCOMES`, with deleted files; empty for a run that counted no verdicts."""
        verdicts = self.counted("verdicts")
        return outcome_counts(self.counted("statuses"), verdicts) if verdicts else {}

    def counted(
        self, what: Literal["planned", "statuses", "verdicts", "failures"]
    ) -> dict[str, int]:
        """Return videos by name, summed over all commits."""
        total: Counter[str] = Counter()
        for commit in self.commits:
            total.update(commit.facts.counted(what))
        return dict(total)

    def to_plain(self) -> dict[str, Any]:
        """Return the run as JSON values; null if unknown."""
        failures, outcomes = self.failures, self.outcomes
        return {
            "run_id": self.run_id,
            "run_ids": list(self.run_ids),
            "job": self.job,
            "state": self.state.value,
            "started_at": _iso(self.started_at),
            "ended_at": _iso(self.ended_at),
            "wall_s": self.wall_s,
            "videos": self.videos,
            "failures": None if failures is None else sum(failures.values()),
            **{name: outcomes.get(name) for name in OUTCOMES},
            "model_id": self.model_id,
        }


def past_runs(warehouse: Warehouse) -> list[PastRun]:
    """Return every run, the newest commit last, followed by runs without a commit.

    Decisions of people are no runs, and there may be thousands; they are left out.

    Raises:
        WarehouseError: a record cannot be read.
    """
    commits = [commit for commit in warehouse.commits() if commit.job != DECIDE_JOB]
    return [*_by_night(commits), *_uncommitted(warehouse)]


def nights_before(commits: Sequence[Commit], first: int, count: int) -> list[PastRun]:
    """Return the last nightly runs that judged videos before a commit, the latest last.

    Args:
        commits: every commit of the warehouse.
        first: sequence of that commit.
        count: return at most this many.
    """
    judged = [c for c in commits if c.sequence < first and c.facts.counts is not None]
    return _by_night(judged)[-count:]


LATEST = "latest"
"""Names the latest run that judged videos."""


def find_run(runs: Sequence[PastRun], beginning: str) -> PastRun:
    """Return the run with an id that begins with `beginning`.

    `LATEST` is the latest committed run that judged videos; if there is none, the last run.

    Raises:
        UsageError: no run has one, several runs have, or there is no run.
    """
    if beginning == LATEST:
        if not runs:
            raise UsageError("there is no run yet; run: framejury nightly ARCHIVE --warehouse DIR")
        return next((run for run in reversed(runs) if run.has_judged), runs[-1])
    found = [run for run in runs if any(run_id.startswith(beginning) for run_id in run.run_ids)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"no run begins with {beginning!r}; framejury runs lists them")
    names = ", ".join(run.run_id for run in found[:_SHOWN_NAMES])
    more = len(found) - _SHOWN_NAMES
    names += f" and {more} more" if more > 0 else ""
    raise UsageError(f"several runs begin with {beginning!r}: {names}; write more of it")


def _by_night(commits: Sequence[Commit]) -> list[PastRun]:
    nights: dict[str, list[Commit]] = {}
    for commit in commits:
        nights.setdefault(night_of(commit), []).append(commit)
    return [
        PastRun(tuple(commit.run_id for commit in night), State.COMMITTED, tuple(night))
        for night in nights.values()
    ]


def _uncommitted(warehouse: Warehouse) -> list[PastRun]:
    """Return runs without a commit; those begun while the lock was held are under way."""
    lock = read_lock(warehouse.location)
    since = datetime.fromisoformat(lock.taken_at) if lock is not None and lock.is_held else None
    found = []
    for folder in warehouse.abandoned():
        run = PastRun((folder.path.rpartition("/")[2],), State.DROPPED)
        started = run.started_at
        if since is not None and started is not None and started >= since:
            run = PastRun(run.run_ids, State.UNDER_WAY)
        found.append(run)
    return found


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
