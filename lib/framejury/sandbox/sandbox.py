"""A child process for work that may crash, hang or exhaust memory: decoding untrusted files.

The parent sends one JSON request at a time, with an open file if needed, and waits for an answer
of bytes. A child that hangs is killed; when it dies the parent learns how; the next request gets
a fresh child. The child inherits only the environment that Python and its libraries need, and no
open file except its pipes and a socket. Once it has loaded what it needs, it locks itself down
(`lockdown`).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from typing import Any, Literal

from framejury.errors import SetupError
from framejury.sandbox.child_process import ChildProcess
from framejury.sandbox.lockdown import Lockdown

LockdownPolicy = Literal["require", "prefer"]

_log = logging.getLogger(__name__)


class Sandbox:
    """One child process that answers requests; started on demand, replaced when lost.

    Args:
        factory: `package.module:function`; called in the child with `setup`, returns the handler
            of requests (`dict -> bytes`). By then everything that the handler needs must be
            loaded: the child opens no file afterwards.
        setup: what the factory gets; JSON.
        memory_bytes: address space the child may add after start-up.
        environment: variables the child gets besides those it needs anyway.
        policy: require: refuse to start a child that is not fully locked down; prefer: lock it
            down as far as the machine can.
        opens_files: the child opens files and devices while it works, as CUDA does.

    Attributes:
        starts: how many children were started.
    """

    def __init__(
        self,
        factory: str,
        setup: Mapping[str, Any],
        memory_bytes: int,
        environment: Mapping[str, str] | None = None,
        *,
        policy: LockdownPolicy = "prefer",
        opens_files: bool = False,
    ) -> None:
        self._environment = dict(environment or {})
        self._policy = policy
        self._hello = json.dumps(
            {
                "factory": factory,
                "setup": dict(setup),
                "memory_bytes": memory_bytes,
                "opens_files": opens_files,
            }
        ).encode()
        self._child: ChildProcess | None = None
        self._warned = False
        self.starts = 0

    def call(
        self,
        request: Mapping[str, Any],
        timeout_s: float,
        *,
        cpu_s: float = math.inf,
        file: int | None = None,
    ) -> bytes:
        """Return the child's answer to `request`.

        Args:
            request: JSON.
            timeout_s: wall-clock seconds it may take, without the start of a child.
            cpu_s: seconds of CPU time, over all its threads, rounded up to whole seconds.
            file: an open descriptor that the child gets as `request["file"]` until it answers.

        Raises:
            SandboxTimeoutError: no answer within `timeout_s`; the child is gone.
            SandboxCpuTimeError: `cpu_s` was used up; the child is gone.
            SandboxCrashError: the child died; the message names the cause.
            SandboxHandlerError: the handler raised.
            SandboxStartError: the child cannot start, whatever the request.
            SetupError: it cannot be fully locked down, and `policy` is require.
        """
        return self._running().call(request, timeout_s, cpu_s, file)

    def lockdown(self) -> Lockdown:
        """Return how far the child is locked down; start one if there is none.

        Raises:
            SandboxStartError, SetupError: as `call`.
        """
        return self._running().lockdown

    def peak_memory_bytes(self) -> int | None:
        """Return the most memory the child held since the last request; None: unknown."""
        return None if self._child is None else self._child.peak_memory_bytes()

    def close(self) -> None:
        """End the child and every process of its group, if there is one."""
        if self._child is not None:
            self._child.close()
        self._child = None

    def _running(self) -> ChildProcess:
        if self._child is not None and not self._child.has_ended():
            return self._child
        self.close()
        self.starts += 1
        child = ChildProcess(self._hello, self._environment)
        gaps = "; ".join(f"{name}: {why}" for name, why in child.lockdown.lacking.items())
        if gaps and self._policy == "require":
            child.close()
            raise SetupError(
                "the decoding process cannot be fully locked down on this machine, as "
                f"limits.jail=require demands (prefer runs with what is available): {gaps}"
            )
        if gaps and not self._warned:
            _log.warning("the decoding process is not fully locked down on this machine: %s", gaps)
            self._warned = True
        self._child = child
        return child
