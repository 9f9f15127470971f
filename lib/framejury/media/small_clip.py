"""A clip of one second with a drawn face: to rehearse with, and to try out an installation."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.video.stream import VideoStream

from framejury.media.drawn_face import drawn_face
from framejury.records import Size

_REHEARSED_FPS, _REHEARSED_SIZE = 6, Size(160, 160)
_TRIED_FPS, _TRIED_SIZE = 25, Size(240, 320)
_SOUND_HZ, _SOUND_SAMPLES = 44_100, 1024


@contextmanager
def small_clip() -> Iterator[int]:
    """Yield the descriptor of a clip for a rehearsal.

    A child process decodes it before it may no longer open files.
    """
    with tempfile.TemporaryFile() as file:
        _write_clip(file, _REHEARSED_FPS, _REHEARSED_SIZE)
        yield file.fileno()


@contextmanager
def trial_clip() -> Iterator[Path]:
    """Yield the path of a clip whose face both detectors find in every frame.

    Raises:
        OSError: this machine cannot store it.
    """
    with tempfile.NamedTemporaryFile(prefix="framejury-", suffix=".mp4") as file:
        _write_clip(file.file, _TRIED_FPS, _TRIED_SIZE)
        yield Path(file.name)


def _write_clip(file: IO[bytes], fps: int, size: Size) -> None:
    """Write an MP4 of one second: a face that moves a little, and silence."""
    with av.open(file, "w", format="mp4") as output:
        picture = output.add_stream("mpeg4", rate=fps)
        sound = output.add_stream("aac", rate=_SOUND_HZ)
        assert isinstance(picture, VideoStream) and isinstance(sound, av.AudioStream)
        picture.height, picture.width = size.height, size.width
        picture.pix_fmt, picture.bit_rate = "yuv420p", 2_000_000
        sound.codec_context.layout = "mono"
        for number in range(fps):
            face = drawn_face(size, shift_px=number * size.width / fps / 20)
            output.mux(picture.encode(av.VideoFrame.from_ndarray(face, format="rgb24")))
        output.mux(picture.encode(None))
        for start in range(0, _SOUND_HZ, _SOUND_SAMPLES):
            quiet = np.zeros((1, _SOUND_SAMPLES), np.int16)
            frame = av.AudioFrame.from_ndarray(quiet, format="s16", layout="mono")
            frame.sample_rate, frame.pts = _SOUND_HZ, start
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    file.flush()
