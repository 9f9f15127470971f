"""doctor: the exit code, the lines, and which checks are made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framejury.cli.main import parser_of
from framejury.commands import doctor
from framejury.machine.check import Check


def test_bundle_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bundle").mkdir()
    arguments = ["--bundle", str(tmp_path / "bundle"), "--json"]
    assert doctor.main(arguments) == 2
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["model bundle"]["state"] == "problem"
    assert str(tmp_path / "bundle") in checks["model bundle"]["found"]


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


def test_doctor_asks_for_the_weights_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow", reason="not installed (extra train)")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    doctor.main(["--json", "--set=training.weights=lite0"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert str(tmp_path) in checks["first weights"]["found"]


def test_variables_that_stand_in_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(doctor.check_variables()) == []
    monkeypatch.setenv("FRAMEJURY_WAREHOUSE", "/warehouse")
    monkeypatch.setenv("FRAMEJURY_BUNDLE", "")
    (check,) = doctor.check_variables()
    assert (check.state, check.found) == ("ok", "FRAMEJURY_WAREHOUSE=/warehouse")
    assert parser_of("doctor").parse_args([]).warehouse == "/warehouse"
