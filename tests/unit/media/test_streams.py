"""Which of several pictures in a file is looked at; `test_against_ffmpeg.py` has more kinds."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from framejury.errors import MediaError
from framejury.media.decode import VideoFile
from framejury.schemas.statuses import Note, Status
from framejury.settings import LimitSettings

_FRAMES = 6


def write(path: Path, *streams: tuple[int, int, str]) -> Path:
    """Write pictures of these widths and heights with this pixel format, all in one file."""
    with av.open(str(path), "w") as output:
        found = []
        for width, height, pixels in streams:
            stream = output.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            found.append(stream)
        for number in range(_FRAMES):
            for stream in found:
                image = np.full((stream.height, stream.width, 3), 20 * number, np.uint8)
                frame = av.VideoFrame.from_ndarray(image).reformat(format=stream.pix_fmt)
                frame.pts = number
                output.mux(stream.encode(frame))
        for stream in found:
            output.mux(stream.encode(None))
    return path


def chosen(path: Path, stream: int | str = "auto") -> tuple[int, dict[Note, str | None]]:
    with VideoFile(path, LimitSettings(), stream=stream) as video:  # type: ignore[arg-type]
        assert len(video.facts.times_s) == _FRAMES
        return video.stream_index, {note.code: note.detail for note in video.notes()}


def test_the_larger_is_looked_at_and_the_other_named(tmp_path: Path) -> None:
    path = write(tmp_path / "two.mkv", (64, 48, "yuv420p"), (128, 96, "yuv420p"))
    assert chosen(path) == (1, {Note.OTHER_STREAMS: "stream 0 (ffv1, 64 x 48)"})


def test_an_index_chooses(tmp_path: Path) -> None:
    path = write(tmp_path / "two.mkv", (64, 48, "yuv420p"), (128, 96, "yuv420p"))
    assert chosen(path, 0)[0] == 0
    with pytest.raises(MediaError) as told:
        chosen(path, 2)
    assert told.value.status is Status.NOT_VIDEO
    assert "no picture with sampling.stream = 2" in str(told.value)
    assert "stream 1 (ffv1, 128 x 96)" in str(told.value)


def test_a_depth_map_or_alpha_plane_is_never_looked_at(tmp_path: Path) -> None:
    path = write(tmp_path / "depth.mkv", (256, 192, "gray"), (128, 96, "yuv420p"))
    assert chosen(path) == (1, {})


def test_a_film_in_grey_is_looked_at(tmp_path: Path) -> None:
    assert chosen(write(tmp_path / "grey.mkv", (64, 48, "gray"))) == (0, {})
