"""What judging needs is found missing, and a clip is judged as a trial."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from framejury.examine import worker
from framejury.machine import able_to_judge
from framejury.sandbox.lockdown import Lockdown
from framejury.sandbox.sandbox import Sandbox
from framejury.settings import Settings
from framejury.settings.loading import settings_from
from tests.builders.bundles import brightness_bundle


def test_detectors_load() -> None:
    assert [(check.name, check.state) for check in able_to_judge.check_detectors()] == [
        ("MTCNN", "ok"),
        ("Haar cascades", "ok"),
    ]


def test_opencv_without_cascades(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import cv2.data

    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    check = list(able_to_judge.check_detectors())[1]
    assert check.state == "problem"
    assert "opencv-python-headless" in check.to_do


def test_warehouse(machine: Path) -> None:
    new = machine / "new" / "warehouse"
    assert able_to_judge.check_warehouse(str(new)).state == "ok"
    assert list(machine.iterdir()) == []
    (machine / "file").write_bytes(b"")
    assert able_to_judge.check_warehouse(str(machine / "file" / "w")).state == "problem"
    assert "neither empty nor a warehouse" in able_to_judge.check_warehouse(str(machine)).found


def test_the_jail_of_the_decoder_is_shown() -> None:
    check = able_to_judge.check_lockdown()
    assert "memory" in check.found
    assert check.state == ("warning" if "lacking" in check.found else "ok")


def test_what_the_jail_lacks_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {"landlock": "the kernel has no Landlock"}
    monkeypatch.setattr(Sandbox, "lockdown", lambda self: Lockdown(("seccomp",), lacking))
    check = able_to_judge.check_lockdown()
    assert check.state == "warning" and "limits.jail" in check.to_do
    assert "in force: seccomp; lacking: landlock (the kernel has no Landlock)" in check.found


def test_a_decoder_that_cannot_start_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    check = able_to_judge.check_lockdown()
    assert check.state == "problem" and "exit code 1" in check.found


def test_a_clip_is_judged(tmp_path: Path) -> None:
    bundle = brightness_bundle(tmp_path / "bundle")
    for known, words in ((bundle, "faces found and scored"), (None, "faces found, in")):
        check = able_to_judge.check_trial(Settings(), known)
        assert check.state == "ok" and words in check.found, check


@pytest.mark.parametrize("detector", ["mtcnn", "haar"])
def test_each_detector_finds_the_face_of_the_trial_in_every_frame(detector: str) -> None:
    settings = settings_from({"detection": {"detector": detector}, "sampling": {"frames": 25}})
    assert " 25 faces" in able_to_judge.check_trial(settings, None).found


_NEEDS_MORE = """
from framejury.examine import child

def serve(setup):
    handle = child.serve(setup)
    def late(request):
        import wave
        return handle(request)
    return late
"""


def test_what_an_installation_cannot_judge_with_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text(_NEEDS_MORE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(worker, "_CHILD", "needs_more:serve")
    check = able_to_judge.check_trial(Settings(), None)
    assert check.state == "problem" and "new virtual environment" in check.to_do
    assert "crashed: the decoding process needs the Python module wave" in check.found


def test_a_trial_that_cannot_begin_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = settings_from({"detection": {"detector": "haar", "min_face_px": 4096}})
    check = able_to_judge.check_trial(blind, None)
    assert (check.state, "no_face" in check.found) == ("problem", True)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    check = able_to_judge.check_trial(Settings(), None)
    assert check.state == "problem" and "did not start" in check.found
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    check = able_to_judge.check_trial(Settings(), None)
    assert check.state == "problem" and "TMPDIR" in check.to_do
