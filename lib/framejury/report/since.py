"""Verdicts compared with those before this run, and run by run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from framejury.evaluation.breakdown import VerdictCounts, verdict_counts
from framejury.evaluation.rows import outcome_column
from framejury.report.inputs import Context, EarlierRun, RunInfo
from framejury.schemas.outcomes import outcome_counts


@dataclass(frozen=True, slots=True, eq=False)
class Since:
    """The verdicts compared with those before this run.

    Attributes:
        ended_at: when the previous run ended; None where unknown.
        before: all videos by outcome, before this run.
        new: videos without a verdict before; gone: with one before only.
        changed: rows of the predictions whose outcome was different, highest score first.
    """

    ended_at: datetime | None
    before: VerdictCounts
    new: int
    gone: int
    changed: pa.Table


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """One nightly run.

    Attributes:
        ended_at: with time zone.
        outcomes: of the videos that it judged.
        wall_s: seconds; None where unknown.
        is_this: whether it is the run of this report.
    """

    run_id: str
    ended_at: datetime
    outcomes: VerdictCounts
    wall_s: float | None
    is_this: bool = False


def find_since(predictions: pa.Table, context: Context) -> Since | None:
    """Return None if there was no previous run or it is unknown."""
    if context.before is None:
        return None
    gone = pc.invert(pc.is_in(context.before["video_id"], predictions["video_id"]))
    return Since(
        ended_at=context.earlier[-1].ended_at if context.earlier else None,
        before=verdict_counts(outcome_column(context.before).to_pylist()),
        new=predictions["before"].null_count,
        gone=pc.sum(gone).as_py() or 0,
        changed=predictions.filter(
            pc.not_equal(predictions["before"], outcome_column(predictions))
        ),
    )


def find_runs(predictions: pa.Table, context: Context, run: RunInfo) -> tuple[JudgedRun, ...]:
    """Return earlier runs, latest last, then this one if it is known what it judged."""
    if not context.earlier:
        return ()
    runs = [_earlier(one) for one in context.earlier]
    if context.judged_now is not None:
        mine = predictions.filter(predictions["judged_now"])
        outcomes = verdict_counts(outcome_column(mine).to_pylist())
        wall_s = sum(run.seconds.values()) if run.seconds else None
        ended_at = run.ended_at or run.created_at
        runs.append(JudgedRun(run.run_id, ended_at, outcomes, wall_s, is_this=True))
    return tuple(runs)


def _earlier(run: EarlierRun) -> JudgedRun:
    outcomes = VerdictCounts(**outcome_counts(run.statuses, run.verdicts))
    return JudgedRun(run.run_id, run.ended_at, outcomes, run.wall_s)
