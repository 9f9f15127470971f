"""Jobs as users start them, in processes of their own: `spark-submit jobs/NAME.py`, `framejury`."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from framejury.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
CORPUS = ROOT.parent / "shared" / "corpus"


def run(
    program: str, *args: str | Path, cwd: Path = ROOT, timeout_s: float = 1500
) -> subprocess.CompletedProcess[str]:
    """Run a program of this virtual environment and capture its output."""
    environment = os.environ | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [str(PROGRAMS / program), *map(str, args)],
        cwd=cwd,
        env=environment,
        text=True,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )


def submit(
    job: str, *args: str | Path, timeout_s: float = 1500
) -> subprocess.CompletedProcess[str]:
    """Run `spark-submit jobs/JOB.py ...` on this machine."""
    properties = ["--properties-file", ROOT / "conf" / "spark" / "local.conf"]
    return run("spark-submit", *properties, ROOT / "jobs" / f"{job}.py", *args, timeout_s=timeout_s)


def here(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `framejury ARGS` in this process, where one JVM serves all calls.

    For commands of which the test needs the result, not the process: a JVM takes some 15 seconds.
    """
    words = [*map(str, args)]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(words)
    return subprocess.CompletedProcess(
        ["framejury", *words], status, out.getvalue(), err.getvalue()
    )


def ok(result: subprocess.CompletedProcess[str]) -> str:
    """Return what a program printed; fail unless it exited with 0."""
    assert result.returncode == 0, shown(result)
    return result.stdout


def shown(result: subprocess.CompletedProcess[str]) -> str:
    """Return the command, exit code and output of a process, for a failed assertion."""
    return f"{result.args}\nexit {result.returncode}\n{result.stdout}\n{result.stderr[-6000:]}"


def lines_of_error(result: subprocess.CompletedProcess[str]) -> Sequence[str]:
    """Return framejury's own error lines. spark-submit sends a job's stderr to its stdout."""
    both = result.stdout.splitlines() + result.stderr.splitlines()
    return [line for line in both if line.startswith("framejury ") and "error:" in line]


def script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
