"""Two nights and decisions in between: the report, evidence pages and files of the second one."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from framejury.cli.main import main
from framejury.decisions.by_night import Night
from framejury.night.context import judging_nights
from framejury.night.decisions_file import DecisionsFile, TakenIn, take_in
from framejury.night.night import NightlyRun, judge, merge_small_files, report
from framejury.storage import local_path
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import BatchFacts, Commit, CommitFacts
from framejury.warehouse.deciding import standing_decisions
from tests.builders import clips
from tests.builders.bundles import brightness_bundle
from tests.builders.nightly import NOW, Place


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    archive = tmp_path / "archive"
    archive.mkdir()
    for number in range(3):
        clips.write_clip(archive / f"v{number}.mp4", clips.face_frames(4))
    warehouse = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    return Place(spark, archive, warehouse, brightness_bundle(tmp_path / "bundle").directory)


def reported(place: Place, night: NightlyRun) -> Path:
    videos = place.spark.createDataFrame(place.warehouse.read_snapshot("videos"))
    return Path(local_path(report(night, videos).uri))


def evidence(place: Place, name: str) -> str:
    row = place.verdicts()[name]
    root = Path(local_path(place.warehouse.location.uri))
    (page,) = (root / "evidence").glob(f"*/{row['video_id']}.html")
    return page.read_text("utf-8")


def test_nights_and_decisions(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    fake = {"verdict": {"threshold": 0.0, "min_faces": 1}}
    folder = reported(place, place.run(**fake))
    first = json.loads((folder / "report.json").read_text())["review"]
    assert (first["waiting"]["total"], first["waiting"]["new_fakes"]) == (3, 3)
    assert "This video waits for a decision" in evidence(place, "v0.mp4")
    uri = place.warehouse.location.uri

    # One reviewer types, another one fills in the list of the report.
    capsys.readouterr()
    words = ["decide", "v0.mp4", "--real", "--by", "Ann", "--note", "my own film"]
    assert main([*words, "--warehouse", uri]) == 0
    with (folder / "to_decide.csv").open(encoding="utf-8-sig", newline="") as file:
        listed = list(csv.DictReader(file))
    for row in listed:
        if row["file"] == "v1.mp4":
            row.update(decision="fake", by="Bob")
    with (place.archive / "decisions.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, listed[0])
        lines.writeheader()
        lines.writerows(listed)
        file.write("nowhere.mp4,fake,Bob\n")

    # The next night finds a new video; v2 was replaced by another film after a decision on it.
    assert main(["decide", "v2.mp4", "--fake", "--by", "Ann", "--warehouse", uri]) == 0
    clips.write_clip(place.archive / "v2.mp4", clips.face_frames(6))
    clips.write_clip(place.archive / "v3.mp4", clips.face_frames(4))
    file_of_decisions = DecisionsFile.of(str(place.archive), None)
    night = place.night(**fake)
    with place.warehouse.locked("nightly", NOW):
        rows, plan = place.plan(night)
        assert plan.reasons == {"new": 1, "changed": 1}
        assert main(["decide", "v0.mp4", "--fake", "--by", "Eve", "--warehouse", uri]) == 0
        judge(night, plan, rows)
        night.decisions = take_in(place.warehouse, file_of_decisions, NOW)
        assert take_in(place.warehouse, file_of_decisions, NOW) == TakenIn(
            0, night.decisions.problems
        ), "nothing new"
        merge_small_files(night)
    assert night.decisions.problems == (
        "decisions.csv line 5: no video 'nowhere.mp4' in this warehouse",
    )
    folder = reported(place, night)

    names = {video["video_id"]: video["path"] for video in rows.to_pylist()}
    standing = standing_decisions(place.warehouse)
    current = {
        names[key]: one.current and (one.current.decision, one.current.reviewer)
        for key, one in standing.items()
    }
    assert current == {"v0.mp4": ("fake", "Eve"), "v1.mp4": ("fake", "Bob"), "v2.mp4": None}
    review = json.loads((folder / "report.json").read_text())["review"]
    assert [row["path"] for row in review["waiting"]["videos"]] == ["v3.mp4", "v2.mp4"] or [
        row["path"] for row in review["waiting"]["videos"]
    ] == ["v2.mp4", "v3.mp4"]
    assert review["agreement"]["decided"] == 2 and review["outdated"] == 1
    page = (folder / "report.html").read_text()
    assert "decisions.csv line 5: no video" in page
    assert "my own film" not in page, "notes stand on evidence pages only, where forget erases them"

    # Pages on verdicts of the first night were written again, and only those.
    shown = evidence(place, "v0.mp4")
    assert "decided by <bdi>Eve</bdi>" in shown and "<q>" not in shown and "my own film" in shown
    assert "decided by <bdi>Bob</bdi>" in evidence(place, "v1.mp4")
    shown = evidence(place, "v3.mp4")
    assert "This video waits for a decision" in shown

    assert main(["decide", "v3.mp4", "--real", "--by", "Ann", "--warehouse", uri]) == 0
    counts_by_night(place, reported(place, night))


def counts_by_night(place: Place, folder: Path) -> None:
    """Check that a decision counts for the night whose verdict it is about."""
    nights = json.loads((folder / "report.json").read_text())["review"]["nights"]
    counts = [(one["decided"], one["agreed"], one["accused"]) for one in nights]
    assert counts == [(2, 2, 0), (1, 0, 1)]
    rows = place.warehouse.read_latest("verdicts", ["video_id", "run_id"]).to_pylist()
    judged = {row["video_id"]: row["run_id"] for row in rows}
    names = {
        row["path"]: row["video_id"] for row in place.warehouse.read_snapshot("videos").to_pylist()
    }
    runs = [judged[names[name]] for name in ("v0.mp4", "v3.mp4")]
    assert [one["run_id"] for one in nights] == runs
    assert nights[0]["judged_at"] < nights[1]["judged_at"]


def test_batches_of_one_nightly_run_are_one_night() -> None:
    def commit(number: int, night: str | None, **tables: int) -> Commit:
        batch = None if night is None else BatchFacts(night=night, number=number, of=2)
        made = f"2026-03-0{number}T02:00:00+00:00"
        facts = CommitFacts(batch=batch)
        return Commit(number, f"run-{number}", "job", made, tables, model_id="m", facts=facts)

    commits = [
        commit(1, "run-1", verdicts=3),
        commit(2, "run-1", verdicts=2),
        commit(3, None, decisions=1),
        commit(4, None, verdicts=5),
    ]
    found = judging_nights(commits)
    first = Night("run-2", datetime(2026, 3, 2, 2, tzinfo=UTC), "m")
    later = Night("run-4", datetime(2026, 3, 4, 2, tzinfo=UTC), "m")
    assert found == {"run-1": first, "run-2": first, "run-4": later}


def test_small_files_of_decisions_are_merged(place: Place) -> None:
    night = place.run()
    uri = place.warehouse.location.uri
    for name in ("Ann", "Bob", "Eve"):
        assert main(["decide", "v0.mp4", "--fake", "--by", name, "--warehouse", uri]) == 0
    before = standing_decisions(place.warehouse)
    for _ in range(2):
        night = place.run(run={"merge_runs": 3}, limits={"tries": 1})
    place.warehouse = Warehouse.open(uri)
    night.warehouse = place.warehouse
    merge_small_files(night)
    assert len(place.warehouse.parquet_files("decisions")) == 1
    assert standing_decisions(place.warehouse) == before
