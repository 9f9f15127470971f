"""The decoding process's side of `inspect` and `compare`: the handler of requests."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from framejury.errors import MediaError
from framejury.examine.messages import OUT_OF_MEMORY
from framejury.inspection.album import sheet_of
from framejury.inspection.answer import INSPECT, SHEET, SHOTS, TRACE, failed, packed
from framejury.inspection.inspector import Inspector
from framejury.inspection.reading import shots, trace
from framejury.media.container import import_lazy_modules
from framejury.records import Size
from framejury.schemas.statuses import Status
from framejury.settings import LimitSettings, Settings
from framejury.settings.loading import settings_from

_FRAMES, _RATE, _SIDE_PX = 6, 5, 96


def serve(setup: Mapping[str, Any]) -> Callable[[dict[str, Any]], bytes]:
    """Make the handler of requests.

    Args:
        setup: `settings`, all of them as plain values; `detectors`, whether face detectors are
            loaded (for `INSPECT`).

    A request has `file`, a descriptor, and `what`:

    * `TRACE`: `reading.trace`;
    * `SHOTS`: `reading.shots` of `ranks`, `height`, `width`;
    * `SHEET`: `album.sheet_of` of pictures with these `lengths` and `captions`;
    * `INSPECT`: `inspector.Inspector.inspect`, with its `pictures` and `key`.
    """
    settings = settings_from(setup["settings"])
    cv2.setNumThreads(settings.scoring.threads)
    inspector = Inspector(settings) if setup["detectors"] else None
    _load_the_rest(settings, inspector)

    def handle(request: dict[str, Any]) -> bytes:
        try:
            return _answer(request, settings, inspector)
        except MediaError as error:
            return failed(error.status.value, str(error))
        except MemoryError:
            return failed(Status.CRASHED.value, OUT_OF_MEMORY)

    return handle


def _answer(request: dict[str, Any], settings: Settings, inspector: Inspector | None) -> bytes:
    if request["what"] == TRACE:
        record, arrays = trace(request["file"], settings)
        return packed(record, {name: array.tobytes() for name, array in arrays.items()})
    if request["what"] == SHOTS:
        size = Size(request["height"], request["width"])
        taken, pixels = shots(request["file"], settings, request["ranks"], size)
        return packed(taken, {name: array.tobytes() for name, array in pixels.items()})
    if request["what"] == SHEET:
        return packed(*sheet_of(request["file"], request["lengths"], request["captions"]))
    if request["what"] != INSPECT or inspector is None:
        raise ValueError(f"unknown request: {request['what']}")
    return packed(*inspector.inspect(request["file"], request["pictures"], request["key"]))


def _load_the_rest(settings: Settings, inspector: Inspector | None) -> None:
    """Make libraries load what they load on first use: afterwards the process opens no file."""
    import_lazy_modules()
    free = settings.model_copy(update={"limits": LimitSettings()})  # limits are for videos
    with small_clip() as clip:
        trace(clip, free)
        shots(clip, free, [0, 2], Size(64, 64))
        if inspector is not None:
            inspector.rehearse(clip)


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
