"""`framejury inspect` of one video: what the page is made of."""

from __future__ import annotations

import io
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from framejury.commands import inspect
from framejury.records import Image, Size
from tests.builders.clips import (
    face_frames,
    plain_frames,
    write_clip,
    write_cut_short,
    write_empty,
    write_garbage,
    write_rotated,
    write_text,
)

FRAMES = 50
FILES = {
    *("inspect.html", "inspect.json", "ssim.png", "ssim.svg", "faces.png", "faces.svg"),
    *("frame.jpg", "frame_boxes.jpg", "face.jpg", "detectors.jpg"),
    *("contact_sheet.jpg", "face_sheet.jpg", "video.webp", "face.webp"),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a face at 25 frames a second, with sound and five key frames."""
    place = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_clip(place, face_frames(FRAMES, Size(480, 640)), gop=10, sound=True)


def inspected(video: Path, output: Path, *settings: str) -> dict[str, Any]:
    chosen = [part for one in settings for part in ("--set", one)]
    assert inspect.main([str(video), "--output", str(output), *chosen]) == 0
    content: dict[str, Any] = json.loads((output / "inspect.json").read_text("utf-8"))
    return content


def picture(path: Path) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), 1), np.uint8)


@pytest.fixture(scope="module")
def whole(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    output = tmp_path_factory.mktemp("out") / "page"
    return output, inspected(clip, output, "inspect.sheet_every=10", "inspect.animation_s=1")


@pytest.mark.long
def test_every_file_has_its_name(whole: tuple[Path, dict[str, Any]]) -> None:
    assert {path.name for path in whole[0].iterdir()} == FILES


def test_the_facts_are_those_of_the_file(whole: tuple[Path, dict[str, Any]], clip: Path) -> None:
    facts = whole[1]["facts"]
    assert facts["container"].startswith("mov,mp4")
    assert (facts["codec"], facts["pixel_format"]) == ("h264", "yuv420p")
    assert (facts["width_px"], facts["height_px"], facts["frames"]) == (640, 480, FRAMES)
    assert facts["key_frames"] == 5
    assert facts["duration_s"] == pytest.approx(2.0)
    assert facts["bytes"] == clip.stat().st_size
    assert facts["sound"] == {"codec": "aac", "rate_hz": 48_000, "channels": 1, "streams": 1}
    page = (whole[0] / "inspect.html").read_text("utf-8")
    for words in ("640 x 480 pixels", "2.00 s", "50 (25 per second on average)", "aac, 48,000 Hz"):
        assert words in page


def test_every_frame_is_looked_at_by_both_detectors(whole: tuple[Path, dict[str, Any]]) -> None:
    looks = whole[1]["looks"]
    assert [look["frame_index"] for look in looks] == list(range(FRAMES))
    assert all(len(look["mtcnn"]) == 1 and len(look["haar"]) >= 1 for look in looks)
    assert {look["mtcnn"][0]["person"] for look in looks} == {0}
    assert whole[1]["mtcnn_s"] > 0 and whole[1]["haar_s"] > 0
    assert looks[0]["ssim"] is None and looks[0]["mtcnn"][0]["ssim"] is None
    assert all(look["ssim"] > 0.7 and look["mtcnn"][0]["ssim"] > 0.5 for look in looks[1:])


def test_the_pictures_are_what_they_say(whole: tuple[Path, dict[str, Any]]) -> None:
    output, content = whole
    frame, boxed = picture(output / "frame.jpg"), picture(output / "frame_boxes.jpg")
    assert frame.shape == boxed.shape == (480, 640, 3)
    face = content["looks"][content["shown"]]["mtcnn"][0]
    drawn = np.abs(frame.astype(int) - boxed).max(axis=2) > 60
    columns = np.flatnonzero(drawn[:, : int(face["x"] + face["width"] / 2)].sum(axis=0) > 100)
    assert abs(columns.mean() - face["x"]) < 4
    # The face alone, with its margin, from the full picture.
    side = max(face["width"], face["height"]) * 1.6
    assert picture(output / "face.jpg").shape[0] == pytest.approx(side, rel=0.1)
    assert picture(output / "detectors.jpg").shape[1] > 2 * 600


def test_the_contact_sheet_shows_every_tenth_frame(whole: tuple[Path, dict[str, Any]]) -> None:
    output, content = whole
    assert content["sheet_s"] == pytest.approx([0.0, 0.4, 0.8, 1.2, 1.6])
    sheet = picture(output / "contact_sheet.jpg")
    assert sheet.shape[1] <= 1280 and sheet.shape[0] == 180 + 24 + 2 * 6
    assert "5 frames, every 10 frames" in (output / "inspect.html").read_text("utf-8")


def test_the_sheet_of_faces_shows_those_frames_zoomed(
    whole: tuple[Path, dict[str, Any]], clip: Path
) -> None:
    """Beside the sheet of frames: a tile per frame with a face, each filled by the face."""
    output, content = whole
    assert content["face_sheet_s"] == content["sheet_s"]
    sheet = picture(output / "face_sheet.jpg")
    assert sheet.shape == (240 + 24 + 2 * 6, 5 * (240 + 6) + 6, 3)
    frames = [face_frames(FRAMES, Size(480, 640))[at] for at in (0, 10, 20, 30, 40)]
    for number, (frame, look) in enumerate(zip(frames, content["looks"][::10], strict=True)):
        (face,) = look["mtcnn"]
        side = 1.6 * max(face["width"], face["height"])
        x, y = face["x"] + face["width"] / 2, face["y"] + face["height"] / 2
        top, left = round(y - side / 2), round(x - side / 2)
        cut = frame[top : top + round(side), left : left + round(side), ::-1]
        plain = cv2.resize(cut, (240, 240), interpolation=cv2.INTER_AREA)
        tile = sheet[6 : 6 + 240, 6 + number * 246 : 246 + number * 246]
        assert np.abs(tile.astype(int) - plain).mean() < 8
    assert "5 faces, enlarged" in (output / "inspect.html").read_text("utf-8")


def test_frames_of_the_sheet_beyond_the_inspected_part_show_faces_too(
    clip: Path, tmp_path: Path
) -> None:
    few = ["inspect.frames=2", "inspect.sheet_pictures=3", "inspect.animation_s=0"]
    content = inspected(clip, tmp_path / "out", *few)
    assert len(content["looks"]) == 2
    assert content["face_sheet_s"] == content["sheet_s"] and len(content["sheet_s"]) == 3


def test_a_labelled_video_has_its_label_as_the_title_of_its_pictures(
    clip: Path, tmp_path: Path
) -> None:
    place = tmp_path / "part" / "deep" / "named.mp4"
    place.parent.mkdir(parents=True)
    place.write_bytes(clip.read_bytes())
    few = ["inspect.frames=2", "inspect.animation_s=0", "inspect.sheet_pictures=1"]
    assert inspected(place, tmp_path / "unknown", *few)["label"] is None
    assert "<h2>FAKE</h2>" not in (tmp_path / "unknown" / "inspect.html").read_text("utf-8")
    (tmp_path / "part" / "labels.csv").write_text("file,label\ndeep/named.mp4,FAKE\n")
    assert inspected(place, tmp_path / "known", *few)["label"] == "FAKE"
    page = (tmp_path / "known" / "inspect.html").read_text("utf-8")
    assert "<h2>FAKE</h2>" in page and "FAKE: The frame with the clearest face" in page
    assert "FAKE: 1 frame" in page and "FAKE: The largest face of each" in page


def test_a_damaged_label_file_is_told_and_the_video_shown(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "clip.mp4"
    place.write_bytes(clip.read_bytes())
    (tmp_path / "labels.csv").write_text("name;truth\n")
    few = ["inspect.frames=2", "inspect.animation_s=0", "inspect.sheet_pictures=1"]
    assert inspected(place, tmp_path / "out", *few)["label"] is None
    assert "note: shown without a label: " in capsys.readouterr().err


@pytest.mark.parametrize(("name", "size"), [("video.webp", (320, 240)), ("face.webp", (320, 320))])
def test_the_animations_move(
    whole: tuple[Path, dict[str, Any]], name: str, size: tuple[int, int]
) -> None:
    animation = Pillow.open(io.BytesIO((whole[0] / name).read_bytes()))
    assert animation.format == "WEBP" and animation.size == size
    assert animation.n_frames == 10  # a second, ten pictures a second
    first = np.asarray(animation.convert("RGB"), int)
    animation.seek(9)
    assert np.abs(np.asarray(animation.convert("RGB"), int) - first).mean() > 1


@pytest.mark.long
def test_flicker_shows_as_a_dip(tmp_path: Path) -> None:
    frames = face_frames(30, Size(480, 640))
    frames[17] = np.clip(frames[17].astype(int) // 2 + 90, 0, 255).astype(np.uint8)
    content = inspected(write_clip(tmp_path / "f.mp4", frames, gop=1), tmp_path / "out")
    whole = [look["ssim"] for look in content["looks"]][1:]
    assert sorted(np.argsort(whole)[:2].tolist()) == [16, 17]
    face = {look["frame_index"]: f["ssim"] for look in content["looks"] for f in look["mtcnn"]}
    others = [like for at, like in face.items() if at not in (0, 17, 18)]
    assert min(face.get(17, 0), face.get(18, 0)) < min(others) - 0.05


@pytest.mark.long
def test_what_flickers_around_a_face_is_not_the_face(tmp_path: Path) -> None:
    frames = face_frames(30, Size(480, 640))
    frames[17][:, :110] = 255 - frames[17][:, :110]
    frames[17][:, -110:] = 255 - frames[17][:, -110:]
    looks = inspected(write_clip(tmp_path / "f.mp4", frames, gop=1), tmp_path / "out")["looks"]
    whole = [look["ssim"] for look in looks[1:]]
    assert sorted(np.argsort(whole)[:2].tolist()) == [16, 17]
    face = [look["mtcnn"][0]["ssim"] for look in looks[1:]]
    assert min(face[16:18]) > min(face[:16] + face[18:]) - 0.02


@pytest.mark.parametrize(
    ("settings", "looked"),
    [
        (["inspect.seconds=0.4"], list(range(10))),
        (["inspect.from_s=1", "inspect.seconds=0.4"], list(range(25, 35))),
        (["inspect.every=7"], list(range(0, 50, 7))),
        (["inspect.frames=6"], list(range(6))),
    ],
)
def test_the_stretch_that_is_looked_at(
    clip: Path, tmp_path: Path, settings: list[str], looked: list[int]
) -> None:
    content = inspected(clip, tmp_path / "out", "inspect.animation_s=0", *settings)
    assert [look["frame_index"] for look in content["looks"]] == looked
    assert not (tmp_path / "out" / "video.webp").exists()
    assert len(content["sheet_s"]) == 30


def test_nothing_to_look_at_is_told(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--output", str(tmp_path / "out"), "--set", "inspect.from_s=9"]
    assert inspect.main([str(clip), *out]) == 2
    assert (
        "is 2.00 s long and has no frame at or after inspect.from_s = 9 s"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_a_turned_video_is_shown_upright(tmp_path: Path) -> None:
    turned = write_rotated(tmp_path / "r.mp4", face_frames(4, Size(480, 640)))
    content = inspected(turned, tmp_path / "out")
    assert (content["facts"]["width_px"], content["facts"]["height_px"]) == (640, 480)
    assert picture(tmp_path / "out" / "frame.jpg").shape == (480, 640, 3)


def test_a_video_without_a_face(tmp_path: Path) -> None:
    place = write_clip(tmp_path / "p.mp4", plain_frames(10))
    content = inspected(place, tmp_path / "out")
    assert sum(len(look["mtcnn"]) for look in content["looks"]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == FILES - {"face.jpg", "face.webp", "face_sheet.jpg"}
    assert content["face_sheet_s"] == []


def test_one_frame_has_no_curve(tmp_path: Path) -> None:
    inspected(write_clip(tmp_path / "p.mp4", face_frames(1)), tmp_path / "out")
    assert "Fewer than two frames" in (tmp_path / "out" / "inspect.html").read_text("utf-8")


def test_a_damaged_video_says_so(tmp_path: Path) -> None:
    short = write_cut_short(tmp_path / "s.mp4", face_frames(40), 0.5)
    content = inspected(short, tmp_path / "out")
    assert content["facts"]["damage"]
    assert "The file is damaged" in (tmp_path / "out" / "inspect.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda path: write_garbage(path, face_frames(10)), "unreadable"),
        (write_text, "not_video"),
        (write_empty, "empty"),
    ],
    ids=["garbage", "text", "empty"],
)
def test_what_cannot_be_read_ends_with_its_status(
    make: Any, status: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = make(tmp_path / "bad.mp4")
    assert inspect.main([str(place), "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"bad.mp4 ({status})" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.mp4", "--output", "{folder}/new"], "nowhere.mp4 does not exist"),
        (["{clip}"], "give --output DIR"),
        (["{clip}", "--output", "{folder}"], "is not an empty folder"),
        (["{folder}"], "either --warehouse DIR or --output DIR"),
        (["{folder}", "--output", "a", "--warehouse", "b"], "either --warehouse DIR or"),
        (["{clip}", "--output", "{folder}/new", "--set", "inspect.sheet_px=1"], "inspect.sheet_px"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], words: str, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [one.format(clip=clip, folder=clip.parent) for one in arguments]
    assert inspect.main(given) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_a_hostile_name_stays_text_and_nothing_is_loaded(clip: Path, tmp_path: Path) -> None:
    named = tmp_path / "<script>alert(1)<script>\n.mp4"
    named.write_bytes(clip.read_bytes())
    inspected(named, tmp_path / "out", "inspect.seconds=0.2")
    page = (tmp_path / "out" / "inspect.html").read_text("utf-8")
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    assert "default-src 'none'" in unescape(page)
