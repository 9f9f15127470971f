"""What is new: verdicts against those before this run, and night by night. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.evaluation.breakdown import VerdictCounts, verdict_counts
from framejury.evaluation.rows import Texts, outcome_column
from framejury.report.inputs import Context, NightInfo, RunInfo
from framejury.report.predictions import changed
from framejury.schemas.statuses import Status, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Since:
    """The verdicts against those before this run.

    Attributes:
        ended_at: when the night before ended; None where that is not known.
        before: all videos by outcome, as they stood.
        new: videos without a verdict before; gone: with one before and none now.
        changed: rows of the predictions whose outcome was another, most suspicious first.
    """

    ended_at: datetime | None
    before: VerdictCounts
    new: int
    gone: int
    changed: pa.Table


@dataclass(frozen=True, slots=True)
class Night:
    """One night.

    Attributes:
        ended_at: with time zone; of this run, when the report was made.
        outcomes: of the videos that it judged.
        wall_s: seconds; None where that is not known.
        is_this: it is the run of this report.
    """

    run_id: str
    ended_at: datetime
    outcomes: VerdictCounts
    wall_s: float | None
    is_this: bool = False


def find_since(predictions: pa.Table, context: Context) -> Since | None:
    """None when there was no run before, or it is not known."""
    if context.before is None:
        return None
    gone = pc.invert(pc.is_in(context.before["video_id"], predictions["video_id"]))
    return Since(
        ended_at=context.nights[-1].ended_at if context.nights else None,
        before=verdict_counts(_texts(outcome_column(context.before))),
        new=predictions["before"].null_count,
        gone=_count(gone),
        changed=predictions.filter(changed(predictions)),
    )


def find_nights(predictions: pa.Table, context: Context, run: RunInfo) -> tuple[Night, ...]:
    """Earlier nights, the latest last, and this run where it is known what it judged."""
    if not context.nights:
        return ()
    nights = [_earlier(night) for night in context.nights]
    if context.judged_now is not None:
        mine = predictions.filter(predictions["judged_now"])
        outcomes = verdict_counts(_texts(outcome_column(mine)))
        wall_s = sum(run.seconds.values()) if run.seconds else None
        nights.append(Night(run.run_id, run.created_at, outcomes, wall_s, is_this=True))
    return tuple(nights)


def _earlier(night: NightInfo) -> Night:
    """A failed video has a status and the verdict inconclusive, so that one is what is left."""
    fake, real = (night.verdicts.get(one.value, 0) for one in (Verdict.FAKE, Verdict.REAL))
    scored = night.statuses.get(Status.SCORED.value, 0)
    failed = sum(night.statuses.values()) - scored
    outcomes = VerdictCounts(fake, real, max(scored - fake - real, 0), failed)
    return Night(night.run_id, night.ended_at, outcomes, night.wall_s)


def _count(flags: Any) -> int:
    return int(pc.sum(flags).as_py() or 0)


def _texts(column: pa.ChunkedArray) -> Texts:
    values: Texts = column.to_numpy(zero_copy_only=False).astype(object)
    return values
