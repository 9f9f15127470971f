"""From a failed decoding process to the status of its video and an error message."""

from __future__ import annotations

import re

from framejury.examine.messages import OUT_OF_MEMORY
from framejury.sandbox.child_process import (
    SandboxCpuTimeError,
    SandboxCrashError,
    SandboxHandlerError,
    SandboxTimeoutError,
)
from framejury.schemas.statuses import Status
from framejury.settings import Settings

CHILD_FAILED = (
    SandboxTimeoutError,
    SandboxCpuTimeError,
    SandboxCrashError,
    SandboxHandlerError,
)

_LONGEST_BRIEF = 500
_NO_MEMORY = re.compile(
    # of Python and PyAV; OpenCV; C++ including ONNX Runtime; its arena
    "MemoryError|Insufficient memory|bad_alloc|Failed to allocate memory"
)


def cpu_limit_s(settings: Settings) -> float:
    """Return the CPU time that one video may take, seconds."""
    return settings.limits.cpu_s or settings.limits.timeout_s * settings.scoring.threads


def is_for_memory(error: Exception) -> bool:
    """Check whether the process ran out of memory; its state is then unreliable."""
    failed = isinstance(error, SandboxHandlerError | SandboxCrashError)
    return failed and _NO_MEMORY.search(str(error)) is not None


def end_of(error: Exception, settings: Settings) -> tuple[Status, str]:
    """Return the status and the error message of the video.

    Args:
        error: one of `CHILD_FAILED`.
        settings: the limits in force.
    """
    limits = settings.limits
    if isinstance(error, SandboxTimeoutError):
        return Status.TIMEOUT, f"took longer than limits.timeout_s = {limits.timeout_s:g} seconds"
    if isinstance(error, SandboxCpuTimeError):
        name = "limits.timeout_s per thread" if limits.cpu_s is None else "limits.cpu_s"
        return Status.TIMEOUT, f"used more CPU time than {name} = {cpu_limit_s(settings):g} seconds"
    if is_for_memory(error):
        return Status.CRASHED, f"{OUT_OF_MEMORY}: {_brief(error)}"
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
