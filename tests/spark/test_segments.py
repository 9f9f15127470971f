"""Long videos cut into segments give the rows of the same videos worked on whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from framejury.archive.video_rows import videos_table
from framejury.errors import ReconcileError
from framejury.examine.costs import frame_s
from framejury.examine.messages import ExaminePlan
from framejury.model.bundle import load_bundle
from framejury.records import Image, Size
from framejury.schemas.tables import TABLES, VIDEOS
from framejury.settings import EvidenceSettings
from framejury.settings.loading import settings_from
from framejury.tables.extract import (
    Units,
    examine_units,
    plan_units,
    write_examined,
)
from framejury.tables.index import index_archive
from framejury.tables.resources import ship_bundle
from framejury.tables.staging import settle_segments
from framejury.tables.store import Store
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Run
from tests.builders import clips
from tests.builders.bundles import brightness_bundle

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TIMES = {"wall_s", "cpu_s", "scoring", "peak_memory_bytes", "frames_decoded", "run_id"}
TABLES_WRITTEN = ("extractions", "faces", "face_scores", "pictures")
GOP = 12

Rows = list[dict[str, Any]]


@dataclass
class World:
    spark: SparkSession
    warehouse: Warehouse
    store: Store
    videos: DataFrame
    ids: dict[str, str]
    shipped: str


def two_people(count: int) -> list[Image]:
    """Somebody on the left, who leaves; somebody on the right, who comes a little before that."""
    leaves = count // 2
    size = Size(240, 320)
    faces, empty = clips.face_frames(count, size), clips.plain_frames(count, size)
    frames = []
    for index in range(count):
        left = faces[index] if index < leaves else empty[index]
        right = faces[index] if index >= leaves - 2 else empty[index]
        frames.append(clips.number_frame(np.hstack([left, right]), index))
    return frames


def damage(path: Path, start_ratio: float, stop_ratio: float) -> None:
    """Overwrite a stretch of the pictures with noise."""
    content = bytearray(path.read_bytes())
    pictures = clips.mp4_boxes(content)["mdat"]
    start = pictures.start + round(start_ratio * len(pictures))
    stop = pictures.start + round(stop_ratio * len(pictures))
    content[start:stop] = np.random.default_rng(0).bytes(stop - start)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("segments")
    archive = root / "archive"
    archive.mkdir()
    clips.write_clip(archive / "two.mp4", two_people(96), gop=GOP)
    clips.write_clip(archive / "nobody.mp4", clips.plain_frames(60), gop=GOP)
    clips.write_clip(archive / "short.mp4", clips.face_frames(6), gop=GOP)
    damage(clips.write_clip(archive / "damaged.mp4", two_people(96), gop=GOP), 0.36, 0.5)
    clips.write_without_moov(archive / "no index.mp4", clips.face_frames(60))
    clips.write_garbage(archive / "garbage.mp4", clips.face_frames(60))
    entries, *_ = index_archive(None, str(archive), settings_from({}).index)
    table = videos_table(entries, "index")
    ids = dict(zip(table["path"].to_pylist(), table["video_id"].to_pylist(), strict=True))
    warehouse = Warehouse.open_or_plan(str(root / "warehouse"))
    bundle = brightness_bundle(root / "bundle")
    shipped = ship_bundle(spark, root / "bundle", load_bundle(bundle.directory).model_id)
    store = Store(spark, warehouse, 2**24)
    yield World(spark, warehouse, store, spark.createDataFrame(table), ids, shipped)


def plan(run_id: str = "run", *, keep_crops: bool = False, **spark: Any) -> ExaminePlan:
    """Every frame, by Haar: it finds the same boxes in whatever company a frame is."""
    settings = settings_from(
        {"sampling": {"mode": "all"}, "detection": {"detector": "haar"}, "spark": spark}
    )
    return ExaminePlan(run_id, settings.model_dump(mode="json"), None, keep_crops=keep_crops)


WHOLE = {"survey_bytes": 2**40}
CUT = {"survey_bytes": 1, "segment_s": 0.01}


def examined(world: World, *, keep_crops: bool, **spark: Any) -> tuple[Run, dict[str, Rows]]:
    """What a run writes, in order, without what takes time or names the run."""
    run = world.warehouse.begin("extract", NOW)
    made = plan(run.run_id, keep_crops=keep_crops, **spark)
    write_examined(world.store, run, world.videos, made, world.shipped)
    rows = {}
    for table in TABLES_WRITTEN:
        keys = [
            k for k in ("video_id", "kind", "frame_index", "face_index") if k in TABLES[table].names
        ]
        found = world.store.of_run(run, table).orderBy(*keys).toArrow().to_pylist()
        rows[table] = [{k: v for k, v in row.items() if k not in TIMES} for row in found]
    return run, rows


def clips_in(rows: dict[str, Rows]) -> Rows:
    """Take the clips out of the pictures: those of segments are others than those of a whole."""
    found = [row for row in rows["pictures"] if row["kind"] == "clip"]
    rows["pictures"] = [row for row in rows["pictures"] if row["kind"] != "clip"]
    return found


@pytest.mark.parametrize(
    "keep_crops",
    [pytest.param(True, id="crops"), pytest.param(False, id="scores", marks=pytest.mark.long)],
)
def test_segments_give_the_rows_of_whole_videos(world: World, keep_crops: bool) -> None:
    counts = plan_units(world.videos, plan(**CUT), world.shipped).segments
    assert counts[world.ids["two.mp4"]] >= 3 and counts[world.ids["damaged.mp4"]] >= 3
    _, whole = examined(world, keep_crops=keep_crops, **WHOLE)
    run, cut = examined(world, keep_crops=keep_crops, **CUT)
    damaged, begun = world.ids["damaged.mp4"], 0
    of_whole, of_cut = clips_in(whole), clips_in(cut)
    # Each segment makes one clip at most, and the video keeps the most suspicious ones.
    for video_id in (world.ids["two.mp4"], damaged):
        kept = [row for row in of_cut if row["video_id"] == video_id]
        assert 0 < len(kept) <= EvidenceSettings().clips < counts[video_id]
        assert any(row["video_id"] == video_id for row in of_whole)
    place = ("video_id", "frame_index", "face_index")
    judged = {tuple(row[name] for name in place) for row in cut["face_scores"]}
    for row in of_cut:
        assert tuple(row[name] for name in place) in judged
        assert row["start_s"] <= row["pts_s"] <= row["end_s"] and row["clip"]
    for table in TABLES_WRITTEN:
        for one, other in zip(whole[table], cut[table], strict=True):
            if one["video_id"] == damaged and table == "extractions":
                assert one.pop("error") and other.pop("error")
            if table == "face_scores" and other["ssim"] is None:
                begun += one["ssim"] is not None
                one["ssim"] = None  # the first of a segment has nobody to be compared with
            assert other == one
    # Each segment begins at most two persons anew.
    assert 0 < begun <= 2 * (counts[world.ids["two.mp4"]] + counts[damaged])
    assert len(cut["pictures"]) > 6
    assert bool(cut["faces"]) is keep_crops
    persons = {row["person"] for row in cut["face_scores"] if row["video_id"] != damaged}
    assert persons == {0, 1}
    # The one who comes in a later segment is not the first one again.
    late = [row for row in cut["face_scores"] if row["frame_index"] > 60]
    assert late and {row["person"] for row in late} == {1}
    assert sum(row["faces_kept"] for row in cut["extractions"]) == len(cut["face_scores"])
    assert not Path(run.staging_location().path).exists()
    assert {path.parent.name for path in Path(run.location.path).rglob("*.parquet")} == {
        f"table={table}" for table in TABLES_WRITTEN if keep_crops or table != "faces"
    }


def test_a_long_video_becomes_segments_with_their_own_costs(world: World) -> None:
    units = plan_units(world.videos, plan(**CUT), world.shipped)
    rows = units.rows.to_pylist()
    two = world.ids["two.mp4"]
    parts = sorted((r for r in rows if r["video_id"] == two), key=lambda row: row["segment"])
    assert [row["segment"] for row in parts] == list(range(units.segments[two]))
    assert [row["first"] for row in parts[1:]] == [row["stop"] for row in parts[:-1]]
    assert (parts[0]["first"], parts[-1]["stop"]) == (0, 96)
    assert all(row["first"] % GOP == 0 for row in parts)
    assert {len(row["content_id"]) for row in parts} == {64}
    assert len(rows) == len(units.costs_s) and (units.costs_s > 0).all()
    # What cannot be opened, or has nothing to gain, stays whole.
    for name in ("no index.mp4", "short.mp4"):
        (row,) = (r for r in rows if r["video_id"] == world.ids[name])
        assert row["segment"] is None and row["content_id"] is None
    assert set(units.segments) == {
        world.ids[name] for name in ("two.mp4", "nobody.mp4", "damaged.mp4")
    }


def test_a_surveyed_video_in_one_piece_has_its_better_estimate(world: World) -> None:
    by_size = plan_units(world.videos, plan(**WHOLE))
    surveyed = plan_units(world.videos, plan(survey_bytes=1, segment_s=600.0))
    assert surveyed.segments == {} and surveyed.rows.equals(by_size.rows)
    ids = by_size.rows["video_id"].to_pylist()
    two, lost = ids.index(world.ids["two.mp4"]), ids.index(world.ids["no index.mp4"])
    assert surveyed.costs_s[two] == pytest.approx(0.05 + 96 * frame_s("haar"), rel=0.3)
    assert by_size.costs_s[two] != pytest.approx(surveyed.costs_s[two], rel=0.3)
    assert surveyed.costs_s[lost] == by_size.costs_s[lost]


@pytest.mark.parametrize(
    "change",
    [lambda p: p.write_bytes(p.read_bytes() + b"more"), Path.unlink],
    ids=["grown", "gone"],
)
def test_a_file_that_changes_under_way_is_tried_again(
    spark: SparkSession, world: World, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    path = clips.write_clip(tmp_path / "long.mp4", clips.face_frames(60), gop=GOP)
    row = {
        **dict.fromkeys(VIDEOS.names, "x"),
        **{"video_id": "long", "uri": str(path), "bytes": path.stat().st_size},
        **{"modified_at": NOW, "missing_since": None, "group_keys": ["x"]},
    }
    videos = spark.createDataFrame(pa.Table.from_pylist([row], schema=VIDEOS))
    run = world.warehouse.begin("extract", NOW)
    made = plan(run.run_id, **CUT)
    units = plan_units(videos, made)
    assert units.segments["long"] >= 2
    change(path)
    world.store.stage(examine_units(spark, units, made), run)
    settle_segments(spark, world.store, run, units.segments, EvidenceSettings())
    (found,) = world.store.of_run(run, "extractions").collect()
    assert found["status"] in ("unreadable", "missing")
    assert found["error"].startswith("segment 1 of ") or "no file" in found["error"]
    assert (found["faces_kept"], found["faces_found"]) == (0, 0)
    assert world.store.of_run(run, "face_scores").count() == 0


def test_a_video_of_which_one_segment_failed_has_no_faces(world: World) -> None:
    run = world.warehouse.begin("extract", NOW)
    made = plan(run.run_id, **CUT)
    units = plan_units(world.videos, made, world.shipped)
    rows, two = units.rows.to_pylist(), world.ids["two.mp4"]
    for row in rows:
        # As if the file had another size when its second segment was worked on.
        row["bytes"] += row["video_id"] == two and row["segment"] == 1
    changed = Units(
        pa.Table.from_pylist(rows, schema=units.rows.schema), units.costs_s, units.segments
    )
    world.store.stage(examine_units(world.spark, changed, made, world.shipped), run)
    settle_segments(world.spark, world.store, run, units.segments, EvidenceSettings())
    (found,) = world.store.of_run(run, "extractions").where(F.col("video_id") == two).collect()
    assert (found["status"], found["faces_kept"]) == ("unreadable", 0)
    assert found["error"].startswith(f"segment 2 of {units.segments[two]}: the file changed")
    scores = world.store.of_run(run, "face_scores")
    assert scores.where(F.col("video_id") == two).count() == 0 < scores.count()


def test_a_lost_segment_is_a_fault_that_names_the_video(world: World) -> None:
    run = world.warehouse.begin("extract", NOW)
    made = plan(run.run_id, **CUT)
    units = plan_units(world.videos, made)
    lost = units.rows.num_rows - 1
    assert units.rows["segment"][lost].as_py() is not None
    fewer = Units(units.rows.slice(0, lost), units.costs_s[:lost], units.segments)
    world.store.stage(examine_units(world.spark, fewer, made), run)
    with pytest.raises(ReconcileError, match=units.rows["video_id"][lost].as_py()):
        settle_segments(world.spark, world.store, run, units.segments, EvidenceSettings())


def test_each_task_is_a_partition_with_the_work_meant_for_it(world: World) -> None:
    units = plan_units(world.videos, plan(**CUT))
    rows = examine_units(world.spark, units, plan(**CUT, task_s=0.5))
    placed = rows.where("status is not null").withColumn("task", F.spark_partition_id())
    tasks = {row["task"] for row in placed.select("task").collect()}
    assert len(tasks) > 2 and tasks == set(range(len(tasks)))
    single = examine_units(world.spark, units, plan(**CUT, max_tasks=1))
    assert single.rdd.getNumPartitions() == 1
