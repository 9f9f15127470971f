"""The test clips are what they claim to be."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from framejury.records import Size
from tests.builders import clips


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as source:
        return [round(frame.time, 3) for frame in source.decode(video=0)]


@pytest.mark.parametrize("number", [0, 1, 2, 1365, 2730, 4095])
def test_number_survives_resize(number: int) -> None:
    marked = clips.number_frame(clips.plain_frames(1)[0], number)
    half = cv2.resize(marked, (160, 120), interpolation=cv2.INTER_AREA)
    assert clips.read_frame_number(marked) == number
    assert clips.read_frame_number(half) == number


def test_number_refused_where_there_is_none() -> None:
    with pytest.raises(ValueError, match="no frame number"):
        clips.read_frame_number(np.zeros((240, 320, 3), np.uint8))
    damaged = clips.number_frame(clips.plain_frames(1)[0], 5)
    damaged[-24:, 40:60] = 255
    with pytest.raises(ValueError, match="damaged"):
        clips.read_frame_number(damaged)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm", "avi", "mpg", "ts"])
def test_containers_keep_every_frame_in_order(tmp_path: Path, ending: str) -> None:
    path = clips.write_variant(tmp_path / f"clip.{ending}", clips.face_frames(20))
    assert [clips.read_frame_number(image) for image in clips.decode_all(path)] == list(range(20))


def test_b_frames_are_there(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "clip.mp4", clips.face_frames(12), bframes=2)
    with av.open(str(path)) as source:
        order = [packet.pts for packet in source.demux(video=0) if packet.pts is not None]
    assert order != sorted(order)


def test_variable_frame_rate(tmp_path: Path) -> None:
    pts_s = [0.0, 0.04, 0.5, 0.51, 3.0]
    path = clips.write_clip(tmp_path / "clip.mp4", clips.plain_frames(5), pts_s=pts_s)
    assert times_of(path) == pts_s


def test_frame_rate_below_one(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "slow.mp4", clips.plain_frames(3), fps=0.25)
    assert times_of(path) == [0.0, 4.0, 8.0]


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
def test_rotated_clip_is_upright_when_turned(tmp_path: Path, rotation_deg: int) -> None:
    path = clips.write_rotated(tmp_path / "clip.mp4", clips.face_frames(3), rotation_deg)
    with av.open(str(path)) as source:
        frame = next(source.decode(video=0))
    assert frame.rotation % 360 == rotation_deg
    upright = np.rot90(frame.to_ndarray(format="rgb24"), rotation_deg // 90)
    assert upright.shape == (240, 320, 3)
    assert clips.read_frame_number(upright) == 0


@pytest.mark.parametrize("ending", ["h264", "ts"])
def test_size_changes_half_way(tmp_path: Path, ending: str) -> None:
    second = clips.face_frames(10, Size(120, 160))[5:]
    path = clips.write_size_change(tmp_path / f"clip.{ending}", clips.face_frames(5), second)
    images = clips.decode_all(path)
    assert [image.shape[:2] for image in images] == [(240, 320)] * 5 + [(120, 160)] * 5
    assert [clips.read_frame_number(image) for image in images] == list(range(10))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm", "avi"])
def test_sound_beside_the_picture(tmp_path: Path, ending: str) -> None:
    codec = "libvpx-vp9" if ending == "webm" else "libx264"
    path = tmp_path / f"clip.{ending}"
    clips.write_clip(path, clips.plain_frames(10), codec=codec, sound=True)
    with av.open(str(path)) as source:
        assert [stream.type for stream in source.streams] == ["video", "audio"]
        assert sum(frame.samples for frame in source.decode(audio=0)) >= 0.35 * 48_000


def test_audio_only(tmp_path: Path) -> None:
    with av.open(str(clips.write_audio_only(tmp_path / "tone.m4a"))) as source:
        assert [stream.type for stream in source.streams] == ["audio"]


@pytest.mark.parametrize("ending", ["m4a", "mp4"])
def test_cover_art_is_marked_as_attached(tmp_path: Path, ending: str) -> None:
    path = clips.write_cover_art(tmp_path / f"song.{ending}", clips.plain_frames(1)[0])
    with av.open(str(path)) as source:
        (video,) = source.streams.video
        assert video.disposition & av.stream.Disposition.attached_pic
        assert len(source.streams.audio) == 1
    assert clips.read_frame_number(clips.decode_all(path)[0]) == 0


@pytest.mark.parametrize("write", [clips.write_empty, clips.write_text])
def test_not_media(tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(av.error.InvalidDataError):
        av.open(str(write(tmp_path / "clip.mp4")))


def test_broken_in_three_ways(tmp_path: Path) -> None:
    frames = clips.face_frames(24)
    with pytest.raises(av.error.InvalidDataError):
        av.open(str(clips.write_without_moov(tmp_path / "index.mp4", frames)))

    cut = clips.write_cut_short(tmp_path / "cut.mp4", frames)
    seen = []
    with av.open(str(cut)) as source, pytest.raises(av.error.InvalidDataError):
        for frame in source.decode(video=0):
            seen.append(clips.read_frame_number(frame.to_ndarray(format="rgb24")))
    assert 3 < len(seen) < 24

    noise = clips.write_garbage(tmp_path / "noise.mp4", frames)
    with av.open(str(noise)) as source:
        assert source.streams.video[0].frames == 24
        with pytest.raises(av.error.InvalidDataError):
            next(source.decode(video=0))


def test_same_bytes_every_time(tmp_path: Path) -> None:
    one = clips.write_clip(tmp_path / "one.mp4", clips.face_frames(8))
    two = clips.write_clip(tmp_path / "two.mp4", clips.face_frames(8))
    assert one.read_bytes() == two.read_bytes()
