"""What a parent can observe and limit of its child process from outside, on Linux."""

from __future__ import annotations

import contextlib
import math
import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path


def limit_cpu(pid: int, cpu_s: float) -> None:
    """Allow `cpu_s` more seconds of CPU time, over all threads; then SIGXCPU.

    The kernel counts whole seconds, so it may be up to one more. This is the soft limit: the
    process could raise it or block the signal, which the system call filter prevents.

    Args:
        pid: a process of this user.
        cpu_s: `math.inf` removes the limit.

    Raises:
        OSError: the process is gone, or the kernel refuses.
        AttributeError: the system is not Linux.
    """
    _, hard = resource.prlimit(pid, resource.RLIMIT_CPU)
    most = resource.RLIM_INFINITY
    if math.isfinite(cpu_s):
        most = math.ceil(time.clock_gettime(_cpu_clock(pid)) + cpu_s)
    if hard != resource.RLIM_INFINITY:
        most = hard if most == resource.RLIM_INFINITY else min(most, hard)
    resource.prlimit(pid, resource.RLIMIT_CPU, (most, hard))


def _cpu_clock(pid: int) -> int:
    """Return Linux's CPU-time clock of a process, as clock_getcpuclockid(3) does."""
    return ~pid << 3 | 2


def peak_memory_bytes(pid: int) -> int | None:
    """Return the most memory that a process has held (resident); None: unknown.

    Not `getrusage`, which includes the time before exec: the child of a large parent would
    seem as large.

    Args:
        pid: a living process of this user.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


def forget_peak_memory(pid: int) -> None:
    """Reset `peak_memory_bytes`, where the kernel can.

    Args:
        pid: a process of this user.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Check without reaping the child, so that its pid and group are not reused."""
    return (
        child.returncode is not None
        or os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    )


def exit_code(child: subprocess.Popen[bytes], timeout_s: float = 10.0) -> int | None:
    """Return the code as `Popen.returncode`; None: it did not end within `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        state = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if state is not None:
            return state.si_status if state.si_code == os.CLD_EXITED else -state.si_status
        if time.monotonic() > deadline_s:
            return None
        time.sleep(0.005)


def how_it_ended(code: int | None) -> str:
    """Describe an `exit_code`."""
    if code is None:
        return "the decoding process closed its pipe"
    if code >= 0:
        return f"the decoding process ended with exit code {code}"
    name = signal.Signals(-code).name
    if code == -signal.SIGSYS:
        return f"the decoding process made a system call that the sandbox forbids ({name})"
    if code == -signal.SIGKILL:
        return f"the decoding process was killed ({name}); the machine may be out of memory"
    return f"the decoding process died of {name}"


def last_line(stderr: bytes) -> str:
    """Return ": " and the last line of stderr, such as an uncaught C++ exception; or nothing."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        return ""
    return ": " + "".join(letter if letter.isprintable() else "?" for letter in lines[-1])[:200]
