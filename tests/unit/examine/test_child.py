"""One video from bytes to rows, in this process and through the child."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from framejury.errors import SetupError
from framejury.examine.child import examine_video
from framejury.examine.faces import FollowedFace
from framejury.examine.messages import (
    ROWS,
    TABLE_COLUMN,
    ExaminePlan,
    Segment,
    VideoJob,
    settings_id,
)
from framejury.examine.toolbox import Toolbox
from framejury.examine.worker import Examiner
from framejury.faces.crop import Cut, cropped_face, decode_crop
from framejury.faces.follow import FaceFinder
from framejury.media import fetch
from framejury.media.decode import VideoFile
from framejury.media.decoded_frame import DecodedFrame
from framejury.media.sample import draw_again
from framejury.model.bundle import write_bundle
from framejury.model.framing import framed_for
from framejury.model.input_contract import PixelContract
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.records import Box, DetectedFace, Region, SampledFrame, Size
from framejury.sandbox.child_process import SandboxHandlerError
from framejury.sandbox.sandbox import Sandbox
from framejury.schemas.statuses import EXTRACTION_STATUSES, Status
from framejury.schemas.tables import EXTRACTIONS
from framejury.settings import PAIR_SIGNALS, Resize, Settings, Signal
from framejury.settings.loading import settings_from
from tests.builders import clips
from tests.builders.bundles import MANIFEST, brightness_bundle, brightness_network, headed_network

SIZE = Size(240, 320)
CHANGED = datetime(2024, 5, 17, 2, 30, 1, 250_000, tzinfo=UTC)

Rows = list[dict[str, Any]]
Network = Callable[[Path], Path]
ANY_SIGNAL: list[tuple[Signal, Resize]] = [
    ("rgb", "stretch"),
    ("marked", "letterbox"),
    ("delta", "letterbox"),
    ("flow_fusion", "stretch"),
]


def plan(
    bundle: Bundle | None = None, *, keep_crops: bool = True, **sections: dict[str, Any]
) -> ExaminePlan:
    values = {"sampling": {"frames": 3}} | sections
    settings = settings_from(values).model_dump(mode="json")
    return ExaminePlan(
        "run-1", settings, None if bundle is None else str(bundle.directory), keep_crops
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return brightness_bundle(tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture(scope="module")
def examiner(bundle: Bundle) -> Iterator[Examiner]:
    examiner = Examiner(plan(bundle, limits={"frame_px": 320 * 240, "bytes": 3_000_000}))
    yield examiner
    examiner.close()


@pytest.fixture(scope="module")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.write_clip(tmp_path_factory.mktemp("face") / "a.mp4", clips.face_frames(25))


@pytest.fixture(scope="module")
def haar() -> Toolbox:
    """Loads in no time, and needs no child."""
    return Toolbox.load(plan(detection={"detector": "haar"}, sampling={"frames": 4}))


def rows_of(examiner: Examiner, path: Path, **job: Any) -> Rows:
    batch = examiner.examine(VideoJob("video-1", str(path), **job))
    assert batch.schema.equals(ROWS)
    rows: Rows = batch.to_pylist()
    assert [row[TABLE_COLUMN] for row in rows].count("extractions") == 1
    assert rows[0][TABLE_COLUMN] == "extractions"
    assert {row["video_id"] for row in rows} == {"video-1"}
    assert {row["run_id"] for row in rows} == {"run-1"}
    required = [field.name for field in EXTRACTIONS if not field.nullable]
    assert all(rows[0][name] is not None for name in required)
    assert rows[0]["status"] in list(EXTRACTION_STATUSES)
    return rows


def of_table(rows: Rows, table: str) -> Rows:
    return [row for row in rows if row[TABLE_COLUMN] == table]


# ---------------------------------------------------------------- a good video


def test_a_face_is_found_where_it_is(examiner: Examiner, face_clip: Path) -> None:
    rows = rows_of(examiner, face_clip)
    extraction, faces = rows[0], of_table(rows, "faces")
    assert extraction["status"] == Status.EXTRACTED and extraction["error"] is None
    assert [face["frame_index"] for face in faces] == [3, 12, 21]
    assert [face["pts_s"] for face in faces] == pytest.approx([0.12, 0.48, 0.84])
    frames = clips.face_frames(25)
    for face in faces:
        box, region = face["box"], face["crop_region"]
        center = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
        assert np.abs(center - [160, 120]).max() < 35
        assert 60 < max(box["width"], box["height"]) < 190
        assert face["confidence"] >= 0.95 and face["detector"] == "mtcnn"
        assert len(face["landmarks"]) == 5
        for point in face["landmarks"]:
            assert box["x"] < point["x"] < box["x"] + box["width"]
            assert box["y"] < point["y"] < box["y"] + box["height"]
        crop = decode_crop(face["crop"])
        assert crop.shape == (region["height"], region["width"], 3)
        shown = frames[face["frame_index"]][
            region["y"] : region["y"] + region["height"],
            region["x"] : region["x"] + region["width"],
        ]
        assert np.abs(crop.astype(int) - shown).mean() < 6  # the same pixels, in RGB
        assert (face["face_index"], face["person"]) == (0, 0)


def test_the_facts_of_an_extraction(examiner: Examiner, face_clip: Path) -> None:
    size_bytes = face_clip.stat().st_size
    row = rows_of(examiner, face_clip, size_bytes=size_bytes, modified_at=CHANGED)[0]
    assert row["bytes"] == size_bytes and row["modified_at"] == CHANGED
    assert row["content_id"] == hashlib.sha256(face_clip.read_bytes()).hexdigest()
    assert (row["codec"], row["width_px"], row["height_px"]) == ("h264", 320, 240)
    assert row["duration_s"] == pytest.approx(1.0)
    assert (row["frames_total"], row["frames_sampled"]) == (25, 3)
    assert row["faces_found"] == row["faces_kept"] == 3
    assert 3 <= row["frames_decoded"] <= 25
    assert row["cpu_s"] > 0 and 0 < row["wall_s"] < 60
    if Path("/proc/self/status").is_file():
        assert 50e6 < row["peak_memory_bytes"] < 4e9
    else:
        assert row["peak_memory_bytes"] is None


def test_scores_are_those_of_the_crops(examiner: Examiner, face_clip: Path) -> None:
    rows = rows_of(examiner, face_clip)
    faces, scores = of_table(rows, "faces"), of_table(rows, "face_scores")
    keys = ("frame_index", "face_index", "person", "pts_s")
    assert [[row[key] for key in keys] for row in scores] == [
        [row[key] for key in keys] for row in faces
    ]
    # The test bundle's score is the mean of red.
    reds = [decode_crop(face["crop"])[..., 0].mean() / 255 for face in faces]
    assert [row["score"] for row in scores] == pytest.approx(reds, abs=0.02)
    assert len({row["model_id"] for row in scores}) == 1


def test_scores_and_evidence_leave_when_crops_are_not_kept(bundle: Bundle, face_clip: Path) -> None:
    examiner = Examiner(plan(bundle, keep_crops=False, detection={"detector": "haar"}))
    rows = rows_of(examiner, face_clip)
    examiner.close()
    assert {row[TABLE_COLUMN] for row in rows} == {"extractions", "face_scores", "pictures"}
    scores = of_table(rows, "face_scores")
    assert rows[0]["faces_kept"] == len(scores) > 0
    assert all(row["confidence"] is not None and row["box"]["width"] > 0 for row in scores)


def test_what_is_kept_as_evidence(bundle: Bundle, face_clip: Path) -> None:
    settings: dict[str, Any] = {
        "sampling": {"frames": 6},
        "evidence": {"faces": 1, "face_px": 48, "frame_px": 100},
    }
    examiner = Examiner(plan(bundle, **settings))
    rows = rows_of(examiner, face_clip)
    examiner.close()
    scores, pictures = of_table(rows, "face_scores"), of_table(rows, "pictures")
    by_score = sorted(scores, key=lambda row: (row["score"], row["frame_index"]))
    faces = [row for row in pictures if row["kind"] == "face"]
    (frame,) = [row for row in pictures if row["kind"] == "frame"]
    lowest, highest = by_score[0], max(scores, key=lambda row: row["score"])
    assert {row["frame_index"] for row in faces} == {
        lowest["frame_index"],
        highest["frame_index"],
    }
    assert (frame["frame_index"], frame["score"]) == (highest["frame_index"], highest["score"])
    assert frame["face_index"] is None
    assert decode_crop(frame["picture"]).shape == (75, 100, 3)
    for row in faces:
        crop = decode_crop(row["picture"])
        assert max(crop.shape) <= 48 and row["model_id"] == bundle.model_id
        # The test bundle's score is the mean of red.
        assert crop[..., 0].mean() / 255 == pytest.approx(row["score"], abs=0.05)
        # That network has no activation with places, so parts of its faces are covered.
        assert len(row["heat"]) == 36 and row["heat_by"] == "occlusion"
    assert rows[0]["sampled_s"] == sorted(rows[0]["sampled_s"])
    assert len(rows[0]["sampled_s"]) == rows[0]["frames_sampled"] == 6
    assert {row["pts_s"] for row in scores} <= set(rows[0]["sampled_s"])
    first, *others = [row["ssim"] for row in scores if row["person"] == 0]
    assert first is None and others and all(0.3 < ssim <= 1 for ssim in others)


def test_heat_maps_are_kept_with_their_faces(face_clip: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, headed_network(tmp_path / "a.onnx"))
    examiner = Examiner(plan(bundle, crops={"format": "png"}, evidence={"faces": 1}))
    rows = rows_of(examiner, face_clip)
    examiner.close()
    crops = {row["frame_index"]: decode_crop(row["crop"]) for row in of_table(rows, "faces")}
    pictures = [row for row in of_table(rows, "pictures") if row["kind"] == "face"]
    scorer = Scorer(bundle)
    assert pictures
    for row in pictures:
        _, heat = scorer.score_and_explain([crops[row["frame_index"]]])
        assert heat is not None and len(row["heat"]) == 16 and row["heat_by"] == "gradient"
        assert row["heat"] == pytest.approx(heat[0].ravel().tolist(), abs=1e-4)


def test_nobodys_picture_is_kept_where_the_settings_say_so(bundle: Bundle, face_clip: Path) -> None:
    examiner = Examiner(plan(bundle, evidence={"faces": 0}, keep_crops=False))
    rows = rows_of(examiner, face_clip)
    examiner.close()
    assert of_table(rows, "face_scores") and not of_table(rows, "pictures")


def test_no_face(examiner: Examiner, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.plain_frames(10, SIZE))
    (row,) = rows_of(examiner, path)
    assert row["status"] == Status.NO_FACE and row["error"] is None
    assert (row["frames_sampled"], row["faces_kept"]) == (3, 0)


def test_a_rotated_video_is_seen_upright(examiner: Examiner, tmp_path: Path) -> None:
    path = clips.write_rotated(tmp_path / "a.mp4", clips.face_frames(6), 90)
    rows = rows_of(examiner, path)
    assert (rows[0]["width_px"], rows[0]["height_px"]) == (320, 240)
    eyes_and_mouth = of_table(rows, "faces")[0]["landmarks"]
    assert eyes_and_mouth[0]["y"] < eyes_and_mouth[2]["y"] < eyes_and_mouth[3]["y"]


# ---------------------------------------------------------------- bad files


BAD_FILES: dict[str, tuple[Callable[[Path], object], Status]] = {
    "empty": (clips.write_empty, Status.EMPTY),
    "text": (clips.write_text, Status.NOT_VIDEO),
    "audio": (clips.write_audio_only, Status.NOT_VIDEO),
    "cover": (lambda p: clips.write_cover_art(p, clips.face_frames(1)[0]), Status.NOT_VIDEO),
    "picture": (
        lambda p: p.write_bytes(cv2.imencode(".png", clips.face_frames(1)[0])[1].tobytes()),
        Status.NOT_VIDEO,
    ),
    "no moov": (lambda p: clips.write_without_moov(p, clips.face_frames(6)), Status.UNREADABLE),
    "garbage": (lambda p: clips.write_garbage(p, clips.face_frames(6)), Status.UNREADABLE),
    "large frames": (
        lambda p: clips.write_clip(p, clips.plain_frames(2, Size(242, 320))),
        Status.TOO_LARGE,
    ),
    "many bytes": (lambda p: p.write_bytes(bytes(3_000_001)), Status.TOO_LARGE),
    "gone": (lambda p: None, Status.MISSING),
    "dead link": (lambda p: p.symlink_to("nowhere"), Status.MISSING),
    "folder": (lambda p: p.mkdir(), Status.UNREADABLE),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_ends_with_one_row(examiner: Examiner, tmp_path: Path, name: str) -> None:
    write, status = BAD_FILES[name]
    path = tmp_path / f"{name} ü.mp4"
    write(path)
    (row,) = rows_of(examiner, path, size_bytes=7, modified_at=CHANGED)
    assert row["status"] == status
    assert row["error"] and "\n" not in row["error"]
    assert row["faces_found"] == row["faces_kept"] == 0
    assert (row["bytes"], row["modified_at"]) == (7, CHANGED)


def test_a_cut_video_gives_its_faces_and_a_note(examiner: Examiner, tmp_path: Path) -> None:
    path = clips.write_cut_short(tmp_path / "a.mp4", clips.face_frames(30))
    rows = rows_of(examiner, path)
    assert rows[0]["status"] == Status.EXTRACTED
    assert "cut short" in rows[0]["error"]
    assert len(of_table(rows, "faces")) == rows[0]["faces_kept"] > 0


def test_frames_that_grow_too_large_leave_no_faces(examiner: Examiner, tmp_path: Path) -> None:
    path = clips.write_size_change(
        tmp_path / "a.ts", clips.face_frames(12), clips.plain_frames(24, Size(480, 640))[12:]
    )
    (row,) = rows_of(examiner, path)
    assert (row["status"], row["faces_kept"]) == (Status.TOO_LARGE, 0)
    assert "640 x 480" in row["error"]


def test_too_slow_is_a_status_and_the_next_video_is_another(face_clip: Path) -> None:
    examiner = Examiner(plan(detection={"detector": "haar"}, limits={"timeout_s": 0.001}))
    for _ in range(2):
        (row,) = rows_of(examiner, face_clip, size_bytes=5)
        assert row["status"] == Status.TIMEOUT
        assert "limits.timeout_s = 0.001" in row["error"]
        assert (row["bytes"], row["frames_decoded"]) == (5, 0)
    examiner.close()


def test_an_unforeseen_exception_ends_one_video_not_the_run(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traceback = (
        "Traceback (most recent call last):\n"
        '  File "decode.py", line 7, in frames\n    x\nValueError: no such pixel format\n'
    )

    def fail(*_: object, **__: object) -> bytes:
        raise SandboxHandlerError(traceback)

    examiner = Examiner(plan())
    monkeypatch.setattr(examiner._sandbox, "call", fail)
    (row,) = rows_of(examiner, face_clip)
    assert row["status"] == Status.CRASHED
    assert "ValueError: no such pixel format" in row["error"]
    assert 'File "decode.py", line 7' in row["error"] and "\n" not in row["error"]
    traceback = f"ValueError: \x1b[2J{'a' * 10_000}"
    (row,) = rows_of(examiner, face_clip)
    assert row["error"].isprintable() and len(row["error"]) < 600
    traceback = ""
    assert rows_of(examiner, face_clip)[0]["status"] == Status.CRASHED


def test_out_of_memory_is_a_crash(
    face_clip: Path, haar: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise MemoryError

    monkeypatch.setattr(FaceFinder, "find", fail)
    found = examine_video(face_clip, "key", haar)
    assert found.outcome.status == Status.CRASHED
    assert "limits.memory_bytes" in str(found.outcome.error)
    assert found.faces == []


def test_a_missing_bundle_is_a_fault_of_the_run(face_clip: Path, tmp_path: Path) -> None:
    lost = ExaminePlan("run-1", plan().settings, str(tmp_path / "lost"), keep_crops=True)
    examiner = Examiner(lost)
    with pytest.raises(RuntimeError, match=r"did not start[\s\S]*BundleError"):
        examiner.examine(VideoJob("video-1", str(face_clip)))
    examiner.close()


# ---------------------------------------------------------------- in this process


def test_a_toolbox_without_a_bundle_scores_nothing(face_clip: Path, haar: Toolbox) -> None:
    assert haar.scorer is None
    found = examine_video(face_clip, "key", haar)
    assert found.outcome.status == Status.EXTRACTED
    assert {face.score for face in found.faces} == {None}
    assert all(face.face.landmarks is None and face.crop for face in found.faces)


def test_random_samples_differ_by_video_and_repeat(face_clip: Path) -> None:
    tools = Toolbox.load(
        plan(detection={"detector": "haar"}, sampling={"frames": 6, "mode": "random", "seed": 1})
    )

    def frames(key: str) -> list[int]:
        return [face.frame_index for face in examine_video(face_clip, key, tools).faces]

    assert frames("one") == frames("one")
    assert frames("one") != frames("two")


def test_calls_of_the_network_change_no_score(face_clip: Path, bundle: Bundle) -> None:
    """Crops wait until a call is full; the rows must not depend on how many that takes."""

    def faces(batch_size: int) -> list[tuple[int, float | None]]:
        chosen = plan(bundle, scoring={"batch_size": batch_size}, sampling={"frames": 7})
        found = examine_video(face_clip, "key", Toolbox.load(chosen)).faces
        return [(face.frame_index, face.score) for face in found]

    singly = faces(1)
    assert len(singly) == 7 and all(score is not None for _, score in singly)
    for batch_size in (3, 7, 32):
        assert [index for index, _ in faces(batch_size)] == [index for index, _ in singly]
        assert [score for _, score in faces(batch_size)] == pytest.approx(
            [score for _, score in singly], abs=1e-6
        )


def test_settings_id_is_of_what_shapes_an_extraction() -> None:
    base = settings_id(Settings())
    for section, values in (
        ("sampling", {"frames": 12}),
        ("detection", {"threshold": 0.9}),
        ("crops", {"margin_ratio": 0.2}),
    ):
        assert settings_id(settings_from({section: values})) != base
    for section, values in (("verdict", {"min_faces": 9}), ("spark", {"task_s": 9})):
        assert settings_id(settings_from({section: values})) == base


def test_crops_are_framed_as_the_bundle_learned_them(bundle: Bundle) -> None:
    asked = settings_from({"crops": {"margin_ratio": 1.0, "shape": "box", "format": "png"}})
    framed = framed_for(bundle, asked)
    assert (framed.crops.margin_ratio, framed.crops.shape) == (0.3, "square")
    assert framed.crops.format == "png"
    assert framed.sampling == asked.sampling


# ---------------------------------------------------------------- pairs and signals


def signal_bundle(
    folder: Path,
    signal: Signal,
    resize: Resize = "letterbox",
    network: Network = brightness_network,
) -> Bundle:
    """A network that sees another signal than the crop."""
    folder.mkdir()
    manifest = replace(MANIFEST, signal=signal, pixels=PixelContract(input_px=32, resize=resize))
    return write_bundle(folder / "bundle", manifest, network(folder / "a.onnx"))


@pytest.mark.parametrize(("signal", "resize"), ANY_SIGNAL)
def test_stored_crops_give_the_scores_of_the_video(
    face_clip: Path, tmp_path: Path, signal: Signal, resize: Resize
) -> None:
    """Exactly, where crops are PNG: both ways make the same picture of a face."""
    bundle = signal_bundle(tmp_path / "b", signal, resize)
    pair = "same" if signal == "delta" else "own"
    chosen = plan(
        bundle,
        sampling={"frames": 4, "pairs": signal in PAIR_SIGNALS},
        crops={"format": "png", "pair": pair, "shape": "box", "max_side_px": 100},
        scoring={"batch_size": 1},
    )
    examiner = Examiner(chosen)
    rows = rows_of(examiner, face_clip)
    examiner.close()
    faces, scores = of_table(rows, "faces"), of_table(rows, "face_scores")
    assert len(faces) == len(scores) == 4
    scorer = Scorer(bundle, batch_size=1)
    found = [cropped_face(row) for row in faces]
    assert [row["score"] for row in scores] == scorer.score(found).tolist()
    # The network is shown another picture than the crop alone.
    rgb = replace(bundle, signal="rgb", pixels=replace(bundle.pixels, resize="letterbox"))
    plain = Scorer(rgb, batch_size=1).score([found[0].crop])
    assert plain[0] != scores[0]["score"]


@pytest.mark.parametrize(("signal", "resize"), ANY_SIGNAL)
def test_evidence_shows_what_the_network_saw(
    face_clip: Path, tmp_path: Path, signal: Signal, resize: Resize
) -> None:
    """Under a heat map lies the very square that it is of."""
    bundle = signal_bundle(tmp_path / "b", signal, resize, headed_network)
    chosen = plan(
        bundle,
        sampling={"frames": 3, "pairs": signal in PAIR_SIGNALS},
        crops={"format": "png", "shape": "box"},
        scoring={"batch_size": 1},
    )
    examiner = Examiner(chosen)
    rows = rows_of(examiner, face_clip)
    examiner.close()
    scorer = Scorer(bundle, batch_size=1)
    found = {row["frame_index"]: cropped_face(row) for row in of_table(rows, "faces")}
    pictures = [row for row in of_table(rows, "pictures") if row["kind"] == "face"]
    assert len(pictures) == len(found) == 3
    for row in pictures:
        face = found[row["frame_index"]]
        seen, shown = scorer.pictures([face])[0].astype(int), decode_crop(row["picture"])
        assert shown.shape == seen.shape and np.abs(shown - seen).mean() < 6  # as JPEG
        _, heat = scorer.score_and_explain([face])
        assert heat is not None
        assert row["heat"] == pytest.approx(heat[0].ravel().tolist(), abs=1e-4)


def test_a_pair_is_a_face_and_the_same_in_the_next_frame(face_clip: Path) -> None:
    frames = clips.face_frames(25)

    def looked(pair: str) -> tuple[dict[str, Any], Rows]:
        examiner = Examiner(
            plan(
                sampling={"mode": "strided", "frames": 3, "skip_frames_short": 5, "pairs": True},
                detection={"detector": "haar"},
                crops={"format": "png", "pair": pair, "margin_px": 30, "shape": "box"},
            )
        )
        rows = rows_of(examiner, face_clip)
        examiner.close()
        return rows[0], of_table(rows, "faces")

    extraction, own = looked("own")
    assert (extraction["frames_sampled"], extraction["status"]) == (6, Status.EXTRACTED)
    assert extraction["sampled_s"] == pytest.approx([0.0, 0.28, 0.56])
    assert extraction["faces_kept"] == len(own) == 3
    assert [row["frame_index"] for row in own] == [0, 7, 14]
    _, same = looked("same")
    for row, in_place in zip(own, same, strict=True):
        assert row["crop"] == in_place["crop"] and row["crop_region"] == in_place["crop_region"]
        region, following = row["crop_region"], frames[row["frame_index"] + 1]
        left, top = region["x"], region["y"]
        right, bottom = left + region["width"], top + region["height"]
        shown = decode_crop(in_place["next_crop"]).astype(int)
        assert np.abs(shown - following[top:bottom, left:right]).mean() < 6
        assert decode_crop(row["crop"]).shape == shown.shape
    assert any(row["next_crop"] != other["next_crop"] for row, other in zip(own, same, strict=True))


def test_a_face_without_another_makes_no_pair(tmp_path: Path) -> None:
    """In every second pair the face is gone from the second frame."""
    faces, plain = clips.face_frames(16), clips.plain_frames(16)
    shown = [plain[at] if at % 8 == 5 else face for at, face in enumerate(faces)]
    path = clips.write_clip(tmp_path / "a.mp4", shown, gop=1, bframes=0)
    values: dict[str, Any] = {
        "sampling": {"mode": "strided", "frames": 9, "skip_frames_short": 2, "pairs": True},
        "detection": {"detector": "haar"},
    }
    found = examine_video(path, "key", Toolbox.load(plan(**values)))
    assert [face.frame_index for face in found.faces] == [0, 8]
    assert all(face.face_index == 0 and face.further for face in found.faces)
    assert (found.outcome.frames_sampled, found.outcome.faces_kept) == (8, 2)
    assert found.outcome.faces_found == 4  # of the first frames
    one = clips.write_clip(tmp_path / "one.mp4", faces[:1])
    alone = examine_video(one, "key", Toolbox.load(plan(**values)))
    assert alone.outcome.status == Status.NO_FACE and "sampling.pairs" in str(alone.outcome.error)


def test_a_pair_without_a_face_is_tried_again_at_once(tmp_path: Path) -> None:
    """The face is gone from frames 4 to 7; samples of two, and four are skipped after a face."""
    faces, plain = clips.face_frames(24), clips.plain_frames(24)
    shown = [plain[at] if 4 <= at < 8 else face for at, face in enumerate(faces)]
    path = clips.write_clip(tmp_path / "a.mp4", shown, gop=1, bframes=0)
    values: dict[str, Any] = {
        "sampling": {"mode": "strided_retry", "frames": 3, "skip_frames_short": 2, "pairs": True},
        "detection": {"detector": "haar"},
    }
    tools = Toolbox.load(plan(**values))
    found = examine_video(path, "key", tools)
    assert [face.frame_index for face in found.faces] == [0, 8, 12]
    assert found.outcome.frames_sampled == 2 * len([0, 4, 6, 8, 12])
    assert found.outcome.sampled_s == pytest.approx([0.0, 0.16, 0.24, 0.32, 0.48])
    assert found.outcome.status == Status.EXTRACTED and found.outcome.error is None
    whole = examine_video(path, "key", Toolbox.load(plan(**values | {"sampling": {
        **values["sampling"], "frames": 99}})))  # fmt: skip
    assert [face.frame_index for face in whole.faces] == [0, 8, 12, 16, 20]


def test_the_faces_kept_in_both_frames_are_a_pair_wherever_they_are(tmp_path: Path) -> None:
    """The face jumps to the other half: another place, which is no pair unless asked for."""
    frame = clips.face_frames(1)[0]
    nothing = np.full_like(frame, 90)
    frames = [np.hstack([frame, nothing]), np.hstack([nothing, frame])]
    path = clips.write_clip(tmp_path / "a.mp4", frames, gop=1, bframes=0)

    def looked(pair: str) -> list[Any]:
        values: dict[str, Any] = {
            "sampling": {"mode": "all", "pairs": True},
            "detection": {"detector": "haar", "keep": "last"},
            "crops": {"pair": pair, "format": "png"},
        }
        return examine_video(path, "key", Toolbox.load(plan(**values))).faces

    assert looked("own") == []
    (face,) = looked("kept")
    assert face.crop is not None
    light, lighter = (decode_crop(crop).mean() for crop in (face.crop, *face.further))
    assert lighter == pytest.approx(light, abs=30)


def sampled_frame(size: Size) -> SampledFrame:
    image = np.zeros((size.height, size.width, 3), np.uint8)
    return SampledFrame(0, 0.0, DecodedFrame(av.VideoFrame.from_ndarray(image, format="rgb24")))


def test_both_crops_of_a_pair_are_reduced_alike() -> None:
    """By what the larger needs: a face is as large in one as in the other."""
    tools = Toolbox.load(
        plan(
            detection={"detector": "frame"},
            crops={"max_side_px": 100, "margin_ratio": 0.0, "format": "png"},
        )
    )
    look, frame = tools.face_examiner(), sampled_frame(SIZE)
    face = DetectedFace(Box(20, 20, 60, 60), 1.0, None)
    look.add(
        [frame, frame],
        [FollowedFace(face, (Cut(Region(20, 20, 60, 60)), Cut(Region(10, 10, 120, 80))))],
        None,
    )
    (kept,) = look.faces
    assert kept.crop is not None
    assert decode_crop(kept.crop).shape == (50, 50, 3)
    assert decode_crop(kept.further[0]).shape == (67, 100, 3)


def test_a_stream_that_changes_its_size_makes_no_pair_there() -> None:
    tools = Toolbox.load(plan(detection={"detector": "frame"}))
    look = tools.face_examiner()
    assert look.examine([sampled_frame(SIZE), sampled_frame(Size(120, 160))]) == 1
    assert look.faces == []
    assert look.examine([sampled_frame(SIZE), sampled_frame(SIZE)]) == 1
    assert len(look.faces) == 1


def test_a_network_of_pairs_refuses_single_frames(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"needs sampling\.pairs=true"):
        Toolbox.load(plan(signal_bundle(tmp_path / "b", "delta")))


def test_whole_frames_are_judged_where_the_settings_say_so(bundle: Bundle, tmp_path: Path) -> None:
    """No face is there, and nothing that chooses among faces drops a frame."""
    path = clips.write_clip(tmp_path / "a.mp4", clips.plain_frames(10, Size(30, 40)))
    detection = {"detector": "frame", "min_face_px": 400, "threshold": 1.0, "keep": "first"}
    examiner = Examiner(plan(bundle, detection=detection, evidence={"faces": 1, "frame_px": 100}))
    rows = rows_of(examiner, path)
    examiner.close()
    faces = of_table(rows, "faces")
    assert rows[0]["faces_kept"] == rows[0]["faces_found"] == len(faces) == 3
    for row in faces:
        assert row["box"] == {"x": 0, "y": 0, "width": 40, "height": 30}
        assert row["crop_region"] == row["box"]
        assert (row["detector"], row["confidence"], row["landmarks"]) == ("frame", 1.0, None)
        assert decode_crop(row["crop"]).shape == (30, 40, 3)
    (frame,) = [row for row in of_table(rows, "pictures") if row["kind"] == "frame"]
    assert decode_crop(frame["picture"]).shape == (30, 40, 3)


# ---------------------------------------------------------------- drawn again


def damaged(path: Path, start_ratio: float, stop_ratio: float) -> Path:
    content = bytearray(path.read_bytes())
    pictures = clips.mp4_boxes(content)["mdat"]
    first, last = (pictures.start + round(r * len(pictures)) for r in (start_ratio, stop_ratio))
    content[first:last] = np.random.default_rng(0).bytes(last - first)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pairs", [False, True])
def test_what_cannot_be_read_is_drawn_again(tmp_path: Path, pairs: bool) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.face_frames(48), gop=6, bframes=0)
    damaged(path, 0.3, 0.7)
    sampling = {"mode": "random", "frames": 7, "tolerance_s": 0, "pairs": pairs}
    tools = Toolbox.load(plan(sampling=sampling, detection={"detector": "frame"}))
    with VideoFile(path, tools.settings.limits) as video:
        readable = video.readable()
    settings = tools.settings.sampling
    assert 20 < len(readable) < 40
    for key in ("one", "two", "three"):
        found = examine_video(path, key, tools)
        expected = draw_again(48, settings, key, readable).tolist()
        assert [face.frame_index for face in found.faces] == expected and len(expected) == 7
        assert found.outcome.frames_sampled == 7 * (1 + pairs)
        assert found.outcome.sampled_s == pytest.approx([rank / 25 for rank in expected])
        assert "other frames were drawn" in str(found.outcome.error)
        segment = examine_video(path, key, tools, Segment(0, 0, 48))
        assert len(segment.faces) < 7  # drawn again only in one piece


def test_where_none_can_be_read_a_drawn_video_is_unreadable(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.face_frames(48), gop=6, bframes=0)
    damaged(path, 0.2, 1.0)
    sampling = {"mode": "random", "frames": 5, "first_frame": 20, "last_frame": 40}
    tools = Toolbox.load(plan(sampling=sampling, detection={"detector": "frame"}))
    found = examine_video(path, "one", tools)
    assert found.outcome.status == Status.UNREADABLE and found.faces == []
    assert "0 of 5 planned frames" in str(found.outcome.error)


def test_a_sound_video_is_drawn_once(face_clip: Path) -> None:
    sampling = {"mode": "random", "frames": 5}
    tools = Toolbox.load(plan(sampling=sampling, detection={"detector": "frame"}))
    found = examine_video(face_clip, "one", tools)
    assert found.outcome.error is None and len(found.faces) == 5
    assert found.outcome.frames_decoded <= 25


# ---------------------------------------------------------------- hostile files


HOSTILE = """
import os, socket, time

