"""Nights on real files: batches, kills between commits, deleted files, small files merged."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from framejury.errors import ReconcileError
from framejury.examine.messages import settings_id
from framejury.night.night import counts_of, judge, merge_small_files, report
from framejury.night.plan import make_plan, plan_selected
from framejury.settings import Settings
from framejury.settings.loading import settings_from
from framejury.storage import local_path
from framejury.tables import merge
from framejury.tables.reduce import VerdictRules, reduce_verdicts
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import BatchFacts, Commit
from framejury.warehouse.reader import count_rows
from tests.builders import clips
from tests.builders.bundles import brightness_bundle
from tests.builders.nightly import NOW, Place
from tests.builders.parquet_files import assert_files_hold_their_tables_columns
from tests.builders.sounds import HIGH_HZ, LOW_HZ, sound_model, tone
from tests.builders.talkies import write_talkie


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    archive = tmp_path / "archive"
    archive.mkdir()
    face = clips.face_frames(4)
    for number in range(4):
        clips.write_clip(archive / f"v{number}.mp4", face)
    clips.write_without_moov(archive / "cut.mp4", face)
    warehouse = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    return Place(spark, archive, warehouse, brightness_bundle(tmp_path / "bundle").directory)


def in_batches(place: Place, count: int) -> dict[str, Any]:
    """Settings under which the archive's five clips are dealt into so many batches."""
    _, plan = place.plan(place.night())
    return {"run": {"commit_s": float(plan.costs_s.sum()) / plan.slots / count}}


def commit_rows(commit: Commit) -> tuple[int, int]:
    return commit.tables.get("videos", 0), commit.tables["verdicts"]


@pytest.mark.long
def test_a_night_in_batches_is_a_night(place: Place, tmp_path: Path) -> None:
    place.run()
    whole = place.verdicts()
    place.warehouse = Warehouse.open_or_plan(str(tmp_path / "other"))
    night = place.run(**in_batches(place, 5))
    assert len(night.commits) == 5
    assert [commit_rows(commit) for commit in night.commits] == [(5, 1), *[(0, 1)] * 4]
    assert [commit.facts.batch for commit in night.commits] == [
        BatchFacts(night=night.commits[0].run_id, number=number, of=5) for number in range(1, 6)
    ]
    assert place.verdicts() == whole
    judged = ("videos", "extractions", "face_scores", "pictures", "verdicts")
    assert_files_hold_their_tables_columns(place.warehouse, judged)
    assert len(place.warehouse.parquet_files("face_scores")) == 4  # one per run that has any
    counts = counts_of(night, 5)
    assert dict(counts.planned) == {"new": 5}
    assert dict(counts.statuses) == {"scored": 4, "unreadable": 1}
    assert counts.faces_scored == 12
    assert counts.failure_share == pytest.approx(0.2)
    scores = [commit.facts.scores for commit in night.commits]
    assert sum(sum(one.videos) for one in scores if one is not None) == 4
    assert sum(sum(one.faces) for one in scores if one is not None) == 12
    folder = report(night, place.spark.createDataFrame(place.warehouse.read_snapshot("videos")))
    assert folder.filesystem.get_file_info(folder.child("report.html").path).size > 1000


