"""Changes, mistakes and nightly runs in `report.txt`."""

from __future__ import annotations

from framejury.pages.text_table import grid, heading
from framejury.report.findings import Findings
from framejury.report.predictions import SHOWN, as_rows
from framejury.report.summary import changes, since_words
from framejury.report.wording import day_word, decimal, took_word


def changed_text(f: Findings, max_rows: int) -> str:
    """Return nothing if there was no previous run."""
    if f.since is None:
        return ""
    total = f.since.changed.num_rows
    title = heading(f"Verdicts that changed {since_words(f)}: {total:,}")
    if not total:
        return f"{title}\nNo verdict changed."
    rows = [
        (_scored(one.before, one.p_before), _scored(one.now, one.p_now), one.path)
        for one in changes(f, max_rows)
    ]
    lines = [title, grid(("before", "now", "video"), rows)]
    if total > max_rows:
        lines.append(f"First {max_rows:,}; predictions.csv has all, in the column before.")
    return "\n".join(lines)


def _scored(outcome: str, score: float | None) -> str:
    return outcome if score is None else f"{outcome} {decimal(score)}"


def mistakes_text(f: Findings) -> str:
    """Return nothing if no verdict is known to be wrong."""
    if not f.mistakes.count:
        return ""
    rows = [
        (mistake, decimal(row["p_fake"]), row["path"])
        for mistake, table in (
            ("real called fake", f.mistakes.accused),
            ("fake called real", f.mistakes.missed),
        )
        for row in as_rows(table, SHOWN)
    ]
    lines = [
        heading(f"Mistakes: {f.mistakes.count:,}"),
        "Verdicts that contradict the label, most confident first.",
    ]
    if f.mistakes.count > len(rows):
        lines.append(f"At most {SHOWN} per kind; predictions.csv has all.")
    return "\n".join([*lines, grid(("mistake", "p_fake", "video"), rows, "lrl")])


def runs_text(f: Findings) -> str:
    """Return nothing if there was no previous run."""
    if not f.runs:
        return ""
    rows = [
        (
            day_word(run.ended_at),
            f"{run.run_id} (this run)" if run.is_this else run.run_id,
            f"{run.outcomes.total:,}",
            f"{run.outcomes.fake:,}",
            f"{run.outcomes.real:,}",
            f"{run.outcomes.inconclusive:,}",
            f"{run.outcomes.not_scored:,}",
            "" if run.wall_s is None else took_word(run.wall_s),
        )
        for run in reversed(f.runs)
    ]
    header = ("ended", "run", "videos", "fake", "real", "inconclusive", "not scored", "took")
    return f"{heading('Nightly runs')}\n{grid(header, rows, 'llrrrrrr')}"
