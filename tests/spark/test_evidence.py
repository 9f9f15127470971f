"""Evidence and context of nights on real files: pages, links, faces, what changed."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from framejury.commands import evidence as evidence_verb
from framejury.errors import BundleError, UsageError
from framejury.faces.crop import decode_crop
from framejury.model.curves import curves_csv
from framejury.model.manifest import CURVES_NAME
from framejury.night import evidence_pages as pages
from framejury.night.night import report
from framejury.night.publish import Publisher
from framejury.report.findings import find
from framejury.settings import ReportSettings
from framejury.storage import locate, write_whole
from framejury.warehouse import Warehouse
from framejury.warehouse.forgetting import allow, forget
from framejury.warehouse.page_places import page_link, page_place
from tests.builders import clips
from tests.builders.bundles import brightness_bundle
from tests.builders.curves import EPOCHS
from tests.builders.nightly import Place

NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    archive = tmp_path / "archive"
    archive.mkdir()
    clips.write_clip(archive / "<script>alert(1)<&script>.mp4", clips.face_frames(4))
    clips.write_clip(archive / "b.mp4", clips.face_frames(5))
    clips.write_clip(archive / "nobody.mp4", clips.plain_frames(5))
    warehouse = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    return Place(spark, archive, warehouse, brightness_bundle(tmp_path / "bundle").directory)


def links_of(html: str) -> list[str]:
    return re.findall(r'href="([^"#]+)"', html)


def publisher(place: Place, **settings: int) -> Publisher:
    night = place.night()
    return Publisher(
        night.store,
        place.warehouse,
        place.warehouse.commits()[-1],
        night.store.snapshot("videos"),
        ReportSettings(**settings),
        NOW,
    )


@pytest.mark.long
def test_deleted_and_forgotten_videos_leave_the_report(place: Place) -> None:
    """The deleted one keeps its verdict on its page; the forgotten one is judged no more."""
    first = place.run()
    ids = {row["path"]: row["video_id"] for row in videos(place).to_pylist()}
    (me, other) = sorted(ids.keys() - {"nobody.mp4"})
    before = place.verdicts()
    (place.archive / other).unlink()
    forget(place.warehouse, [{"video_id": ids[me], "path": me}], NOW)
    os.utime(place.archive / me, (1, 1))  # a changed file would be judged again
    night = place.run()
    assert {commit.tables.get("verdicts") for commit in night.commits} == {1}  # the deleted one
    made = publisher(place).report(night.store.latest("verdicts"))
    assert made.verdicts["path"].to_pylist() == ["nobody.mp4"]
    assert made.face_counts is not None and made.face_counts.num_rows == 0
    assert made.context.judged_now == frozenset()
    since = find(made).since
    assert since is not None and (since.gone, since.before.total) == (1, 2)
    assert [note for note in made.notes if "not counted here" in note] == [
        "1 video was deleted from the archive since, and not counted here.",
        "1 video was forgotten (framejury forget), and not counted here.",
    ]
    chosen = publisher(place).write_evidence(
        night.store.standing_verdicts(night.store.snapshot("videos")), [ids[other], ids[me]]
    )
    (row,) = chosen.to_pylist()
    assert (row["path"], row["p_fake"]) == (other, before[other]["p_fake"])
    assert row["run_id"] == first.commits[-1].run_id
    (page,) = pages_of(place)
    assert page.stem == ids[other]
    text = page.read_text()
    assert "deleted from the archive" in text and "Highest scores" in text
    allow(place.warehouse, [{"video_id": ids[me], "path": me}], NOW)
    night = place.night()
    _, plan = place.plan(night)
    again = plan.videos.select(["path", "reason"]).to_pylist()
    assert again == [{"path": me, "reason": "new"}]


@pytest.mark.long
def test_each_verdict_gets_its_page_and_the_report_leads_there(place: Place) -> None:
    night = place.run()
    folder = Path(report(night, place.spark.createDataFrame(videos(place))).path)
    html = (folder / "report.html").read_text()
    found = {(folder / link).resolve() for link in links_of(html) if "evidence" in link}
    root = Path(place.warehouse.location.path)
    assert found == set((root / "evidence").glob("*/*.html")) and len(found) == 3
    names = {path.read_text().split("<title>")[1].split("</title>")[0] for path in found}
    assert any("&lt;script&gt;" in name for name in names)
    for path in found:
        page = path.read_text()
        back = [link for link in links_of(page) if link.endswith("report.html")]
        assert [(path.parent / link).resolve() for link in set(back)] == [folder / "report.html"]
    assert not list(root.glob("evidence/*/.*"))  # no draft is left


@pytest.mark.long
def test_a_second_night_knows_the_first(place: Place) -> None:
    first = place.run()
    report(first, place.spark.createDataFrame(videos(place)))
    before = {p: p.stat().st_mtime_ns for p in pages_of(place)}
    clips.write_clip(place.archive / "new.mp4", clips.face_frames(6))
    os.utime(place.archive / "b.mp4", (1, 1))
    second = place.run(sampling={"frames": 2})
    made = publisher(place).report(second.store.latest("verdicts"))
    ids = {row["path"]: row["video_id"] for row in videos(place).to_pylist()}
    context = made.context
    assert context.judged_now == {ids["new.mp4"], ids["b.mp4"]}
    assert context.before is not None and context.before.num_rows == 3
    (night,) = context.earlier
    assert night.run_id == first.commits[-1].run_id and sum(night.statuses.values()) == 3
    assert context.work["videos"] == 2 and context.work["faces_scored"] > 0
    assert context.extractions is not None and context.extractions.num_rows == 4
    steps = [step for step in made.run.steps if step.name == "extraction"]
    shown = {step.run_ids: (step.settings["sampling"]["frames"], step.videos) for step in steps}
    runs = [(night.commits[-1].run_id,) for night in (first, second)]
    assert shown == {runs[0]: (3, 2), runs[1]: (2, 2)}
    scored = [step for step in made.run.steps if step.name == "scoring"]
    assert [(step.run_ids, step.videos) for step in scored] == [((*runs[0], *runs[1]), 3)]
    report(second, place.spark.createDataFrame(videos(place)))
    after = {p: p.stat().st_mtime_ns for p in pages_of(place)}
    assert before.items() <= after.items()  # a page of an old verdict stays
    assert {p.stem for p in set(after) - set(before)} == {ids["new.mp4"], ids["b.mp4"]}


@pytest.mark.long
def test_no_more_pages_than_the_settings_say_and_the_worst_first(place: Place) -> None:
    night = place.run()
    verdicts = night.store.latest("verdicts")
    publisher(place, evidence_pages=1).publish(verdicts)
    (page,) = pages_of(place)
    scored = [row for row in verdicts.collect() if row["p_fake"] is not None]
    assert page.stem == max(scored, key=lambda row: (row["p_fake"], row["video_id"]))["video_id"]
    publisher(place, evidence_pages=1).publish(verdicts)
    assert len(pages_of(place)) == 2  # the next one, where the first has its page


@pytest.mark.long
def test_pages_are_the_same_however_many_processes_make_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = place.run()
    verdicts = night.store.latest("verdicts")
    publisher(place).publish(verdicts)
    alone = {path: path.read_bytes() for path in pages_of(place)}
    for path in alone:
        path.unlink()
    monkeypatch.setattr(pages, "_FEW", 0)
    monkeypatch.setattr(pages, "_VIDEOS_AT_ONCE", 2)
    publisher(place).publish(verdicts)
    assert {path: path.read_bytes() for path in pages_of(place)} == alone


@pytest.mark.long
def test_a_folder_that_can_be_sent(place: Place, tmp_path: Path) -> None:
    night = place.run()
    out = tmp_path / "out"
    to_folder = replace(publisher(place), folder=locate(str(out)))
    to_folder.publish(night.store.latest("verdicts"))
    html = (out / "report.html").read_text()
    found = {(out / link).resolve() for link in links_of(html) if "evidence" in link}
    assert found == set(out.glob("evidence/*/*.html")) and len(found) == 3
    for path in found:
        back = {link for link in links_of(path.read_text()) if link.endswith("report.html")}
        assert {(path.parent / link).resolve() for link in back} == {out / "report.html"}
    assert not pages_of(place)


@pytest.mark.long
def test_a_name_that_is_none(place: Place) -> None:
    place.run()
    with pytest.raises(UsageError, match=r"did you mean b\.mp4"):
        evidence_verb.find_videos(videos(place), ["c.mp4"])
    ids = {row["path"]: row["video_id"] for row in videos(place).to_pylist()}
    names = ["b.mp4", ids["b.mp4"], "nobody.mp4"]
    assert evidence_verb.find_videos(videos(place), names) == [ids["b.mp4"], ids["nobody.mp4"]]


@pytest.mark.long
def test_pictures_lie_with_the_scores_that_a_verdict_rests_on(place: Place) -> None:
    night = place.run()
    verdicts = night.store.latest("verdicts")
    pictures = night.store.pictures_behind(verdicts).toArrow().to_pylist()
    assert {row["run_id"] for row in pictures} == {night.commits[-1].run_id}
    for row in pictures:
        level = decode_crop(row["picture"])[..., 0].mean() / 255
        if row["kind"] == "face":
            assert level == pytest.approx(row["score"], abs=0.05)


def videos(place: Place) -> pa.Table:
    return place.warehouse.read_snapshot("videos")


def pages_of(place: Place) -> list[Path]:
    return sorted(Path(place.warehouse.location.path).glob("evidence/*/*.html"))


def test_places_and_links_agree(tmp_path: Path) -> None:
    root = locate(str(tmp_path))
    place = page_place(root, "run", "video")
    assert Path(place.path) == tmp_path / page_link("run", "video")


@pytest.mark.long
def test_the_report_shows_the_curves_that_the_bundle_brought(place: Place) -> None:
    night = place.run()
    verdicts = night.store.latest("verdicts")
    assert publisher(place).report(verdicts).run.bundle.history == ()
    model_id = night.judging.bundle.model_id
    kept = place.warehouse.location.child("models", model_id, CURVES_NAME)
    write_whole(kept, curves_csv(EPOCHS).encode())
    made = publisher(place).publish(verdicts)
    assert {"loss.png", "auc.svg", "accuracy.png"} <= {p.name for p in Path(made.path).iterdir()}
    write_whole(kept, b"no curves")
    with pytest.raises(BundleError, match=r"curves\.csv"):
        publisher(place).report(verdicts)
