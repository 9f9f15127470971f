"""The requests of `inspect` and `compare` to the decoding process."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from framejury.examine.client import DecodingClient
from framejury.inspection.answer import (
    CONTACT_SHEET,
    INSPECT,
    NAMES,
    PIXELS,
    SHEET,
    SHOTS,
    SOUND,
    THUMBNAILS,
    TRACE,
    TRACE_SIZE,
    Pictures,
    array_of,
    unpacked,
)
from framejury.inspection.inspected import Inspection, Sheet, Shots, Stream, Trace
from framejury.media.fetch import LocalCopy
from framejury.media.sample import Indices
from framejury.records import Size
from framejury.settings import Settings

_CHILD = "framejury.inspection.inspect_child:serve"

Images = npt.NDArray[np.uint8]


class InspectClient(DecodingClient):
    """Has videos inspected in a child process, one at a time; use as a context manager.

    Args:
        settings: all of them.
        detectors: whether the child loads face detectors (for `inspect`).

    Raises (from every method, besides those of `DecodingClient`):
        MediaError: the video cannot be read; `status` gives the kind of failure.
        ScratchError: this machine cannot store the file.
    """

    def __init__(self, settings: Settings, *, detectors: bool) -> None:
        setup = {"settings": settings.model_dump(mode="json"), "detectors": detectors}
        super().__init__(_CHILD, setup, settings)

    def inspect(
        self, uri: str, pictures: Pictures, key: str = ""
    ) -> tuple[Inspection, dict[str, bytes]]:
        """Have `inspector.Inspector.inspect` applied to the video at `uri`."""
        request = {"what": INSPECT, "pictures": pictures, "key": key}
        read = partial(unpacked, kind=Inspection, names=NAMES)
        with self.fetched(uri) as (copy, left_s):
            return self.ask(request, copy.file, read, left_s)

    def read(self, copy: LocalCopy) -> Stream:
        """Read a video for `compare`.

        The frames are read from the file that was opened, whatever becomes of its path; `copy`
        must stay open until the last of them.
        """

        def parse(answer: bytes) -> tuple[Trace, Any, Any]:
            names = (THUMBNAILS, SOUND)
            trace, arrays = unpacked(answer, Trace, names, all_required=True)
            shape = (len(trace.times_s), TRACE_SIZE.height, TRACE_SIZE.width)
            thumbnails = array_of(arrays[THUMBNAILS], np.uint8, shape)
            return trace, thumbnails, array_of(arrays[SOUND], np.int16, (-1,))

        trace, thumbnails, sound = self.ask({"what": TRACE}, copy.file, parse)
        return Stream(
            trace.facts,
            np.array(trace.times_s, np.float64),
            thumbnails,
            sound,
            trace.sound_start_s or 0.0,
            partial(self._shots, copy),
        )

    def _shots(self, copy: LocalCopy, ranks: Indices, size: Size) -> tuple[Indices, Images]:
        def parse(answer: bytes) -> tuple[Indices, Images]:
            taken, arrays = unpacked(answer, Shots, (PIXELS,), all_required=True)
            shape = (len(taken.frame_indices), size.height, size.width, 3)
            pixels = array_of(arrays[PIXELS], np.uint8, shape)
            return np.array(taken.frame_indices, np.int64), pixels

        request = {
            "what": SHOTS,
            "ranks": ranks.tolist(),
            "height": size.height,
            "width": size.width,
        }
        return self.ask(request, copy.file, parse)

    def sheet(self, pictures: Sequence[bytes], captions: Sequence[str]) -> bytes | None:
        """Make a contact sheet of JPEG files from other such processes; None: no valid file.

        They come from untrusted processes, so they are decoded in the sandbox too.
        """
        request = {
            "what": SHEET,
            "lengths": [len(picture) for picture in pictures],
            "captions": list(captions),
        }
        with tempfile.TemporaryFile() as file:
            file.write(b"".join(pictures))
            file.flush()
            read = partial(unpacked, kind=Sheet, names=(CONTACT_SHEET,))
            _, files = self.ask(request, file.fileno(), read)
        return files.get(CONTACT_SHEET)
