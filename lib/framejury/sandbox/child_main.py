"""The child's side of the sandbox: load the handler, lock down, answer requests.

Run as `python -m framejury.sandbox.child_main FD`: requests arrive on the socket that is its
stdin, answers go to the pipe FD.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

from framejury.sandbox.late_imports import refuse_imports
from framejury.sandbox.lockdown import Lockdown, lock_down

Handler = Callable[[dict[str, Any]], bytes]

LENGTH_BYTES = 8
_PR_SET_PDEATHSIG = 1


def framed(message: bytes) -> bytes:
    """Return the message with its length before it: 8 bytes, big endian."""
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


def _serve(requests: socket.socket, answers: BinaryIO) -> None:
    """Answer one hello, then requests until the parent is gone."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and ends this process
    handler: Handler | None = None
    while True:
        request, file = _receive(requests)
        if request is None:
            return
        try:
            if handler is None:
                handler, lockdown = _make_handler(request)
                answer = b"+" + json.dumps(asdict(lockdown)).encode()
            else:
                answer = b"+" + handler(request if file is None else request | {"file": file})
        except Exception:  # the parent gets the whole traceback
            answer = b"-" + traceback.format_exc().encode()
        finally:
            if file is not None:
                os.close(file)
        answers.write(framed(answer))
        answers.flush()


def _receive(requests: socket.socket) -> tuple[dict[str, Any] | None, int | None]:
    """Return the next request and the open file that came with it; None, None at the end."""
    head, files, _, _ = socket.recv_fds(requests, LENGTH_BYTES, 1)
    if len(head) < LENGTH_BYTES:
        return None, None
    message = bytearray()
    while len(message) < int.from_bytes(head, "big"):
        part = requests.recv(1 << 16)
        if not part:
            return None, None
        message += part
    return json.loads(message), files[0] if files else None


def _make_handler(hello: Mapping[str, Any]) -> tuple[Handler, Lockdown]:
    module, _, name = hello["factory"].partition(":")
    handler: Handler = getattr(importlib.import_module(module), name)(hello["setup"])
    lockdown = lock_down(int(hello["memory_bytes"]), opens_files=hello["opens_files"])
    if not hello["opens_files"]:
        refuse_imports()
    return handler, lockdown


def _die_with_parent() -> None:
    """Have Linux kill this process when its parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    with socket.socket(fileno=0) as inbox, os.fdopen(int(sys.argv[1]), "wb") as pipe:
        _serve(inbox, pipe)
