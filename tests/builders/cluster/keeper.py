"""Ends every process of a test cluster, also when the test itself was killed.

Each process of a cluster carries `MARK=<name>` in its environment and hands it down: daemons,
executors, their Python workers, drivers. (The sandbox's children have an environment of their
own; they die with their parents.) `python keeper.py NAME FOLDER` waits until its standard
input closes, which happens whatever becomes of the process that started it, then kills what
carries the name and removes the folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

MARK = "FRAMEJURY_TEST_CLUSTER"


def marked(name: str) -> list[int]:
    """Process ids that carry `name`, but our own."""
    wanted = f"{MARK}={name}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):  # ended meanwhile, or somebody else's
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def end_all(name: str, limit_s: float = 30.0) -> None:
    """SIGKILL everything that carries `name`, until nothing does.

    Raises:
        TimeoutError: something is still there after `limit_s` seconds.
    """
    deadline_s = time.monotonic() + limit_s
    while pids := [pid for pid in marked(name) if not is_dead(pid)]:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"processes {pids} of cluster {name} do not end")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def is_dead(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to look at its end."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def start_keeper(name: str, folder: Path) -> subprocess.Popen[bytes]:
    """A keeper in a session of its own, so that Ctrl-C leaves it its work."""
    return subprocess.Popen(
        [sys.executable, __file__, name, str(folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
    )


if __name__ == "__main__":
    sys.stdin.read()
    end_all(sys.argv[1])
    shutil.rmtree(sys.argv[2], ignore_errors=True)
