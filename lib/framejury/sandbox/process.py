"""What a parent can tell of its child process, and limit, from outside. Linux."""

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
    """Let the process use `cpu_s` more seconds of CPU time, all threads together; then SIGXCPU.

    The kernel counts whole seconds, so it may be up to one more. The limit is the soft one: a
    process could raise it again, or block the signal, were it not kept from that.

    Args:
        pid: of a process of this user.
        cpu_s: `math.inf` takes the limit away.

    Raises:
        OSError: the process is gone, or the kernel does not let us.
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
    """Linux's clock of the CPU time of a process; what clock_getcpuclockid(3) gives."""
    return ~pid << 3 | 2


def peak_memory_bytes(pid: int) -> int | None:
    """Most memory that a process held so far (resident); None where the system does not tell.

    Not `getrusage`, which also counts what the process was before it became another program: a
    child of a large parent would seem as large.

    Args:
        pid: of a living process of this user.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


def forget_peak_memory(pid: int) -> None:
    """Let `peak_memory_bytes` begin anew, where the system can.

    Args:
        pid: of a process of this user.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Without reaping it, so that its number and its group stay its own."""
    return (
        child.returncode is not None
        or os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    )


def exit_code(child: subprocess.Popen[bytes], timeout_s: float = 10.0) -> int | None:
    """As `Popen.returncode`; None when it does not end."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        state = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if state is not None:
            return state.si_status if state.si_code == os.CLD_EXITED else -state.si_status
        if time.monotonic() > deadline_s:
            return None
        time.sleep(0.005)


def how_it_ended(code: int | None) -> str:
    if code is None:
        return "the decoding process closed its pipe"
    if code >= 0:
        return f"the decoding process ended with exit code {code}"
    name = signal.Signals(-code).name
    if code == -signal.SIGSYS:
        return f"the decoding process tried what its jail forbids ({name})"
    if code == -signal.SIGKILL:
        return f"the decoding process was killed ({name}), as when the machine is out of memory"
    return f"the decoding process died of {name}"


def last_words(heard: bytes) -> str:
    """The last line the child wrote to its stderr, such as what it was that C++ did not catch."""
    lines = [line.strip() for line in heard.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        return ""
    said = "".join(letter if letter.isprintable() else "?" for letter in lines[-1])
    return f": {said[:200]}"
