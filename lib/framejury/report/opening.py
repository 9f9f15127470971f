"""How a report opens: what waits for a decision, and what people decided. Pure."""

from __future__ import annotations

from typing import Any

from framejury.decisions.by_night import NightOutcome
from framejury.pages.text_table import grid, heading
from framejury.redaction import printable
from framejury.report.actions import Place, look_at, what_to_do
from framejury.report.findings import Findings
from framejury.report.verdict_table import LARGE_PX, checked_link, face_words, thumbnail
from framejury.report.waiting import (
    TO_DECIDE_CSV,
    TO_DECIDE_ROWS,
    Review,
    agreement_sentences,
    waiting_sentence,
)
from framejury.report.wording import decimal

NIGHT_COUNTS = ("decided", "agreed", "accused", "missed", "inconclusive")
SHOWN = 20
"""Most videos that wait, and most contradicted labels, on the page."""
_OPEN = 6
"""Of these, how many are shown before the summary without a click."""
_IN_JSON = 1000


def opening(f: Findings) -> dict[str, Any] | None:
    """Return what `_decisions.html` shows; None for a report that asks for no decisions.

    Raises:
        ValueError: a link to evidence leads out of the report's folder.
    """
    if f.review is None:
        return None
    waiting = f.review.waiting
    return {
        "sentence": waiting_sentence(waiting),
        "rows": [_row(f, rank, row) for rank, row in enumerate(_first(f.review, SHOWN))],
        "open": _OPEN,
        "total": waiting.total,
        "listed": min(waiting.total, TO_DECIDE_ROWS),
        "file": TO_DECIDE_CSV,
        "list_command": f"framejury decide --warehouse {f.run.warehouse}",
        "problems": f.review.problems,
        "agreement": agreement_sentences(f.review),
        "against": f.review.against_label.slice(0, SHOWN).to_pylist(),
        "against_total": f.review.against_label.num_rows,
    }


def _first(review: Review, count: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = review.waiting.table.slice(0, count).to_pylist()
    return rows


def _row(f: Findings, rank: int, row: dict[str, Any]) -> dict[str, Any]:
    assert f.review is not None
    face = next(iter(f.context.faces.get(row["video_id"], ())), None)
    low, high = row["p_fake_low"], row["p_fake_high"]
    return row | {
        "kind": f.review.waiting.kind(rank),
        "interval": None if low is None or high is None or low >= high else (low, high),
        "face": None if face is None else thumbnail(face.picture, LARGE_PX),
        "face_words": "" if face is None else face_words(face, f.judges),
        "link": checked_link(f.context.evidence.get(row["video_id"])),
        "steps": what_to_do(row, Place(f.run.warehouse, judges=f.judges)),
    }


def review_text(f: Findings, max_rows: int) -> str:
    """Return the block of `report.txt`; nothing for a report that asks for no decisions."""
    if f.review is None:
        return ""
    waiting = f.review.waiting
    lines = [heading("Waiting for a decision"), waiting_sentence(waiting)]
    shown = min(SHOWN, max_rows)
    if waiting.total:
        rows = [
            (
                waiting.kind(rank),
                decimal(row["p_fake"]),
                look_at(row, f.judges) or "all of it",
                row["path"],
            )
            for rank, row in enumerate(_first(f.review, shown))
        ]
        lines += ["", grid(("what", "p_fake", "look at", "video"), rows, "lr")]
        if waiting.total > shown:
            lines.append(f"First {shown:,} of {waiting.total:,}; {TO_DECIDE_CSV} has the others.")
        lines += ["", "List them, and record decisions:"]
        lines.append(f"  framejury decide --warehouse {printable(f.run.warehouse)}")
        lines.append(
            f"or fill in {TO_DECIDE_CSV} and save it as decisions.csv in the archive; the next "
            "nightly run reads it."
        )
    if f.review.problems:
        lines += ["", *map(printable, f.review.problems)]
    if sentences := agreement_sentences(f.review):
        lines += ["", *sentences]
    if f.review.against_label.num_rows:
        rows = [
            (row["label"], row["decision"], printable(row["reviewer"]), row["path"])
            for row in f.review.against_label.slice(0, max_rows).to_pylist()
        ]
        lines += ["", "Decisions that contradict the label (the label counts):"]
        lines.append(grid(("label", "decision", "by", "video"), rows))
    return "\n".join(lines)


def _night_json(one: NightOutcome) -> dict[str, Any]:
    counts = {name: getattr(one, name) for name in NIGHT_COUNTS}
    return {"run_id": one.night.run_id, "judged_at": one.night.judged_at, **counts}


def review_json(f: Findings) -> dict[str, Any] | None:
    """Return the part of `report.json`; None for a report that asks for no decisions."""
    if f.review is None:
        return None
    waiting = f.review.waiting
    return {
        "waiting": {
            "open": _OPEN,
            "total": waiting.total,
            "new_fakes": waiting.new_fakes,
            "older_fakes": waiting.older_fakes,
            "inconclusive": waiting.inconclusive,
            "labelled": waiting.labelled,
            "videos": [
                {
                    "video_id": row["video_id"],
                    "path": row["path"],
                    "kind": waiting.kind(rank),
                    "p_fake": row["p_fake"],
                    "look_at": look_at(row, f.judges),
                }
                for rank, row in enumerate(_first(f.review, _IN_JSON))
            ],
        },
        "problems": f.review.problems,
        "agreement": f.review.agreement,
        "nights": [_night_json(one) for one in f.review.by_night],
        "outdated": f.review.outdated,
        "against_label": f.review.against_label["video_id"].to_pylist(),
        "sentences": [waiting_sentence(waiting), *agreement_sentences(f.review)],
    }
