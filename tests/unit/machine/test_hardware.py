"""Disk and GPU."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from framejury.machine import hardware
from framejury.machine.check import Check
from tests.builders.programs import script


def test_gpu(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine / "bin"))
    assert hardware.check_gpu() == Check(
        "GPU", "ok", "none found (no nvidia-smi); training runs on the CPU"
    )
    script(machine / "bin" / "nvidia-smi", "echo 'H100, 81559 MiB, 570.1'")
    assert hardware.check_gpu() == Check("GPU", "ok", "H100, 81559 MiB, 570.1")
    script(machine / "bin" / "nvidia-smi", "exit 9")
    assert hardware.check_gpu().state == "warning"


@pytest.mark.parametrize(
    ("free_bytes", "state"), [(100 << 30, "ok"), (5 << 30, "warning"), (1 << 20, "problem")]
)
def test_disk(machine: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, state: str) -> None:
    monkeypatch.setattr(
        hardware.shutil, "disk_usage", lambda place: argparse.Namespace(free=free_bytes)
    )
    assert hardware.check_disk(machine).state == state
