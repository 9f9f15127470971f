"""A child process for work that may crash, hang or eat memory: decoding hostile files.

The parent sends one JSON request at a time, with an open file where there is one, and waits for
one answer of bytes; when the child hangs it is killed, when it dies the parent learns how, and
the next request gets a fresh child. The child inherits no environment beyond what Python and its
libraries need, and no open file but its two pipes and a socket. Once it has loaded what it
needs it locks itself up (`jail`).

Wire format both ways: 8 bytes length, big endian, then the message. An answer's
first byte is `+` (the bytes follow) or `-` (a traceback follows).
"""

from __future__ import annotations

import contextlib
import json
import logging
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
from typing import Any, BinaryIO, Literal

from framejury.errors import SetupError
from framejury.sandbox import child_main as childs_side
from framejury.sandbox.child_main import LENGTH_BYTES, framed
from framejury.sandbox.lockdown import Jail
from framejury.sandbox.process import (
    exit_code,
    forget_peak_memory,
    has_ended,
    how_it_ended,
    last_words,
    limit_cpu,
    peak_memory_bytes,
)

JailPolicy = Literal["require", "prefer"]

_log = logging.getLogger(__name__)

_ENVIRONMENT_KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
_ENVIRONMENT_SET = {
    # One thread a task: Spark already runs one task a core.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Arrow's allocator would start a thread, which Landlock does not hold.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # ONNX Runtime reports to Microsoft from 1.29 on: a thread, a socket, files in the home.
    "ORT_DISABLE_TELEMETRY": "1",
}
_START_TIMEOUT_S = 120.0
_MOST_ANSWER_BYTES = 2**31
"""An Arrow column of crops holds no more; what claims to be longer is a lie."""
_NOISE_KEPT_BYTES = 2000


class SandboxTimeoutError(Exception):
    """The child took longer than allowed and was killed."""


class SandboxCpuTimeError(Exception):
    """The child used more CPU time than allowed, and the kernel ended it."""


class SandboxCrashError(Exception):
    """The child died."""


class SandboxHandlerError(RuntimeError):
    """The handler raised; the message is the child's traceback. The child lives on."""


