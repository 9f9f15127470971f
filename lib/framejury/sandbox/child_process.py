"""A running child of the sandbox, as its parent sees it.

Wire format both ways: 8 bytes of length, big endian, then the message. The first byte of an
answer is `+` (the bytes follow) or `-` (a traceback follows).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framejury.errors import FramejuryError
from framejury.sandbox import child_main
from framejury.sandbox.child_main import LENGTH_BYTES, framed
from framejury.sandbox.lockdown import Lockdown
from framejury.sandbox.process import (
    exit_code,
    forget_peak_memory,
    has_ended,
    how_it_ended,
    last_line,
    limit_cpu,
    peak_memory_bytes,
)

_ENVIRONMENT_KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
_ENVIRONMENT_SET = {
    # One thread per task: Spark already runs one task per core.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Arrow's allocator would start a thread, which Landlock does not restrict.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # From 1.29 on, ONNX Runtime reports to Microsoft: a thread, a socket, files in the home.
    "ORT_DISABLE_TELEMETRY": "1",
}
_START_TIMEOUT_S = 120.0
_MAX_ANSWER_BYTES = 2**31
"""The most that an Arrow column of crops can hold."""
_STDERR_KEPT_BYTES = 2000


class SandboxStartError(FramejuryError, RuntimeError):
    """The child cannot start, whatever is asked of it. Its traceback, if any, is a note."""


class SandboxTimeoutError(Exception):
    """The child took longer than allowed and was killed."""


class SandboxCpuTimeError(Exception):
    """The child used more CPU time than allowed and was killed by the kernel."""


class SandboxCrashError(Exception):
    """The child died."""


class SandboxHandlerError(RuntimeError):
    """The handler raised; the message is the child's traceback. The child lives on."""


