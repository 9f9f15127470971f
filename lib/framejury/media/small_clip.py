"""A clip for rehearsals: a child process decodes it before it may no longer open files."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import av
import numpy as np
from av.video.stream import VideoStream

_FRAMES, _RATE, _SIDE_PX = 6, 5, 96


@contextmanager
def small_clip() -> Iterator[int]:
    """Yield the descriptor of an MP4 of one second of noise and silence."""
    with tempfile.TemporaryFile() as file:
        file.write(_clip())
        file.flush()
        yield file.fileno()


def _clip() -> bytes:
    content = io.BytesIO()
    noise = np.random.default_rng(0)
    with av.open(content, "w", format="mp4") as output:
        picture = output.add_stream("mpeg4", rate=_RATE)
        sound = output.add_stream("aac", rate=44_100)
        assert isinstance(picture, VideoStream) and isinstance(sound, av.AudioStream)
        picture.height = picture.width = _SIDE_PX
        picture.pix_fmt = "yuv420p"
        sound.codec_context.layout = "mono"
        for _ in range(_FRAMES):
            pixels = noise.integers(0, 256, (_SIDE_PX, _SIDE_PX, 3), np.uint8)
            output.mux(picture.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(picture.encode(None))
        for number in range(_FRAMES):
            quiet = np.zeros((1, 1024), np.int16)
            frame = av.AudioFrame.from_ndarray(quiet, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 44_100, 1024 * number
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return content.getvalue()