class Sandbox:
    """One child process that answers requests; started on demand, replaced when lost.

    Args:
        factory: `package.module:function`, called in the child with `setup`, returns
            the handler of requests (`dict -> bytes`). Whatever the handler needs has to be
            loaded when it returns: the child opens no file after that.
        setup: what the factory gets; JSON.
        memory_bytes: address space the child may add to what it has after start-up.
        environment: variables the child gets beside those it needs anyway.
        policy: require: a child that is not locked up in full does not start; prefer: as far
            as the machine can.
        opens_files: the child opens files and devices as it works, as CUDA does.

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
        policy: JailPolicy = "prefer",
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
        self._child: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._answers: BinaryIO | None = None
        self._noise: BinaryIO | None = None
        self._heard = b""
        self._jail: Jail | None = None
        self.starts = 0

    def call(
        self,
        request: Mapping[str, Any],
        timeout_s: float,
        *,
        cpu_s: float = math.inf,
        file: int | None = None,
    ) -> bytes:
        """The child's answer to `request`.

        Args:
            request: JSON.
            timeout_s: wall-clock seconds it may take; starting a child is not counted.
            cpu_s: seconds of CPU time it may use, of all its threads; to the next full second.
            file: an open descriptor the child gets, as `request["file"]`, until it has
                answered.

        Raises:
            SandboxTimeoutError: no answer within `timeout_s`; the child is gone.
            SandboxCpuTimeError: `cpu_s` was used up; the child is gone.
            SandboxCrashError: the child died; the message says of what.
            SandboxHandlerError: the handler raised.
            RuntimeError: the child cannot start, whatever the request.
            SetupError: it cannot be locked up in full, and `policy` is require.
        """
        self._start()
        self._listen()
        self._heard = b""  # of earlier requests
        if "cpu" in self.jail().in_force:
            assert self._child is not None
            with contextlib.suppress(OSError):  # it died just now, as will be seen
                limit_cpu(self._child.pid, cpu_s)
        assert self._child is not None
        forget_peak_memory(self._child.pid)
        answer = self._exchange(json.dumps(dict(request)).encode(), timeout_s, file)
        if answer[:1] == b"-":
            raise SandboxHandlerError(answer[1:].decode(errors="replace"))
        return bytes(memoryview(answer)[1:])

    def jail(self) -> Jail:
        """How far the child is locked up; starts one where there is none.

        Raises:
            RuntimeError, SetupError: as `call`.
        """
        self._start()
        assert self._jail is not None
        return self._jail

    def peak_memory_bytes(self) -> int | None:
        """Most memory that the child held since the last request (resident).

        Where the system cannot begin anew: since its start. None where that is not known.
        """
        return None if self._child is None else peak_memory_bytes(self._child.pid)

    def close(self) -> None:
        """End the child and every process of its group, if there is one."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:  # not reaped: the number is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        child.kill()
        child.wait()
        for pipe in (self._requests, self._answers, self._noise):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _start(self) -> None:
        if self._child is not None and not has_ended(self._child):
            return
        self.close()
        self._spawn()
        try:
            ready = self._exchange(self._hello, _START_TIMEOUT_S)
        except SandboxTimeoutError:
            raise RuntimeError(
                f"the decoding process did not start within {_START_TIMEOUT_S:g} seconds"
            ) from None
        except (SandboxCrashError, SandboxCpuTimeError) as error:
            raise RuntimeError(f"the decoding process did not start: {error}") from None
        if ready[:1] != b"+":
            self.close()
            raise RuntimeError(
                "the decoding process did not start:\n" + ready[1:].decode(errors="replace")
            )
        if self._heard:  # warnings of libraries; nothing hostile has been read yet
            sys.stderr.write(self._heard.decode(errors="replace"))
            self._heard = b""
        known = self._jail
        self._jail = self._with_cpu(Jail(**json.loads(ready[1:])))
        if not self._jail.lacking:
            return
        gaps = "; ".join(f"{name}: {why}" for name, why in self._jail.lacking.items())
        if self._policy == "require":
            self.close()
            raise SetupError(
                "the decoding process cannot be locked up in full here, as limits.jail=require "
                f"asks for (prefer does without): {gaps}"
            )
        if known is None:
            _log.warning("the decoding process is not locked up in full here: %s", gaps)

    def _spawn(self) -> None:
        environment = {k: os.environ[k] for k in _ENVIRONMENT_KEPT if k in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        environment |= _ENVIRONMENT_SET | self._environment
        requests, theirs = socket.socketpair()
        answers, write_end = os.pipe()
        noise, noise_end = os.pipe()
        os.set_blocking(noise, False)
        self._requests, self._heard = requests, b""
        self._answers = os.fdopen(answers, "rb", buffering=0)
        self._noise = os.fdopen(noise, "rb", buffering=0)
        try:
            self._child = subprocess.Popen(
                # -P: whatever modules lie in the working directory are none of ours.
                [sys.executable, "-P", "-m", childs_side.__name__, str(write_end)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,  # libraries may print; answers have their own pipe
                stderr=noise_end,
                pass_fds=(write_end,),
                env=environment,
                start_new_session=True,  # a group to kill, and no terminal
            )
        finally:
            theirs.close()
            os.close(write_end)
            os.close(noise_end)
        self.starts += 1

    def _with_cpu(self, found: Jail) -> Jail:
        """The CPU limit is set from here, or the child could raise it."""
        try:
            assert self._child is not None
            limit_cpu(self._child.pid, math.inf)
        except (OSError, AttributeError) as error:
            return Jail(found.in_force, {"cpu": str(error), **found.lacking})
        return Jail(("cpu", *found.in_force), found.lacking)

    def _exchange(self, message: bytes, timeout_s: float, file: int | None = None) -> bytearray:
        assert self._child is not None and self._requests is not None
        deadline_s = time.monotonic() + timeout_s
        try:
            self._requests.settimeout(max(timeout_s, 1e-6))
            head = framed(message)[:LENGTH_BYTES]
            socket.send_fds(self._requests, [head], [] if file is None else [file])
            self._requests.sendall(message)
            length = int.from_bytes(self._read(LENGTH_BYTES, deadline_s), "big")
            if length > _MOST_ANSWER_BYTES:
                self.close()
                raise SandboxCrashError(f"the decoding process answers with {length:,} bytes")
            return self._read(length, deadline_s)
        except (SandboxTimeoutError, TimeoutError):
            self.close()
            raise SandboxTimeoutError from None
        except (BrokenPipeError, ConnectionResetError, EOFError):
            code = exit_code(self._child)
            self._listen()
            self.close()
            if code == -signal.SIGXCPU:
                raise SandboxCpuTimeError from None
            raise SandboxCrashError(how_it_ended(code) + last_words(self._heard)) from None

    def _read(self, count: int, deadline_s: float) -> bytearray:
        assert self._answers is not None and self._noise is not None
        parts = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            selector.register(self._noise, selectors.EVENT_READ)
            while len(parts) < count:
                left_s = deadline_s - time.monotonic()
                ready = selector.select(left_s) if left_s > 0 else []
                if not ready:  # a child that never stops talking gets no more time either
                    raise SandboxTimeoutError
                if any(key.fileobj is self._noise for key, _ in ready) and not self._listen():
                    selector.unregister(self._noise)
                if any(key.fileobj is self._answers for key, _ in ready):
                    part = self._answers.read(min(count - len(parts), 1 << 20))
                    if not part:
                        raise EOFError
                    parts += part
        return parts

    def _listen(self) -> bool:
        """Take what the child wrote to its stderr; False when it has closed it."""
        assert self._noise is not None
        try:
            part = self._noise.read(1 << 16)
        except BlockingIOError:
            return True
        if part:
            self._heard = (self._heard + part)[-_NOISE_KEPT_BYTES:]
        return part != b""