@pytest.mark.long
def test_a_night_that_listens(place: Place, tmp_path: Path) -> None:
    """Sound in a process of its own, once per video, cut or whole; `reduce` gives the same."""
    shutil.rmtree(place.archive)
    place.archive.mkdir()
    model = sound_model(tmp_path / "sound")
    for name, sound in (("high", tone(HIGH_HZ, 3)), ("low", tone(LOW_HZ, 3)), ("mute", None)):
        path = place.archive / f"{name}.mp4"
        write_talkie(path, clips.plain_frames(30), sound, options={"g": "10", "keyint_min": "10"})
    clips.write_without_moov(place.archive / "cut.mp4", clips.plain_frames(4))
    cut = {"sampling": {"mode": "all"}, "spark": {"survey_bytes": 1, "segment_s": 0.01}}
    night = place.run(audio={"model": str(model.directory)}, **cut)
    rows = place.verdicts()
    assert {name: (row["verdict"], row["sound"]) for name, row in rows.items()} == {
        "high.mp4": ("fake", "scored"),
        "low.mp4": ("inconclusive", "scored"),
        "mute.mp4": ("inconclusive", "no_sound"),
        "cut.mp4": ("inconclusive", None),
    }
    assert rows["high.mp4"]["decided_by"] == "sound" and rows["high.mp4"]["status"] == "no_face"
    assert rows["high.mp4"]["sound_model_id"] == model.model_id
    assert place.warehouse.require("sounds")[-1].tables["sounds"] == 3
    folder = report(night, place.spark.createDataFrame(place.warehouse.read_snapshot("videos")))
    text = (Path(local_path(folder.uri)) / "report.txt").read_text()
    assert "Sound was judged in 2 of 4 videos; 1 has none; 1 was not analysed." in text
    assert "1 video is fake by the sound." in text
    name = f"evidence/*/{rows['high.mp4']['video_id']}.html"
    (page,) = Path(local_path(place.warehouse.location.uri)).glob(name)
    assert "framejury calls this video fake by its sound." in page.read_text()

    # Over all rows of the warehouse, as `framejury reduce` does, the verdicts are the same.
    store, judging = night.store, night.judging
    rules = VerdictRules("again", judging.bundle.model_id, judging.rule, judging.settings.verdict)
    again = reduce_verdicts(
        store.snapshot("videos"),
        store.latest("extractions"),
        store.face_scores(judging.bundle.model_id),
        rules,
        store.sounds(),
    )
    names = {row["video_id"]: name for name, row in rows.items()}
    for row in again.select(*rows["high.mp4"]).collect():
        assert row.asDict() == rows[names[row["video_id"]]]

    # A night without the sound model judges what changed without its sound.
    changed = place.archive / "high.mp4"
    os.utime(changed, ns=(0, changed.stat().st_mtime_ns + 10**9))
    place.run(NOW + timedelta(days=1))
    after = place.verdicts()
    assert (after["high.mp4"]["verdict"], after["high.mp4"]["sound"]) == ("inconclusive", None)
    assert after["low.mp4"]["sound"] == "scored"
    left = {row["video_id"] for row in place.night().store.sounds().collect()}
    assert left == {rows[name]["video_id"] for name in ("low.mp4", "mute.mp4")}


