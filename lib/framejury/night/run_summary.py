"""What a nightly run tells people at its end: at most `MOST_LINES` lines for any archive. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from framejury.pages.text_table import counted, duration
from framejury.redaction import printable, redacted
from framejury.runs.run_metrics import NewFake, RunCounts, RunMetrics
from framejury.schemas.statuses import Reason, Verdict

MOST_LINES = 12
_NAMED = 5
"""Lines for the names of new fakes, count."""
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
            f"{duration(metrics.wall_s)}: {_listed(_judged(counts)) or 'no verdict'}.",
            *_fake_lines(metrics, width),
            *_failure_lines(metrics, counts),
        ]
    if metrics.archive_verdicts:
        lines.append(f"Archive: {_listed(metrics.archive_verdicts)}.")
    if metrics.report is not None:
        still = " (the last one; nothing changed)" if metrics.is_idle else ""
        lines.append(f"Report: {_shown(metrics.report)}{still}")
    return [*lines, f"Exit code {metrics.exit_code}: {metrics.meaning}"]


def exit_meaning(counts: RunCounts, failures_ratio: float, *, too_many: bool) -> str:
    """Return the exit code of a committed run in one sentence.

    Args:
        counts: of the run.
        failures_ratio: the setting `run.failures_ratio`, 0 to 1.
        too_many: whether more videos failed than it allows.
    """
    if too_many:
        return (
            f"the run is complete, but {counts.failure_share:.1%} of the videos opened failed "
            f"(without retries), more than run.failures_ratio = {failures_ratio:.1%}."
        )
    if failed := sum(counts.failures.values()):
        return f"the run is complete; {counted(failed, 'video')} failed."
    return "the run is complete." if counts.planned else "there was nothing to judge."


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


def _judged(counts: RunCounts) -> dict[str, int]:
    """Return verdicts without those of deleted files, which are all inconclusive."""
    unsure = Verdict.INCONCLUSIVE.value
    verdicts = {one.value: counts.verdicts.get(one.value, 0) for one in Verdict}
    return verdicts | {unsure: verdicts[unsure] - counts.deleted}


def _listed(counts: Mapping[str, int]) -> str:
    """Return `3 new, 1,200 changed`; names without videos are left out."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


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
