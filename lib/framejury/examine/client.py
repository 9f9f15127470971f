"""Ask the decoding process about a video, from the side that must survive whatever a file does.

The file is fetched and opened here; the child process gets a descriptor. Its answers are checked
before they are used, since a hostile file may have taken it over.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from framejury.errors import MediaError
from framejury.examine.checks import DistrustError
from framejury.examine.messages import OUT_OF_MEMORY
from framejury.media.fetch import KnownContent, LocalCopy, local_copy
from framejury.sandbox.child_process import (
    SandboxCpuTimeError,
    SandboxCrashError,
    SandboxHandlerError,
    SandboxTimeoutError,
)
from framejury.sandbox.late_imports import refused_module
from framejury.sandbox.lockdown import Lockdown
from framejury.sandbox.sandbox import Sandbox
from framejury.schemas.statuses import Status
from framejury.settings import Settings

_MIN_TIMEOUT_S = 1e-3
_LONGEST_BRIEF = 500
_NO_MEMORY = re.compile(
    # of Python and PyAV; OpenCV; C++ including ONNX Runtime; its arena
    "MemoryError|Insufficient memory|bad_alloc|Failed to allocate memory"
)

_CHILD_FAILED = (SandboxTimeoutError, SandboxCpuTimeError, SandboxCrashError, SandboxHandlerError)

Answer = TypeVar("Answer")


class DecodingClient:
    """Sends requests to one decoding process at a time; replaces it after a failure.

    Args:
        factory, setup, environment, opens_files: as in `Sandbox`.
        settings: `limits`, `scoring.threads`.

    Raises (from `ask` and `lockdown`):
        SandboxStartError: the process cannot start, for example because a bundle is missing.
        SetupError: `limits.jail` is require, and the kernel lacks a layer.
    """

    def __init__(
        self,
        factory: str,
        setup: Mapping[str, Any],
        settings: Settings,
        environment: Mapping[str, str] | None = None,
        *,
        opens_files: bool = False,
    ) -> None:
        self._settings = settings
        self._sandbox = Sandbox(
            factory,
            setup,
            settings.limits.memory_bytes,
            environment,
            policy=settings.limits.jail,
            opens_files=opens_files,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def starts(self) -> int:
        """How many processes were started."""
        return self._sandbox.starts

    def lockdown(self) -> Lockdown:
        """Return how far the process is locked down; start one if there is none."""
        return self._sandbox.lockdown()

    def close(self) -> None:
        """End the process."""
        self._sandbox.close()

    @contextmanager
    def fetched(
        self, uri: str, known: KnownContent | None = None
    ) -> Iterator[tuple[LocalCopy, float]]:
        """Fetch a file within the limits; yield it and the seconds left of `limits.timeout_s`.

        Raises:
            MediaError, ScratchError: as `local_copy`.
        """
        limits, started_s = self._settings.limits, time.monotonic()
        with local_copy(uri, limits.bytes, known, limits.timeout_s) as copy:
            left_s = limits.timeout_s - (time.monotonic() - started_s)
            yield copy, max(left_s, _MIN_TIMEOUT_S)

    def ask(
        self,
        request: Mapping[str, Any],
        file: int,
        read: Callable[[bytes], Answer],
        timeout_s: float | None = None,
    ) -> Answer:
        """Send a request with an open file and return what `read` makes of the answer.

        Args:
            request: JSON.
            file: descriptor.
            read: checks and parses the answer; raises `DistrustError` if it is invalid, or
                `MediaError` if it reports a failure.
            timeout_s: seconds it may take; None: `limits.timeout_s`.

        Raises:
            MediaError: the process reported a failure, failed itself, or answered nonsense.
        """
        settings = self._settings
        timeout_s = settings.limits.timeout_s if timeout_s is None else timeout_s
        try:
            answer = self._sandbox.call(request, timeout_s, cpu_s=_cpu_limit_s(settings), file=file)
            return read(answer)
        except MediaError as error:
            if error.status is Status.CRASHED:
                self.close()  # out of memory: the next video gets a fresh process
            raise
        except DistrustError as error:
            self.close()
            raise MediaError(
                Status.CRASHED, f"the decoding process returned an invalid answer: {error}"
            ) from None
        except _CHILD_FAILED as error:
            if _is_for_memory(error):
                self.close()
            raise MediaError(*end_of(error, settings)) from None


def _cpu_limit_s(settings: Settings) -> float:
    return settings.limits.most_cpu_s(settings.scoring.threads)


def _is_for_memory(error: Exception) -> bool:
    """Check whether the process ran out of memory; its state is then unreliable."""
    failed = isinstance(error, SandboxHandlerError | SandboxCrashError)
    return failed and _NO_MEMORY.search(str(error)) is not None


def end_of(error: Exception, settings: Settings) -> tuple[Status, str]:
    """Return the status and the error message of the video.

    Args:
        error: one of `_CHILD_FAILED`.
        settings: the limits in force.
    """
    limits = settings.limits
    if isinstance(error, SandboxTimeoutError):
        return Status.TIMEOUT, f"took longer than limits.timeout_s = {limits.timeout_s:g} seconds"
    if isinstance(error, SandboxCpuTimeError):
        name = "limits.timeout_s per thread" if limits.cpu_s is None else "limits.cpu_s"
        limit_s = _cpu_limit_s(settings)
        return Status.TIMEOUT, f"used more CPU time than {name} = {limit_s:g} seconds"
    if _is_for_memory(error):
        return Status.CRASHED, f"{OUT_OF_MEMORY}: {_brief(error)}"
    if (module := refused_module(str(error))) is not None:
        return Status.CRASHED, (
            f"the decoding process needs the Python module {module}, which framejury does not load "
            "before it locks the process down. The video is not at fault: run framejury doctor"
        )
    if isinstance(error, SandboxHandlerError):
        # Libraries fail on hostile files in undocumented ways; none of them may end a run.
        return Status.CRASHED, "the decoding process failed: " + _brief(error)
    return Status.CRASHED, str(error)


def _brief(error: Exception) -> str:
    """Return the last line of a traceback and where it was raised; otherwise the message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    places = [line for line in lines if line.startswith("File ")]
    text = "; ".join([*lines[-1:], *places[-1:]])
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_BRIEF])
