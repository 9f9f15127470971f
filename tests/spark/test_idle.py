"""Nights without work: what counts as one, and that it agrees with Spark's plan."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from framejury.archive.video_rows import videos_table, with_missing
from framejury.night import idle
from framejury.night.idle import commit_idle, report_that_holds
from framejury.night.night import NightlyRun, counts_of, judge, report
from framejury.night.phases import besides_judging_s
from framejury.tables.index import index_archive
from framejury.warehouse import Warehouse
from tests.builders import clips
from tests.builders.bundles import brightness_bundle
from tests.builders.nightly import NOW, Place

DAY = timedelta(days=1)
Change = Callable[[Place], Callable[[], object]]
"""Changes something, and returns what takes that back."""


@pytest.fixture(scope="module")
def place(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two videos, judged, with their report; `labels.csv` has a label for one of them."""
    root = tmp_path_factory.mktemp("idle")
    archive = root / "archive"
    archive.mkdir()
    for name in ("a.mp4", "b.mp4"):
        clips.write_clip(archive / name, clips.face_frames(2))
    (archive / "labels.csv").write_text("file,label\na.mp4,REAL\n")
    warehouse = Warehouse.open_or_plan(str(root / "warehouse"))
    found = Place(spark, archive, warehouse, brightness_bundle(root / "bundle").directory)
    full_night(found)
    return found


def full_night(place: Place) -> NightlyRun:
    night = place.night()
    night.left_out = index_archive(None, night.archive, night.judging.settings.index).left_out
    rows, plan = place.plan(night)
    judge(night, plan, rows)
    report(night, place.spark.createDataFrame(rows))
    return night


def listed(place: Place, night: NightlyRun) -> pa.Table:
    found = index_archive(None, night.archive, night.judging.settings.index)
    night.left_out = found.left_out
    before = place.warehouse.read_snapshot("videos")
    return with_missing(videos_table(found.videos, "planned"), before, NOW + DAY)


def holds(place: Place, **sections: Any) -> str | None:
    night = place.night(**sections)
    return report_that_holds(night, listed(place, night))


def test_an_idle_night_leaves_its_trace(place: Place) -> None:
    last = holds(place)
    assert last is not None and Path(last).is_file()
    verdicts, many = place.verdicts(), len(place.warehouse.commits())
    for _ in range(2):
        night = place.night()
        commit_idle(night, listed(place, night), last)
        (commit,) = night.commits
        assert (commit.job, commit.tables) == ("nightly", {"videos": 2})
        assert commit.facts.batch is not None and commit.facts.counts is not None
        assert (commit.facts.counts.planned, commit.facts.statuses) == ({}, {})
        assert commit.facts.counts.videos_in_archive == counts_of(night, 2).videos_in_archive == 2
        assert commit.facts.rule is not None and commit.facts.bundle is not None
        assert night.is_idle and night.report == last
        assert holds(place) == last  # an idle night follows another
    assert len(place.warehouse.commits()) == many + 2
    assert place.verdicts() == verdicts
    assert place.warehouse.abandoned() == []


def touch(place: Place) -> Callable[[], object]:
    path = place.archive / "a.mp4"
    before = path.stat().st_mtime_ns
    os.utime(path, ns=(0, before + 10**9))
    return partial(os.utime, path, ns=(0, before))


def add(place: Place) -> Callable[[], object]:
    path = place.archive / "c.mp4"
    path.write_bytes((place.archive / "a.mp4").read_bytes())
    return path.unlink


def remove(place: Place) -> Callable[[], object]:
    path, hidden = place.archive / "a.mp4", place.archive.parent / "hidden.mp4"
    path.rename(hidden)
    return partial(hidden.rename, path)


def relabel(place: Place) -> Callable[[], object]:
    path = place.archive / "labels.csv"
    before = path.read_text()
    path.write_text(before.replace("REAL", "FAKE"))
    return partial(path.write_text, before)


def leave_out(place: Place) -> Callable[[], object]:
    path = place.archive / "notes.doc"
    path.write_text("not a video")
    return path.unlink


def lose_the_report(place: Place) -> Callable[[], object]:
    path = Path(holds(place) or "")
    hidden = path.with_name("hidden")
    path.rename(hidden)
    return partial(hidden.rename, path)


@pytest.mark.parametrize(
    "change",
    [touch, add, remove, relabel, leave_out, lose_the_report],
    ids=lambda change: change.__name__,
)
def test_what_changed_is_work(
    place: Place, change: Callable[[Place], Callable[[], object]]
) -> None:
    assert holds(place) is not None
    undo = change(place)
    try:
        assert holds(place) is None
    finally:
        undo()
    assert holds(place) is not None


def test_another_report_was_asked_for(place: Place) -> None:
    assert holds(place, report={"rows": 7}) is None


def test_another_version_writes_another_report(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "versions", lambda: {"framejury": "99"})
    assert holds(place) is None


def test_what_another_job_did_since_is_work(place: Place) -> None:
    with place.warehouse.running("decide", NOW) as run:
        place.warehouse.commit(run, NOW)
    assert holds(place) is None
    full_night(place)
    assert holds(place) is not None


def test_estimates_leave_idle_nights_out(place: Place) -> None:
    usual_s = besides_judging_s(place.warehouse)
    night = place.night()
    commit_idle(night, listed(place, night), "report.html")
    run_id = night.commits[-1].run_id
    line = b'{"wall_s": 0.001, "phase_s": {}, "is_idle": true}'
    place.warehouse.write_report(run_id, {"metrics.json": line})
    assert besides_judging_s(place.warehouse) == usual_s