class ChildProcess:
    """A child that has loaded its handler, is locked down, and answers requests.

    Args:
        hello: the first message, for `child_main`.
        environment: variables of the child, besides those that every child gets.

    Attributes:
        lockdown: how far the child is locked down.

    Raises:
        SandboxStartError: the child cannot start.
    """

    def __init__(self, hello: bytes, environment: Mapping[str, str]) -> None:
        self._requests, requests_end = socket.socketpair()
        answers, answers_end = os.pipe()
        stderr, stderr_end = os.pipe()
        os.set_blocking(stderr, False)
        self._answers = os.fdopen(answers, "rb", buffering=0)
        self._stderr = os.fdopen(stderr, "rb", buffering=0)
        self._stderr_tail = b""
        try:
            self._process = subprocess.Popen(
                # -P: modules in the working directory must not be imported.
                [sys.executable, "-P", "-m", child_main.__name__, str(answers_end)],
                stdin=requests_end.fileno(),
                stdout=subprocess.DEVNULL,  # libraries may print; answers have their own pipe
                stderr=stderr_end,
                pass_fds=(answers_end,),
                env=_environment() | dict(environment),
                start_new_session=True,  # a group to kill, and no terminal
            )
        except BaseException:
            self._close_pipes()
            raise
        finally:
            requests_end.close()
            os.close(answers_end)
            os.close(stderr_end)
        try:
            self.lockdown = self._with_cpu_limit(self._greet(hello))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        return has_ended(self._process)

    def call(
        self, request: Mapping[str, Any], timeout_s: float, cpu_s: float, file: int | None
    ) -> bytes:
        """Send a request and return the answer; see `Sandbox.call`."""
        self._read_stderr()
        self._stderr_tail = b""  # of earlier requests
        if "cpu" in self.lockdown.in_force:
            with contextlib.suppress(OSError):  # it has just died; the exchange will notice
                limit_cpu(self.pid, cpu_s)
        forget_peak_memory(self.pid)
        answer = self._exchange(json.dumps(dict(request)).encode(), timeout_s, file)
        if answer[:1] == b"-":
            raise SandboxHandlerError(answer[1:].decode(errors="replace"))
        return bytes(memoryview(answer)[1:])

    def peak_memory_bytes(self) -> int | None:
        """Return the most memory held since the last request (resident).

        Where the kernel cannot reset the figure: since the start. None: unknown.
        """
        return None if self._process.returncode is not None else peak_memory_bytes(self.pid)

    def close(self) -> None:
        """End the child and every process of its group. May be called again."""
        if self._process.returncode is None:  # not reaped yet, so the pid is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._requests, self._answers, self._stderr):
            with contextlib.suppress(OSError):
                pipe.close()

    def _greet(self, hello: bytes) -> Lockdown:
        """Have the child load its handler and lock itself down."""
        try:
            answer = self._exchange(hello, _START_TIMEOUT_S)
        except SandboxTimeoutError:
            raise _start_error(f"no answer within {_START_TIMEOUT_S:g} seconds") from None
        except (SandboxCrashError, SandboxCpuTimeError) as error:
            raise _start_error(str(error)) from None
        if answer[:1] != b"+":
            raise _start_error(answer[1:].decode(errors="replace").strip())
        if self._stderr_tail:  # warnings of libraries; no hostile file has been read yet
            sys.stderr.write(self._stderr_tail.decode(errors="replace"))
        return Lockdown(**json.loads(answer[1:]))

    def _with_cpu_limit(self, found: Lockdown) -> Lockdown:
        """Limit CPU time from the parent, since the child could raise its own limit."""
        try:
            limit_cpu(self.pid, math.inf)
        except (OSError, AttributeError) as error:
            return Lockdown(found.in_force, {"cpu": str(error), **found.lacking})
        return Lockdown(("cpu", *found.in_force), found.lacking)

    def _exchange(self, message: bytes, timeout_s: float, file: int | None = None) -> bytearray:
        deadline_s = time.monotonic() + timeout_s
        try:
            self._requests.settimeout(max(timeout_s, 1e-6))
            head = framed(message)[:LENGTH_BYTES]
            socket.send_fds(self._requests, [head], [] if file is None else [file])
            self._requests.sendall(message)
            length = int.from_bytes(self._read(LENGTH_BYTES, deadline_s), "big")
            if length > _MAX_ANSWER_BYTES:
                self.close()
                raise SandboxCrashError(f"the decoding process announced {length:,} bytes")
            return self._read(length, deadline_s)
        except (SandboxTimeoutError, TimeoutError):
            self.close()
            raise SandboxTimeoutError from None
        except (BrokenPipeError, ConnectionResetError, EOFError):
            code = exit_code(self._process)
            self._read_stderr()
            self.close()
            if code == -signal.SIGXCPU:
                raise SandboxCpuTimeError from None
            raise SandboxCrashError(how_it_ended(code) + last_line(self._stderr_tail)) from None

    def _read(self, count: int, deadline_s: float) -> bytearray:
        parts = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            selector.register(self._stderr, selectors.EVENT_READ)
            while len(parts) < count:
                left_s = deadline_s - time.monotonic()
                ready = selector.select(left_s) if left_s > 0 else []
                if not ready:  # endless output does not extend the deadline either
                    raise SandboxTimeoutError
                files = {key.fileobj for key, _ in ready}
                if self._stderr in files and not self._read_stderr():
                    selector.unregister(self._stderr)
                if self._answers in files:
                    part = self._answers.read(min(count - len(parts), 1 << 20))
                    if not part:
                        raise EOFError
                    parts += part
        return parts

    def _read_stderr(self) -> bool:
        """Keep the tail of what the child wrote to its stderr; False: it has closed it."""
        try:
            part = self._stderr.read(1 << 16)
        except BlockingIOError:
            return True
        if part:
            self._stderr_tail = (self._stderr_tail + part)[-_STDERR_KEPT_BYTES:]
        return part != b""


def _start_error(reason: str) -> SandboxStartError:
    """Return the error for a reason that may be a traceback: its last line says what happened."""
    *_, last = reason.splitlines() or [""]
    error = SandboxStartError(
        f"the decoding process did not start: {last}; framejury doctor checks this machine"
    )
    error.add_note(reason)
    return error


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT_KEPT if name in os.environ}
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return kept | {"PYTHONPATH": path} | _ENVIRONMENT_SET
