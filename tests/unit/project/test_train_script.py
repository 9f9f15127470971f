"""bin/train.sh repeats what an edit makes stale, and nothing else. `framejury` notes its calls."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SIDES = "conf/training/sides-faces.csv"
PRESET = "conf/presets/detector.yaml"
TRAINED = ["split", "split", "train", "evaluate"]
KEPT = ["split", "split", "evaluate"]


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name in ("bin/train.sh", "bin/env.sh", "bin/common.sh", "conf/chatter.txt", PRESET):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "conf" / "training", root / "conf" / "training")
    program(root / "bin" / "find-java.sh", "echo /nowhere")
    program(root / ".venv" / "bin" / "framejury", f'echo "$1" >>{root}/calls')
    for folder in ("dfdc_faces", "real_faces", "wild_faces", "ff_faces"):
        (tmp_path / "shared" / "training" / folder).mkdir(parents=True)
    (tmp_path / "shared" / "corpus").mkdir()
    return root


def steps(project: Path, **variables: str) -> list[str]:
    """Run the script, and return the commands that it called."""
    calls = project / "calls"
    calls.unlink(missing_ok=True)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATA", "OUT", "BUNDLE", "PRESET", "FRESH")
    }
    done = subprocess.run(
        [str(project / "bin" / "train.sh")],
        env=environment | variables,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return calls.read_text().split()


@pytest.mark.parametrize(
    "edited",
    [SIDES, "conf/training/sides-corpus.csv", "conf/training/start/bundle.json", PRESET],
)
def test_an_edit_of_the_split_or_the_preset_trains_again(project: Path, edited: str) -> None:
    before = (project / edited).read_text(encoding="utf-8")
    assert steps(project) == ["import", "index", "extract", *TRAINED]
    assert steps(project) == KEPT
    (project / edited).write_text(f"{before}# edited\n", encoding="utf-8")
    assert steps(project) == TRAINED
    assert steps(project) == KEPT
    # The bundle is that of the edit now.
    (project / edited).write_text(before, encoding="utf-8")
    assert steps(project) == TRAINED


def test_each_bundle_is_trained_once(project: Path) -> None:
    steps(project)
    assert steps(project, BUNDLE="models/other") == TRAINED
    assert steps(project, BUNDLE="models/other") == steps(project) == KEPT