def burn():
    while True:
        pass

def sleep():
    time.sleep(600)

def allocate():
    kept = bytearray(2**31)

def crash():
    os.kill(os.getpid(), 11)

ACTS = {
    "burn": burn, "sleep": sleep, "allocate": allocate, "crash": crash,
    "connect": socket.socket,
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "fork": os.fork,
    "read": lambda: open("/etc/passwd").read(),
    "environ": lambda: open(f"/proc/{os.getppid()}/environ").read(),
}

def serve(setup):
    def handle(request):
        act = request["uri"].rpartition("/")[2].removesuffix(".mp4")
        if act == "lie":
            return b"I am a row"
        return ACTS[act]()
    return handle
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the child do what a file that took it over might."""
    (tmp_path / "hostile_child.py").write_text(HOSTILE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("framejury.examine.worker._CHILD", "hostile_child:serve")


@pytest.mark.parametrize(
    ("act", "ends"),
    [
        ("burn", (Status.TIMEOUT, "more CPU time than limits.cpu_s = 0.5 seconds", True)),
        ("sleep", (Status.TIMEOUT, "longer than limits.timeout_s = 2 seconds", True)),
        (
            "allocate",
            (Status.CRASHED, "more memory than limits.memory_bytes allows: MemoryError", True),
        ),
        ("crash", (Status.CRASHED, "died of SIGSEGV", True)),
        ("connect", (Status.CRASHED, "system call that the sandbox forbids", True)),
        ("exec", (Status.CRASHED, "system call that the sandbox forbids", True)),
        ("fork", (Status.CRASHED, "system call that the sandbox forbids", True)),
        ("read", (Status.CRASHED, "PermissionError", False)),
        ("environ", (Status.CRASHED, "PermissionError", False)),
        ("lie", (Status.CRASHED, "an invalid answer", True)),
    ],
)
def test_what_a_file_may_do_ends_with_its_own_status(
    hostile: None, tmp_path: Path, act: str, ends: tuple[Status, str, bool]
) -> None:
    status, words, fresh = ends
    timeout_s = 2 if act == "sleep" else 120
    examiner = Examiner(plan(limits={"timeout_s": timeout_s, "cpu_s": 0.5, "memory_bytes": 2**29}))
    lacking = examiner.lockdown().lacking
    if "seccomp" in lacking and act in ("connect", "exec", "fork", "read", "environ"):
        pytest.skip(f"no filter of system calls here: {lacking['seccomp']}")
    path = tmp_path / f"{act}.mp4"
    path.write_bytes(b"a file")
    for _ in range(2):
        (row,) = rows_of(examiner, path)
        assert row["status"] == status and words in row["error"]
    assert examiner.starts == (2 if fresh else 1)
    examiner.close()


def test_fetching_counts_towards_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, face_clip: Path
) -> None:
    examiner = Examiner(plan(detection={"detector": "haar"}, limits={"timeout_s": 5}))
    original = fetch._Fetch._fetched

    def slow(self: Any) -> Any:
        time.sleep(4.99)
        return original(self)

    monkeypatch.setattr(fetch._Fetch, "_fetched", slow)
    (row,) = rows_of(examiner, face_clip)
    examiner.close()
    assert row["status"] == Status.TIMEOUT and "limits.timeout_s = 5" in row["error"]


def test_a_file_that_never_comes_is_a_timeout(
    monkeypatch: pytest.MonkeyPatch, face_clip: Path
) -> None:
    examiner = Examiner(plan(limits={"timeout_s": 0.2}))
    release = threading.Event()
    monkeypatch.setattr(fetch._Fetch, "_fetched", lambda self: release.wait(60))
    (row,) = rows_of(examiner, face_clip, size_bytes=9)
    release.set()
    assert row["status"] == Status.TIMEOUT and row["bytes"] == 9
    assert "reading the file took longer than limits.timeout_s = 0.2 s" in row["error"]
    assert examiner.starts == 0


def test_a_full_disk_ends_the_task_not_the_video(
    monkeypatch: pytest.MonkeyPatch, face_clip: Path
) -> None:
    def full(self: Any) -> Any:
        raise fetch.ScratchError("No space left on device")

    monkeypatch.setattr(fetch._Fetch, "_fetched", full)
    with pytest.raises(fetch.ScratchError):
        Examiner(plan()).examine(VideoJob("video-1", str(face_clip)))


def test_a_file_that_changes_under_the_decoder_is_not_judged(
    examiner: Examiner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.face_frames(12))
    original = examiner._sandbox.call

    def cut(*args: Any, **kwargs: Any) -> bytes:
        answer = original(*args, **kwargs)
        os.truncate(path, 5000)
        return answer

    monkeypatch.setattr(examiner._sandbox, "call", cut)
    (row,) = rows_of(examiner, path, size_bytes=7)
    assert row["status"] == Status.UNREADABLE and "changed while it was read" in row["error"]
    assert row["faces_kept"] == 0


@pytest.mark.long
def test_after_running_out_of_memory_the_child_is_a_fresh_one(tmp_path: Path) -> None:
    examiner = Examiner(plan(detection={"detector": "haar"}, limits={"memory_bytes": 2**28}))
    large = clips.write_clip(
        tmp_path / "a.mp4", clips.plain_frames(3, Size(4320, 7680)), bframes=0, gop=1
    )
    (row,) = rows_of(examiner, large)
    assert row["status"] == Status.CRASHED and "limits.memory_bytes" in row["error"]
    small = clips.write_clip(tmp_path / "b.mp4", clips.plain_frames(3, SIZE))
    assert rows_of(examiner, small)[0]["status"] == Status.NO_FACE
    assert examiner.starts == 2
    examiner.close()


def test_a_random_choice_needs_nothing_that_is_not_loaded(face_clip: Path) -> None:
    """NumPy loads its random numbers on first use, and there are no files in the sandbox."""
    for mode in ("random", "every_s", "keyframes", "all"):
        examiner = Examiner(plan(detection={"detector": "haar"}, sampling={"mode": mode}))
        assert rows_of(examiner, face_clip)[0]["status"] == Status.EXTRACTED
        examiner.close()


def test_the_real_child_is_locked_up_as_far_as_an_empty_one(
    bundle: Bundle, face_clip: Path
) -> None:
    """What libraries start or hold open when they load must not weaken it."""
    empty = Sandbox("framejury.sandbox.lockdown:probe", {}, 2**28)
    examiner = Examiner(plan(bundle))
    assert examiner.lockdown() == empty.lockdown()
    empty.close()
    assert rows_of(examiner, face_clip)[0]["status"] == Status.EXTRACTED
    child = examiner._sandbox._child
    assert child is not None
    open_now = {str(path.readlink()) for path in Path(f"/proc/{child.pid}/fd").iterdir()}
    assert {place for place in open_now if place.startswith("/")} == {"/dev/null"}
    assert len(open_now) == 4
    examiner.close()
