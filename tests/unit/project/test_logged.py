"""Steps of `make setup` and `make demo`: one line each on the terminal, the rest in a log."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def logged(log: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Two steps, the second `command`."""
    code = f"""set -euo pipefail
. {ROOT}/bin/common.sh
log={log}
logged "Making the first" seq 900
logged "Making the second" {command}
say "Ready. Full log: $log"
"""
    return subprocess.run(["bash", "-c", code], text=True, capture_output=True, check=False)


def test_what_steps_print_goes_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "out" / "log"
    result = logged(log, "bash -c 'echo wrong >&2'")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(
        rf"Making the first \.\.\. \d+ s\nMaking the second \.\.\. \d+ s\nReady. Full log: {log}\n",
        result.stdout,
    )
    lines = log.read_text().splitlines()
    assert len(lines) > 900
    assert lines[-2:] == ["== Making the second", "wrong"]


def test_a_failed_step_shows_the_end_of_the_log_and_stops(tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = logged(log, "bash -c 'seq 100; echo no space left; exit 7'")
    assert result.returncode == 2
    assert "Ready" not in result.stdout
    assert "no space left" in result.stderr and "\n50\n" not in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last == f"error: Making the second: exit code 7; full log: {log}"
    assert len((result.stdout + result.stderr).splitlines()) < 30
