"""Clips are made in the sandbox from real videos, and can cost no verdict."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from framejury.examine import worker
from framejury.examine.clips import ClipMaker, cut_out, encoded
from framejury.examine.faces import ExaminedFace
from framejury.examine.messages import MOST_CLIP_BYTES, TABLE_COLUMN, ExaminePlan, Segment, VideoJob
from framejury.examine.segments import SEGMENTS
from framejury.examine.worker import Examiner
from framejury.faces.crop import decode_crop
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.records import Box, DetectedFace, Image, Region, Size
from framejury.settings.loading import settings_from
from tests.builders import clips
from tests.builders.bundles import brightness_bundle

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return brightness_bundle(tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture(scope="module")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a face, 25 frames a second."""
    return clips.write_clip(tmp_path_factory.mktemp("face") / "a.mp4", clips.face_frames(100))


def examiner_of(bundle: Bundle, **sections: Any) -> Examiner:
    values = {"sampling": {"frames": 8}, "verdict": {"threshold": 0.2}} | sections
    settings = settings_from(values).model_dump(mode="json")
    return Examiner(ExaminePlan("run-1", settings, str(bundle.directory), keep_crops=False))


@pytest.fixture(scope="module")
def rows(bundle: Bundle, face_clip: Path) -> Iterator[Rows]:
    with examiner_of(bundle) as examiner:
        yield examiner.examine(VideoJob("video-1", str(face_clip))).to_pylist()


def clips_in(rows: Rows) -> Rows:
    return [row for row in rows if row["kind"] == "clip"]


def scores_in(rows: Rows) -> list[float]:
    return [row["score"] for row in rows if row[TABLE_COLUMN] == "face_scores"]


def pictures_of(clip: bytes) -> tuple[list[Image], list[float]]:
    with av.open(io.BytesIO(clip), "r") as container:
        frames = list(container.decode(video=0))
        pictures = [np.asarray(one.to_ndarray(format="rgb24"), np.uint8) for one in frames]
        return pictures, [one.time or 0.0 for one in frames]


def test_a_suspicious_part_moves_at_original_speed(rows: Rows) -> None:
    (clip,) = clips_in(rows)
    assert len(clip["clip"]) <= MOST_CLIP_BYTES
    pictures, times_s = pictures_of(clip["clip"])
    assert 1.6 <= times_s[-1] <= 2.0 and len(pictures) == pytest.approx(12 * times_s[-1], abs=2)
    assert clip["end_s"] - clip["start_s"] == pytest.approx(times_s[-1], abs=0.002)
    # Frames lie 1/25 s apart: at twelve a second, every second or third is shown.
    assert {round(25 * gap_s) for gap_s in np.diff(times_s)} <= {2, 3}
    assert np.diff(times_s) * 25 == pytest.approx(np.round(np.diff(times_s) * 25), abs=0.06)
    assert np.abs(pictures[0].astype(int) - pictures[-1]).mean() > 2  # the camera sways
    assert max(pictures[0].shape) <= 320


def test_a_clip_names_a_scored_face_and_shows_it_as_a_still(rows: Rows) -> None:
    (clip,) = clips_in(rows)
    scored = [row for row in rows if row[TABLE_COLUMN] == "face_scores"]
    (face,) = [
        row
        for row in scored
        if (row["frame_index"], row["face_index"]) == (clip["frame_index"], clip["face_index"])
    ]
    assert clip["start_s"] <= face["pts_s"] <= clip["end_s"]
    assert face["score"] == max(row["score"] for row in scored)
    still = decode_crop(clip["picture"])
    assert still.shape == pictures_of(clip["clip"])[0][0].shape


