"""The predictions: one row per video, with its label and the verdict before this run."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from framejury.decisions.decided import decision_columns
from framejury.evaluation.rows import outcome_column
from framejury.report.inputs import Context
from framejury.report.seen_videos import seen_column
from framejury.report.waiting import find_review
from framejury.schemas.exports import DECISION_COLUMNS
from framejury.schemas.statuses import Label, Verdict

SHOWN = 12
"""Mistakes per kind that are shown with their faces."""
COLUMNS = (
    "path",
    "label",
    "verdict",
    "p_fake",
    "p_fake_low",
    "p_fake_high",
    "status",
    "error",
    "notes",
    "called",
    "correct",
    "layout",
    "method",
    "group",
    "faces_scored",
    "frames_scored",
    "persons",
    "worst_person",
    "worst_person_score",
    "stretches",
    "members",
    "threshold",
    "sound",
    "sound_p_fake",
    "sound_threshold",
    "decided_by",
    "reducer",
    "model_id",
    "run_id",
    "video_id",
    "uri",
    "judged_now",
    "before",
    "p_fake_before",
    "seen",
    *(field.name for field in DECISION_COLUMNS),
)
"""Columns of `verdicts` and `videos`, and these: `called`, FAKE or REAL by the threshold alone,
null when not scored; `correct`, whether a verdict of fake or real equals the label, null without
either; `judged_now`, whether this run judged the video, null where unknown; `before`, the outcome
before this run (one of `rows.OUTCOMES`), and `p_fake_before`, its score, null without one; `seen`,
train or val if the model had seen the video or its source in training, no, or null if unknown;
`decision`, `reviewer` and `decided_at`, the current decision of a person, null without one."""


def predictions_table(verdicts: pa.Table, context: Context | None = None) -> pa.Table:
    """Return `COLUMNS` by falling `p_fake`; videos without a score last, by status and path.

    Of those without a score of their picture, videos that are fake by their sound come first.
    """
    called = pc.if_else(
        pc.greater_equal(verdicts["p_fake"], verdicts["threshold"]),
        Label.FAKE.value,
        Label.REAL.value,
    )
    outcome = outcome_column(verdicts)
    decided = pc.is_in(outcome, pa.array([Verdict.FAKE.value, Verdict.REAL.value]))
    agrees = pc.equal(pc.utf8_upper(outcome), verdicts["label"].cast(pa.string()))
    correct = pc.if_else(decided, agrees, pa.scalar(None, pa.bool_()))
    full = verdicts.append_column("called", called).append_column("correct", correct)
    context = context or Context()
    full = full.append_column("seen", seen_column(verdicts["video_id"], context))
    ids = verdicts["video_id"]
    columns = _since(ids, context) | decision_columns(ids, context.decisions or {})
    for name, column in columns.items():
        full = full.append_column(name, column)
    order = pc.sort_indices(
        full.append_column("_score", pc.coalesce(full["p_fake"], pc.if_else(decided, -0.5, -1.0))),
        sort_keys=[("_score", "descending"), ("status", "ascending"), ("path", "ascending")],
    )
    return full.select(COLUMNS).take(order)


def _since(ids: pa.ChunkedArray, context: Context) -> dict[str, pa.Array | pa.ChunkedArray]:
    """Return the columns about the time before this run, null where unknown."""
    judged: pa.Array | pa.ChunkedArray = pa.nulls(len(ids), pa.bool_())
    if context.judged_now is not None:
        judged = pc.is_in(ids, pa.array(sorted(context.judged_now), pa.string()))
    before, scores = pa.nulls(len(ids), pa.string()), pa.nulls(len(ids), pa.float64())
    if context.before is not None:
        places = pc.index_in(ids, context.before["video_id"].combine_chunks())
        before = outcome_column(context.before).take(places)
        scores = context.before["p_fake"].cast(pa.float64()).take(places)
    return {"judged_now": judged, "before": before, "p_fake_before": scores}


def json_bytes(predictions: pa.Table) -> bytes:
    """Return a JSON list, one object per line, the columns as keys."""
    lines = (
        json.dumps(row, ensure_ascii=False, allow_nan=False, default=datetime.isoformat)
        for row in predictions.to_pylist()
    )
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def as_rows(predictions: pa.Table, limit: int) -> list[dict[str, Any]]:
    """Return the first `limit` rows as mappings."""
    rows: list[dict[str, Any]] = predictions.slice(0, limit).to_pylist()
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class Mistakes:
    """Wrong verdicts of labelled videos, as rows of the predictions.

    Inconclusive videos are not among them.

    Attributes:
        accused: reals called fake, highest score first; each is a false accusation.
        missed: fakes called real, lowest score first.
    """

    accused: pa.Table
    missed: pa.Table

    @property
    def count(self) -> int:
        return int(self.accused.num_rows + self.missed.num_rows)


def find_mistakes(predictions: pa.Table) -> Mistakes:
    """Return the wrong verdicts of the predictions."""
    wrong = _wrong(predictions)
    accused = wrong.filter(pc.equal(wrong["label"], Label.REAL.value))
    missed = wrong.filter(pc.equal(wrong["label"], Label.FAKE.value))
    return Mistakes(accused, missed.sort_by([("p_fake", "ascending"), ("path", "ascending")]))


def _wrong(predictions: pa.Table) -> pa.Table:
    return predictions.filter(pc.invert(predictions["correct"]))


def evidence_order(verdicts: pa.Table, judged_now: Collection[str] | None) -> pa.Table:
    """Return the videos in the order in which they should get an evidence page.

    Wrong verdicts come first, then videos judged in this run, each by falling score; false
    accusations thus come before all others.

    Args:
        verdicts: columns `rows.REPORT_COLUMNS`.
        judged_now: ids of the videos of this run; None: unknown.

    Returns:
        the same rows and columns.
    """
    table = predictions_table(verdicts)
    wrong = pc.fill_null(pc.invert(table["correct"]), False)
    now = pc.is_in(table["video_id"], pa.array(list(judged_now or ()), pa.string()))
    later = [pc.invert(first).to_numpy() for first in (now, wrong)]
    order = table["video_id"].take(np.lexsort(later)).combine_chunks()
    return verdicts.take(pc.index_in(order, verdicts["video_id"].combine_chunks()))


def whose_faces(verdicts: pa.Table, rows: int, context: Context | None = None) -> pa.Array:
    """Return ids of the videos whose faces a report shows.

    Args:
        verdicts: columns `rows.REPORT_COLUMNS`.
        rows: of the first page; also the most wrong verdicts.
        context: of the report; what waits for a decision is shown, too.
    """
    table = predictions_table(verdicts, context)
    shown = [table, _wrong(table)]
    if context is not None and context.decisions is not None:
        shown.append(find_review(table, context.decisions).waiting.table)
    ids = [part["video_id"].slice(0, rows).combine_chunks() for part in shown]
    return pa.concat_arrays(ids).unique()
