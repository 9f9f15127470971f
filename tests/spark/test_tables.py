"""Index, extract, plan and score on a real session and real media files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from framejury.archive.video_rows import videos_table
from framejury.errors import ArchiveError
from framejury.examine.messages import ExaminePlan, settings_id
from framejury.faces.crop import cropped_face, decode_crop
from framejury.labelled.committed_split import labelled_source
from framejury.labelled.videos import labelled_videos
from framejury.model.bundle import load_bundle, write_bundle
from framejury.model.runtime import Scorer
from framejury.night.plan import videos_to_extract
from framejury.schemas.tables import FACE_SCORES
from framejury.settings import Settings
from framejury.settings.loading import settings_from
from framejury.tables.evidence_pictures import pictures_of_faces
from framejury.tables.extract import (
    examine_units,
    plan_units,
    write_examined,
)
from framejury.tables.index import index_archive
from framejury.tables.merge import merge_runs
from framejury.tables.resources import ship_bundle
from framejury.tables.score import score_faces
from framejury.tables.store import Store
from framejury.tables.tallies import face_counts
from framejury.training.source import iter_faces
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts, Run
from framejury.warehouse.reader import SEQUENCE
from tests.builders import clips
from tests.builders.bundles import MANIFEST, brightness_bundle, brightness_network
from tests.builders.parquet_files import assert_files_hold_their_tables_columns

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = settings_from({"sampling": {"frames": 4}})


@dataclass
class World:
    """An archive, its warehouse, and the ids of its files by name."""

    archive: Path
    warehouse: Warehouse
    store: Store
    ids: dict[str, str]
    bundle_dir: Path


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("world")
    archive = root / "archive"
    archive.mkdir()
    face = clips.face_frames(12)
    clips.write_clip(archive / "RealAda.mp4", face)
    clips.write_clip(archive / "FakeAda.mp4", [255 - frame for frame in face][:1] + face[1:])
    clips.write_clip(archive / "landscape.mkv", clips.plain_frames(10))
    clips.write_audio_only(archive / "sound only.mp4")
    clips.write_empty(archive / "empty.mp4")
    clips.write_text(archive / "text.mp4")
    clips.write_without_moov(archive / "cut.mp4", face)
    clips.write_clip(archive / "vanishes.mp4", face)
    (archive / "labels.csv").write_text("file,label\nRealAda.mp4,REAL\nFakeAda.mp4,FAKE\n")
    warehouse = Warehouse.open_or_plan(str(root / "warehouse"))
    store = Store(spark, warehouse, SETTINGS.spark.row_group_bytes)
    brightness_bundle(root / "bundle")
    world = World(archive, warehouse, store, {}, root / "bundle")
    _index(spark, world)
    (archive / "vanishes.mp4").unlink()
    _extract(spark, world, SETTINGS)
    yield world


def _index(spark: SparkSession, world: World) -> None:
    entries, *_ = index_archive(spark, str(world.archive), SETTINGS.index)
    with world.warehouse.running("index", NOW) as run:
        table = videos_table(entries, run.run_id)
        world.warehouse.write(run, "videos", table)
        world.warehouse.commit(run, NOW, archive=str(world.archive))
    world.ids.update(zip(table["path"].to_pylist(), table["video_id"].to_pylist(), strict=True))


def examined(videos: DataFrame, plan: ExaminePlan, bundle: str | None = None) -> DataFrame:
    """Rows of videos, none of them cut."""
    return examine_units(videos.sparkSession, plan_units(videos, plan, bundle), plan, bundle)


def _extract(spark: SparkSession, world: World, settings: Settings) -> int:
    planned = videos_to_extract(
        world.store.snapshot("videos"),
        world.store.extractions_with_crops(),
        settings_id(settings),
        settings.limits.tries,
    )
    count = planned.count()
    if count:
        with world.warehouse.running("extract", NOW) as run:
            plan = ExaminePlan(run.run_id, settings.model_dump(mode="json"), None, True)
            write_examined(world.store, run, planned, plan)
            facts = CommitFacts(keeps_crops=True)
            world.warehouse.commit(run, NOW, settings=settings.model_dump(mode="json"), facts=facts)
    return count


def test_files_of_an_extract_run_hold_their_tables_columns(world: World) -> None:
    assert_files_hold_their_tables_columns(world.warehouse, ("videos", "extractions", "faces"))


def test_every_file_ends_with_its_status(world: World) -> None:
    rows = world.warehouse.read_latest("extractions").to_pylist()
    names = {video_id: name for name, video_id in world.ids.items()}
    assert {names[row["video_id"]]: row["status"] for row in rows} == {
        "RealAda.mp4": "extracted",
        "FakeAda.mp4": "extracted",
        "landscape.mkv": "no_face",
        "sound only.mp4": "not_video",
        "empty.mp4": "empty",
        "text.mp4": "not_video",
        "cut.mp4": "unreadable",
        "vanishes.mp4": "missing",
    }
    for row in rows:
        assert (row["error"] is None) == (row["status"] in ("extracted", "no_face")), row


def test_faces_are_kept_with_their_crops(world: World) -> None:
    rows = world.store.faces().toArrow().to_pylist()
    real = [row for row in rows if row["video_id"] == world.ids["RealAda.mp4"]]
    assert len(real) == 4
    for row in real:
        crop = decode_crop(row["crop"])
        assert crop.shape[:2] == (row["crop_region"]["height"], row["crop_region"]["width"])
        assert row["confidence"] >= 0.95
        assert len(row["landmarks"]) == 5
        assert row["person"] == 0


def test_a_second_run_tries_failures_again_and_nothing_else(
    spark: SparkSession, world: World
) -> None:
    def planned(settings: Settings) -> set[str]:
        rows = videos_to_extract(
            world.store.snapshot("videos"),
            world.store.history("extractions"),
            settings_id(settings),
            settings.limits.tries,
        )
        names = {video_id: name for name, video_id in world.ids.items()}
        return {names[row["video_id"]] for row in rows.collect()}

    assert planned(SETTINGS) == {"cut.mp4", "vanishes.mp4"}
    once = settings_from({"sampling": {"frames": 4}, "limits": {"tries": 1}})
    assert settings_id(once) == settings_id(SETTINGS)
    # What was missing is looked for as long as it is listed.
    assert planned(once) == {"vanishes.mp4"}
    assert planned(settings_from({"sampling": {"frames": 5}})) == set(world.ids)


def test_scores_from_executors_equal_scores_here(spark: SparkSession, world: World) -> None:
    bundle = load_bundle(world.bundle_dir)
    shipped = ship_bundle(spark, world.bundle_dir, bundle.model_id)
    scored = score_faces(world.store.faces(), shipped, "score-run", threads=1, batch_size=3)
    here = Scorer(bundle)
    expected = {
        (row["video_id"], row["frame_index"]): float(here.score([decode_crop(row["crop"])])[0])
        for row in world.store.faces().toArrow().to_pylist()
    }
    found = scored.toArrow().to_pylist()
    assert len(found) == len(expected)
    for row in found:
        assert row["model_id"] == bundle.model_id
        assert row["score"] == pytest.approx(
            expected[row["video_id"], row["frame_index"]], abs=1e-6
        )


def test_one_pass_scores_as_two_passes_do(spark: SparkSession, world: World) -> None:
    """Fused: scores leave the executor, crops do not; JPEG 98 moves a score by little."""
    bundle = load_bundle(world.bundle_dir)
    shipped = ship_bundle(spark, world.bundle_dir, bundle.model_id)
    plan = ExaminePlan("fused", SETTINGS.model_dump(mode="json"), None, keep_crops=False)
    rows = examined(world.store.snapshot("videos"), plan, shipped).cache()
    fused = rows.where("table = 'face_scores'").orderBy("video_id", "frame_index").collect()
    assert rows.where("table = 'faces'").count() == 0
    assert rows.where("table = 'extractions'").count() == len(world.ids)
    apart = score_faces(world.store.faces(), shipped, "x", threads=1, batch_size=32)
    apart_rows = apart.orderBy("video_id", "frame_index").collect()
    assert [row["score"] for row in fused] == pytest.approx(
        [row["score"] for row in apart_rows], abs=0.01
    )
    assert np.ptp([row["score"] for row in fused]) > 0  # the network does tell frames apart
    counts = face_counts(rows.where("table = 'face_scores'"), world.store.snapshot("videos"))
    assert sum(counts["faces"].to_pylist()) == len(fused)


def test_extracting_again_supersedes_the_old_faces(spark: SparkSession, world: World) -> None:
    before = {(r["video_id"], r["frame_index"]) for r in world.store.faces().collect()}
    assert _extract(spark, world, settings_from({"sampling": {"frames": 2}})) == len(world.ids)
    after = {(r["video_id"], r["frame_index"]) for r in world.store.faces().collect()}
    ada = world.ids["RealAda.mp4"]
    assert len([key for key in before if key[0] == ada]) == 4
    assert len([key for key in after if key[0] == ada]) == 2


def test_a_night_without_crops_hides_no_kept_face(spark: SparkSession, world: World) -> None:
    before = world.store.faces().count()
    with world.warehouse.running("nightly", NOW) as run:
        plan = ExaminePlan(run.run_id, SETTINGS.model_dump(mode="json"), None, keep_crops=False)
        write_examined(world.store, run, world.store.snapshot("videos"), plan)
        world.warehouse.commit(run, NOW, facts=CommitFacts(keeps_crops=False))
    assert world.store.faces().count() == before > 0
    labelled = {video.row["path"]: video for video in labelled_videos(world.warehouse)}
    extraction = labelled["RealAda.mp4"].extraction
    assert extraction is not None
    assert extraction["run_id"] != run.run_id
    assert len(list(iter_faces(labelled_source(world.warehouse)))) == before
    _check_extractions_behind(spark, world, run.run_id, extraction["run_id"])


def _check_extractions_behind(spark: SparkSession, world: World, night: str, kept: str) -> None:
    """Scores of stored crops rest on the extraction that kept them, not on a later night."""
    bundle = load_bundle(world.bundle_dir)
    ada = world.ids["RealAda.mp4"]
    assert ada in {row["video_id"] for row in world.store.crops_are_older().collect()}

    def behind(sequence: int, faces: int) -> list[str]:
        row = (ada, "scored", faces, bundle.model_id, sequence)
        schema = (
            f"video_id string, status string, faces_scored int, model_id string, {SEQUENCE} long"
        )
        verdicts = spark.createDataFrame([row], schema)
        return [one["run_id"] for one in world.store.extractions_behind(verdicts).collect()]

    assert behind(world.warehouse.commits()[-1].sequence, 4) == [night]
    shipped = ship_bundle(spark, world.bundle_dir, bundle.model_id)
    with world.warehouse.running("score", NOW) as run:
        scores = score_faces(world.store.faces(), shipped, run.run_id, threads=1, batch_size=3)
        world.store.write(scores, run, "face_scores")
        scored = world.warehouse.commit(run, NOW, model_id=bundle.model_id)
    assert behind(scored.sequence + 1, 4) == [kept]
    assert behind(scored.sequence - 1, 4) == [night]  # an earlier verdict
    assert behind(scored.sequence + 1, 0) == [night]  # not by these scores


def test_an_uncommitted_run_is_not_read(spark: SparkSession, world: World) -> None:
    rows = world.store.history("extractions").count()
    run: Run = world.warehouse.begin("extract", NOW)
    world.store.write(world.store.latest("extractions"), run, "extractions")
    assert world.store.of_run(run, "extractions").count() == len(world.ids)
    assert world.store.history("extractions").count() == rows
    shutil.rmtree(run.location.path)


def test_any_hadoop_uri_is_listed_and_led_back_to_its_files(
    spark: SparkSession, world: World
) -> None:
    """viewfs is a Hadoop file system of its own, mounted here over the local archive."""
    link = "fs.viewfs.mounttable.default.link./videos"
    configuration = spark.sparkContext._jsc.hadoopConfiguration()
    configuration.set(link, f"file://{world.archive}")
    entries, *_ = index_archive(spark, "viewfs:///videos", SETTINGS.index)
    local, *_ = index_archive(spark, str(world.archive), SETTINGS.index)
    assert [entry.file.path for entry in entries] == [entry.file.path for entry in local]
    assert [entry.label for entry in entries] == [entry.label for entry in local]
    assert [entry.file.size_bytes for entry in entries] == [e.file.size_bytes for e in local]
    with pytest.raises(ArchiveError, match="cannot list viewfs:///nowhere"):
        index_archive(spark, "viewfs:///nowhere", SETTINGS.index)
    plan = ExaminePlan("viewfs", SETTINGS.model_dump(mode="json"), None, keep_crops=True)
    videos = spark.createDataFrame(videos_table(entries, "viewfs"))
    ada = videos.where("path = 'RealAda.mp4'")
    statuses = examined(ada, plan).where("table = 'extractions'").collect()
    assert [row["status"] for row in statuses] == ["extracted"]


def test_a_network_of_pairs_scores_stored_faces_as_it_scores_videos(
    spark: SparkSession, world: World, tmp_path: Path
) -> None:
    """With all that its signal needs, and evidence that shows what it saw."""
    manifest = replace(MANIFEST, signal="flow_fusion")
    bundle = write_bundle(tmp_path / "b", manifest, brightness_network(tmp_path / "a.onnx"))
    shipped = ship_bundle(spark, bundle.directory, bundle.model_id)
    settings = settings_from({"sampling": {"frames": 3, "pairs": True}, "crops": {"format": "png"}})
    plan = ExaminePlan("pairs", settings.model_dump(mode="json"), None, keep_crops=True)
    ada = world.store.snapshot("videos").where(f"video_id = '{world.ids['RealAda.mp4']}'")
    rows = examined(ada, plan, shipped).cache()
    faces, direct = rows.where("table = 'faces'"), rows.where("table = 'face_scores'")
    scored = score_faces(faces, shipped, "x", threads=1, batch_size=2).cache()
    found = {row["frame_index"]: row["score"] for row in scored.collect()}
    assert len(found) == 3
    assert found == pytest.approx({r["frame_index"]: r["score"] for r in direct.collect()})
    evidence = settings.evidence.model_copy(update={"faces": 1})
    pictures = pictures_of_faces(faces, scored, shipped, "x", evidence).collect()
    scorer = Scorer(bundle)
    pairs = {row["frame_index"]: row for row in faces.toArrow().to_pylist()}
    assert len(pictures) == 2
    for picture in pictures:
        seen = scorer.pictures([cropped_face(pairs[picture["frame_index"]])])[0]
        shown = decode_crop(bytes(picture["picture"])).astype(int)
        assert shown.shape == (32, 32, 3) and np.abs(shown - seen).mean() < 6
    alone = faces.withColumn("next_crop", F.lit(None).cast("binary"))
    with pytest.raises(Exception, match=r"flow_fusion needs the face in two frames"):
        score_faces(alone, shipped, "x", threads=1, batch_size=2).collect()


def test_columns_of_another_name_are_read_and_merged_under_the_name_of_now(
    spark: SparkSession, tmp_path: Path
) -> None:
    stored = Path(__file__).resolve().parents[1] / "data" / "old_warehouse"
    warehouse = Warehouse.open(str(shutil.copytree(stored, tmp_path / "warehouse")))
    store = Store(spark, warehouse, 2**20)

    def scores() -> dict[tuple[str, str, int], float]:
        rows = store.history("face_scores").collect()
        return {(r["run_id"], r["video_id"], r["frame_index"]): r["score"] for r in rows}

    columns = ["run_id", "video_id", "frame_index", "p_fake"]
    files = stored.glob("runs/*/table=face_scores/*.parquet")
    old = [row for file in files for row in pq.ParquetFile(file).read(columns).to_pylist()]
    before = scores()
    assert before == {(r["run_id"], r["video_id"], r["frame_index"]): r["p_fake"] for r in old}
    with warehouse.running("merge", NOW) as run:
        assert "face_scores" in merge_runs(store, warehouse, run, least_runs=2)
        warehouse.commit(run, NOW)
    (merged,) = warehouse.parquet_files("face_scores")
    assert pq.read_schema(merged.path).names == FACE_SCORES.names
    assert scores() == before
