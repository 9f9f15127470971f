"""`framejury compare`: what was changed, on clips whose changes are known, and on real fakes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from framejury.commands import compare
from framejury.records import Image, Size
from tests.builders.clips import face_frames, plain_frames, write_garbage, write_text
from tests.builders.talkies import VOICE_HZ, voice, with_other_face, write_talkie

CORPUS = Path(__file__).resolve().parents[3].parent / "shared" / "corpus"
FRAMES, FPS = 75, 25
SIZE = Size(240, 320)
FILES = {
    *("compare.html", "compare.json", "difference.png", "difference.svg"),
    *("sound.png", "sound.svg", "heat.jpg", "where.jpg"),
}


@pytest.fixture(scope="module")
def frames() -> list[Image]:
    return face_frames(FRAMES, SIZE)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, frames: list[Image]) -> Path:
    place = tmp_path_factory.mktemp("original") / "original.mp4"
    return write_talkie(place, frames, voice(3, seed=1))


def compared(fake: Path, original: Path, output: Path) -> dict[str, Any]:
    assert compare.main([str(fake), str(original), "--output", str(output)]) == 0
    content: dict[str, Any] = json.loads((output / "compare.json").read_text("utf-8"))
    return content


def halved(frames: list[Image]) -> list[Image]:
    return [
        np.asarray(cv2.resize(one, (160, 120), interpolation=cv2.INTER_AREA), np.uint8)
        for one in frames
    ]


CASES: dict[str, tuple[str, Callable[[Path, list[Image]], Path]]] = {
    "re-encoded": (
        "none",
        lambda path, frames: write_talkie(
            path, frames, voice(3, seed=1), options={"crf": "33"}, sound_bits=32_000
        ),
    ),
    "other-codecs-half-the-size": (
        "none",
        lambda path, frames: write_talkie(
            path.with_suffix(".mkv"),
            halved(frames),
            voice(3, seed=1),
            codec="mpeg4",
            sound_codec="libopus",
            sound_bits=24_000,
        ),
    ),
    "brighter-and-louder": (
        "none",
        lambda path, frames: write_talkie(
            path,
            [np.clip(one * 0.9 + 12, 0, 255).astype(np.uint8) for one in frames],
            (voice(3, seed=1) * 0.4).astype(np.int16),
        ),
    ),
    "other-face": (
        "video",
        lambda path, frames: write_talkie(
            path, [with_other_face(one) for one in frames], voice(3, seed=1), options={"crf": "30"}
        ),
    ),
    "other-voice": (
        "audio",
        lambda path, frames: write_talkie(
            path, frames, voice(3, seed=2), options={"crf": "30"}, sound_bits=48_000
        ),
    ),
    "both": (
        "both",
        lambda path, frames: write_talkie(
            path, [with_other_face(one) for one in frames], voice(3, seed=2)
        ),
    ),
}


_QUICK = ("re-encoded", "other-face")


@pytest.mark.parametrize(
    "case",
    [pytest.param(one, marks=[] if one in _QUICK else [pytest.mark.long]) for one in CASES],
)
def test_what_was_changed_is_told(
    case: str,
    frames: list[Image],
    original: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    modality, make = CASES[case]
    fake = make(tmp_path / "fake.mp4", frames)
    content = compared(fake, original, tmp_path / "out")
    assert content["modality"] == modality, content["why"]
    assert capsys.readouterr().out.startswith(f"{modality}: picture: ")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert content["alignment"]["by"] == "motion"
    assert abs(content["alignment"]["offset_s"]) < 1e-6
    assert [Path(name) for name in content["files"]] == [fake, original]


@pytest.mark.long
def test_it_says_where_and_when_the_picture_differs(
    frames: list[Image], original: Path, tmp_path: Path
) -> None:
    middle = [with_other_face(one) if 25 <= at < 50 else one for at, one in enumerate(frames)]
    fake = write_talkie(tmp_path / "fake.mp4", middle, voice(3, seed=1))
    content = compared(fake, original, tmp_path / "out")
    assert content["modality"] == "video"
    pairs = content["picture"]["pairs"]
    changed = [pair["ratio_to_noise_floor"] for pair in pairs if 1.0 <= pair["time_s"] < 2.0]
    same = [pair["ratio_to_noise_floor"] for pair in pairs if not 1.0 <= pair["time_s"] < 2.0]
    assert min(changed) > 2 * max(same)
    heat = np.array(content["picture"]["heat"])
    assert heat.shape == (30, 40)
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    assert abs(row / heat.shape[0] - 0.5) < 0.25 and abs(column / heat.shape[1] - 0.5) < 0.2
    corners = (heat[:4, :4], heat[:4, -4:], heat[-4:, :4], heat[-4:, -4:])
    assert max(corner.max() for corner in corners) < heat.max() / 2


@pytest.mark.long
def test_it_says_when_the_sound_differs(
    frames: list[Image], original: Path, tmp_path: Path
) -> None:
    sound = voice(3, seed=1).copy()
    sound[VOICE_HZ : 2 * VOICE_HZ] = voice(3, seed=2)[VOICE_HZ : 2 * VOICE_HZ]
    fake = write_talkie(tmp_path / "fake.mp4", frames, sound, sound_bits=64_000)
    content = compared(fake, original, tmp_path / "out")
    assert content["modality"] == "audio"
    changed = {one["time_s"] for one in content["sound"]["windows"] if one["changed"]}
    assert len(changed) >= 3
    assert all(0.8 <= at_s <= 2.2 for at_s in changed)


@pytest.mark.long
def test_a_trimmed_copy_is_found_and_unchanged(
    frames: list[Image], original: Path, tmp_path: Path
) -> None:
    sound = voice(3, seed=1)[10 * VOICE_HZ // FPS :]
    fake = write_talkie(tmp_path / "f.mp4", frames[10:], sound, options={"crf": "30"})
    content = compared(fake, original, tmp_path / "out")
    assert content["modality"] == "none", content["why"]
    assert content["alignment"]["offset_s"] == pytest.approx(10 / FPS, abs=1e-6)
    assert content["sound"]["offset_s"] == pytest.approx(10 / FPS, abs=0.05)
    assert all(
        pair["original_frame"] - pair["fake_frame"] == 10 for pair in content["picture"]["pairs"]
    )


@pytest.mark.long
def test_a_trimmed_fake_is_found_and_changed(
    frames: list[Image], original: Path, tmp_path: Path
) -> None:
    changed = [with_other_face(one) for one in frames[10:]]
    fake = write_talkie(tmp_path / "f.mp4", changed, voice(3, seed=2))
    content = compared(fake, original, tmp_path / "out")
    assert content["modality"] == "both", content["why"]
    assert content["alignment"]["offset_s"] == pytest.approx(10 / FPS, abs=1e-6)


def test_videos_of_something_else_are_unknown(original: Path, tmp_path: Path) -> None:
    other = write_talkie(tmp_path / "f.mp4", plain_frames(FRAMES, SIZE), voice(3, seed=1))
    content = compared(other, original, tmp_path / "out")
    assert content["modality"] == "unknown" and content["picture"] is None
    assert "they do not show the same" in content["why"][0]
    page = (tmp_path / "out" / "compare.html").read_text("utf-8")
    assert "What was changed cannot be determined." in page


@pytest.mark.long
def test_sound_in_one_of_them_only_is_unknown(
    frames: list[Image], original: Path, tmp_path: Path
) -> None:
    silent = write_talkie(tmp_path / "f.mp4", frames, None)
    content = compared(silent, original, tmp_path / "out")
    assert content["modality"] == "unknown"
    assert content["picture"]["outcome"] == "unchanged"
    assert "sound: the fake has no sound" in content["why"]


@pytest.mark.long
def test_where_neither_has_sound_the_picture_decides(frames: list[Image], tmp_path: Path) -> None:
    plain = write_talkie(tmp_path / "o.mp4", frames, None)
    fake = write_talkie(tmp_path / "f.mp4", [with_other_face(one) for one in frames], None)
    content = compared(fake, plain, tmp_path / "out")
    assert content["modality"] == "video" and content["sound"]["outcome"] == "absent"
    page = (tmp_path / "out" / "compare.html").read_text("utf-8")
    assert "neither video has sound" in page


@pytest.mark.parametrize("broken", ["fake", "original"])
def test_what_cannot_be_read_ends_with_its_status(
    broken: str,
    frames: list[Image],
    original: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = write_garbage(tmp_path / "bad.mp4", frames[:10])
    pair = [str(bad), str(original)] if broken == "fake" else [str(original), str(bad)]
    assert compare.main([*pair, "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "bad.mp4 (unreadable)" in error
    assert not (tmp_path / "out").exists()


def test_no_media_file_is_named(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = write_text(tmp_path / "notes.mp4")
    assert compare.main([str(text), str(original), "--output", str(tmp_path / "out")]) == 2
    assert "(not_video)" in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_left_alone(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    assert compare.main([str(original), str(original), "--output", str(tmp_path)]) == 2
    assert "is not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.long
def test_a_hostile_name_stays_text(original: Path, tmp_path: Path) -> None:
    fake = tmp_path / "<script>alert(1)<script>.mp4"
    fake.write_bytes(original.read_bytes())
    compared(fake, original, tmp_path / "out")
    page = (tmp_path / "out" / "compare.html").read_text("utf-8")
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)


PAIRS = [
    ("celebdf/Celeb-synthesis/id9_id26_0000.mp4", "celebdf/Celeb-real/id9_0000.mp4"),
    (
        "ffpp/manipulated_sequences/NeuralTextures/c40/videos/481_469.mp4",
        "ffpp/original_sequences/youtube/c40/videos/481.mp4",
    ),
    (
        "ffpp/manipulated_sequences/FaceSwap/c40/videos/469_481.mp4",
        "ffpp/original_sequences/youtube/c40/videos/469.mp4",
    ),
]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no ../shared/corpus beside this checkout")
@pytest.mark.parametrize(("fake", "original"), PAIRS)
@pytest.mark.long
def test_real_fakes_differ_in_the_picture(fake: str, original: str, tmp_path: Path) -> None:
    content = compared(CORPUS / fake, CORPUS / original, tmp_path / "out")
    assert content["modality"] == "video", content["why"]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no ../shared/corpus beside this checkout")
@pytest.mark.long
def test_real_videos_of_others_are_unknown(tmp_path: Path) -> None:
    content = compared(CORPUS / PAIRS[0][0], CORPUS / PAIRS[2][1], tmp_path / "out")
    assert content["modality"] == "unknown"
