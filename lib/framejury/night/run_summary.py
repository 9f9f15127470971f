"""What a nightly run tells people at its end: at most `MOST_LINES` lines for any archive. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from framejury.pages.text_table import counted, duration
from framejury.redaction import printable, redacted
from framejury.runs.run_metrics import NewFake, RunCounts, RunMetrics
from framejury.schemas.outcomes import outcome_counts
from framejury.schemas.statuses import Reason, Status

MOST_LINES = 17
_NAMED = 5
"""Lines for the names of new fakes, count."""
_UNSCORED_NAMED = 3
"""Videos without a score that are named, count."""
_NARROWEST = 20
_NAMES = {Reason.MISSING: "deleted", Reason.SELECTED: "requested"}
"""Reasons whose own names could be misread here."""


def summary_lines(metrics: RunMetrics, width: int = 80) -> list[str]:
    """Return what was new, judged, found and missed, where the report is, and the exit code.

    Args:
        metrics: of a run that was committed.
        width: columns of the terminal; longer names of videos lose their middle.
    """
    counts = metrics.counts or RunCounts()
    of = "" if counts.videos_in_archive is None else f" of {counts.videos_in_archive:,} videos"
    planned = _listed(
        {_NAMES.get(one, one.value): counts.planned.get(one.value, 0) for one in Reason}
    )
    todo = f"To judge: {planned}{of}" if planned else f"Nothing new: 0{of or ' videos'} to judge"
    place = "" if metrics.archive is None else f" in {_cut(metrics.archive, width - len(todo) - 5)}"
    lines = [f"{todo}{place}."]
    if planned:
        lines += [
            f"Judged {counted(counts.videos - counts.deleted, 'video')} in "
            f"{duration(metrics.wall_s)}: {_listed(_judged(counts)) or 'no verdict'}."
            f"{_scoring(counts)}",
            *_fake_lines(metrics, width),
            *_failure_lines(metrics, counts),
            *_not_scored_lines(metrics, width),
        ]
    lines += _decision_lines(metrics)
    if metrics.archive_verdicts:
        lines.append(f"Archive: {_listed(metrics.archive_verdicts)}.")
    if metrics.report is not None:
        still = " (the last one; nothing changed)" if metrics.is_idle else ""
        lines.append(f"Report: {_shown(metrics.report)}{still}")
    lines += _published_lines(metrics)
    if metrics.waiting:
        wait = counted(metrics.waiting, "video waits", "videos wait")
        place = shlex.quote(_shown(metrics.warehouse))
        lines.append(f"{wait} for a decision: framejury decide --warehouse {place}")
    return [*lines, f"Exit code {metrics.exit_code}: {metrics.meaning}"]


def exit_meaning(
    counts: RunCounts, failures_ratio: float, *, too_many: bool, decisions: int = 0
) -> str:
    """Return the exit code of a committed run in one sentence.

    Args:
        counts: of the run.
        failures_ratio: the setting `run.failures_ratio`, 0 to 1.
        too_many: whether more videos failed than it allows.
        decisions: decisions that it recorded, count.
    """
    if too_many:
        return (
            f"the run is complete, but {counts.failure_share:.1%} of the videos opened failed "
            f"(without retries), more than run.failures_ratio = {failures_ratio:.1%}."
        )
    if failed := sum(counts.failures.values()):
        return f"the run is complete; {counted(failed, 'video')} failed."
    if counts.planned:
        return "the run is complete."
    if decisions:
        return f"{counted(decisions, 'decision')} recorded; there was nothing to judge."
    return "there was nothing to judge."


def _fake_lines(metrics: RunMetrics, width: int) -> list[str]:
    fakes = metrics.new_fakes
    if fakes is None:
        return []
    if not fakes:
        return ["New fakes: none."]
    most = _NAMED if len(fakes) <= _NAMED else _NAMED - 1
    lines = [f"  {_score(fake)}  {_cut(fake.path, width - 9)}" for fake in fakes[:most]]
    if len(fakes) > most:
        lines.append(f"  and {len(fakes) - most:,} more; the report lists them.")
    return [f"New fakes: {len(fakes):,}, highest score first.", *lines]


def _failure_lines(metrics: RunMetrics, counts: RunCounts) -> list[str]:
    if not counts.failures:
        return ["Failures: none."]
    return [
        f"Failures: {_listed(counts.failures)}. The videos and reasons: framejury runs show "
        f"{metrics.run_ids[0]} --warehouse {_shown(metrics.warehouse)}"
    ]


def _not_scored_lines(metrics: RunMetrics, width: int) -> list[str]:
    unscored = metrics.not_scored
    if not unscored:
        return []
    each = (width - len("Not scored: ")) // _UNSCORED_NAMED
    names = [f"{_cut(one.path, each)} ({_reason(one.status)})" for one in unscored]
    rest = len(names) - _UNSCORED_NAMED
    more = f" and {rest:,} more" if rest > 0 else ""
    return [f"Not scored: {', '.join(names[:_UNSCORED_NAMED])}{more}."]


def _decision_lines(metrics: RunMetrics) -> list[str]:
    """Return what a file of decisions held; nothing without a file or anything new in it."""
    problems = metrics.decision_problems
    if not (metrics.decisions or problems):
        return []
    recorded = f"Decisions: {metrics.decisions or 0:,} recorded"
    if not problems:
        return [f"{recorded}."]
    others = f" The report's notes list {len(problems):,}." if len(problems) > 1 else ""
    return [f"{recorded}; not used: {_shown(problems[0]).rstrip('.')}.{others}"]


def _published_lines(metrics: RunMetrics) -> list[str]:
    """Return where tables were brought up to date, and where not; nothing if nowhere."""
    done = [one for one in metrics.published if one["error"] is None]
    lines = []
    if done:
        names = [f"{one['target']} ({counted(one['runs'], 'run')})" for one in done]
        lines.append(f"Published: {', '.join(names)}.")
    if failed := [one["target"] for one in metrics.published if one["error"] is not None]:
        lines.append(
            f"Not published: {', '.join(failed)}; see the warning above. The next night does it."
        )
    return lines


def _judged(counts: RunCounts) -> dict[str, int]:
    """Return the outcomes without those of deleted files."""
    missing = Status.MISSING.value
    statuses = counts.statuses | {missing: counts.statuses.get(missing, 0) - counts.deleted}
    return outcome_counts(statuses, counts.verdicts)


def _scoring(counts: RunCounts) -> str:
    """Return what each of several networks took; empty for a single one."""
    if len(counts.scoring_s) < 2:
        return ""
    each = ", ".join(f"{s:.1f} s {name}" for name, s in counts.scoring_s.items())
    return f" Scoring took {each}."


def _reason(status: str) -> str:
    """Return a status in words: `not a video`, `no face`, `too large`."""
    return "not a video" if status == Status.NOT_VIDEO.value else status.replace("_", " ")


def _listed(counts: Mapping[str, int]) -> str:
    """Return `3 new, 1,200 not scored`; names without videos are left out."""
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items() if n)


def _score(fake: NewFake) -> str:
    return " -- " if fake.p_fake is None else f"{fake.p_fake:.2f}"


def _shown(place: str) -> str:
    return printable(redacted(place))


def _cut(text: str, width: int) -> str:
    """Cut the middle out of a text: the end of a path tells more than its middle."""
    text, width = _shown(text), max(width, _NARROWEST)
    if len(text) <= width:
        return text
    head = (width - 3) // 3
    return f"{text[:head]}...{text[head + 3 - width :]}"
