"""What is new and what is wrong, for `report.txt`."""

from __future__ import annotations

from framejury.pages.text_table import grid, heading
from framejury.report.findings import Findings
from framejury.report.mistakes import SHOWN
from framejury.report.predictions import as_rows
from framejury.report.summary import changes, since_words
from framejury.report.wording import day_word, decimal, took_word


def changed_text(f: Findings, max_rows: int) -> str:
    """Empty when nothing was judged before."""
    if f.since is None:
        return ""
    total = f.since.changed.num_rows
    title = heading(f"Verdicts that changed {since_words(f)}: {total:,}")
    if not total:
        return f"{title}\nNone."
    rows = [
        (_scored(one.before, one.p_before), _scored(one.now, one.p_now), one.path)
        for one in changes(f, max_rows)
    ]
    lines = [title, grid(("before", "now", "video"), rows)]
    if total > max_rows:
        lines.append(f"The first {max_rows:,}; all are in predictions.csv, column before.")
    return "\n".join(lines)


def _scored(outcome: str, score: float | None) -> str:
    return outcome if score is None else f"{outcome} {decimal(score)}"


def mistakes_text(f: Findings) -> str:
    """Empty when no verdict is known to be wrong."""
    if not f.mistakes.count:
        return ""
    rows = [
        (said, decimal(row["p_fake"]), row["path"])
        for said, table in (
            ("real called fake", f.mistakes.accused),
            ("fake called real", f.mistakes.missed),
        )
        for row in as_rows(table, SHOWN)
    ]
    lines = [heading(f"Mistakes: {f.mistakes.count:,}"), "The most confident first."]
    if f.mistakes.count > len(rows):
        lines.append(f"At most {SHOWN} of a kind; all are in predictions.csv.")
    return "\n".join([*lines, grid(("mistake", "p_fake", "video"), rows, "lrl")])


def nights_text(f: Findings) -> str:
    """Empty before the first night."""
    if not f.nights:
        return ""
    rows = [
        (
            day_word(night.ended_at),
            f"{night.run_id} (this run)" if night.is_this else night.run_id,
            f"{night.outcomes.total:,}",
            f"{night.outcomes.fake:,}",
            f"{night.outcomes.real:,}",
            f"{night.outcomes.inconclusive:,}",
            f"{night.outcomes.not_scored:,}",
            "" if night.wall_s is None else took_word(night.wall_s),
        )
        for night in reversed(f.nights)
    ]
    header = ("ended", "run", "videos", "fake", "real", "inconclusive", "not scored", "took")
    return f"{heading('Nights')}\n{grid(header, rows, 'llrrrrrr')}"
