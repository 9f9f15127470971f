"""The one clock of a nightly run: its phases add up to its time from start to report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from framejury.clock import now, process_started
from framejury.runs.details import metrics_of
from framejury.runs.history import nights_before
from framejury.warehouse import Warehouse

START, JUDGING, REPORT = "start", "extract and score", "report"
BETWEEN = "plan and commit"
"""Phases. The first ends with the first named one; `BETWEEN` is the time between named ones."""

_NIGHTS = 7
_USUAL_S = 60.0
"""Starting Spark, listing, reducing and reporting a small archive on two cores, seconds."""


@dataclass
class Phases:
    """Time of a run by phase, without gaps, until `stop`.

    Attributes:
        started_at: when the run started, UTC.
    """

    started_at: datetime = field(default_factory=now)
    _spent_s: dict[str, float] = field(default_factory=dict)
    _current: str | None = START
    _since_s: float = field(default_factory=time.monotonic)

    @classmethod
    def of_process(cls) -> Phases:
        """Return phases that began when the command started."""
        began = process_started()
        age_s = max(0.0, (now() - began).total_seconds())
        return cls(began, _since_s=time.monotonic() - age_s)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by phase until now, or until `stop`, in the order of the work."""
        self._turn_to(self._current)
        return {name: round(spent_s, 3) for name, spent_s in self._spent_s.items()}

    @property
    def ended_at(self) -> datetime:
        """When it was stopped, or now: the start and all phases, whatever the wall clock did."""
        return self.started_at + timedelta(seconds=sum(self.seconds.values()))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time of the body for a phase; phases of the same name are added up."""
        self._turn_to(name)
        try:
            yield
        finally:
            self._turn_to(BETWEEN)

    def stop(self) -> dict[str, float]:
        """End the run and return its seconds by phase; later time does not count."""
        self._turn_to(None)
        return self.seconds

    def _turn_to(self, name: str | None) -> None:
        if self._current is None:
            return
        at_s = time.monotonic()
        self._spent_s[self._current] = self._spent_s.get(self._current, 0.0) + at_s - self._since_s
        self._current, self._since_s = name, at_s


def besides_judging_s(warehouse: Warehouse) -> float:
    """Estimate the time of a nightly run besides judging, seconds.

    It is the median of the latest nightly runs, or what a small archive takes where there is none.
    Idle nights do not count: without Spark they take seconds.
    """
    commits = warehouse.commits()
    latest = nights_before(commits, commits[-1].sequence + 1, _NIGHTS) if commits else []
    stored = [metrics_of(night, warehouse) for night in latest]
    found = [
        one["wall_s"] - one["phase_s"].get(JUDGING, 0.0)
        for one in stored
        if one and "wall_s" in one and not one.get("is_idle", False)
    ]
    return median(found) if found else _USUAL_S
