"""Metrics of one run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import Field, model_validator

from framejury.redaction import redacted
from framejury.runs.drift import RunDrift
from framejury.schemas.statuses import FAILURE_STATUSES, Reason, Status, Verdict
from framejury.warehouse.commits import Counts

FORMAT_VERSION = 1

_NAMED = 100
"""Most videos of each kind that the JSON line names, so that its length has a limit."""


class RunCounts(Counts):
    """Counts of a run, known when it is committed.

    Attributes:
        left_out: files of the archive left out by their names, by ending; None: it was not listed.
        drift: drift of the scores against earlier runs with the same model.
    """

    left_out: dict[str, int] | None = None
    drift: RunDrift = Field(default_factory=RunDrift)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        _check_names("planned", self.planned, Reason)
        _check_names("statuses", self.statuses, Status)
        _check_names("verdicts", self.verdicts, Verdict)
        return self

    @property
    def videos(self) -> int:
        """Videos with an outcome, count."""
        return sum(self.statuses.values())

    @property
    def failures(self) -> dict[str, int]:
        """Failed videos by status; statuses that do not occur are left out.

        A deleted file is planned as `missing` and is not a failure. A file that this run listed and
        did not find when it opened it is one: the archive may have been unmounted.
        """
        found = {status.value: self.statuses.get(status.value, 0) for status in FAILURE_STATUSES}
        found[Status.MISSING.value] -= self.deleted
        return {name: count for name, count in found.items() if count > 0}

    @property
    def failure_share(self) -> float | None:
        """Failures among the videos opened, 0 to 1; None if none was opened.

        Retried videos are left out: that they fail again is expected, and a quiet nightly run may
        open no others.
        """
        opened = self.videos - self.deleted - self.planned.get(Reason.RETRIED.value, 0)
        failed = sum(self.failures.values()) - self.failed_again
        return failed / opened if opened > 0 else None

    @property
    def deleted(self) -> int:
        """Videos planned as `missing` that ended so, count: their files were deleted."""
        ended = self.statuses.get(Status.MISSING.value, 0)
        return min(self.planned.get("missing", 0), ended)

    def to_plain(self) -> dict[str, Any]:
        """Return the counts as JSON takes them, with `failures` and `failure_share`."""
        plain = self.model_dump() | {"drift": self.drift.to_plain()}
        return plain | {"failures": self.failures, "failure_share": self.failure_share}


@dataclass(frozen=True)
class NewFake:
    """A video that the run called fake and that no earlier run did.

    Attributes:
        path: path below the archive.
        p_fake: score of its pictures, 0 to 1; None if only its sound was judged.
    """

    path: str
    p_fake: float | None


@dataclass(frozen=True)
class NotScored:
    """A video that the run could not score.

    Attributes:
        path: path below the archive.
        status: its `Status`, which gives the reason.
    """

    path: str
    status: str


@dataclass(frozen=True)
class RunMetrics:
    """Metrics of one run, whether or not it succeeded.

    Attributes:
        job: the job, such as `nightly`.
        exit_code: its exit code.
        started_at, ended_at: times by the driver's clock.
        warehouse, archive: URIs; secrets in them are not printed.
        run_ids: runs it committed or began, in order; empty if it failed before.
        model_id: the bundle that scored.
        phase_s: seconds of each phase, in order.
        counts: its counts; None if it failed before they were known.
        meaning: its exit code in one sentence; empty if it failed.
        is_idle: whether there was nothing to do, so that the last report still holds.
        new_fakes: videos called fake for the first time, highest score first; None if unknown.
        not_scored: videos without a score, failures first; None if unknown.
        archive_verdicts: videos of the whole archive by outcome; None if unknown.
        waiting: videos of the archive that wait for a person's decision; None if unknown.
        decisions: decisions of a file that were recorded, count; None: there was no such file.
        decision_problems: lines of that file that could not be used, one sentence each.
        report: URI of the report that holds now; None if there is none.
        published: by target of `publish.*`, as `publishing.target.Published.to_plain` gives it.
    """

    job: str
    exit_code: int
    started_at: datetime
    ended_at: datetime
    warehouse: str
    archive: str | None = None
    run_ids: tuple[str, ...] = ()
    model_id: str | None = None
    phase_s: Mapping[str, float] = field(default_factory=dict)
    counts: RunCounts | None = None
    meaning: str = ""
    is_idle: bool = False
    new_fakes: tuple[NewFake, ...] | None = None
    not_scored: tuple[NotScored, ...] | None = None
    archive_verdicts: Mapping[str, int] | None = None
    waiting: int | None = None
    decisions: int | None = None
    decision_problems: tuple[str, ...] = ()
    report: str | None = None
    published: tuple[Mapping[str, Any], ...] = ()

    @property
    def wall_s(self) -> float:
        """Time from start to end, seconds; 0 if the clock was set back."""
        return max(0.0, (self.ended_at - self.started_at).total_seconds())

    @property
    def videos_per_s(self) -> float | None:
        """Videos with an outcome per second of the whole run."""
        return None if self.counts is None else _rate(self.counts.videos, self.wall_s)

    @property
    def faces_per_s(self) -> float | None:
        """Faces scored per second of the whole run."""
        return None if self.counts is None else _rate(self.counts.faces_scored, self.wall_s)

    def to_plain(self) -> dict[str, Any]:
        """Return everything as JSON values; null if unknown."""
        counts = None if self.counts is None else self.counts.to_plain()
        return {
            "format_version": FORMAT_VERSION,
            "job": self.job,
            "exit_code": self.exit_code,
            "meaning": self.meaning or None,
            "is_idle": self.is_idle,
            "run_ids": list(self.run_ids),
            "warehouse": redacted(self.warehouse),
            "archive": None if self.archive is None else redacted(self.archive),
            "model_id": self.model_id,
            "started_at": _iso(self.started_at),
            "ended_at": _iso(self.ended_at),
            "wall_s": round(self.wall_s, 3),
            "phase_s": dict(self.phase_s),
            "videos_per_s": self.videos_per_s,
            "faces_per_s": self.faces_per_s,
            "counts": counts,
            **self._outcome(),
        }

    def _outcome(self) -> dict[str, Any]:
        """Return what a reader wants to know first; at most `_NAMED` videos by name."""
        fakes, verdicts, unscored = self.new_fakes, self.archive_verdicts, self.not_scored
        return {
            "new_fakes": None if fakes is None else len(fakes),
            "new_fake_videos": [
                asdict(one) | {"path": redacted(one.path)} for one in (fakes or ())[:_NAMED]
            ],
            "not_scored": None if unscored is None else len(unscored),
            "not_scored_videos": [
                asdict(one) | {"path": redacted(one.path)} for one in (unscored or ())[:_NAMED]
            ],
            "archive_verdicts": None if verdicts is None else dict(verdicts),
            "waiting": self.waiting,
            "decisions_recorded": self.decisions,
            "decision_problems": [redacted(one) for one in self.decision_problems],
            "report": None if self.report is None else redacted(self.report),
            "published": [dict(one) for one in self.published],
        }

    def to_json_line(self) -> str:
        """Return one line of ASCII JSON, without a line end.

        Raises:
            ValueError: a value is infinite or not a number.
        """
        return json.dumps(self.to_plain(), allow_nan=False)


def _check_names(what: str, counts: Mapping[str, int], allowed: Any) -> None:
    unknown = set(counts) - {str(name) for name in allowed}
    if unknown or any(count < 0 for count in counts.values()):
        raise ValueError(
            f"{what} must count {', '.join(map(str, allowed))} from 0 up, got {dict(counts)}"
        )


def _rate(count: int, seconds: float) -> float | None:
    return count / seconds if seconds > 0 else None


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
