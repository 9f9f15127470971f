"""A trial run of a foreign network in a child process with limits of memory and time.

A network may hang, allocate without end or crash ONNX Runtime. Here that ends the child.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from framejury.adoption.trial_child import HEAD
from framejury.errors import BundleError
from framejury.sandbox.child_process import (
    SandboxCpuTimeError,
    SandboxCrashError,
    SandboxHandlerError,
    SandboxTimeoutError,
)
from framejury.sandbox.sandbox import Sandbox
from framejury.settings import LimitSettings

LOAD_LIMIT_S = 120.0
CALL_LIMIT_S = 60.0
FACE_LIMIT_S = 10.0
"""Seconds that loading, any call, and each face of a call may take."""

_CHILD = "framejury.adoption.trial_child:serve"


@dataclass(frozen=True, eq=False)
class TrialScores:
    """What a network gave.

    Attributes:
        scores: float32 (n,), as they come out.
        seconds: the network took for all of them.
    """

    scores: npt.NDArray[np.float32]
    seconds: float


class TrialError(BundleError):
    """The network cannot be run, or not within the limits; the message says how."""


class Trial:
    """A loaded network in a child process.

    Args:
        network: an ONNX file with framejury's input and output.
        limits: `memory_bytes` and `jail` of the process that will judge.
        batch_limit: most faces per call; None: any number.
        threads: of the network.

    Raises:
        TrialError: ONNX Runtime does not load it, or not within the limits.
    """

    def __init__(
        self,
        network: Path,
        limits: LimitSettings,
        batch_limit: int | None = None,
        threads: int = 1,
    ) -> None:
        self._batch_limit = batch_limit
        self._memory_bytes = limits.memory_bytes
        self._sandbox = Sandbox(
            _CHILD,
            {"path": str(network.absolute()), "threads": threads},
            limits.memory_bytes,
            policy=limits.jail,
        )
        try:
            self._ask({}, "loaded", LOAD_LIMIT_S)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._sandbox.close()

    def run(self, pixels: npt.NDArray[Any], batch: int = 4) -> TrialScores:
        """Return the scores of pictures.

        Args:
            pixels: (n, side, side, 3) or (n, frames, side, side, 3) RGB, 0 to 255.
            batch: faces per call, at most; less where the network has a limit.

        Raises:
            TrialError: it failed, gave another number of scores, or exceeded a limit.
        """
        batch = min(batch, self._batch_limit or batch)
        with tempfile.TemporaryFile() as file:
            file.write(np.ascontiguousarray(pixels, np.float32).tobytes())
            file.flush()
            request = {"shape": list(pixels.shape), "batch": batch}
            limit_s = CALL_LIMIT_S + FACE_LIMIT_S * len(pixels)
            answer = self._ask(request, "run", limit_s, file.fileno())
        head = np.frombuffer(answer, HEAD, 1)[0]
        scores = np.frombuffer(answer, np.float32, offset=HEAD.itemsize)
        if len(scores) != len(pixels):
            raise TrialError(
                f"the network gave {len(scores)} scores for {len(pixels)} faces, {batch} per call"
            )
        return TrialScores(scores, float(head["seconds"]))

    def peak_memory_bytes(self) -> int | None:
        """Return the most memory held since the last request; None: unknown."""
        return self._sandbox.peak_memory_bytes()

    def _ask(
        self, request: dict[str, Any], what: str, limit_s: float, file: int | None = None
    ) -> bytes:
        try:
            return self._sandbox.call(request, limit_s, file=file)
        except (SandboxTimeoutError, SandboxCpuTimeError):
            raise TrialError(
                f"the network was not {what} within {limit_s:g} seconds; a smaller one is needed"
            ) from None
        except SandboxCrashError as error:
            raise TrialError(
                f"the network ended the process in which it was {what}: {error}. It may need more "
                f"than {self._memory_bytes / 2**30:.1f} GiB (--set limits.memory_bytes=...)"
            ) from None
        except SandboxHandlerError as error:
            reason = str(error).strip().splitlines()[-1]
            raise TrialError(f"ONNX Runtime cannot have it {what}: {reason[:400]}") from None
