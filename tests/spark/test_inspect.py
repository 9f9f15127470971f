"""An archive inspected by executors, and the job as users start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.sql import SparkSession

from framejury.archive.video_rows import videos_table
from framejury.inspection.inspected_archive import ROWS
from framejury.settings import Settings
from framejury.tables.index import index_archive
from framejury.tables.inspect_videos import inspect_videos
from framejury.warehouse import Warehouse
from tests.builders.clips import face_frames, plain_frames, write_clip, write_garbage, write_text

PROGRAM = Path(sys.executable).parent / "framejury"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos: three fakes, two reals, one without a label; two of them cannot be read."""
    place = tmp_path_factory.mktemp("archive")
    write_clip(place / "a.mp4", face_frames(12), sound=True)
    write_clip(place / "b.mp4", face_frames(20))
    write_clip(place / "c.webm", plain_frames(10), codec="libvpx-vp9")
    write_garbage(place / "d.mp4", face_frames(10))
    write_text(place / "e.mp4")
    write_clip(place / "f.mp4", face_frames(5))
    labels = ("a.mp4,FAKE", "b.mp4,FAKE", "c.webm,REAL", "d.mp4,REAL", "e.mp4,FAKE")
    (place / "labels.csv").write_text("\n".join(["file,label", *labels]), "utf-8")
    return place


def listed(archive: Path) -> pa.Table:
    entries, *_ = index_archive(None, str(archive), Settings().index)
    return videos_table(entries, "planned")


def test_every_video_is_one_row(spark: SparkSession, archive: Path) -> None:
    rows, pictures = inspect_videos(spark, listed(archive), Settings())
    assert rows.schema.equals(ROWS)
    by_path = {row["path"]: row for row in rows.to_pylist()}
    assert list(by_path) == ["a.mp4", "b.mp4", "c.webm", "d.mp4", "e.mp4", "f.mp4"]
    ends = [row["status"] for row in by_path.values()]
    assert ends == ["extracted", "extracted", "no_face", "unreadable", "not_video", "extracted"]
    first = by_path["a.mp4"]
    assert (first["label"], first["layout"], first["codec"]) == ("FAKE", "labels_csv", "h264")
    assert (first["frames"], first["mtcnn_faces"], first["video_frames"]) == (11, 11, 12)
    assert first["haar_faces"] > 5 and first["matched"] > 5
    assert first["sound_codec"] == "aac" and by_path["c.webm"]["sound_codec"] is None
    assert by_path["f.mp4"]["frames"] == 5
    assert all(row["wall_s"] > 0 for row in by_path.values())
    # Pictures of those that could be read, and of no other.
    read = {by_path[name]["video_id"] for name in ("a.mp4", "b.mp4", "c.webm", "f.mp4")}
    assert set(pictures) == read
    assert all(picture.startswith(b"\xff\xd8") for picture in pictures.values())


def test_pictures_are_bounded(spark: SparkSession, archive: Path) -> None:
    settings = Settings()
    few = settings.inspect.model_copy(update={"sheet_pictures": 2, "sheet_px": 64})
    sampling = settings.sampling.model_copy(update={"frames": 2})
    small = settings.model_copy(update={"inspect": few, "sampling": sampling})
    rows, pictures = inspect_videos(spark, listed(archive), small)
    assert rows["frames"].to_pylist() == [2, 2, 2, None, None, 2]
    assert len(pictures) <= 2
    assert sum(map(len, pictures.values())) < 20_000


@pytest.mark.long
def test_the_command_writes_a_page_and_leaves_the_warehouse_free(
    archive: Path, tmp_path: Path
) -> None:
    warehouse = tmp_path / "warehouse"
    done = subprocess.run(
        [str(PROGRAM), "inspect", str(archive), "--warehouse", str(warehouse)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=os.environ | {"PYSPARK_SUBMIT_ARGS": "--master local[1] pyspark-shell"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 videos (100%)" in done.stderr
    assert "6 videos, of which 2 could not be read" in done.stderr
    (place,) = (warehouse / "inspections").iterdir()
    names = {path.name for path in place.iterdir()}
    assert {"inspect.html", "inspect.json", "videos.parquet", "contact_sheet.jpg"} <= names
    assert {"labels.png", "labels.svg", "faces.png", "detectors.svg", "statuses.png"} <= names
    assert parquet.read_table(place / "videos.parquet").schema.names == ROWS.names
    content = json.loads((place / "inspect.json").read_text("utf-8"))
    assert content["videos"] == 6 and content["failed"] == 2
    page = (place / "inspect.html").read_text("utf-8")
    assert "e.mp4" in page and "not video" in page
    # No table, no lock, and a first night may still take the place.
    assert [path.name for path in warehouse.iterdir()] == ["inspections"]
    Warehouse.open_or_plan(str(warehouse))
