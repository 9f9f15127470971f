"""Segments of one video: what their rows become, and files that change between them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import fs

from framejury.errors import MediaError, ReconcileError
from framejury.examine.child import survey_video
from framejury.examine.messages import (
    ROWS,
    SEGMENT_BOX_COLUMN,
    SEGMENT_COLUMN,
    SEGMENT_TABLE_COLUMN,
    TABLE_COLUMN,
    ExaminePlan,
    Segment,
    VideoJob,
)
from framejury.examine.segments import SEGMENTS, merge_extractions, number_persons, staged
from framejury.examine.toolbox import Toolbox
from framejury.examine.worker import Examiner
from framejury.media.decode import VideoFile
from framejury.media.fetch import KnownContent, local_copy
from framejury.records import Box
from framejury.schemas.statuses import Status
from framejury.schemas.tables import EXTRACTIONS
from framejury.settings.loading import settings_from
from framejury.storage import Location
from tests.builders import clips

Row = dict[str, Any]


def part(number: int, **columns: Any) -> Row:
    """A staged row of `extractions`: a good segment of four frames with two faces."""
    facts = {"run_id": "run-1", "settings_id": "s", "bytes": 7, "content_id": "c", "codec": "h264"}
    counts = {"frames_decoded": 5, "frames_sampled": 4, "faces_found": 3, "faces_kept": 2}
    times = {"wall_s": 1.5, "cpu_s": 1.0}
    row = dict.fromkeys(EXTRACTIONS.names) | {"video_id": "v", SEGMENT_COLUMN: number}
    return row | facts | counts | times | {"status": "extracted", "error": None} | columns


def merged(*parts: Row) -> Row:
    return merge_extractions("v", parts, len(parts))


# ---------------------------------------------------------------- one outcome of many


def test_counts_and_times_are_sums_and_facts_stay() -> None:
    row = merged(part(1), part(0), part(2, status="no_face", faces_kept=0, faces_found=0))
    assert list(row) == EXTRACTIONS.names
    assert (row["status"], row["error"]) == ("extracted", None)
    counts = {"frames_decoded": 15, "frames_sampled": 12, "faces_found": 6, "faces_kept": 4}
    assert {name: row[name] for name in counts} == counts
    assert (row["wall_s"], row["cpu_s"]) == (4.5, 3.0)
    assert row["peak_memory_bytes"] is None
    most = [part(number, peak_memory_bytes=peak) for number, peak in enumerate((7, None, 9))]
    assert merged(*most)["peak_memory_bytes"] == 9
    assert (row["codec"], row["bytes"], row["content_id"]) == ("h264", 7, "c")


def test_no_face_in_any_segment_is_no_face() -> None:
    none = {"status": "no_face", "faces_kept": 0, "faces_found": 0}
    assert merged(part(0, **none), part(1, **none))["status"] == "no_face"


def test_the_first_failure_is_the_outcome() -> None:
    lost = dict.fromkeys(("codec", "content_id", "cpu_s"))
    row = merged(
        part(2, status="timeout", error="slow", **lost),
        part(0),
        part(1, status="crashed", error="died", frames_sampled=0, **lost),
    )
    assert (row["status"], row["error"]) == ("crashed", "segment 2 of 3: died")
    assert (row["faces_found"], row["faces_kept"]) == (0, 0)
    assert (row["codec"], row["cpu_s"], row["wall_s"]) == ("h264", 1.0, 4.5)


def test_damage_in_one_segment_is_a_note_and_in_all_a_failure() -> None:
    nothing = {"frames_sampled": 0, "faces_kept": 0, "faces_found": 0, "status": "no_face"}
    row = merged(part(0), part(1, error="0 of 4 frames", **nothing))
    assert (row["status"], row["error"]) == ("extracted", "segment 2 of 2: 0 of 4 frames")
    row = merged(part(0, error="0 of 4", **nothing), part(1, error="0 of 4", **nothing))
    assert (row["status"], row["error"]) == (Status.UNREADABLE, "0 of 4")


@pytest.mark.parametrize("numbers", [(), (0,), (0, 0), (0, 2), (0, 1, 1)])
def test_a_segment_is_there_once(numbers: Sequence[int]) -> None:
    with pytest.raises(ReconcileError, match="video v was cut into segments 0 to 1"):
        merge_extractions("v", [part(number) for number in numbers], 2)


def test_notes_of_all_segments_are_kept_and_a_change_of_size_between_them_is_one() -> None:
    noted = part(0, notes="tone_mapped: PQ", width_px=640, height_px=480)
    same = part(1, notes="tone_mapped: PQ; damaged", width_px=640, height_px=480)
    assert merged(noted, same)["notes"] == "tone_mapped: PQ; damaged"
    larger = part(1, notes="", width_px=1280, height_px=960)
    assert merged(noted, larger)["notes"] == "tone_mapped: PQ; size_changed"


def test_persons_go_on_from_segment_to_segment() -> None:
    def face(frame: int, x: float) -> Row:
        row = {TABLE_COLUMN: "faces", "frame_index": frame}
        return staged(row, Segment(frame // 2, 0, 9), Box(x, 10.0, 50.0, 60.0))

    faces = [face(0, 10), face(1, 12), face(1, 400), face(2, 402), face(3, 14), face(3, 404)]
    assert number_persons(faces) == [0, 0, 1, 1, 0, 1]
    assert number_persons([]) == []


# ---------------------------------------------------------------- through the child


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    return clips.write_clip(path, clips.face_frames(48), gop=12)


@pytest.fixture(scope="module")
def examiner() -> Iterator[Examiner]:
    values = {
        "sampling": {"mode": "all"},
        "detection": {"detector": "haar"},
        "spark": {"segment_s": 0.01},
    }
    plan = ExaminePlan("run-1", settings_from(values).model_dump(mode="json"), None, True)
    examiner = Examiner(plan)
    yield examiner
    examiner.close()


def job(path: Path, **columns: Any) -> VideoJob:
    return VideoJob("v", str(path), path.stat().st_size, **columns)


def test_a_survey_finds_where_decoding_may_start(examiner: Examiner, clip: Path) -> None:
    survey = examiner.survey(job(clip))
    assert survey is not None
    assert survey.content_id == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert len(survey.segments) == len(survey.costs_s) >= 2
    firsts = [segment.first for segment in survey.segments]
    assert firsts[0] == 0 and all(first % 12 == 0 for first in firsts)
    assert [segment.stop for segment in survey.segments] == [*firsts[1:], 48]
    # Mode `all`: 48 frames to look at, and each segment opens the file.
    assert sum(survey.costs_s) > 48 * 0.02 + 0.05 * len(firsts)


def test_a_survey_of_pairs_counts_both_frames(clip: Path) -> None:
    values = {
        "sampling": {"mode": "all", "pairs": True},
        "detection": {"detector": "haar"},
        "spark": {"segment_s": 0.01},
    }
    plan = ExaminePlan("run-1", settings_from(values).model_dump(mode="json"), None, True)
    with clip.open("rb") as file:
        parts = survey_video(file.fileno(), "v", Toolbox.load(plan))["segments"]
    assert len(parts) >= 2 and all(part["first"] % 2 == 0 for part in parts)
    assert sum(part["cost_s"] for part in parts) > 48 * 0.02 + 0.05 * len(parts)


def test_what_cannot_be_surveyed_stays_whole(examiner: Examiner, clip: Path) -> None:
    assert examiner.survey(VideoJob("v", str(clip), clip.stat().st_size + 1)) is None
    assert examiner.survey(VideoJob("v", str(clip.with_name("gone.mp4")), 5)) is None
    assert examiner.survey(job(clips.write_text(clip.with_name("text.mp4")))) is None


def test_rows_of_a_segment_are_staged_with_their_boxes(examiner: Examiner, clip: Path) -> None:
    segment = Segment(1, 12, 24)
    batch = examiner.examine(job(clip, segment=segment, content_id="known"))
    assert batch.schema.equals(ROWS)
    extraction, *faces = batch.to_pylist()
    assert {row[TABLE_COLUMN] for row in [extraction, *faces]} == {SEGMENTS}
    assert {row[SEGMENT_COLUMN] for row in [extraction, *faces]} == {1}
    assert extraction[SEGMENT_TABLE_COLUMN] == "extractions"
    assert extraction[SEGMENT_BOX_COLUMN] is None
    assert (extraction["frames_sampled"], extraction["content_id"]) == (12, "known")
    assert faces and {row[SEGMENT_TABLE_COLUMN] for row in faces} == {"faces"}
    assert {row["frame_index"] for row in faces} <= set(range(12, 24))
    for row in faces:
        for side, value in row["box"].items():
            in_heights = row[SEGMENT_BOX_COLUMN][side] * extraction["height_px"]
            assert in_heights == pytest.approx(value, rel=1e-6)


def test_a_segment_of_a_file_that_changed_is_tried_again(
    examiner: Examiner, clip: Path, tmp_path: Path
) -> None:
    path = tmp_path / "grows.mp4"
    path.write_bytes(clip.read_bytes())
    planned = job(path, segment=Segment(0, 0, 12), content_id="known")
    path.write_bytes(clip.read_bytes() + b"more")
    (row,) = examiner.examine(planned).to_pylist()
    assert (row[TABLE_COLUMN], row["status"]) == (SEGMENTS, Status.UNREADABLE)
    assert "changed" in row["error"] and row[SEGMENT_COLUMN] == 0


@pytest.mark.parametrize(
    ("start", "stop"), [(0.3, 0.5), (0.1, 0.12), (0.41, 0.6), (0.77, 0.8), (0.9, 1.0)]
)
def test_segments_show_the_frames_of_a_damaged_video(
    tmp_path: Path, start: float, stop: float
) -> None:
    """What replaces a frame may lie in the next segment, and is shown once."""
    path = clips.write_clip(tmp_path / "a.mp4", clips.face_frames(96), gop=12)
    content = bytearray(path.read_bytes())
    pictures = clips.mp4_boxes(content)["mdat"]
    first, last = (pictures.start + round(ratio * len(pictures)) for ratio in (start, stop))
    content[first:last] = np.random.default_rng(0).bytes(last - first)
    path.write_bytes(content)
    settings = settings_from({"sampling": {"mode": "all"}})
    with VideoFile(path, settings.limits) as video:
        ranks = video.choose(settings.sampling, "v")
        windows = [window for window, _ in video.segments(ranks, 0.5, 0.02)]
        whole = [frame.frame_index for frame in video.frames(ranks)]
    assert len(windows) >= 3 and 0 < len(whole) < 96
    parts: list[int] = []
    for begin, end in windows:
        with VideoFile(path, settings.limits) as video:
            inside = ranks[(ranks >= begin) & (ranks < end)]
            parts += [frame.frame_index for frame in video.frames(inside, end)]
    assert parts == whole


# ---------------------------------------------------------------- content that is known


def test_a_known_local_file_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"12345")
    with local_copy(str(path), 100, KnownContent(5, "not its hash")) as copy:
        assert (copy.path, copy.size_bytes, copy.content_id) == (path, 5, "not its hash")
    with (
        pytest.raises(MediaError, match="changed") as caught,
        local_copy(str(path), 100, KnownContent(6, "x")),
    ):
        pass
    assert caught.value.status == Status.UNREADABLE
    path.unlink()
    with pytest.raises(MediaError) as caught, local_copy(str(path), 100, KnownContent(5, "x")):
        pass
    assert caught.value.status == Status.MISSING


def test_a_known_remote_file_is_hashed_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"12345")
    place = Location(fs.LocalFileSystem(), str(tmp_path / "a.mp4"), "mem://host/a.mp4")
    monkeypatch.setattr("framejury.media.fetch.locate", lambda uri: place)
    known = KnownContent(5, hashlib.sha256(b"12345").hexdigest())
    with local_copy("mem://host/a.mp4", 100, known) as copy:
        assert copy.path.read_bytes() == b"12345" and copy.content_id == known.content_id
    (tmp_path / "a.mp4").write_bytes(b"54321")
    with (
        pytest.raises(MediaError, match="changed") as caught,
        local_copy("mem://host/a.mp4", 100, known),
    ):
        pass
    assert caught.value.status == Status.UNREADABLE


@pytest.mark.parametrize(("start", "stop"), [(0.3, 0.5), (0.1, 0.12), (0.77, 0.8), (2.0, 2.0)])
@pytest.mark.parametrize("mode", ["all", "strided"])
def test_segments_show_the_pairs_of_a_video(
    tmp_path: Path, mode: str, start: float, stop: float
) -> None:
    """Whole (2.0: no damage) or damaged: a pair is given where it begins, once, and untorn."""
    path = clips.write_clip(tmp_path / "a.mp4", clips.face_frames(96), gop=11)
    content = bytearray(path.read_bytes())
    pictures = clips.mp4_boxes(content)["mdat"]
    if start < 1:
        first, last = (pictures.start + round(ratio * len(pictures)) for ratio in (start, stop))
        content[first:last] = np.random.default_rng(0).bytes(last - first)
    path.write_bytes(content)
    sampling = {"mode": mode, "pairs": True, "frames": 200, "skip_frames_short": 1}
    settings = settings_from({"sampling": sampling})
    with VideoFile(path, settings.limits) as video:
        ranks = video.choose(settings.sampling, "v")
        cut = video.segments(ranks, 0.3, 0.02, (0, 1))
        firsts_only = video.segments(ranks, 0.3, 0.04)
        whole = [
            [frame.frame_index for frame in look] for look in video.samples(ranks, None, (0, 1))
        ]
    assert len(cut) >= 3 and all(second == first + 1 for first, second in whole)
    # Frame 11 decodes alone, and is the second of a pair: the segment after begins at 12.
    assert mode == "strided" or any(begin % 11 == 1 for (begin, _), _ in cut)
    # Each of two frames is looked at, and what both depend on is decoded.
    assert [window for window, _ in cut] == [window for window, _ in firsts_only]
    assert sum(cost_s for _, cost_s in cut) > sum(cost_s for _, cost_s in firsts_only)
    parts: list[list[int]] = []
    for (begin, end), _ in cut:
        with VideoFile(path, settings.limits) as video:
            inside = ranks[(ranks >= begin) & (ranks < end)]
            looks = video.samples(inside, end, (0, 1))
            parts += [[frame.frame_index for frame in look] for look in looks]
    assert parts == whole