@pytest.mark.long
def test_a_night_that_is_killed_goes_on_where_it_was(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a batch has committed is neither lost nor done again."""
    (place.archive / "cut.mp4").unlink()
    batches = in_batches(place, 4)
    commit, calls = Warehouse.commit, iter(range(100))

    def killed(self: Warehouse, *args: Any, **kwargs: Any) -> Commit:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return commit(self, *args, **kwargs)

    monkeypatch.setattr(Warehouse, "commit", killed)
    with pytest.raises(KeyboardInterrupt):
        place.run(**batches)
    monkeypatch.undo()
    first = place.warehouse.read_latest("verdicts").num_rows
    assert first == 2
    assert place.warehouse.abandoned() == []
    night = place.run(**batches)
    assert sum(commit.tables["verdicts"] for commit in night.commits) == 2
    assert {row["status"] for row in place.verdicts().values()} == {"scored"}
    assert sum(c.tables["extractions"] for c in place.warehouse.with_table("extractions")) == 4


@pytest.mark.long
def test_deleted_changed_and_back(place: Place) -> None:
    place.run()
    before = place.verdicts()
    clip, hidden = place.archive / "v1.mp4", place.archive.parent / "hidden.mp4"
    clip.rename(hidden)
    changed = place.archive / "v2.mp4"
    os.utime(changed, ns=(0, changed.stat().st_mtime_ns + 10**9))
    night = place.run(NOW + timedelta(days=1))
    assert dict(counts_of(night, 5).planned) == {"changed": 1, "missing": 1, "retried": 1}
    after = place.verdicts()
    assert (after["v1.mp4"]["status"], after["v1.mp4"]["p_fake"]) == ("missing", None)
    assert after["v1.mp4"]["error"].startswith("not in the archive since 2026-11-21 02:00")
    assert {name: after[name] for name in after if name != "v1.mp4"} == {
        name: before[name] for name in before if name != "v1.mp4"
    }
    # A deleted file is no failure of the night; one that cannot be read is.
    assert counts_of(night, 5).failures == {"unreadable": 1}
    again = place.run(NOW + timedelta(days=2))
    assert dict(counts_of(again, 5).planned) == {"retried": 1}
    since = place.warehouse.read_snapshot("videos").to_pylist()
    assert {v["missing_since"] for v in since} == {None, NOW + timedelta(days=1)}
    hidden.rename(clip)
    back = place.run(NOW + timedelta(days=3))
    # `cut.mp4` has had its three tries.
    assert dict(counts_of(back, 5).planned) == {"returned": 1}
    assert place.verdicts() == before


@pytest.mark.long
def test_a_night_without_work_publishes_the_listing(place: Place) -> None:
    (place.archive / "cut.mp4").unlink()
    place.run()
    night = place.run(NOW + timedelta(days=1))
    (commit,) = night.commits
    assert commit.tables in ({"videos": 4, "verdicts": 0}, {"videos": 4})
    assert dict(counts_of(night, 4).statuses) == {}
    assert len(place.verdicts()) == 4


@pytest.mark.long
def test_retry_by_status_counts_no_tries(place: Place) -> None:
    for day in range(3):
        place.run(NOW + timedelta(days=day))
    night = place.night()
    videos = night.store.snapshot("videos")
    plan = plan_selected(videos, night.store.latest("verdicts"), ["unreadable"])
    shutil.copy(place.archive / "v0.mp4", place.archive / "cut.mp4")  # somebody mended it
    judge(night, make_plan(plan, night.judging.settings, []))
    assert place.verdicts()["cut.mp4"]["status"] == "scored"
    assert commit_rows(night.commits[0]) == (0, 1)


@pytest.mark.long
def test_small_files_of_many_nights_are_merged(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.archive / "cut.mp4").unlink()
    names = sorted(path.name for path in place.archive.iterdir())
    hidden = place.archive.parent / "hidden"
    hidden.mkdir()
    for name in names[1:]:
        (place.archive / name).rename(hidden / name)
    for day, name in enumerate(names):
        if day:
            (hidden / name).rename(place.archive / name)
        night = place.run(NOW + timedelta(days=day))
        if day == 1:
            merge_small_files(night)
            assert place.warehouse.commits()[-1].job == "nightly"  # two are not three
    before = place.verdicts()
    history = night.store.history("verdicts").count()
    scores = night.store.face_scores(night.judging.bundle.model_id).count()
    merge_small_files(night)
    last = place.warehouse.commits()[-1]
    assert (last.job, last.tables) == ("merge", {})
    assert len(place.warehouse.parquet_files("verdicts")) == 1
    assert place.verdicts() == before
    assert night.store.history("verdicts").count() == history == len(names)
    assert (
        night.store.face_scores(night.judging.bundle.model_id).count() == scores == 3 * len(names)
    )
    commits = len(place.warehouse.commits())
    merge_small_files(night)
    assert len(place.warehouse.commits()) == commits
    assert place.warehouse.abandoned() == []
    assert dict(counts_of(place.run(NOW + timedelta(days=9)), 4).planned) == {}

    # Rows that got lost on the way would be noticed.
    monkeypatch.setattr(
        merge, "count_rows", lambda place: count_rows(place) - (run.run_id in place.path)
    )
    with (
        pytest.raises(ReconcileError, match="merging"),
        place.warehouse.running("merge", NOW) as run,
    ):
        merge.merge_runs(night.store, place.warehouse, run, 1)


def test_settings_say_what_shapes_an_extraction() -> None:
    """Or `--rescore` would open every video again when only the night's course changed."""
    assert settings_id(Settings()) == settings_id(settings_from({"run": {"commit_s": 1.0}}))
    assert settings_id(Settings()) != settings_id(settings_from({"sampling": {"frames": 3}}))
