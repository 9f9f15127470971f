"""The side of `inspect` and `compare` that touches no video: ask the locked-up process.

As `examine.worker` does for verdicts: the file is fetched and opened here, the child gets a
descriptor, and what it answers is checked before it is believed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from framejury.errors import MediaError
from framejury.examine.checks import DistrustError
from framejury.examine.failures import CHILD_FAILED, cpu_limit_s, end_of, is_for_memory
from framejury.inspection.answer import unpacked
from framejury.inspection.inspected import Facts, Inspection, Sheet, Shots, Trace
from framejury.inspection.names import (
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
)
from framejury.media.fetch import LocalCopy, local_copy
from framejury.media.sample import Indices, Times
from framejury.records import Size
from framejury.sandbox.lockdown import Lockdown
from framejury.sandbox.sandbox import Sandbox
from framejury.schemas.statuses import Status
from framejury.settings import Settings

_CHILD = "framejury.inspection.inspect_child:serve"
_LEAST_S = 1e-3

Images = npt.NDArray[np.uint8]
Record = TypeVar("Record", bound=BaseModel)


class Asker:
    """Asks one child process after the other; use as a context manager.

    Args:
        settings: all of them.
        detectors: whether the child is to find faces (`inspect`).

    Raises (from every method):
        MediaError: the video cannot be read; `status` says how that ended.
        ScratchError: this machine cannot take the file in.
        RuntimeError: the child cannot start, a fault of the run.
        SetupError: `limits.jail` is require, and the kernel lacks a part.
    """

    def __init__(self, settings: Settings, *, detectors: bool) -> None:
        self._settings = settings
        setup = {"settings": settings.model_dump(mode="json"), "detectors": detectors}
        limits = settings.limits
        self._sandbox = Sandbox(_CHILD, setup, limits.memory_bytes, policy=limits.jail)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def lockdown(self) -> Lockdown:
        """How far the child is locked up."""
        return self._sandbox.lockdown()

    def close(self) -> None:
        """End the child process."""
        self._sandbox.close()

    def inspect(
        self, uri: str, pictures: Pictures, key: str = ""
    ) -> tuple[Inspection, dict[str, bytes]]:
        """`looking.Inspector.inspect` of the video at `uri`."""
        limits, started_s = self._settings.limits, time.monotonic()
        with local_copy(uri, limits.bytes, None, limits.timeout_s) as copy:
            left_s = max(limits.timeout_s - (time.monotonic() - started_s), _LEAST_S)
            request = {"what": INSPECT, "pictures": pictures, "key": key}
            return self._ask(copy.file, request, Inspection, NAMES, left_s=left_s)

    def read(self, copy: LocalCopy) -> ReadStream:
        """A video as `compare` wants it; `copy` has to stay open as long as its frames are asked.

        The frames come from the file that was opened, whatever becomes of its path.
        """
        names = (THUMBNAILS, SOUND)
        trace, arrays = self._ask(copy.file, {"what": TRACE}, Trace, names)
        shape = (len(trace.times_s), TRACE_SIZE.height, TRACE_SIZE.width)
        return ReadStream(
            self,
            copy,
            trace,
            self._array(arrays[THUMBNAILS], np.uint8, shape),
            self._array(arrays[SOUND], np.int16, (len(arrays[SOUND]) // 2,)),
        )

    def shots(self, copy: LocalCopy, ranks: Indices, size: Size) -> tuple[Indices, Images]:
        """Frames of these ranks, reduced to one size: those that could be read, and pixels."""
        request = {
            "what": SHOTS,
            "ranks": ranks.tolist(),
            "height": size.height,
            "width": size.width,
        }
        taken, arrays = self._ask(copy.file, request, Shots, (PIXELS,))
        shape = (len(taken.frame_indices), size.height, size.width, 3)
        return (
            np.array(taken.frame_indices, np.int64),
            self._array(arrays[PIXELS], np.uint8, shape),
        )

    def sheet(self, pictures: Sequence[bytes], captions: Sequence[str]) -> bytes | None:
        """A contact sheet of JPEG files that other such processes made; None of none of them.

        They are decoded where those were made: behind the same walls.
        """
        with tempfile.TemporaryFile() as file:
            file.write(b"".join(pictures))
            file.flush()
            request = {
                "what": SHEET,
                "lengths": [len(one) for one in pictures],
                "captions": list(captions),
            }
            _, files = self._ask(file.fileno(), request, Sheet, (CONTACT_SHEET,))
        return files.get(CONTACT_SHEET)

    def _ask(
        self,
        file: int,
        request: Mapping[str, Any],
        kind: type[Record],
        names: tuple[str, ...],
        *,
        left_s: float | None = None,
    ) -> tuple[Record, dict[str, bytes]]:
        limits = self._settings.limits
        timeout_s = limits.timeout_s if left_s is None else left_s
        cpu_s = cpu_limit_s(self._settings)
        try:
            answer = self._sandbox.call(request, timeout_s, cpu_s=cpu_s, file=file)
            record, files = unpacked(answer, kind, names)
        except MediaError as error:
            if error.status is Status.CRASHED:
                self._sandbox.close()  # out of memory: the next video gets a fresh child
            raise
        except DistrustError as error:
            self._sandbox.close()
            raise MediaError(
                Status.CRASHED, f"the decoding process gave no sound answer: {error}"
            ) from None
        except CHILD_FAILED as error:
            if is_for_memory(error):
                self._sandbox.close()
            raise MediaError(*end_of(error, self._settings)) from None
        wanted = names if kind in (Trace, Shots) else ()
        missing = [name for name in wanted if name not in files]
        if missing:
            self._sandbox.close()
            raise MediaError(Status.CRASHED, f"the decoding process gave no {', '.join(missing)}")
        return record, files

    def _array(self, content: bytes, kind: type[Any], shape: tuple[int, ...]) -> Any:
        try:
            return np.frombuffer(content, kind).reshape(shape)
        except ValueError:
            self._sandbox.close()
            raise MediaError(
                Status.CRASHED, "the decoding process gave pictures of another size"
            ) from None


class ReadStream:
    """A video in a file, as `compare.Stream`."""

    def __init__(
        self, asker: Asker, copy: LocalCopy, trace: Trace, thumbnails: Any, sound: Any
    ) -> None:
        self._asker, self._copy, self._trace = asker, copy, trace
        self.thumbnails = thumbnails
        self.sound = sound

    @property
    def facts(self) -> Facts:
        return self._trace.facts

    @property
    def times_s(self) -> Times:
        return np.array(self._trace.times_s, np.float64)

    @property
    def sound_start_s(self) -> float:
        return self._trace.sound_start_s or 0.0

    def frames(self, ranks: Indices, size: Size) -> tuple[Indices, Images]:
        return self._asker.shots(self._copy, ranks, size)
