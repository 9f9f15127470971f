"""What people decided about a video, and what to do, on its evidence page. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from framejury.decisions.decided import Decided, VideoDecisions, label_of
from framejury.report.actions import Place, what_to_do
from framejury.report.evidence.video_evidence import Evidence
from framejury.report.wording import outcome_word
from framejury.schemas.statuses import Verdict

META = "framejury-decisions"
"""Name of the `meta` element with `page_key`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision of the history, and whether it is about an earlier file."""

    decided: Decided
    outdated: bool


def page_key(decisions: VideoDecisions | None) -> str:
    """Return what changes when a page must be written again; empty without decisions."""
    if decisions is None or not decisions.history:
        return ""
    return f"{len(decisions.history)}-{(decisions.content_id or '')[:16]}"


def decision_block(evidence: Evidence, warehouse: str | None, judges: str) -> dict[str, Any]:
    """Return what `_decisions.html` shows about one video.

    Args:
        evidence: of the video.
        warehouse: path or URI; None for a file that was scanned.
        judges: face, or frame where the model scores whole frames.
    """
    row = evidence.verdict
    decisions = evidence.decisions or VideoDecisions(())
    current, label = decisions.current, label_of(decisions)
    conflict = None
    if None not in (label, row["label"]) and label != row["label"]:
        conflict = (
            f"The archive labels this video {row['label']}, which contradicts the decision. The "
            "label counts in all figures; correct it in the archive if it is wrong."
        )
    is_open = outcome_word(row) in (Verdict.FAKE, Verdict.INCONCLUSIVE)
    return {
        "key": page_key(decisions),
        "meta": META,
        "current": current,
        "waits": warehouse is not None and current is None and row["label"] is None and is_open,
        "scanned": warehouse is None,
        "conflict": conflict,
        "steps": what_to_do(row, Place(warehouse, evidence.original, judges), decisions),
        "history": [
            Entry(one, not one.is_about(decisions.content_id))
            for one in reversed(decisions.history)
        ],
    }
