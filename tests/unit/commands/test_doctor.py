"""doctor: each fault it looks for is found, and named with what to do."""

from __future__ import annotations

import argparse
import json
import stat
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from framejury.cli.main import parser_of
from framejury.commands import doctor
from framejury.commands.doctor import Check
from framejury.model.pretrained import weights_file
from framejury.sandbox.lockdown import Lockdown
from framejury.sandbox.sandbox import Sandbox
from framejury.settings import TrainingSettings


def script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fake_java(home: Path, version: str, modules: str = "java.base jdk.incubator.vector") -> str:
    lines = [
        'case "$1" in',
        f"-version) echo 'openjdk version \"{version}\" 2025-01-01' >&2;;",
        f"--list-modules) echo '{modules}';;",
        "esac",
    ]
    return str(script(home / "bin" / "java", "\n".join(lines)))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A place without Java settings, GPU or another Spark."""
    for name in ("JAVA_HOME", "SPARK_HOME", "SPARK_CONF_DIR", "SPARK_LOCAL_DIRS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("version", ["17.0.15", "21", "25.0.1"])
def test_java_that_works(machine: Path, version: str) -> None:
    assert doctor.check_java(fake_java(machine, version)).state == "ok"


@pytest.mark.parametrize(
    ("version", "modules", "words"),
    [
        ("11.0.2", "java.base jdk.incubator.vector", "11.0.2"),
        ("1.8.0_402", "java.base jdk.incubator.vector", "1.8.0_402"),
        ("17.0.15", "java.base", "lacks jdk.incubator.vector"),
    ],
)
def test_java_that_does_not(machine: Path, version: str, modules: str, words: str) -> None:
    check = doctor.check_java(fake_java(machine, version, modules))
    assert check.state == "problem"
    assert words in check.found
    assert "Java 17" in check.to_do


def test_java_that_is_absent_or_broken(machine: Path) -> None:
    assert doctor.check_java(None).found == "none found"
    assert doctor.check_java(str(machine / "bin" / "java")).state == "problem"
    assert doctor.check_java(str(script(machine / "java", "exit 3"))).state == "problem"


def test_java_is_looked_for_where_spark_looks(machine: Path) -> None:
    on_path = fake_java(machine / "path", "17")
    path = {"PATH": str(Path(on_path).parent)}
    noted = machine / "spark-env.sh"
    noted.write_text(': "${JAVA_HOME:=/noted}"\n', encoding="utf-8")
    assert doctor.java_command({"JAVA_HOME": "/set", **path}, noted) == "/set/bin/java"
    assert doctor.java_command(path, noted) == "/noted/bin/java"
    assert doctor.java_command(path, None) == on_path
    assert doctor.java_command({"PATH": str(machine)}, None) is None


@pytest.mark.parametrize(
    ("requirement", "extra", "state", "words"),
    [
        ("numpy>=2", "core", "ok", ""),
        ("numpy<1", "core", "problem", "framejury needs <1"),
        ("pandas>=3", "spark", "problem", "framejury needs >=3"),
        ("no-such-package", "core", "problem", "not installed"),
    ],
)
def test_library(requirement: str, extra: str, state: str, words: str) -> None:
    check = doctor.check_library(Requirement(requirement), extra)
    assert check.state == state
    assert words in check.found
    assert (check.to_do == "") == (state == "ok")


def test_libraries_of_every_extra_but_dev(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = {check.name: check for check in doctor.check_libraries()}
    assert {"av", "numpy", "pyspark", "pandas", "jinja2", "tensorflow", "keras"} <= set(checks)
    assert not {"framejury", "pytest", "ruff"} & set(checks)
    declared = [
        *("av>=1", "pandas>=99; extra == 'spark'"),
        *("absent; extra == 'train'", "missing; extra == 'train'"),
    ]
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: declared)
    found = {check.name: check for check in doctor.check_libraries()}
    assert {name: check.state for name, check in found.items()} == {
        "av": "ok",
        "pandas": "problem",
        "framejury[train]": "warning",
    }
    assert found["framejury[train]"].found == "not installed: absent, missing"
    assert "pip install 'framejury[train]'" in found["framejury[train]"].to_do


def test_two_opencv_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_opencv_twice().state == "ok"
    monkeypatch.setattr(doctor, "_version", lambda name: "4.14" if "contrib" not in name else None)
    check = doctor.check_opencv_twice()
    assert check.state == "problem"
    assert check.found == "opencv-python, opencv-python-headless"


def test_detectors_load() -> None:
    assert [(check.name, check.state) for check in doctor.check_detectors()] == [
        ("MTCNN", "ok"),
        ("Haar cascades", "ok"),
    ]


def test_opencv_without_cascades(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import cv2.data

    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    check = list(doctor.check_detectors())[1]
    assert check.state == "problem"
    assert "opencv-python-headless" in check.to_do


def test_another_spark_home(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyspark

    assert doctor.check_spark().state == "ok"
    monkeypatch.setenv("SPARK_HOME", str(machine))
    assert doctor.check_spark().state == "warning"
    (machine / "RELEASE").write_text(f"Spark {pyspark.__version__} built for Hadoop 3.4\n")
    assert doctor.check_spark().state == "ok"
    monkeypatch.setenv("SPARK_HOME", str(Path(pyspark.__file__).parent))
    assert doctor.check_spark().state == "ok"


def test_gpu(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine / "bin"))
    assert doctor.check_gpu() == Check(
        "GPU", "ok", "none found (no nvidia-smi); training runs on the CPU"
    )
    script(machine / "bin" / "nvidia-smi", "echo 'H100, 81559 MiB, 570.1'")
    assert doctor.check_gpu() == Check("GPU", "ok", "H100, 81559 MiB, 570.1")
    script(machine / "bin" / "nvidia-smi", "exit 9")
    assert doctor.check_gpu().state == "warning"


@pytest.mark.parametrize(
    ("free_bytes", "state"), [(100 << 30, "ok"), (5 << 30, "warning"), (1 << 20, "problem")]
)
def test_disk(machine: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, state: str) -> None:
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda place: argparse.Namespace(free=free_bytes)
    )
    assert doctor.check_disk(machine).state == state


def test_python_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_python().state == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert doctor.check_python().state == "problem"


def test_warehouse(machine: Path) -> None:
    new = machine / "new" / "warehouse"
    assert doctor.check_warehouse(str(new)).state == "ok"
    assert list(machine.iterdir()) == []
    (machine / "file").write_bytes(b"")
    assert doctor.check_warehouse(str(machine / "file" / "w")).state == "problem"
    assert "neither empty nor a warehouse" in doctor.check_warehouse(str(machine)).found


def test_bundle_that_is_none(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "bundle").mkdir()
    arguments = ["--bundle", str(machine / "bundle"), "--json"]
    assert doctor.main(arguments) == 2
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["model bundle"]["state"] == "problem"
    assert str(machine / "bundle") in checks["model bundle"]["found"]


def test_exit_code_and_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Check("a", "ok", "fine"), Check("b", "warning", "hm", "do this")]
    monkeypatch.setattr(doctor, "examine_machine", lambda args: iter(found))
    assert doctor.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "warning", "->", "problems:"]
    assert lines[2].endswith("-> do this")
    assert lines[-1] == "problems: 0, warnings: 1, ok: 1"
    found.append(Check("c", "problem", "no", "do that"))
    assert doctor.main([]) == 2


def test_tensorflow_is_left_alone_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        doctor, "check_tensorflow", lambda: asked.append("tf") or Check("TensorFlow", "ok", "2")
    )
    args = parser_of("doctor").parse_args([])
    list(doctor.examine_machine(args))
    assert asked == []
    args.tensorflow = True
    list(doctor.examine_machine(args))
    assert asked == ["tf"]


@pytest.mark.parametrize(
    ("weights", "backbone", "words"),
    [
        ("noisy-student", "efficientnet_b0", "`make lite0` fetches"),
        ("imagenet", "resnet18", "--set training.backbone=efficientnet_b0"),
        ("lite0", "efficientnet_lite0", "run: make lite0"),
        ("/no/such.h5", "efficientnet_b0", "names another file"),
    ],
)
def test_first_weights_that_are_missing(
    weights: str, backbone: str, words: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet", reason="not installed (extra train)")
    monkeypatch.setenv("KERAS_HOME", str(machine))
    settings = TrainingSettings(weights=weights, backbone=backbone)
    check = doctor.check_weights(settings)
    assert (check.state, words in check.to_do) == ("warning", True)
    path = machine / "there.h5" if weights.startswith("/") else weights_file(settings)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    if weights.startswith("/"):
        settings = TrainingSettings(weights=str(path), backbone=backbone)
    assert doctor.check_weights(settings).state == "ok"


def test_random_weights_are_always_there() -> None:
    assert doctor.check_weights(TrainingSettings(weights="none")).state == "ok"


def test_doctor_asks_for_the_weights_of_the_settings(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow", reason="not installed (extra train)")
    monkeypatch.setenv("KERAS_HOME", str(machine))
    doctor.main(["--json", "--set=training.weights=lite0"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert str(machine) in checks["first weights"]["found"]


def test_the_jail_of_the_decoder_is_shown() -> None:
    check = doctor.check_lockdown()
    assert "memory" in check.found
    assert check.state == ("warning" if "lacking" in check.found else "ok")


def test_what_the_jail_lacks_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {"landlock": "the kernel has no Landlock"}
    monkeypatch.setattr(Sandbox, "lockdown", lambda self: Lockdown(("seccomp",), lacking))
    check = doctor.check_lockdown()
    assert check.state == "warning" and "limits.jail" in check.to_do
    assert "in force: seccomp; lacking: landlock (the kernel has no Landlock)" in check.found


def test_a_decoder_that_cannot_start_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    check = doctor.check_lockdown()
    assert check.state == "problem" and "exit code 1" in check.found


def test_variables_that_stand_in_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(doctor.check_variables()) == []
    monkeypatch.setenv("FRAMEJURY_WAREHOUSE", "/warehouse")
    monkeypatch.setenv("FRAMEJURY_BUNDLE", "")
    (check,) = doctor.check_variables()
    assert (check.state, check.found) == ("ok", "FRAMEJURY_WAREHOUSE=/warehouse")
    assert parser_of("doctor").parse_args([]).warehouse == "/warehouse"
