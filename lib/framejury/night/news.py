"""What a nightly run changed, read from its committed verdicts. No Spark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from framejury.runs.run_metrics import NewFake
from framejury.schemas.statuses import Verdict
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit


def new_fakes(warehouse: Warehouse, night: Sequence[Commit]) -> tuple[NewFake, ...]:
    """Return the videos that a nightly run called fake and that were not fake before it.

    Args:
        warehouse: of the run.
        night: commits of the run, oldest first, at least one.

    Returns:
        highest score first; ties by path.
    """
    judged = [commit for commit in night if commit.tables.get("verdicts", 0)]
    if not judged:
        return ()
    fakes = _fakes(warehouse, judged)
    judging = warehouse.with_table("verdicts")
    if before := [commit for commit in judging if commit.sequence < night[0].sequence]:
        known = _fakes(warehouse, before)["video_id"].combine_chunks()
        fakes = fakes.filter(pc.invert(pc.is_in(fakes["video_id"], known)))
    videos = warehouse.read_snapshot("videos")
    at = pc.index_in(fakes["video_id"], videos["video_id"].combine_chunks())
    found = fakes.append_column("path", videos["path"].take(at.combine_chunks()))
    order = found.sort_by([("p_fake", "descending"), ("path", "ascending")])
    rows = order.select(["path", "p_fake"]).to_pylist()
    return tuple(NewFake(row["path"], row["p_fake"]) for row in rows)


def archive_verdicts(warehouse: Warehouse) -> dict[str, int]:
    """Count the videos of the archive, neither deleted nor forgotten, by their latest verdict."""
    if not warehouse.with_table("verdicts"):
        return {}
    videos = warehouse.read_snapshot("videos")
    there = videos.filter(videos["missing_since"].is_null())["video_id"].combine_chunks()
    rows = warehouse.read_latest("verdicts", ["verdict"])
    forgotten = pa.array(list(warehouse.forgotten()), pa.string())
    counted = pc.and_not(pc.is_in(rows["video_id"], there), pc.is_in(rows["video_id"], forgotten))
    counts = Counter(rows.filter(counted)["verdict"].to_pylist())
    return {one.value: counts[one.value] for one in Verdict if counts[one.value]}


def _fakes(warehouse: Warehouse, commits: list[Commit]) -> pa.Table:
    rows = warehouse.read_latest("verdicts", ["verdict", "p_fake"], commits)
    return rows.filter(pc.equal(rows["verdict"], Verdict.FAKE.value))
