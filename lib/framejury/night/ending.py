"""The end of a nightly run: exit code, metrics, stored log, warnings."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from framejury import logs
from framejury.cli.options import exit_code_of
from framejury.errors import FramejuryError, LockError
from framejury.logs import say
from framejury.night.night import NightlyRun, counts_of
from framejury.night.notify import Notice
from framejury.runs.prometheus import check_textfile, write_textfile
from framejury.runs.run_metrics import RunCounts, RunMetrics

JUDGED_WITH_FAILURES = 3
"""Exit code: everything is judged and committed, but more videos failed than the settings allow."""

METRICS_FILE = "metrics.json"
"""File beside the report."""


@dataclass
class Ending:
    """Reports the end of a nightly run."""

    night: NightlyRun
    metrics_file: Path | None
    notice: Notice

    def code(self, in_archive: int | None) -> int:
        """Report on a nightly run that was committed, and return its exit code.

        Args:
            in_archive: videos in the archive, count; None if it was not listed.
        """
        counts = counts_of(self.night, in_archive)
        share, most = counts.failure_share, self.night.judging.settings.run.failures_ratio
        failed = share is not None and share > most
        code = JUDGED_WITH_FAILURES if failed else 0
        with logs.bound(run_id=self.night.commits[-1].run_id):
            logs.event("run_ended", exit_code=code, failure_share=share)
        metrics = self.metrics(code, counts)
        line = metrics.to_json_line()
        print(line, flush=True)
        self.notice.line = metrics.to_plain()
        last = self.night.commits[-1].run_id
        with _or_a_warning("the metrics could not be written"):
            self.night.warehouse.write_report(last, {METRICS_FILE: line.encode() + b"\n"})
            self._write(metrics)
        if counts.drift.videos is not None and counts.drift.videos.is_beyond_chance:
            say(
                "warning: scores of this run differ from earlier runs by more than chance explains "
                f"(PSI {counts.drift.videos.psi:.3f}); check what changed in the archive"
            )
        if failed:
            say(
                f"warning: {share:.1%} of the videos opened failed (without retries), more than "
                f"run.failures_ratio = {most:.1%}; list them with: framejury runs show "
                f"{self.night.commits[-1].run_id} --warehouse {self.night.warehouse.location.uri}"
            )
        return code

    def metrics(self, code: int, counts: RunCounts | None = None) -> RunMetrics:
        """Return the metrics of the run, as far as it got."""
        night = self.night
        return RunMetrics(
            job=night.job,
            exit_code=code,
            started_at=night.phases.started_at,
            ended_at=night.phases.ended_at,
            warehouse=night.warehouse.location.uri,
            archive=night.archive,
            run_ids=tuple(commit.run_id for commit in night.commits),
            model_id=night.judging.bundle.model_id,
            phase_s=night.phases.seconds,
            counts=counts,
        )

    def _write(self, metrics: RunMetrics) -> None:
        if self.metrics_file is not None:
            write_textfile(metrics, self.metrics_file)


@contextmanager
def recorded(night: NightlyRun, args: argparse.Namespace, notice: Notice) -> Iterator[Ending]:
    """Record how a nightly run ends, also if it fails: metrics file, notice, log in the warehouse.

    Raises:
        UsageError: the metrics file cannot be written; raised before any work.
    """
    if args.metrics_file is not None:
        check_textfile(args.metrics_file)
    ending = Ending(night, args.metrics_file, notice)
    with logs.collected() as log:
        try:
            yield ending
        except BaseException as error:
            code = exit_code_of(error)
            logs.fault("run_ended", error)
            notice.line = ending.metrics(code).to_plain()
            # Report the first error. A run that was refused the lock must not replace the metrics
            # of the run that holds it.
            with suppress(OSError, FramejuryError):
                if not isinstance(error, LockError) or night.began is not None:
                    ending._write(ending.metrics(code))
            with suppress(OSError, FramejuryError):
                _keep(log, ending)
            raise
        with _or_a_warning("the log could not be stored"):
            _keep(log, ending)


@contextmanager
def _or_a_warning(what: str) -> Iterator[None]:
    """Turn errors into warnings: the run is committed, and reporting must not make it fail."""
    try:
        yield
    except (OSError, FramejuryError) as error:
        say(f"warning: {what}: {error}", "not_told", logging.WARNING)


def _keep(log: Path, ending: Ending) -> None:
    """Store the log of a run that began; a run that was refused the lock has none."""
    night = ending.night
    if night.began is not None:
        night.warehouse.write_log(night.commits[-1].run_id if night.commits else night.began, log)
