"""Context of a report: earlier nightly runs, evidence, details of the videos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from framejury.decisions.by_night import Night
from framejury.model.seen import Recognised, known_video, recognise
from framejury.report.inputs import (
    BEFORE_COLUMNS,
    EXTRACTION_COLUMNS,
    Context,
    EarlierRun,
    ReportFace,
)
from framejury.runs.details import timed
from framejury.runs.drift import night_of
from framejury.runs.history import nights_before
from framejury.runs.provenance import seen_records
from framejury.schemas.statuses import PictureKind, Status
from framejury.tables.store import Store
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit

WORK = ("faces_scored", "read_bytes", "videos_cpu_s", "videos_wall_s")
_FACES_EACH = 3
_AT_ONCE = 100_000
"""Videos compared at once, as plain values in the driver's memory."""


def night_commits(commits: Sequence[Commit], commit: Commit) -> list[Commit]:
    """Return all commits of the nightly run that `commit` belongs to, oldest first."""
    name = night_of(commit)
    return [one for one in commits if night_of(one) == name]


def context_of(
    store: Store,
    commits: Sequence[Commit],
    night: Sequence[Commit],
    verdicts: pa.Table,
    *,
    nights: int,
) -> Context:
    """Return the context without evidence and faces, which are added when pages are written.

    Args:
        store: of the warehouse.
        commits: every commit.
        night: commits of the run that reports.
        verdicts: the latest verdict of every video that counts; columns `video_id`, `run_id`.
        nights: earlier nightly runs to show, at most.
    """
    first = night[0].sequence
    run_ids = pa.array([commit.run_id for commit in night])
    judged = verdicts.filter(pc.is_in(verdicts["run_id"], run_ids))
    before = None
    if any(commit.tables.get("verdicts") for commit in commits if commit.sequence < first):
        before = store.latest("verdicts", before=first).select(*BEFORE_COLUMNS).toArrow()
        # A video that was deleted by then and still is was not in the report before, either.
        here = pc.is_in(before["video_id"], verdicts["video_id"].combine_chunks())
        there = pc.not_equal(before["status"], Status.MISSING.value)
        before = before.filter(pc.or_(here, there))
    extractions = store.latest("extractions").select(*EXTRACTION_COLUMNS).toArrow()
    return Context(
        judged_now=frozenset(judged["video_id"].to_pylist()),
        before=before,
        earlier=tuple(_night_infos(store.warehouse, commits, first, nights)),
        extractions=extractions.filter(
            pc.is_in(extractions["video_id"], verdicts["video_id"].combine_chunks())
        ),
        left_out=_left_out(commits),
        work=_work(night),
        judging_nights=judging_nights(commits),
    )


def seen_of(
    store: Store, warehouse: Warehouse, verdicts: pa.Table, videos: DataFrame
) -> Recognised | None:
    """Return which videos their models had seen; None if no model has a record of it.

    Args:
        store, warehouse: of the verdicts.
        verdicts: the latest verdict of every video; columns `video_id`, `model_id`.
        videos: the snapshot.
    """
    models = pc.unique(verdicts["model_id"]).to_pylist()
    records = seen_records(warehouse, models)
    if not any(records.values()):
        return None
    contents = store.latest("extractions").select("video_id", "content_id")
    rows = (
        videos.select("video_id", "group_keys", "group")
        .join(contents, on="video_id", how="left")
        .toArrow()
    )
    place = pc.index_in(verdicts["video_id"], rows["video_id"].combine_chunks())
    judged = rows.take(place).set_column(0, "model_id", verdicts["model_id"])
    parts = []
    for start in range(0, judged.num_rows, _AT_ONCE):
        some = judged.slice(start, _AT_ONCE).to_pylist()
        known = [known_video(row, row["content_id"], warehouse.archive) for row in some]
        ids = verdicts["video_id"].slice(start, _AT_ONCE).to_pylist()
        parts.append(recognise(records, ids, [row["model_id"] for row in some], known))
    whole = pa.concat_tables([part.videos for part in parts])
    return Recognised(whole, min(sum(part.odds for part in parts), 1.0))


def shown_faces(pictures: DataFrame, ids: pa.Array) -> dict[str, tuple[ReportFace, ...]]:
    """Return kept faces of some videos, the most suspicious first.

    Args:
        pictures: rows of `pictures` behind the verdicts.
        ids: ids of the videos.
    """
    wanted = pictures.sparkSession.createDataFrame(pa.table({"video_id": ids}))
    rows = (
        pictures.where(F.col("kind") == PictureKind.FACE.value)
        .join(F.broadcast(wanted), on="video_id", how="left_semi")
        .select("video_id", "score", "pts_s", "picture")
        .toArrow()
    )
    found: dict[str, list[ReportFace]] = defaultdict(list)
    falling = [("score", "descending"), ("pts_s", "ascending")]
    for row in rows.take(pc.sort_indices(rows, sort_keys=falling)).to_pylist():
        if len(found[row["video_id"]]) < _FACES_EACH:
            face = ReportFace(row["picture"], row["score"], row["pts_s"])
            found[row["video_id"]].append(face)
    return {video_id: tuple(faces) for video_id, faces in found.items()}


def _night_infos(
    warehouse: Warehouse, commits: Sequence[Commit], first: int, count: int
) -> list[EarlierRun]:
    return [
        EarlierRun(
            run_id=past.run_ids[-1],
            ended_at=past.ended_at,
            statuses=past.counted("statuses"),
            verdicts=past.counted("verdicts"),
            wall_s=past.wall_s,
        )
        for night in nights_before(commits, first, count)
        if (past := timed(night, warehouse)).ended_at is not None
    ]


def judging_nights(commits: Sequence[Commit]) -> dict[str, Night]:
    """Return run -> its night, of every run that made verdicts."""
    judged = [commit for commit in commits if commit.tables.get("verdicts")]
    nights = {
        night_of(one): Night(one.run_id, datetime.fromisoformat(one.created_at), one.model_id)
        for one in judged  # the last run of a night stays
    }
    return {commit.run_id: nights[night_of(commit)] for commit in judged}


def _left_out(commits: Sequence[Commit]) -> Mapping[str, int]:
    """Return what the latest listing of the archive left out; older commits did not count it."""
    counts = [commit.facts.left_out for commit in commits if commit.tables.get("videos")]
    return (counts[-1] or {}) if counts else {}


def _work(night: Sequence[Commit]) -> dict[str, float]:
    """Add up the work of a nightly run's batches; empty for a job that kept no counts."""
    counts = [commit.facts.counts for commit in night if commit.facts.counts is not None]
    if not counts:
        return {}
    videos = sum(sum(one.statuses.values()) for one in counts)
    return {"videos": videos} | {name: sum(getattr(one, name) for one in counts) for name in WORK}
