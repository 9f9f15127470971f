"""What a nightly run changed, read from its committed verdicts. No Spark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from framejury.report.waiting import find_waiting
from framejury.runs.run_metrics import NewFake, NotScored
from framejury.schemas.outcomes import NOT_SCORED, OUTCOMES
from framejury.schemas.statuses import FAILURE_STATUSES, Status, Verdict
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit
from framejury.warehouse.deciding import with_decisions


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
    """Count the videos of the archive, neither deleted nor forgotten, by their latest outcome."""
    if not warehouse.with_table("verdicts"):
        return {}
    rows = _in_archive(warehouse)
    counts = Counter(rows["verdict"].filter(pc.invert(_is_unscored(rows))).to_pylist())
    counts[NOT_SCORED] = pc.sum(_is_unscored(rows)).as_py() or 0
    return {name: counts[name] for name in OUTCOMES if counts[name]}


def not_scored(warehouse: Warehouse, night: Sequence[Commit]) -> tuple[NotScored, ...]:
    """Return the videos that a nightly run could not score, without deleted files.

    Args:
        warehouse: of the run.
        night: commits of the run, oldest first.

    Returns:
        failures first, videos without a face last; ties by path.
    """
    judged = [commit for commit in night if commit.tables.get("verdicts", 0)]
    if not judged:
        return ()
    rows = warehouse.read_latest("verdicts", ["verdict", "p_fake", "status"], judged)
    rows = rows.filter(_is_unscored(rows))
    videos = warehouse.read_snapshot("videos")
    videos = videos.filter(videos["missing_since"].is_null())
    at = pc.index_in(rows["video_id"], videos["video_id"].combine_chunks())
    rows, at = rows.filter(at.is_valid()), at.drop_null()
    paths = videos["path"].take(at).to_pylist()
    found = [NotScored(*one) for one in zip(paths, rows["status"].to_pylist(), strict=True)]
    return tuple(sorted(found, key=lambda one: (_rank(one.status), one.path)))


def waiting(warehouse: Warehouse) -> int:
    """Count the videos of the archive that wait for a person's decision."""
    if not warehouse.with_table("verdicts"):
        return 0
    return find_waiting(with_decisions(warehouse, _in_archive(warehouse))).total


def _in_archive(warehouse: Warehouse) -> pa.Table:
    """Return the latest verdicts of the videos that are in the archive, with path and label."""
    videos = warehouse.read_snapshot("videos", ["video_id", "path", "label", "missing_since"])
    there = videos.filter(videos["missing_since"].is_null())
    rows = warehouse.read_latest("verdicts", ["verdict", "p_fake"])
    forgotten = pa.array(list(warehouse.forgotten()), pa.string())
    at = pc.index_in(rows["video_id"], there["video_id"].combine_chunks())
    counted = pc.and_not(at.is_valid(), pc.is_in(rows["video_id"], forgotten))
    rows, at = rows.filter(counted), at.filter(counted)
    for name in ("path", "label"):
        rows = rows.append_column(name, there[name].take(at))
    return rows


def _is_unscored(rows: pa.Table) -> pa.ChunkedArray:
    """Whether each video has no score; one that is fake by its sound alone has a verdict."""
    unsure = pc.equal(rows["verdict"], Verdict.INCONCLUSIVE.value)
    return pc.and_(pc.is_null(rows["p_fake"]), unsure)


def _rank(status: str) -> int:
    """Return the order of reasons: what may work at the next try, broken files, no face."""
    if status in FAILURE_STATUSES:
        return 0
    return 2 if status == Status.NO_FACE.value else 1


def _fakes(warehouse: Warehouse, commits: list[Commit]) -> pa.Table:
    rows = warehouse.read_latest("verdicts", ["verdict", "p_fake"], commits)
    return rows.filter(pc.equal(rows["verdict"], Verdict.FAKE.value))
