"""Ask the decoding process about a video, from the side that must survive whatever a file does.

The file is fetched and opened here; the child process gets a descriptor. Its answers are checked
before they are used, since a hostile file may have taken it over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from framejury.errors import MediaError
from framejury.examine.checks import DistrustError
from framejury.examine.failures import CHILD_FAILED, cpu_limit_s, end_of, is_for_memory
from framejury.media.fetch import KnownContent, LocalCopy, local_copy
from framejury.sandbox.lockdown import Lockdown
from framejury.sandbox.sandbox import Sandbox
from framejury.schemas.statuses import Status
from framejury.settings import Settings

_MIN_TIMEOUT_S = 1e-3

Answer = TypeVar("Answer")


class DecodingClient:
    """Sends requests to one decoding process at a time; replaces it after a failure.

    Args:
        factory, setup, environment, opens_files: as in `Sandbox`.
        settings: `limits`, `scoring.threads`.

    Raises (from `ask` and `lockdown`):
        RuntimeError: the process cannot start, for example because a bundle is missing.
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
        """How many processes were started; 1 as long as no video has cost one."""
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
            answer = self._sandbox.call(request, timeout_s, cpu_s=cpu_limit_s(settings), file=file)
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
        except CHILD_FAILED as error:
            if is_for_memory(error):
                self.close()
            raise MediaError(*end_of(error, settings)) from None
