"""Nights by two detectors at once: one pass, a row of `face_scores` per member, one verdict."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from framejury.examine.messages import ExaminePlan
from framejury.model.bundle import load_bundle
from framejury.model.ensemble import centres_of, combined
from framejury.night.night import counts_of, report
from framejury.tables.extract import write_examined
from framejury.tables.reduce import VerdictRules, reduce_verdicts
from framejury.tables.resources import ship_bundle
from framejury.verdict.members import members_of_facts
from framejury.verdict.rule import Rule
from framejury.warehouse import Warehouse
from tests.builders import clips
from tests.builders.ensembles import small_ensemble
from tests.builders.nightly import NOW, Place

Faces = dict[str, dict[tuple[int, int], float]]


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    archive = tmp_path / "archive"
    archive.mkdir()
    for number in range(2):
        clips.write_clip(archive / f"v{number}.mp4", clips.face_frames(24), gop=12)
    clips.write_clip(archive / "nobody.mp4", clips.plain_frames(4))
    warehouse = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    bundle = small_ensemble(tmp_path / "ensemble", (1, 3))
    return Place(spark, archive, warehouse, bundle.directory)


def faces_of(rows: list[dict[str, Any]]) -> dict[str, Faces]:
    """Scores by model, video and place."""
    found: dict[str, Faces] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        at = row["frame_index"], row["face_index"]
        assert at not in found[row["model_id"]][row["video_id"]]
        found[row["model_id"]][row["video_id"]][at] = row["score"]
    return found


def test_a_night_by_two_detectors_equals_one_night_by_each(place: Place, tmp_path: Path) -> None:
    bundle = load_bundle(place.bundle_dir)
    night = place.run()
    (commit,) = night.commits
    found = faces_of(place.warehouse.read_run(commit.run_id, "face_scores").to_pylist())
    assert found.keys() == {bundle.model_id, *(part.model_id for part in bundle.parts)}
    said = {
        one["model_id"]: one for row in place.verdicts().values() for one in row["members"] or ()
    }
    for number, part in enumerate(bundle.parts):
        warehouse = Warehouse.open_or_plan(str(tmp_path / f"alone-{number}"))
        alone = replace(place, warehouse=warehouse, bundle_dir=part.directory)
        (own,) = alone.run().commits
        own_faces = faces_of(warehouse.read_run(own.run_id, "face_scores").to_pylist())
        assert own_faces[part.model_id] == found[part.model_id]
        verdicts = alone.verdicts()
        assert verdicts["v1.mp4"]["members"] is None
        assert said[part.model_id]["score"] == verdicts["v1.mp4"]["p_fake"]
    centres = centres_of(bundle.parts)
    for video, faces in found[bundle.model_id].items():
        assert len(faces) == 3
        for at, score in faces.items():
            each = [[found[part.model_id][video][at] for part in bundle.parts]]
            assert score == pytest.approx(combined(each, [0.25, 0.75], centres)[0], abs=1e-6)
    counts = counts_of(night, 3)
    assert counts.faces_scored == 6
    assert counts.scoring_s.keys() == {part.model_id for part in bundle.parts}
    assert all(s > 0 for s in counts.scoring_s.values())
    assert commit.facts.scores is not None and sum(commit.facts.scores.faces) == 6


def test_the_report_and_a_second_reduction_name_the_members(place: Place) -> None:
    night = place.run()
    bundle = load_bundle(place.bundle_dir)
    videos = place.spark.createDataFrame(place.warehouse.read_snapshot("videos"))
    folder = Path(report(night, videos).path)
    page = (folder / "report.html").read_text()
    assert "each detector says" in page
    assert bundle.parts[1].model_id in page
    pages = [one.read_text() for one in (folder.parents[1] / "evidence").rglob("*.html")]
    assert any("Several detectors judge together here" in one for one in pages)
    before = {row["video_id"]: row["members"] for row in place.verdicts().values()}
    (commit,) = night.commits
    assert commit.facts.bundle is not None
    members = members_of_facts(commit.facts.bundle)
    assert members == bundle.member_rules
    scores = night.store.face_scores(bundle.model_id, [one.model_id for one in members])
    rule, verdict = Rule(threshold=0.9), night.judging.settings.verdict
    rules = VerdictRules("again", bundle.model_id, rule, verdict, members)
    again = reduce_verdicts(videos, night.store.latest("extractions"), scores, rules)
    assert {row["video_id"]: row["members"] for row in again.toArrow().to_pylist()} == before


def test_segments_of_a_long_video_give_the_rows_of_the_whole(place: Place) -> None:
    bundle = load_bundle(place.bundle_dir)
    shipped = ship_bundle(place.spark, bundle.directory, bundle.model_id)
    rows, _ = place.plan(place.night())
    found = []
    for spark in ({"survey_bytes": 2**40}, {"survey_bytes": 1, "segment_s": 0.01}):
        night = place.night(sampling={"mode": "all"}, spark=spark)
        run = place.warehouse.begin("extract", NOW)
        settings = night.judging.settings.model_dump(mode="json")
        plan = ExaminePlan(run.run_id, settings, None, keep_crops=False)
        videos = place.spark.createDataFrame(rows)
        write_examined(night.store, run, videos, plan, shipped)
        keys = ("model_id", "video_id", "frame_index", "face_index")
        faces = night.store.of_run(run, "face_scores").orderBy(*keys).toArrow()
        found.append(faces.drop_columns(["run_id", "ssim"]).to_pylist())
    whole, cut = found
    assert len(whole) == 2 * 24 * 3
    assert cut == whole
