"""Nights without work: recognised and committed without Spark, in seconds.

A night is idle if the archive looks as it did at the last listing, no video has to be judged, and
the last report still says what a new one would. Anything unusual counts as work: the full night is
always right, only slower.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from framejury.night.night import NightlyRun, begun, commit_batch, stamped
from framejury.pages.text_table import counted
from framejury.runs.provenance import bundle_facts, versions
from framejury.runs.run_metrics import RunCounts
from framejury.schemas.statuses import RETRYABLE_STATUSES, Status
from framejury.storage import Location, is_file
from framejury.verdict.rule import rule_facts
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit, CommitFacts, CountFacts
from framejury.warehouse.reader import SEQUENCE, latest_rows


def report_that_holds(night: NightlyRun, listed: pa.Table) -> str | None:
    """Return the URI of the report that still holds; None if there is work to do.

    Args:
        night: the run; `left_out` is known.
        listed: rows of `videos` as the archive is now, with missing ones.
    """
    warehouse = night.warehouse
    if not warehouse.with_table("videos") or not warehouse.with_table("verdicts"):
        return None
    before = warehouse.with_table("videos")[-1]
    known = warehouse.read_snapshot("videos")
    if before.facts.left_out != night.left_out or not _same(known, listed):
        return None
    reported = _last_reported(warehouse)
    if reported is None or not _would_look_the_same(reported, night):
        return None
    forgotten = pa.array(list(warehouse.forgotten()), pa.string())
    left = videos_to_judge(
        listed.filter(pc.invert(pc.is_in(listed["video_id"], forgotten))),
        warehouse.read_history("extractions", ["bytes", "modified_at", "status"]),
        warehouse.read_history("verdicts", ["status"]),
        night.judging.settings.limits.tries,
    )
    return None if len(left) else _report_place(warehouse, reported).uri


def why_again(warehouse: Warehouse) -> str:
    """Return why a night without videos to judge writes the report again, in words."""
    new = 0
    for commit in reversed(warehouse.commits()):
        if is_file(_report_place(warehouse, commit)):
            break
        new += commit.tables.get("decisions", 0)
    with_new = f", with {counted(new, 'new decision')}" if new else ""
    return f"nothing to judge; the report is written again{with_new}"


def videos_to_judge(
    videos: pa.Table, extractions: pa.Table, verdicts: pa.Table, tries: int
) -> pa.Array:
    """Return the ids of the videos that `plan.plan_night` plans without `--rescore` or `--all`.

    Args:
        videos: the snapshot, without forgotten videos.
        extractions: every row that counts; columns `video_id`, `SEQUENCE`, `bytes`,
            `modified_at`, `status`.
        verdicts: every row that counts; columns `video_id`, `SEQUENCE`, `status`.
        tries: how often a video with a retryable status is tried in all.
    """
    judged = latest_rows(verdicts.filter(pc.not_equal(verdicts["status"], Status.NOT_SCORED.value)))
    # A verdict covers extractions that were committed with it or before it.
    judged_in = _looked_up(judged, SEQUENCE, extractions["video_id"])
    done = extractions.filter(pc.less_equal(extractions[SEQUENCE], judged_in))
    last = latest_rows(done)
    ids = videos["video_id"]
    status = _looked_up(judged, "status", ids)
    same_file = pc.and_(
        pc.equal(videos["bytes"], _looked_up(last, "bytes", ids)),
        pc.equal(videos["modified_at"], _looked_up(last, "modified_at", ids)),
    )
    was_missing = pc.fill_null(pc.equal(status, Status.MISSING.value), False)
    settled = pc.and_not(
        pc.fill_null(same_file, False),
        pc.or_(was_missing, _worth_a_try(videos, done, status, tries)),
    )
    gone = videos["missing_since"].is_valid()
    return videos.filter(pc.invert(pc.if_else(gone, was_missing, settled)))["video_id"]


def commit_idle(night: NightlyRun, listed: pa.Table, report: str) -> None:
    """Publish the listing of an idle night; its trace is the same as that of any other night.

    Args:
        night: the run; its `commits` and `phases` grow.
        listed: rows of `videos` as the archive is now.
        report: from `report_that_holds`.
    """
    with begun(night) as run:
        night.warehouse.write(run, "videos", stamped(listed, run))
        counts = RunCounts(videos_in_archive=listed.num_rows)
        facts = CommitFacts(
            keeps_crops=night.keep_crops,
            left_out=night.left_out,
            bundle=bundle_facts(night.judging.bundle),
            rule=rule_facts(night.judging.rule),
            statuses={},
            seconds=night.phases.seconds,
            versions=versions(),
            counts=CountFacts(**counts.to_plain()),
        )
        commit_batch(night, run, facts, 1, 1)
    night.report, night.is_idle = report, True
    night.phases.stop()


def _same(before: pa.Table, listed: pa.Table) -> bool:
    """Whether two listings differ in nothing but the run that made them."""
    return bool(before.drop_columns("run_id").equals(listed.drop_columns("run_id")))


def _last_reported(warehouse: Warehouse) -> Commit | None:
    """Return the run of the last report, if only idle nights and merges came after it."""
    for commit in reversed(warehouse.commits()):
        if is_file(_report_place(warehouse, commit)):
            return commit
        counts = commit.facts.counts
        if commit.job != "merge" and (counts is None or counts.planned or commit.job != "nightly"):
            return None
    return None


def _would_look_the_same(reported: Commit, night: NightlyRun) -> bool:
    """Whether a report written now would be made by the same program with the same settings."""
    report = night.judging.settings.report.model_dump(mode="json")
    return reported.settings.get("report") == report and reported.facts.versions == versions()


def _report_place(warehouse: Warehouse, commit: Commit) -> Location:
    return warehouse.location.child("reports", commit.run_id, "report.html")


def _looked_up(rows: pa.Table, column: str, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column's value for each id; null for ids that are not in `rows`."""
    at = pc.index_in(ids, rows["video_id"].combine_chunks())
    return rows[column].take(at)


def _worth_a_try(
    videos: pa.Table, done: pa.Table, status: pa.ChunkedArray, tries: int
) -> pa.ChunkedArray:
    """Whether each video failed and has tries left; tries of a changed file do not count."""
    retryable = pa.array([one.value for one in RETRYABLE_STATUSES])
    failed = done.filter(pc.is_in(done["status"], retryable))
    of_file = [
        pc.equal(failed[name], _looked_up(videos, name, failed["video_id"]))
        for name in ("bytes", "modified_at")
    ]
    failed = failed.filter(pc.and_(*of_file))
    counted = failed.group_by("video_id").aggregate([([], "count_all")])
    failures = pc.fill_null(_looked_up(counted, "count_all", videos["video_id"]), 0)
    return pc.and_(pc.is_in(status, retryable), pc.less(failures, tries))
