"""What the verdict table says once, above it, because it is the same for all videos. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.evaluation.rows import outcome_column
from framejury.pages.text_table import counted
from framejury.report.wording import status_word

_SOURCES = {
    "decided": "decided_by",
    "truth": "label",
    "right": "correct",
    "layout": "layout",
    "method": "method",
    "faces": "faces_scored",
    "people": "persons",
    "status": "status",
    "judged": "judged_now",
    "model": "model_id",
}
"""Key of a column that may be left out -> column of the predictions."""
_OF_ONE = ("layout", "model")
"""What the table of a single video leaves out; its other columns are worth a look."""
_FIXED: dict[str, dict[Any, str]] = {
    "right": {
        True: "all verdicts correct",
        False: "no verdict correct",
        None: "no verdict to check",
    },
    "judged": {
        True: "judged in this run",
        False: "judged earlier",
        None: "judged at an unknown time",
    },
    "change": {
        "new": "new in this run",
        "unchanged": "verdict unchanged",
        "changed": "verdict changed",
    },
}
"""Key -> value -> words, where the heading and the value alone would not do."""


def same_values(predictions: pa.Table, heads: Mapping[str, str]) -> dict[str, str]:
    """Return key -> words for the columns that have one value for all videos, on all pages.

    Args:
        predictions: columns `predictions.COLUMNS`.
        heads: key -> heading of the columns that the report could show.
    """
    found = {}
    for key, head in heads.items():
        if not predictions.num_rows or (predictions.num_rows == 1 and key not in _OF_ONE):
            continue
        values = _values(predictions, key)
        if len(values) == 1:
            found[key] = _words(key, head, values[0])
    return found


def same_sentence(videos: int, heads: Mapping[str, str], same: Mapping[str, str]) -> str:
    """Return `All 12 videos: no label, status scored, model X.`; empty if there is nothing to say.

    Args:
        videos: their number.
        heads: as in `same_values`.
        same: the values that it returned.
    """
    parts = list(same.values())
    if videos and "truth" not in heads:
        parts.insert(0, "no label")
    if not parts:
        return ""
    return f"{'The' if videos == 1 else 'All'} {counted(videos, 'video')}: {', '.join(parts)}."


def _values(predictions: pa.Table, key: str) -> list[Any]:
    """Return the distinct values of a column; empty for one that is always shown."""
    if key == "change":
        same = pc.equal(predictions["before"], outcome_column(predictions))
        words = pc.fill_null(pc.if_else(same, "unchanged", "changed"), "new")
        return list(words.unique().to_pylist())
    source = _SOURCES.get(key)
    return [] if source is None else list(predictions[source].unique().to_pylist())


def _words(key: str, head: str, value: Any) -> str:
    if key in _FIXED:
        return _FIXED[key][value]
    if key in ("faces", "people"):
        return f"{counted(value, head[:-1])} each"
    word = "unknown" if value is None else str(value)
    return f"{head} {status_word(word) if key == 'status' else word}"
