"""The decoding process's side of `inspect` and `compare`: the handler of requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2

from framejury.errors import MediaError
from framejury.examine.messages import OUT_OF_MEMORY
from framejury.inspection.album import sheet_of
from framejury.inspection.answer import INSPECT, SHEET, SHOTS, TRACE, failed, packed
from framejury.inspection.inspector import Inspector
from framejury.inspection.reading import shots, trace
from framejury.media.container import import_lazy_modules
from framejury.media.small_clip import small_clip
from framejury.records import Size
from framejury.schemas.statuses import Status
from framejury.settings import LimitSettings, Settings
from framejury.settings.loading import settings_from


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
