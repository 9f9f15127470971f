"""A child process for work that may crash, hang or eat memory: decoding hostile files.

The parent sends one JSON request at a time and waits for one answer of bytes; when
the child hangs it is killed, when it dies the parent learns how, and the next
request gets a fresh child. The child inherits no environment beyond what Python
and its libraries need, so no secret of the cluster is handed to it. It is no jail: it
runs as the same user, and reads what that user may read.

Wire format both ways: 8 bytes length, big endian, then the message. An answer's
first byte is `+` (the bytes follow) or `-` (a traceback follows).
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

Handler = Callable[[dict[str, Any]], bytes]

_ENVIRONMENT_KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
_LENGTH_BYTES = 8
_START_TIMEOUT_S = 120.0
_PR_SET_PDEATHSIG = 1


class SandboxTimeoutError(Exception):
    """The child took longer than allowed and was killed."""


class SandboxCrashError(Exception):
    """The child died."""


class SandboxHandlerError(RuntimeError):
    """The handler raised; the message is the child's traceback. The child lives on."""


class Sandbox:
    """One child process that answers requests; started on demand, replaced when lost.

    Args:
        factory: `package.module:function`, called in the child with `setup`, returns
            the handler of requests (`dict -> bytes`).
        setup: what the factory gets; JSON.
        memory_bytes: address space the child may add to what it has after start-up.
        environment: variables the child gets beside those it needs anyway.
    """

    def __init__(
        self,
        factory: str,
        setup: Mapping[str, Any],
        memory_bytes: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = dict(environment or {})
        self._hello = json.dumps(
            {"factory": factory, "setup": dict(setup), "memory_bytes": memory_bytes}
        ).encode()
        self._child: subprocess.Popen[bytes] | None = None
        self._answers: BinaryIO | None = None

    def call(self, request: Mapping[str, Any], timeout_s: float) -> bytes:
        """The child's answer to `request`.

        Raises:
            SandboxTimeoutError: no answer within `timeout_s`; the child is gone.
            SandboxCrashError: the child died; the message says of what.
            SandboxHandlerError: the handler raised.
            RuntimeError: the child cannot start, whatever the request.
        """
        self._start()
        answer = self._exchange(json.dumps(dict(request)).encode(), timeout_s)
        if answer[:1] == b"-":
            raise SandboxHandlerError(answer[1:].decode(errors="replace"))
        return answer[1:]

    def close(self) -> None:
        """End the child, if there is one."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, self._answers):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _start(self) -> None:
        if self._child is not None and self._child.poll() is None:
            return
        self.close()
        read_end, write_end = os.pipe()
        environment = {k: os.environ[k] for k in _ENVIRONMENT_KEPT if k in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        # One thread a task: Spark already runs one task a core.
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment |= self._environment
        self._child = subprocess.Popen(
            # -P: whatever modules lie in the working directory are none of ours.
            [sys.executable, "-P", "-m", __name__, str(write_end)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # libraries may print; answers have their own pipe
            pass_fds=(write_end,),
            env=environment,
        )
        os.close(write_end)
        self._answers = os.fdopen(read_end, "rb", buffering=0)
        try:
            ready = self._exchange(self._hello, _START_TIMEOUT_S)
        except SandboxTimeoutError:
            raise RuntimeError(
                f"the decoding process did not start within {_START_TIMEOUT_S:g} seconds"
            ) from None
        except SandboxCrashError as error:
            raise RuntimeError(f"the decoding process did not start: {error}") from None
        if ready != b"+":
            self.close()
            raise RuntimeError(
                "the decoding process did not start:\n" + ready[1:].decode(errors="replace")
            )

    def _exchange(self, message: bytes, timeout_s: float) -> bytes:
        assert self._child is not None and self._child.stdin is not None
        deadline_s = time.monotonic() + timeout_s
        try:
            self._child.stdin.write(_framed(message))
            self._child.stdin.flush()
            length = int.from_bytes(self._read(_LENGTH_BYTES, deadline_s), "big")
            return self._read(length, deadline_s)
        except SandboxTimeoutError:
            self.close()
            raise
        except (BrokenPipeError, EOFError):
            how = _how_it_ended(self._child)
            self.close()
            raise SandboxCrashError(how) from None

    def _read(self, count: int, deadline_s: float) -> bytes:
        assert self._answers is not None
        parts = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while len(parts) < count:
                if not selector.select(max(deadline_s - time.monotonic(), 0)):
                    raise SandboxTimeoutError
                part = self._answers.read(min(count - len(parts), 1 << 20))
                if not part:
                    raise EOFError
                parts += part
        return bytes(parts)


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


def _how_it_ended(child: subprocess.Popen[bytes]) -> str:
    try:
        code = child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        return "the decoding process closed its pipe"
    if code < 0:
        return f"the decoding process died of {signal.Signals(-code).name}"
    return f"the decoding process ended with exit code {code}"


def _serve(answers: BinaryIO) -> None:
    """The child's loop: one hello, then requests until the parent is gone."""
    requests = sys.stdin.buffer
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it ends us
    handler: Handler | None = None
    while True:
        head = requests.read(_LENGTH_BYTES)
        if len(head) < _LENGTH_BYTES:
            return
        request = json.loads(requests.read(int.from_bytes(head, "big")))
        try:
            if handler is None:
                handler = _make_handler(request)
                answer = b"+"
            else:
                answer = b"+" + handler(request)
        except Exception:  # whatever it is, the parent hears of it in full
            answer = b"-" + traceback.format_exc().encode()
        answers.write(_framed(answer))
        answers.flush()


def _make_handler(hello: Mapping[str, Any]) -> Handler:
    module, _, name = hello["factory"].partition(":")
    handler: Handler = getattr(importlib.import_module(module), name)(hello["setup"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory(int(hello["memory_bytes"]))
    return handler


def _limit_memory(added_bytes: int) -> None:
    used_bytes = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    limit_bytes = used_bytes * resource.getpagesize() + added_bytes
    _, hard_bytes = resource.getrlimit(resource.RLIMIT_AS)
    if hard_bytes != resource.RLIM_INFINITY:
        limit_bytes = min(limit_bytes, hard_bytes)  # the machine's own limit is tighter
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))


def _die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    with os.fdopen(int(sys.argv[1]), "wb") as pipe:
        _serve(pipe)
