"""What of a warehouse is published: its runs since the last time, and the latest verdicts.

Rows are read some thousand at a time. Memory holds what describes each video (its path, label and
such), its keys, and one portion of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from framejury.decisions.decided import decision_columns
from framejury.runs.drift import night_of
from framejury.schemas.exports import DECISION_COLUMNS
from framejury.schemas.published_tables import (
    PUBLISHED_RUN_VERDICTS,
    PUBLISHED_RUNS,
    PUBLISHED_VERDICTS,
)
from framejury.schemas.tables import TABLES
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit
from framejury.warehouse.deciding import standing_decisions

_SHOWN = ("videos", "verdicts", "decisions", "forgotten")
"""Tables of the warehouse that published tables show something of."""
_DESCRIBED = ("path", "uri", "label", "method", "group")
_PORTION_ROWS = 1 << 16


class Publication:
    """The committed runs of a warehouse at one moment, as rows of `published_tables.PUBLISHED`.

    Attributes:
        warehouse: the warehouse; nobody else may publish it meanwhile.
        commits: its commits that are published, oldest first.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self._all = warehouse.commits()
        self.commits = [one for one in self._all if any(map(one.tables.get, _SHOWN))]

    @property
    def last(self) -> int:
        """Sequence of the last commit that is published; 0 if there is none."""
        return self.commits[-1].sequence if self.commits else 0

    @property
    def origin(self) -> str:
        """What identifies the warehouse, wherever it is moved to: its first run."""
        return self._all[0].run_id if self._all else ""

    def after(self, sequence: int) -> list[Commit]:
        """Return the commits after one, oldest first."""
        return [commit for commit in self.commits if commit.sequence > sequence]

    def run_of(self, sequence: int) -> str | None:
        """Return the run with this commit now; None if the warehouse has no such commit."""
        found = (one.run_id for one in self.warehouse.commits() if one.sequence == sequence)
        return next(found, None)

    def forgotten_after(self, sequence: int) -> list[tuple[str, int]]:
        """Return video_id and sequence of each tombstone after a commit."""
        stones = self.warehouse.tombstones().values()
        return [(one.video_id, one.sequence) for one in stones if one.sequence > sequence]

    def runs(self, after: int) -> pa.Table:
        """Return rows of the table `runs` after a commit."""
        rows = [
            {
                "commit_sequence": commit.sequence,
                "run_id": commit.run_id,
                "night": night_of(commit),
                "job": commit.job,
                "committed_at": datetime.fromisoformat(commit.created_at),
                "model_id": commit.model_id,
                "videos": commit.tables.get("verdicts", 0),
                "decisions": commit.tables.get("decisions", 0),
            }
            for commit in self.after(after)
        ]
        return pa.Table.from_pylist(rows, schema=PUBLISHED_RUNS)

    def run_verdicts(self, after: int) -> Iterator[pa.RecordBatch]:
        """Yield rows of the table `run_verdicts` of the commits after one, in their order."""
        judged = [commit for commit in self.after(after) if commit.tables.get("verdicts")]
        if not judged:
            return
        paths = self._videos(["path"])
        stones = {one.video_id: one.sequence for one in self.warehouse.tombstones().values()}
        names = [name for name in PUBLISHED_RUN_VERDICTS.names if name in TABLES["verdicts"].names]
        run_ids = [commit.run_id for commit in judged]
        for rows in _portions(self.warehouse.batches("verdicts", run_ids, names)):
            known = self._with_commits(_looked_up(rows, paths))
            at = pc.index_in(known["video_id"], pa.array(list(stones), pa.string()))
            buried = pa.array(list(stones.values()), pa.int64()).take(at)
            counts = pc.fill_null(pc.greater(known["commit_sequence"], buried), True)
            yield from _batches(known.filter(counts), PUBLISHED_RUN_VERDICTS)

    def verdicts(self) -> Iterator[pa.RecordBatch]:
        """Yield rows of the table `verdicts`: each video that is in the archive, once."""
        judged = self._judged
        if not judged or not self._listed:
            return
        videos = self._videos([*_DESCRIBED, "missing_since"])
        there = videos.filter(videos["missing_since"].is_null()).drop_columns("missing_since")
        own = (*there.column_names, *(field.name for field in DECISION_COLUMNS))
        own = (*own, "night", "commit_sequence", "committed_at")
        names = [name for name in PUBLISHED_VERDICTS.names if name not in own]
        batches = self.warehouse.latest_batches("verdicts", ["video_id", *names], judged)
        ids = there["video_id"].combine_chunks()
        decisions = standing_decisions(self.warehouse)
        for rows in _portions(batches):
            found = rows.filter(pc.is_in(rows["video_id"], ids))
            known = self._with_commits(_looked_up(found, there))
            for name, values in decision_columns(known["video_id"], decisions).items():
                known = known.append_column(name, values)
            yield from _batches(known, PUBLISHED_VERDICTS)

    def has_judged(self, after: int) -> bool:
        """Return whether commits after one hold verdicts."""
        return any(one.tables.get("verdicts") for one in self.after(after))

    def changes_verdicts(self, after: int) -> bool:
        """Return whether commits after one change the table `verdicts`.

        An idle night lists the archive and finds it as it was.
        """
        later = self.after(after)
        if any(one.tables.get(name) for one in later for name in _SHOWN if name != "videos"):
            return True
        before = [one for one in self._listed if one.sequence <= after]
        if not before or not any(one.tables.get("videos") for one in later):
            return bool(later)
        columns = ["video_id", *_DESCRIBED, "missing_since"]
        runs = (before[-1].run_id, self._listed[-1].run_id)
        was, now = (self.warehouse.read_run(run_id, "videos", columns) for run_id in runs)
        return not was.equals(now)

    @property
    def _judged(self) -> list[Commit]:
        return [commit for commit in self.commits if commit.tables.get("verdicts")]

    @property
    def _listed(self) -> list[Commit]:
        return [commit for commit in self.commits if commit.tables.get("videos")]

    def _videos(self, columns: Sequence[str]) -> pa.Table:
        """Return columns of the latest listing beside `video_id`."""
        names = ["video_id", *columns]
        if not self._listed:
            return TABLES["videos"].empty_table().select(names)
        return self.warehouse.read_run(self._listed[-1].run_id, "videos", names).combine_chunks()

    def _with_commits(self, rows: pa.Table) -> pa.Table:
        """Add `night`, `commit_sequence` and `committed_at` by `run_id`."""
        commits = pa.table(
            {
                "run_id": [one.run_id for one in self._judged],
                "night": [night_of(one) for one in self._judged],
                "commit_sequence": [one.sequence for one in self._judged],
                "committed_at": pa.array(
                    [datetime.fromisoformat(one.created_at) for one in self._judged],
                    pa.timestamp("us", tz="UTC"),
                ),
            }
        )
        return _looked_up(rows, commits)


def _looked_up(rows: pa.Table, others: pa.Table) -> pa.Table:
    """Add the other columns of `others`, whose first column is the key; null without a match."""
    key, *names = others.column_names
    at = pc.index_in(rows[key], others[key].combine_chunks())
    for name in names:
        rows = rows.append_column(name, others[name].take(at))
    return rows


def _portions(batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Join small batches: each lookup builds an index of all videos."""
    held: list[pa.Table] = []
    for rows in batches:
        held.append(rows)
        if sum(map(len, held)) >= _PORTION_ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def _batches(rows: pa.Table, schema: pa.Schema) -> list[pa.RecordBatch]:
    batches: list[pa.RecordBatch] = rows.select(schema.names).cast(schema).to_batches()
    return batches