def test_the_box_is_drawn_around_the_face() -> None:
    part = np.full((200, 400, 3), 90, np.uint8)
    picture = cut_out(part, Region(100, 50, 400, 200), Box(200, 100, 100, 100))
    assert picture.shape == (160, 320, 3)
    # 100 pixels right of the region's left edge, at 4/5 of the size.
    assert picture[40:121, 80].min() > 200 and picture[40, 80:161].min() > 200
    assert picture[40:121, 160].min() > 200 and picture[120, 80:161].min() > 200
    assert (picture[60:100, 100:140] == 90).all() and (picture[:30] == 90).all()
    assert (cut_out(part, Region(100, 50, 400, 200), None) == 90).all()


def test_the_same_pictures_give_the_same_bytes() -> None:
    pictures = clips.face_frames(12, Size(120, 160))
    times_s = [number / 12 for number in range(12)]
    assert encoded(pictures, times_s) == encoded(pictures, times_s)


@pytest.mark.parametrize(
    "sections",
    [
        {"evidence": {"clips": 0}},
        {"evidence": {"faces": 0}},
        {"verdict": {"threshold": 0.99}},
    ],
)
def test_no_clip_where_none_is_wanted_or_nothing_is_suspicious(
    sections: dict[str, Any], bundle: Bundle, face_clip: Path, rows: Rows
) -> None:
    with examiner_of(bundle, **sections) as examiner:
        others = examiner.examine(VideoJob("video-1", str(face_clip))).to_pylist()
    assert clips_in(others) == []
    scores = [
        [row["score"] for row in one if row[TABLE_COLUMN] == "face_scores"]
        for one in (rows, others)
    ]
    assert scores[0] == scores[1]


def test_a_clip_that_takes_too_long_costs_no_verdict(
    bundle: Bundle, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, examiner_of(bundle) as examiner:
        examiner.lockdown()  # the child is ready
        patch.setattr(worker, "_CLIPS_S", 0.001)
        patch.setattr(worker, "_LEAST_S", 0.001)
        found = examiner.examine(VideoJob("video-1", str(face_clip))).to_pylist()
        assert found[0]["status"] == "extracted" and clips_in(found) == []
        assert len(scores_in(found)) == 8
        patch.undo()
        again = examiner.examine(VideoJob("video-2", str(face_clip))).to_pylist()
        assert len(clips_in(again)) == 1 and examiner.starts == 2


def test_a_video_gets_no_clip_of_the_one_before(bundle: Bundle, face_clip: Path) -> None:
    found = DetectedFace(Box(100, 50, 80, 100), 0.99, None)
    faces = [
        ExaminedFace(at, at / 25, 0, 0, found.box, found, Region(100, 50, 80, 100), None, score=0.9)
        for at in range(0, 100, 10)
    ]
    maker = ClipMaker(settings_from({}), Scorer(bundle))
    maker.remember(faces, is_whole=True)
    assert len(maker.rows(face_clip)) == 1
    assert maker.rows(face_clip) == []  # asked twice
    maker.remember(faces, is_whole=True)
    maker.remember([], is_whole=True)
    assert maker.rows(face_clip) == []


def test_a_segment_makes_one_clip_for_the_staging_table(bundle: Bundle, face_clip: Path) -> None:
    size = face_clip.stat().st_size
    with examiner_of(bundle) as examiner:
        job = VideoJob("video-1", str(face_clip), size, None, Segment(0, 0, 60))
        (clip,) = clips_in(examiner.examine(job).to_pylist())
    assert (clip[TABLE_COLUMN], clip["segment_table"]) == (SEGMENTS, "pictures")
    assert clip["end_s"] <= 60 / 25 + 0.5


def test_a_clip_begins_where_decoding_is_cheapest(bundle: Bundle, tmp_path: Path) -> None:
    """At a key frame: what precedes it in its group of pictures is not decoded in vain."""
    path = clips.write_clip(tmp_path / "a.mp4", clips.face_frames(150), gop=30, bframes=0)
    with examiner_of(bundle, sampling={"frames": 20}) as examiner:
        (clip,) = clips_in(examiner.examine(VideoJob("video-1", str(path))).to_pylist())
    assert clip["start_s"] * 25 % 30 == pytest.approx(0)
    assert clip["start_s"] <= clip["pts_s"] <= clip["end_s"]
