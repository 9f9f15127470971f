"""Decisions of people in a warehouse: recorded beside a run in progress, and read. No Spark.

A reviewer does not wait for a nightly run: decisions are committed without the lock. The commit
after them takes the next number (`Warehouse.commit`), so neither loses its work. See
docs/decisions/0024-people-decide.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.decisions.decided import Decided, VideoDecisions, decisions_of
from framejury.errors import CommitError, WarehouseError
from framejury.schemas.exports import DECISION_COLUMNS
from framejury.schemas.tables import DECISIONS
from framejury.warehouse.commits import DECIDE_JOB, Commit
from framejury.warehouse.reader import Committed

if TYPE_CHECKING:
    from framejury.warehouse.warehouse import Warehouse

SEEN = ("verdict", "p_fake", "model_id", "run_id")
"""Columns of `verdicts` that a decision keeps, under `seen_*`."""


def record_decisions(
    warehouse: Warehouse, decided: Sequence[tuple[str, Decided]], now: datetime
) -> Commit:
    """Commit decisions by one commit, without the lock.

    Args:
        warehouse: the warehouse; it may be in use by a run.
        decided: video_id and decision, at least one.
        now: the time of the commit.

    Raises:
        CommitError: a video was forgotten meanwhile.
        WarehouseError: it cannot be written.
    """
    run = warehouse.begin(DECIDE_JOB, now)
    rows = [
        {"video_id": video_id, "run_id": run.run_id, **asdict(one)} for video_id, one in decided
    ]
    try:
        warehouse.write(run, "decisions", pa.Table.from_pylist(rows, schema=DECISIONS))
        return warehouse.commit(run, now)
    except OSError as error:
        raise WarehouseError(f"cannot write {warehouse.location.uri}: {error}") from error
    except CommitError:
        with suppress(OSError):
            run.location.filesystem.delete_dir(run.location.path)
        raise


def standing_decisions(committed: Committed) -> dict[str, VideoDecisions]:
    """Return video_id -> decisions of every video that has any.

    Raises:
        WarehouseError: a commit record is damaged.
    """
    rows = committed.read_decisions()
    if not rows.num_rows:
        return {}
    ids = pc.unique(rows["video_id"])
    return decisions_of(rows.to_pylist(), contents_of(committed, ids.to_pylist()))


def contents_of(committed: Committed, video_ids: Collection[str]) -> dict[str, str | None]:
    """Return video_id -> `content_id` of these videos as they were examined last."""
    if not committed.with_table("extractions"):
        return {}
    rows = committed.read_latest("extractions", ["content_id"])
    rows = rows.filter(pc.is_in(rows["video_id"], pa.array(list(video_ids), pa.string())))
    return dict(zip(rows["video_id"].to_pylist(), rows["content_id"].to_pylist(), strict=True))


def with_decisions(committed: Committed, rows: pa.Table) -> pa.Table:
    """Append `exports.DECISION_COLUMNS`: the current decision on each video, null without one.

    Args:
        committed: the warehouse.
        rows: column `video_id`.
    """
    return with_columns(rows, standing_decisions(committed))


def with_columns(rows: pa.Table, decisions: Mapping[str, VideoDecisions]) -> pa.Table:
    """As `with_decisions`, of decisions that were read."""
    current = [
        one.current if (one := decisions.get(video_id)) is not None else None
        for video_id in rows["video_id"].to_pylist()
    ]
    for field in DECISION_COLUMNS:
        values = [None if one is None else getattr(one, field.name) for one in current]
        rows = rows.append_column(field, pa.array(values, field.type))
    return rows


def seen_of(verdict: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the columns `seen_*` of a decision on a video with this latest verdict, or None."""
    return {f"seen_{name}": None if verdict is None else verdict[name] for name in SEEN}
