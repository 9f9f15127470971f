"""The end of a nightly run: exit code, summary, metrics, stored log, warnings.

Where somebody reads stdout on a terminal, it gets the summary in words. Otherwise, and with
`--json`, it gets one JSON line and nothing else, and the summary goes to stderr
(docs/decisions/0025-what-a-nightly-run-prints.md).
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from framejury import logs
from framejury.cli.live_line import clear, is_terminal, width
from framejury.cli.options import exit_code_of
from framejury.errors import FramejuryError, LockError
from framejury.logs import say
from framejury.night.news import archive_verdicts, new_fakes, not_scored, waiting
from framejury.night.night import NightlyRun, counts_of
from framejury.night.notify import Notice
from framejury.night.run_summary import exit_meaning, summary_lines
from framejury.runs.prometheus import check_textfile, write_textfile
from framejury.runs.run_metrics import RunCounts, RunMetrics

JUDGED_WITH_FAILURES = 3
"""Exit code: everything is judged and committed, but more videos failed than the settings allow."""

METRICS_FILE = "metrics.json"
"""File beside the report."""


@dataclass
class Ending:
    """Reports the end of a nightly run.

    Attributes:
        night: the run.
        metrics_file: the file of `--metrics-file`.
        notice: what webhooks will be told.
        as_json: whether stdout gets the JSON line even on a terminal.
    """

    night: NightlyRun
    metrics_file: Path | None
    notice: Notice
    as_json: bool = False

    def code(self, in_archive: int | None) -> int:
        """Report on a nightly run that was committed, and return its exit code.

        Args:
            in_archive: videos in the archive, count; None if it was not listed.
        """
        night = self.night
        counts = counts_of(night, in_archive)
        share, most = counts.failure_share, night.judging.settings.run.failures_ratio
        too_many = share is not None and share > most
        code = JUDGED_WITH_FAILURES if too_many else 0
        last = night.commits[-1].run_id
        with logs.bound(run_id=last):
            logs.event("run_ended", exit_code=code, failure_share=share)
        metrics = replace(
            self.metrics(code, counts),
            meaning=exit_meaning(
                counts, most, too_many=too_many, decisions=night.decisions.recorded or 0
            ),
            is_idle=night.is_idle,
            new_fakes=new_fakes(night.warehouse, night.commits),
            not_scored=not_scored(night.warehouse, night.commits),
            archive_verdicts=archive_verdicts(night.warehouse),
            waiting=waiting(night.warehouse),
            decisions=night.decisions.recorded,
            decision_problems=night.decisions.problems,
            report=night.report,
            published=tuple(one.to_plain() for one in night.published),
        )
        if counts.drift.videos is not None and counts.drift.videos.is_beyond_chance:
            say(
                "warning: scores of this run differ from earlier runs by more than chance explains "
                f"(PSI {counts.drift.videos.psi:.3f}); check what changed in the archive"
            )
        line = metrics.to_json_line()
        self._print(metrics, line)
        self.notice.line = metrics.to_plain()
        with _or_a_warning("the metrics could not be written"):
            night.warehouse.write_report(last, {METRICS_FILE: line.encode() + b"\n"})
            self._write(metrics)
        return code

    def _print(self, metrics: RunMetrics, line: str) -> None:
        """Print the summary for people, and the JSON line where a program may read stdout."""
        clear()
        for_people = is_terminal(sys.stdout) and not self.as_json
        lines = summary_lines(metrics, width(sys.stdout if for_people else sys.stderr))
        if for_people:
            logs.event("summary", message=lines)
            print("\n".join(map(logs.for_terminal, lines)), flush=True)
        else:
            say("\n".join(lines), "summary")
            print(line, flush=True)

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
    ending = Ending(night, args.metrics_file, notice, args.json)
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
