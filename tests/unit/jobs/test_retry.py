"""`framejury retry` without anything to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from framejury.warehouse import Warehouse
from tests.builders import judged


def retry(place: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "framejury.cli.main", "retry", "--warehouse", str(place), *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Three videos: one with a score, one without a face, one that was deleted."""
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    judged.night(warehouse, {"a.mp4": [0.9], "b.mp4": []}, gone=["c.mp4"])
    return tmp_path / "w"


def test_it_is_answered_without_java_and_without_heavy_libraries(
    place: Path, tmp_path: Path
) -> None:
    """Java would be started from JAVA_HOME; a library from before the one installed."""
    for name in ("pyspark", "onnxruntime", "sklearn", "cv2"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    path = os.pathsep.join([str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    began = time.process_time(), time.monotonic()
    before = os.times().children_user + os.times().children_system
    done = retry(
        *(place, "--status", "timeout,crashed", "--status", "unreadable"),
        JAVA_HOME=str(tmp_path),
        PYTHONPATH=path,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.splitlines() == [
        "  nothing to retry: no video has the status timeout or crashed or unreadable",
        "  2 videos in the archive: 1 scored, 1 no_face",
    ]
    # Time of the processor: others may be working on this machine.
    assert os.times().children_user + os.times().children_system - before < 2, began


def test_work_is_not_mistaken_for_none(place: Path, tmp_path: Path) -> None:
    done = retry(place, "--status", "no_face", "--bundle", str(tmp_path / "no bundle"))
    assert done.returncode == 2
    assert "nothing to retry" not in done.stderr and "no bundle" in done.stderr


def test_an_unknown_status_is_answered_with_the_known_ones(place: Path) -> None:
    done = retry(place, "--status", "time-out")
    assert done.returncode == 2
    assert "unknown value 'time-out'; choose from scored, no_face, empty" in done.stderr


def test_without_a_status_it_says_how_many_videos_have_which(place: Path, tmp_path: Path) -> None:
    done = retry(place, JAVA_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    words = (
        "say which videos to judge again: --status STATUS,... (videos here: 1 scored, 1 no_face)"
    )
    assert done.stderr == f"framejury retry: error: {words}\n"
    Warehouse.open_or_plan(str(tmp_path / "new"))
    with Warehouse.open_or_plan(str(tmp_path / "new")).running("index", judged.NOW):
        pass
    done = retry(tmp_path / "new")
    assert "(one of scored, no_face, empty" in done.stderr
