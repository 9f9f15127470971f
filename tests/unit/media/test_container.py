"""First bytes: a damaged video, or never one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framejury.media.container import looks_like_video
from framejury.records import Size
from tests.builders import clips


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm", "avi", "mpg", "ts"])
def test_the_start_of_a_video_is_recognised(tmp_path: Path, ending: str) -> None:
    clip = clips.write_variant(tmp_path / f"clip.{ending}", clips.plain_frames(3, Size(96, 128)))
    start = tmp_path / "start"
    start.write_bytes(clip.read_bytes()[:600])
    assert looks_like_video(start)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"The free software song, in words.\n",
        b"Let moov be.",
        b"FLVs are videos",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\xff\xd8\xff\xe0" + bytes(100),
        b"RIFF\x10\x00\x00\x00WAVEfmt ",
        b"ID3\x04" + bytes(100),
        bytes(1000),
        b"G",
        b"G" + bytes(999),
        np.random.default_rng(0).bytes(1000),
    ],
)
def test_anything_else_is_not(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert not looks_like_video(path)


def test_a_missing_file_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        looks_like_video(tmp_path / "gone.mp4")
