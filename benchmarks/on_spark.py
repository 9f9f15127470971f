"""The same videos through Spark and through plain Python loops: contenders on one or two cores.

Each factory's `setup` is `settings` (overrides), `bundle_dir` and, but for `serial`, `cores`
(count); requests are `videos`, paths. Spark and the pool write their rows as Parquet.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from benchmarks.contenders import ROOT
from benchmarks.ours import check_status, plan_of
from framejury.examine.messages import ExaminePlan, VideoJob

if TYPE_CHECKING:
    from framejury.examine.worker import Examiner

Values = Mapping[str, Any]
Work = Callable[[Values], dict[str, Any]]

_OUTCOME = ["video_id", "status", "error", "faces_kept"]


def spark(setup: Values) -> Work:
    """What `nightly` does with new videos (`write_examined`), in a session that is running."""
    from framejury.clock import now
    from framejury.model.bundle import load_bundle
    from framejury.settings.loading import settings_from
    from framejury.tables.extract import write_examined
    from framejury.tables.resources import ship_bundle
    from framejury.tables.session import spark_session
    from framejury.tables.store import Store
    from framejury.warehouse import Warehouse

    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        f"--properties-file {ROOT / 'conf' / 'spark' / 'local.conf'} "
        f"--master local[{setup['cores']}] pyspark-shell"
    )
    stack = ExitStack()
    atexit.register(stack.close)
    session = stack.enter_context(spark_session("bench"))
    plan = replace(plan_of(setup), bundle_dir=None)
    row_group_bytes = settings_from(plan.settings).spark.row_group_bytes
    bundle = load_bundle(setup["bundle_dir"])
    shipped = ship_bundle(session, bundle.directory, bundle.model_id)
    columns = "video_id string, uri string, bytes long, modified_at timestamp"

    def run(request: Values) -> dict[str, Any]:
        rows = [(job.video_id, job.uri, job.size_bytes, None) for job in _jobs(request["videos"])]
        with tempfile.TemporaryDirectory() as folder:
            warehouse = Warehouse.open_or_plan(f"{folder}/warehouse")
            begun = warehouse.begin("bench", now())
            # One id for all requests: the workers' children, loaded for it, are then reused.
            place = warehouse.location.child("runs", plan.run_id)
            written = replace(begun, run_id=plan.run_id, location=place)
            store = Store(session, warehouse, row_group_bytes)
            write_examined(store, written, session.createDataFrame(rows, columns), plan, shipped)
            return _judged(warehouse.read_run(plan.run_id, "extractions"))

    return run


def loop(setup: Values) -> Work:
    """A pool of processes, one a core, each with an `Examiner`; the next video to who is free."""
    context = multiprocessing.get_context("spawn")
    pool = context.Pool(setup["cores"], _start, (plan_of(setup),))
    atexit.register(pool.terminate)

    def run(request: Values) -> dict[str, Any]:
        batches = list(pool.imap_unordered(_examine_one, _jobs(request["videos"])))
        rows = pa.Table.from_batches(batches)
        with tempfile.TemporaryDirectory() as folder:
            parquet.write_table(rows, f"{folder}/rows.parquet", compression="zstd")
        return _judged(rows)

    return run


def serial(setup: Values) -> Work:
    """One `Examiner`, one video after another: the work there is."""
    from framejury.examine.worker import Examiner

    examiner = Examiner(plan_of(setup))

    def run(request: Values) -> dict[str, Any]:
        batches = [examiner.examine(job) for job in _jobs(request["videos"])]
        return _judged(pa.Table.from_batches(batches))

    return run


def busy(setup: Values) -> Work:
    """The same work on every core at once: what one core takes for all of it beside others."""
    context = multiprocessing.get_context("spawn")
    pools = [context.Pool(1, _start, (plan_of(setup),)) for _ in range(setup["cores"])]
    for pool in pools:
        atexit.register(pool.terminate)

    def run(request: Values) -> dict[str, Any]:
        jobs = _jobs(request["videos"])
        waiting = [pool.map_async(_examine_one, jobs) for pool in pools]
        (first, *_) = [each.get() for each in waiting]
        return _judged(pa.Table.from_batches(first))

    return run


def reduce(setup: Values) -> Work:
    """`benchmarks.reduce.measure`, which times its contenders itself. Requests: its arguments."""
    from benchmarks.reduce import measure

    del setup

    def run(request: Values) -> dict[str, Any]:
        return dict(measure(request["rows"], Path(request["out_dir"]), request["repeat"]))

    return run


def _jobs(videos: list[str]) -> list[VideoJob]:
    """Largest first: the long ones must not come last."""
    jobs = [VideoJob(path, path, Path(path).stat().st_size) for path in videos]
    return sorted(jobs, key=lambda job: job.size_bytes or 0, reverse=True)


def _judged(rows: pa.Table) -> dict[str, Any]:
    """How many videos and faces; raises when a video was not judged."""
    judged = [row for row in rows.select(_OUTCOME).to_pylist() if row["status"] is not None]
    for row in judged:
        check_status(row["status"], row["error"], row["video_id"])
    return {"videos": len(judged), "faces": sum(row["faces_kept"] for row in judged)}


_pool_examiner: Examiner | None = None


def _start(plan: ExaminePlan) -> None:
    from framejury.examine.worker import Examiner

    global _pool_examiner  # noqa: PLW0603 - what a pool's process holds
    _pool_examiner = Examiner(plan)


def _examine_one(job: VideoJob) -> pa.RecordBatch:
    assert _pool_examiner is not None
    return _pool_examiner.examine(job)
