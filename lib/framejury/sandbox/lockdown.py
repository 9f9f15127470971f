"""The rights that the decoding process gives up, irrevocably, before it sees a file.

The process has loaded its models. From then on it needs only memory, the pipe to its parent and
the open file it is given. So it may not open or write files, use the network, start programs or
processes, inspect or signal other processes (decision 12). `lock_down` reports every layer that
the kernel does not offer.
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
    "no_new_privs": "no rights can be gained",
    "landlock": "no file or port can be opened, no other process signalled",
    "seccomp": "no file, network, program or other process can be opened",
}
"""Every layer and its meaning."""

_OPEN_FILES = 64
_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_ASK_VERSION = 1
# Number of file rights by Landlock version; later ones add refer, truncate, device ioctl.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP_RIGHTS = 0b11  # bind, connect
_SCOPES = 0b11  # abstract Unix sockets, signals


@dataclass(frozen=True)
class Lockdown:
    """How far a process is locked down.

    Attributes:
        in_force: names from `LAYERS`.
        lacking: names from `LAYERS`, each with the reason.
    """

    in_force: tuple[str, ...]
    lacking: Mapping[str, str]


def lock_down(memory_bytes: int, *, opens_files: bool = False) -> Lockdown:
    """Lock this process down for good; call it once everything needed is loaded.

    Args:
        memory_bytes: address space the process may still add.
        opens_files: the process goes on opening files and devices, as CUDA does; Landlock and
            the limits on files are then skipped, and fewer system calls are filtered.

    Returns:
        every name of `LAYERS`, in force or lacking, except `cpu`, which the parent sets. A
        layer that fails is lacking; nothing is raised.
    """
    without = "CUDA opens libraries and devices as it works" if opens_files else None
    steps: dict[str, tuple[Callable[[], object], str | None]] = {
        "memory": (lambda: _limit_memory(memory_bytes), None),
        "core": (lambda: _limit(resource.RLIMIT_CORE, 0), None),
        "file_size": (lambda: _limit(resource.RLIMIT_FSIZE, 0), without),
        "open_files": (lambda: _limit(resource.RLIMIT_NOFILE, _OPEN_FILES), without),
        "no_new_privs": (_give_up_privileges, None),
        "landlock": (_enter_landlock, without),
        # Last, since it forbids the calls that the other layers make.
        "seccomp": (lambda: seccomp.install(opens_files=opens_files), None),
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
        lacking["seccomp"] = f"partly: no network, programs or processes, but {without}"
    return Lockdown(tuple(in_force), lacking)


def probe(_: Mapping[str, Any]) -> Callable[[dict[str, Any]], bytes]:
    """Make a handler that loads nothing, to find out how far this machine locks down."""
    return lambda request: b""


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)  # the machine's own limit is lower
    resource.setrlimit(kind, (most, most))


def _limit_memory(added_bytes: int) -> None:
    used_bytes = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    _limit(resource.RLIMIT_AS, used_bytes * resource.getpagesize() + added_bytes)


def _give_up_privileges() -> None:
    _need_linux()
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _enter_landlock() -> None:
    """Handle every right and grant none: open files stay readable, others cannot be opened."""
    _need_linux()
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise NotImplementedError(
            f"Landlock restricts one thread, and {threads} are running (scoring.threads above 1?)"
        )
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 1:
        raise NotImplementedError(
            f"Landlock is missing or disabled in this kernel ({os.strerror(ctypes.get_errno())})"
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
        raise NotImplementedError(f"available on Linux only, not on {sys.platform}")
