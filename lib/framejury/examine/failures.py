"""What becomes of a video whose decoding process failed: a status, and words for it."""

from __future__ import annotations

import re

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
    # Python and PyAV; OpenCV; C++, in ONNX Runtime too; its arena
    "MemoryError|Insufficient memory|bad_alloc|Failed to allocate memory"
)


def cpu_limit_s(settings: Settings) -> float:
    """Processor time that one video may take, seconds."""
    return settings.limits.cpu_s or settings.limits.timeout_s * settings.scoring.threads


def is_for_memory(error: Exception) -> bool:
    """Whether the process lacked memory; who knows what it holds on to."""
    failed = isinstance(error, SandboxHandlerError | SandboxCrashError)
    return failed and _NO_MEMORY.search(str(error)) is not None


def end_of(error: Exception, settings: Settings) -> tuple[Status, str]:
    """How the video ends.

    Args:
        error: one of `CHILD_FAILED`.
        settings: the limits that were in force.
    """
    limits = settings.limits
    if isinstance(error, SandboxTimeoutError):
        return Status.TIMEOUT, f"longer than limits.timeout_s = {limits.timeout_s:g} seconds"
    if isinstance(error, SandboxCpuTimeError):
        name = "limits.timeout_s, of each thread," if limits.cpu_s is None else "limits.cpu_s"
        return Status.TIMEOUT, f"more CPU time than {name} = {cpu_limit_s(settings):g} seconds"
    if is_for_memory(error):
        return Status.CRASHED, f"more memory than limits.memory_bytes leaves: {_brief(error)}"
    if isinstance(error, SandboxHandlerError):
        # No library names all the ways it fails on a hostile file; one must not end a run.
        return Status.CRASHED, "the decoding process failed: " + _brief(error)
    return Status.CRASHED, str(error)


def _brief(error: Exception) -> str:
    """What was raised and where, of a traceback; else what it says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    places = [line for line in lines if line.startswith("File ")]
    said = "; ".join([*lines[-1:], *places[-1:]])
    return "".join(letter if letter.isprintable() else "?" for letter in said[:_LONGEST_BRIEF])
