"""Networks that look at clips, and networks of aligned faces, from a file to a score."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from framejury.cli.main import main
from framejury.errors import ConfigError, SetupError
from framejury.examine.child import examine_video
from framejury.examine.messages import TABLE_COLUMN, ExaminePlan, Segment, VideoJob
from framejury.examine.toolbox import Examined, Toolbox
from framejury.examine.worker import Examiner
from framejury.faces.crop import cropped_face, decode_crop
from framejury.media.decode import VideoFile
from framejury.model.framing import framed_for
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.records import CroppedFace, Image, Size
from framejury.schemas.notes import from_text
from framejury.schemas.statuses import Status
from framejury.settings import TEMPLATES, LimitSettings, SamplingSettings
from framejury.settings.loading import load_settings
from tests.builders import clips
from tests.builders.bundles import aligned_bundle, brightness_bundle, clip_bundle

FRAMES, STRIDE = 4, 3
SPAN = (FRAMES - 1) * STRIDE + 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return clip_bundle(folder / "clip", FRAMES, STRIDE)


@pytest.fixture(scope="module")
def aligned(folder: Path) -> Bundle:
    return aligned_bundle(folder / "aligned")


@pytest.fixture(scope="module")
def face_clip(folder: Path) -> Path:
    return clips.write_clip(folder / "a.mp4", clips.face_frames(60))


def plan(bundle: Bundle | None, *overrides: str, keep_crops: bool = True) -> ExaminePlan:
    settings = load_settings(overrides=["crops.format=png", "sampling.frames=3", *overrides])
    if bundle is not None:
        settings = framed_for(bundle, settings)
    directory = None if bundle is None else str(bundle.directory)
    return ExaminePlan("run-1", settings.model_dump(mode="json"), directory, keep_crops)


def examined(path: Path, plan: ExaminePlan, **more: Any) -> Examined:
    return examine_video(path, "key", Toolbox.load(plan), **more)


def grey(levels: Sequence[int], side: int = 120) -> list[Image]:
    return [np.full((side, side, 3), level, np.uint8) for level in levels]


def whole_frames(path: Path, bundle: Bundle, *overrides: str) -> Examined:
    """Examine whole frames as if they were faces, which no detector has to find."""
    chosen = plan(bundle, "sampling.mode=all", *overrides)
    settings = json.loads(json.dumps(chosen.settings))
    settings["detection"]["detector"] = "frame"
    return examined(path, ExaminePlan("run-1", settings, chosen.bundle_dir, True))


# ---------------------------------------------------------------- what the network gets


def test_the_order_of_the_frames_counts(bundle: Bundle) -> None:
    """Of four frames the last counts eight times as much as the first."""
    up = grey([0, 50, 100, 200])
    scores = Scorer(bundle).score(
        [CroppedFace(one[0], None, tuple(one[1:])) for one in (up, up[::-1])]
    )
    weights = np.array([1, 2, 4, 8]) / 15 / 255
    expected = [np.dot(weights, levels) for levels in ([0, 50, 100, 200], [200, 100, 50, 0])]
    assert scores == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match=r"is there in 2: set sampling\.clip_frames=4"):
        Scorer(bundle).score([CroppedFace(up[0], None, (up[1],))])


def test_no_batch_is_larger_than_the_network_takes(folder: Path) -> None:
    """Also where the settings ask for more; several pictures per face make smaller batches."""
    few = clip_bundle(folder / "few", 2, batch_limit=3)
    assert Scorer(few, batch_size=50).batch_size == 3
    assert (Scorer(few).batch_size, Scorer(few, batch_size=1).batch_size) == (2, 1)
    faces = [CroppedFace(one, None, (one,)) for one in grey(range(0, 250, 25), 40)]
    sizes: list[int] = []
    scorer = Scorer(few, batch_size=50)
    run = scorer._run
    scorer._run = lambda pixels: sizes.append(len(pixels)) or run(pixels)  # type: ignore
    assert scorer.score(faces) == pytest.approx(np.arange(0, 250, 25) / 255, abs=1e-5)
    assert sizes == [3, 3, 3, 1]


def test_settings_sample_what_the_network_looks_at(bundle: Bundle, aligned: Bundle) -> None:
    settings = framed_for(bundle, load_settings())
    assert (settings.sampling.clip_frames, settings.sampling.clip_stride) == (FRAMES, STRIDE)
    assert settings.crops.template is None
    settings = framed_for(aligned, settings)
    assert (settings.sampling.clip_frames, settings.sampling.clip_stride) == (1, 1)
    assert settings.crops.template == TEMPLATES["arcface"]
    assert settings.crops.margin_ratio == pytest.approx(0.15)
    other = plan(None, f"sampling.clip_frames={FRAMES}")
    with pytest.raises(SetupError, match=r"needs sampling\.clip_stride=3$"):
        Toolbox.load(ExaminePlan("run-1", other.settings, str(bundle.directory), True))


# ---------------------------------------------------------------- which frames


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg (package ffmpeg)")
@pytest.mark.parametrize("rotation_deg", [0, 90])
def test_a_clip_shows_the_frames_that_ffmpeg_gives(tmp_path: Path, rotation_deg: int) -> None:
    size = Size(96, 128)
    path = tmp_path / "a.mp4"
    if rotation_deg:
        clips.write_rotated(path, clips.plain_frames(60, size), rotation_deg)
    else:
        clips.write_clip(path, clips.plain_frames(60, size))
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    shown = np.frombuffer(raw, np.uint8).reshape(-1, 96, 128, 3).astype(np.int16)
    sampling = SamplingSettings(frames=4, clip_frames=FRAMES, clip_stride=STRIDE)
    with VideoFile(path, LimitSettings()) as video:
        ranks = video.choose(sampling, "v")
        samples = list(video.samples(ranks, None, sampling.offsets))
        decoded = video.frames_decoded
    assert ranks.tolist() == [10, 20, 40, 50] and decoded < 60
    for first, sample in zip(ranks.tolist(), samples, strict=True):
        assert [frame.frame_index for frame in sample] == [first, first + 3, first + 6, first + 9]
        for frame in sample:
            ours = frame.picture.reduced(size).astype(np.int16)
            assert np.abs(ours - shown[frame.frame_index]).mean() < 2
            assert clips.read_frame_number(ours.astype(np.uint8)) == frame.frame_index


def test_stored_crops_of_a_clip_give_the_score_of_the_video(
    bundle: Bundle, face_clip: Path
) -> None:
    """Through the sandbox; each crop is found again in its own frame, and in no other so well."""
    examiner = Examiner(plan(bundle))
    rows = examiner.examine(VideoJob("v", str(face_clip))).to_pylist()
    examiner.close()
    extraction = rows[0]
    faces = [row for row in rows if row[TABLE_COLUMN] == "faces"]
    scores = [row for row in rows if row[TABLE_COLUMN] == "face_scores"]
    assert extraction["status"] == Status.EXTRACTED and extraction["error"] is None
    assert [row["frame_index"] for row in scores] == [10, 30, 50]
    assert extraction["frames_sampled"] == 3 * FRAMES
    assert {len(row["clip_crops"]) for row in faces} == {FRAMES - 1}
    assert {row["next_crop"] for row in faces} == {None}
    found = [cropped_face(row) for row in faces]
    again = Scorer(bundle).score(found)
    assert [row["score"] for row in scores] == pytest.approx(again.tolist(), abs=1e-6)
    frames = clips.face_frames(60)
    for row, face in zip(faces, found, strict=True):
        first = row["frame_index"]
        ranks = range(max(first - 2, 0), min(first + SPAN + 2, 60))
        for number, crop in enumerate(face.clip):
            errors = [
                cv2.matchTemplate(frames[rank], crop, cv2.TM_SQDIFF_NORMED).min() for rank in ranks
            ]
            assert ranks[int(np.argmin(errors))] == first + number * STRIDE


def test_rounds_and_segments_give_the_clips_of_one_pass(bundle: Bundle, face_clip: Path) -> None:
    def places(found: Examined) -> list[tuple[int, float]]:
        return [(face.frame_index, face.score or 0.0) for face in found.faces]

    once = examined(face_clip, plan(bundle, "sampling.mode=all"))
    assert [rank for rank, _ in places(once)] == [0, 10, 20, 30, 40, 50]
    rounds = ["sampling.frames=null", "sampling.rounds=[1,6]", "verdict.min_faces=3"]
    several = examined(face_clip, plan(bundle, *rounds))
    assert several.outcome.rounds == 2 and places(several) == places(once)
    parts: list[tuple[int, float]] = []
    for first, stop in ((0, 15), (15, 35), (35, 60)):
        chosen = plan(bundle, "sampling.mode=all")
        parts += places(examined(face_clip, chosen, segment=Segment(0, first, stop)))
    assert parts == places(once)


def test_a_clip_with_a_change_of_scene_is_not_judged(bundle: Bundle, tmp_path: Path) -> None:
    """Clips begin at 0, 10 and 20; the scene changes at 14, within the second."""
    bright = [230] * 16
    path = clips.write_clip(tmp_path / "a.mp4", grey([40] * 14 + bright), bframes=0)
    found = whole_frames(path, bundle)
    assert [face.frame_index for face in found.faces] == [0, 20]
    assert (found.outcome.faces_found, found.outcome.frames_sampled) == (3, 3 * FRAMES)
    (note,) = from_text(found.outcome.notes)
    assert note.sentence == "Clips in which the scene changes were not judged (1 of 3)."
    slow = clips.write_clip(tmp_path / "b.mp4", grey(range(40, 190, 5)), bframes=0)
    assert len(whole_frames(slow, bundle).faces) == 3


def test_a_video_shorter_than_a_clip_says_so(bundle: Bundle, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.face_frames(SPAN - 1))
    outcome = examined(path, plan(bundle)).outcome
    assert outcome.status == Status.NO_FACE
    assert outcome.error == "9 frames, fewer than the 10 of a clip"
    (note,) = from_text(outcome.notes)
    assert "shorter than one clip of the network (9 frames, fewer than" in note.sentence
    enough = clips.write_clip(tmp_path / "b.mp4", clips.face_frames(SPAN))
    assert len(examined(enough, plan(bundle)).faces) == 1


# ---------------------------------------------------------------- aligned


def eyes_of(face: CroppedFace) -> np.ndarray:
    assert face.landmarks is not None
    return face.landmarks / face.crop.shape[0]


@pytest.mark.parametrize("degrees", [0, 25, -25])
def test_a_tilted_face_is_upright_in_its_crop(
    aligned: Bundle, tmp_path: Path, degrees: int
) -> None:
    """Where the template has its landmarks, within what the detector is off by."""
    size = Size(240, 320)
    turn = cv2.getRotationMatrix2D((160, 120), degrees, 1)
    frames = [
        cv2.warpAffine(frame, turn, (size.width, size.height), borderMode=cv2.BORDER_REFLECT)
        for frame in clips.face_frames(20, size)
    ]
    path = clips.write_clip(tmp_path / "a.mp4", frames)
    examiner = Examiner(plan(aligned))
    rows = examiner.examine(VideoJob("v", str(path))).to_pylist()
    examiner.close()
    faces = [row for row in rows if row[TABLE_COLUMN] == "faces"]
    assert len(faces) == 3
    template = (np.array(TEMPLATES["arcface"]) + 0.15) / 1.3
    for row in faces:
        face = cropped_face(row)
        assert face.crop.shape[0] == face.crop.shape[1]
        assert np.abs(eyes_of(face) - template).max() < 0.06
        tilt = np.degrees(np.arctan2(-row["alignment"]["b"], row["alignment"]["a"]))
        assert tilt == pytest.approx(-degrees, abs=8)


def test_a_turned_file_gives_the_same_aligned_faces(aligned: Bundle, tmp_path: Path) -> None:
    frames = clips.face_frames(20)
    paths = [
        clips.write_clip(tmp_path / "a.mp4", frames),
        clips.write_rotated(tmp_path / "b.mp4", frames),
    ]
    upright, turned = (examined(path, plan(aligned)).faces for path in paths)
    assert len(upright) == len(turned) == 3
    for one, other in zip(upright, turned, strict=True):
        first, second = (decode_crop(face.crop or b"") for face in (one, other))
        sides = [crop.shape[0] for crop in (first, second)]
        assert sides[0] == pytest.approx(sides[1], abs=4)
        again = cv2.resize(second, first.shape[1::-1]).astype(int)
        assert np.abs(again - first).mean() < 8


# ---------------------------------------------------------------- on the command line


@pytest.mark.parametrize("kind", ["clip", "aligned"])
def test_scan_judges_with_it(
    kind: str, request: pytest.FixtureRequest, face_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = request.getfixturevalue("bundle" if kind == "clip" else kind)
    page = face_clip.with_name(f"{kind}.html")
    options = ["--bundle", str(chosen.directory), "--set", "sampling.frames=4", "--html", str(page)]
    assert main(["scan", str(face_clip), *options, "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["faces_scored"] == 4 and 0 < verdict["p_fake"] < 1
    text = page.read_text(encoding="utf-8")
    wanted = "4 clips out of 60 frames" if kind == "clip" else "4 of 60 frames"
    assert wanted in text


def test_other_detectors_are_refused_for_aligned_faces(aligned: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs landmarks.*detection\.detector=mtcnn"):
        framed_for(aligned, load_settings(overrides=["detection.detector=haar"]))
    assert framed_for(brightness_bundle(tmp_path / "b"), load_settings()).crops.template is None
