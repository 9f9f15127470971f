"""What the decoding process gives up before it sees a file; nothing of it can be taken back.

The process has loaded its models and needs nothing more but memory, the pipe to its parent and
the open file it is handed. So it may open no file, reach no network, start no program and no
process, look into none and signal none, and write to no file (decision 12). What the kernel
does not offer is never passed over in silence: `enter` says what is in force and what is not.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framejury.sandbox import seccomp

LAYERS = {
    "cpu": "CPU time of one video is limited",
    "memory": "memory is limited",
    "core": "no core files",
    "file_size": "no file can be written",
    "open_files": "few files can be open",
    "no_new_privs": "no more rights than now",
    "landlock": "no file can be opened, no port, no other process signalled",
    "seccomp": "no file can be opened, no network, no program, no other process",
}
"""Every layer, and what it means."""

_OPEN_FILES = 64
_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_ASK_VERSION = 1
# Rights over files by Landlock version: 13 at first, then refer, truncate and ioctl on devices.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP_RIGHTS = 0b11  # bind, connect
_SCOPES = 0b11  # abstract Unix sockets, signals


@dataclass(frozen=True)
class Jail:
    """How far this process is locked up.

    Attributes:
        in_force: names from `LAYERS`.
        lacking: names from `LAYERS`, and why not.
    """

    in_force: tuple[str, ...]
    lacking: Mapping[str, str]


def enter(memory_bytes: int, *, opens_files: bool = False) -> Jail:
    """Lock this process up, for good. To be called when all it needs is loaded.

    Args:
        memory_bytes: address space it may add to what it has.
        opens_files: whether it goes on to open files and devices, as CUDA does; Landlock and
            the limits on files are then left out, and system calls are filtered less.

    Returns:
        what is in force. All of `LAYERS` but `cpu`, which the parent sees to, is in either of
        its parts; no failure is raised.
    """
    without = "CUDA opens libraries and devices as it works" if opens_files else None
    steps: dict[str, tuple[Callable[[], object], str | None]] = {
        "memory": (lambda: _limit_memory(memory_bytes), None),
        "core": (lambda: _limit(resource.RLIMIT_CORE, 0), None),
        "file_size": (lambda: _limit(resource.RLIMIT_FSIZE, 0), without),
        "open_files": (lambda: _limit(resource.RLIMIT_NOFILE, _OPEN_FILES), without),
        "no_new_privs": (_give_up_privileges, None),
        "landlock": (_enter_landlock, without),
        "seccomp": (lambda: seccomp.install(opens_files=opens_files), None),  # the last: it
        # refuses what the others call
    }
    in_force: list[str] = []
    lacking: dict[str, str] = {}
    for name, (step, reason) in steps.items():
        if reason is not None:
            lacking[name] = reason
            continue
        try:
            step()
        except (OSError, ValueError, NotImplementedError, AttributeError) as error:
            lacking[name] = str(error)
        else:
            in_force.append(name)
    if opens_files and "seccomp" in in_force:
        in_force.remove("seccomp")
        lacking["seccomp"] = f"in part: no network, programs or processes, but {without}"
    return Jail(tuple(in_force), lacking)


def look(_: Mapping[str, Any]) -> Callable[[dict[str, Any]], bytes]:
    """A sandbox's factory that loads nothing, to see how far a process can be locked up here."""
    return lambda request: b""


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)  # the machine's own limit is tighter
    resource.setrlimit(kind, (most, most))


def _limit_memory(added_bytes: int) -> None:
    used_bytes = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    _limit(resource.RLIMIT_AS, used_bytes * resource.getpagesize() + added_bytes)


def _give_up_privileges() -> None:
    _need_linux()
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _enter_landlock() -> None:
    """Handle every right and grant none: what is open stays readable, and nothing else is."""
    _need_linux()
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise NotImplementedError(
            f"Landlock holds for one thread, and {threads} run (scoring.threads above 1?)"
        )
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 1:
        raise NotImplementedError(
            f"the kernel has no Landlock or it is off ({os.strerror(ctypes.get_errno())})"
        )
    rules = struct.pack("=Q", (1 << _FILE_RIGHTS.get(version, 16)) - 1)
    if version >= 4:
        rules += struct.pack("=Q", _TCP_RIGHTS)
    if version >= 6:
        rules += struct.pack("=Q", _SCOPES)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.c_char_p(rules), ctypes.c_size_t(len(rules)), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        if libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(ruleset)


def _need_linux() -> None:
    if sys.platform != "linux":
        raise NotImplementedError(f"only Linux has it, this is {sys.platform}")
