"""Decisions of people in a warehouse: recorded beside a run in progress, and read. No Spark.

A reviewer does not wait for a nightly run: decisions are committed without the lock. The commit
after them takes the next number (`Warehouse.commit`), so neither loses its work. See
docs/decisions/0024-people-decide.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.decisions.decided import (
    Decided,
    VideoDecisions,
    decision_columns,
    decisions_of,
)
from framejury.decisions.decisions_csv import SEEN, KnownVideos
from framejury.decisions.naming import VideoNames
from framejury.errors import CommitError, WarehouseError
from framejury.schemas.tables import DECISIONS
from framejury.warehouse.commits import DECIDE_JOB, Commit
from framejury.warehouse.reader import Committed

if TYPE_CHECKING:
    from framejury.warehouse.warehouse import Warehouse

_SEEN = dict(zip(("verdict", "p_fake", "model_id", "run_id"), SEEN, strict=True))
"""Columns of `verdicts` that a decision keeps, and their names there."""


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
    for name, values in decision_columns(rows["video_id"], standing_decisions(committed)).items():
        rows = rows.append_column(name, values)
    return rows


def known_videos(committed: Committed) -> KnownVideos:
    """Return what a decision keeps about each video that is not forgotten.

    Raises:
        WarehouseError: nothing is indexed yet.
    """
    videos = committed.read_snapshot("videos").select(["video_id", "path", "uri"]).to_pylist()
    forgotten = committed.forgotten()
    there = [row for row in videos if row["video_id"] not in forgotten]
    contents = contents_of(committed, [row["video_id"] for row in there])
    seen: dict[str, dict[str, Any]] = {
        video_id: {"content_id": content_id} for video_id, content_id in contents.items()
    }
    if committed.with_table("verdicts"):
        for row in committed.read_latest("verdicts", list(_SEEN)).to_pylist():
            verdict = {name: row[column] for column, name in _SEEN.items()}
            seen.setdefault(row["video_id"], {"content_id": None}).update(verdict)
    return KnownVideos(
        VideoNames(there), decisions_of(committed.read_decisions().to_pylist(), contents), seen
    )
