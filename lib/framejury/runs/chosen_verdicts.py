"""The latest verdicts, filtered and sorted, for archives of any size. No Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_

import pyarrow as pa
import pyarrow.compute as pc

from framejury.runs.history import find_run, past_runs
from framejury.schemas.exports import VERDICT_COLUMNS
from framejury.schemas.tables import VERDICTS, VIDEOS
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit
from framejury.warehouse.deciding import with_decisions

_VIDEO_COLUMNS = ["video_id", "path", "uri", "label", "missing_since"]


@dataclass(frozen=True)
class Choice:
    """Which verdicts are wanted; all filters must hold.

    Attributes:
        verdicts, statuses: allowed values; empty: all.
        since: only verdicts committed at that time or later; None: all.
        run: only verdicts of this run, as `history.find_run` takes it; None: all.
        sort: names of `SORT_COLUMNS`, the most important first; `-name` sorts from the highest
            down. Ties are sorted by path, nulls are last.
        reverse: sort each column the other way round.
        limit: most videos, count; None: all.
    """

    verdicts: Sequence[str] = ()
    statuses: Sequence[str] = ()
    since: datetime | None = None
    run: str | None = None
    sort: Sequence[str] = ()
    reverse: bool = False
    limit: int | None = None

    @property
    def is_filtered(self) -> bool:
        """Whether verdicts may be left out, other than by `limit`."""
        return bool(self.verdicts or self.statuses or self.since or self.run)


def chosen_verdicts(warehouse: Warehouse, choice: Choice | None = None) -> pa.Table:
    """Return the chosen latest verdicts on videos that are in the archive, in order.

    A filter does not find a verdict that a later run replaced. Memory
    holds the keys of every verdict, and the other columns of the chosen ones. Files of runs before
    the first chosen one are not read.

    Returns:
        `path` and `VERDICT_COLUMNS`, one row per video, in the order of `choice.sort`, by path if
        it is empty.

    Raises:
        WarehouseError: nothing has been judged yet.
        UsageError: there is no such run.
    """
    choice = choice or Choice()
    commits = warehouse.require("verdicts")
    wanted = _run_ids(warehouse, commits, choice)
    chosen = [commit for commit in commits if commit.run_id in wanted]
    if not chosen:
        rows = VERDICTS.empty_table()
    else:
        later = [commit for commit in commits if commit.sequence >= chosen[0].sequence]
        run_ids = None if len(chosen) == len(commits) else [commit.run_id for commit in chosen]
        rows = warehouse.read_latest("verdicts", commits=later, where=_where(choice, run_ids))
    about = warehouse.read_snapshot("videos", _VIDEO_COLUMNS)
    about = about.filter(about["missing_since"].is_null())
    places = pc.index_in(rows["video_id"], about["video_id"].combine_chunks())
    rows, places = rows.filter(places.is_valid()), places.drop_null()
    for name in ("path", "uri", "label"):
        rows = rows.append_column(VIDEOS.field(name), about[name].take(places))
    rows = with_decisions(warehouse, rows)
    return rows.take(_order(rows, choice)).select(["path", *VERDICT_COLUMNS])


def latest_statuses(warehouse: Warehouse) -> dict[str, int]:
    """Return the videos that are in the archive by the status of their latest verdict.

    Raises:
        WarehouseError: nothing has been judged yet.
    """
    rows = warehouse.read_latest("verdicts", ["status"])
    about = warehouse.read_snapshot("videos", ["video_id", "missing_since"])
    about = about.filter(about["missing_since"].is_null())
    there = pc.is_in(rows["video_id"], about["video_id"].combine_chunks())
    counts = pc.value_counts(rows.filter(there)["status"])
    return {one["values"]: one["counts"] for one in counts.to_pylist()}


def _run_ids(warehouse: Warehouse, commits: Sequence[Commit], choice: Choice) -> set[str]:
    """Return the ids of the runs whose verdicts `choice.run` and `choice.since` allow."""
    found = {commit.run_id for commit in commits}
    if choice.run is not None:
        found &= set(find_run(past_runs(warehouse), choice.run).run_ids)
    since = choice.since
    if since is not None:
        times = {commit.run_id: datetime.fromisoformat(commit.created_at) for commit in commits}
        found &= {run_id for run_id, time in times.items() if time >= since}
    return found


def _where(choice: Choice, run_ids: list[str] | None) -> pc.Expression | None:
    wanted = {
        "run_id": run_ids,
        "verdict": list(choice.verdicts) or None,
        "status": list(choice.statuses) or None,
    }
    terms = [pc.field(name).isin(some) for name, some in wanted.items() if some is not None]
    return reduce(and_, terms) if terms else None


def _order(rows: pa.Table, choice: Choice) -> pa.Array:
    """Return the places of the rows in order, at most `choice.limit`."""
    ways = ("descending", "ascending") if choice.reverse else ("ascending", "descending")
    sort = choice.sort or ["path"]
    keys = [(name.removeprefix("-"), ways[name.startswith("-")]) for name in sort]
    if not any(name == "path" for name, _ in keys):
        keys.append(("path", "ascending"))
    names = list(dict.fromkeys(name for name, _ in keys))
    order = pc.sort_indices(rows.select(names), keys)
    return order if choice.limit is None else order[: choice.limit]
