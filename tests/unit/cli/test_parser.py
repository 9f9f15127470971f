"""The parser of every command: suggestions, help that fits a screen, variables that stand in."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from framejury.cli.main import COMMANDS, main, parser_of
from framejury.cli.options import (
    add_bundle,
    add_warehouse,
    bundle_dir_of,
    make_parser,
    run_command,
)
from framejury.cli.parser import Parser
from framejury.errors import UsageError, did_you_mean
from framejury.evaluation import rule_fitting
from framejury.parsers import calibrate
from framejury.settings.loading import setting_fields

Capture = pytest.CaptureFixture[str]

SCREEN_LINES, SCREEN_COLUMNS = 40, 80
LIMIT_S = 0.5
HEAVY = {"pyspark", "tensorflow", "cv2", "onnxruntime", "av", "pyarrow", "numpy", "matplotlib"}


def error_of(capsys: Capture, *argv: str) -> str:
    """The one line that a usage error prints."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


# ---------------------------------------------------------------- suggestions


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["nightly", "A", "--warehose", "W"], "unknown option --warehose; did you mean --warehous"),
        (["nightly", "A", "--ware", "W"], "unknown option --ware; did you mean --warehouse?"),
        (["nightly", "A", "--warehose=W"], "unknown option --warehose; did you mean"),
        (["nightly", "A", "--zzz"], "unknown option --zzz (--help"),
        (["nightly", "A", "-w", "W"], "unknown option -w (--help"),
        (
            ["verdicts", "--warehouse", "W", "--format", "parqet"],
            "did you mean parquet? choose from",
        ),
        (["completion", "bsh"], "invalid choice: 'bsh'; did you mean bash? choose from: bash, zsh"),
        (["nightly", "A"], "required: --warehouse (or set FRAMEJURY_WAREHOUSE)"),
        (["train"], "required: --warehouse (or set FRAMEJURY_WAREHOUSE), --output"),
        (
            ["verdicts", "--warehouse", "W", "--sort", "-p_fake"],
            "unknown option -p_fake; if it is the value of --sort, write --sort=-p_fake",
        ),
        (["verdicts", "--frames", "-p"], "unknown option -p (--help"),
        (["scan", __file__, "--preset", "face_frame"], "did you mean face_frames?"),
        (["scan", __file__, "--set", "sampling.frame=3"], "did you mean frames?"),
        (["scan", __file__, "--set", "smpling.frames=3"], "did you mean sampling?"),
        (["settings", "sampling.frame"], "did you mean sampling.frames?"),
        (["settings", "nigthly"], "did you mean nightly?"),
        (["settings", "runs"], "the command runs uses no settings"),
    ],
)
def test_a_usage_error_names_what_was_meant(argv: list[str], words: str, capsys: Capture) -> None:
    line = error_of(capsys, *argv)
    assert words in line
    assert line.startswith(f"framejury {argv[0]}: error: ")


def test_what_is_close() -> None:
    assert did_you_mean("--out", ["--in", "--output"]) == "; did you mean --output?"
    assert did_you_mean("reprot", ["report", "retry"]) == "; did you mean report?"
    assert did_you_mean("xyz", ["report", "retry"]) == ""
    assert did_you_mean("-", ["--output"]) == ""


def test_values_that_look_like_options(capsys: Capture) -> None:
    """A negative number, a lone dash and everything behind `--` are no options."""
    parser = Parser("test", "doc")
    parser.add_argument("--count", type=int)
    parser.add_argument("names", nargs="*")
    assert parser.parse_args(["--count", "-3"]).count == -3
    assert parser.parse_args(["-", "--", "--odd.mp4"]).names == ["-", "--odd.mp4"]
    with pytest.raises(SystemExit):
        parser.parse_args(["--odd.mp4"])
    assert "unknown option --odd.mp4" in capsys.readouterr().err


# ---------------------------------------------------------------- help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_screen(command: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(SCREEN_COLUMNS))
    assert main([command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= SCREEN_LINES
    assert max(map(len, lines)) <= SCREEN_COLUMNS


def test_general_help_fits_a_screen(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(SCREEN_COLUMNS))
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= SCREEN_LINES + 5
    assert max(map(len, lines)) <= SCREEN_COLUMNS


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_help_is_wrapped_to_the_terminal(
    columns: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for argv in (["nightly", "--help"], ["nightly", "--help-settings"], ["settings", "report"]):
        assert main(argv) == 0
        longest = max(map(len, capsys.readouterr().out.splitlines()))
        assert min(columns, 100) * 0.8 < longest <= min(columns, 100)


@pytest.mark.parametrize("command", [name for name in COMMANDS if parser_of(name).sections])
def test_a_command_lists_its_settings_when_asked(command: str, capsys: Capture) -> None:
    assert main([command, "--help"]) == 0
    brief = capsys.readouterr().out
    assert "--help-settings" in brief
    assert main([command, "--help-settings"]) == 0
    text = capsys.readouterr().out
    words = f"{' '.join(text.split())} "
    for key, field in setting_fields().items():
        used = key.partition(".")[0] in parser_of(command).sections
        assert (f" {key} = {field['default']} {field['description']} " in words) is used
        assert f"{key} = " not in brief
    assert main(["settings", command]) == 0
    assert capsys.readouterr().out.strip() == text.partition("\n\n")[2].strip()


def test_the_default_of_calibrate_is_that_of_the_fit() -> None:
    assert calibrate.TARGET_FPR == rule_fitting.TARGET_FPR


# ---------------------------------------------------------------- before the libraries


@pytest.mark.parametrize("command", ["nightly", "train", "report", "scan", "verdicts", "evaluate"])
def test_a_usage_error_loads_no_library(command: str) -> None:
    code = (
        "import sys; from framejury.cli.main import main; "
        f"codes = [main([{command!r}, *rest]) for rest in (['--help'], ['--nosuch'], [])]; "
        "print(codes, sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("[0, 2, ")
    loaded = set(last.partition("] [")[2].replace("'", "").rstrip("]").split(", "))
    assert not loaded & HEAVY
    assert "argparse" in loaded


@pytest.mark.parametrize("argv", [["nightly", "--nosuch"], ["train"], ["train", "--help"]])
def test_a_usage_error_is_quick(argv: list[str]) -> None:
    """Measured in processor time, since machines that run tests are busy."""
    code = f"from framejury.cli.main import main; main({argv!r})"
    best_s = LIMIT_S * 2
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        after = os.times()
        spent = after.children_user + after.children_system
        best_s = min(best_s, spent - before.children_user - before.children_system)
    assert best_s < LIMIT_S


# ---------------------------------------------------------------- variables that stand in


def parsed(argv: list[str], **more: str) -> argparse.Namespace:
    parser = make_parser("test", "doc")
    add_warehouse(parser, **more)
    add_bundle(parser)
    return parser.parse_args(argv)


def test_a_variable_stands_in_and_an_option_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEJURY_WAREHOUSE", "from-variable")
    monkeypatch.setenv("FRAMEJURY_BUNDLE", "bundle-from-variable")
    assert parsed([]).warehouse == "from-variable"
    assert parsed(["--warehouse", "given"]).warehouse == "given"
    assert parsed([], several="doc").warehouse == ["from-variable"]
    assert parsed(["--warehouse", "a", "--warehouse", "b"], several="doc").warehouse == ["a", "b"]
    assert bundle_dir_of(parsed([])) == Path("bundle-from-variable")
    assert bundle_dir_of(parsed(["--model", "given"])) == Path("given")


def test_an_empty_variable_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("FRAMEJURY_WAREHOUSE", "")
    monkeypatch.setenv("FRAMEJURY_BUNDLE", "")
    assert "required: --warehouse" in error_of(capsys, "verdicts")
    assert bundle_dir_of(argparse.Namespace(bundle=None)).name == "detector"


def test_commands_take_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """And an error about it says where the path comes from."""
    place = str(tmp_path / "gone")
    monkeypatch.setenv("FRAMEJURY_WAREHOUSE", place)
    for argv in (["verdicts"], ["runs"], ["split"], ["report"], ["evaluate"]):
        line = error_of(capsys, *argv)
        assert f"no warehouse at {place}" in line
        assert f"({place} comes from FRAMEJURY_WAREHOUSE)" in line
    assert "FRAMEJURY" not in error_of(capsys, "verdicts", "--warehouse", f"{place}2")


def test_a_variable_does_not_contradict_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """`--weights` excludes `--bundle`, and `inspect` takes `--output` or `--warehouse`."""
    monkeypatch.setenv("FRAMEJURY_WAREHOUSE", str(tmp_path / "gone"))
    monkeypatch.setenv("FRAMEJURY_BUNDLE", str(tmp_path / "bundle"))
    (tmp_path / "w.h5").write_bytes(b"x")
    assert "no warehouse at" in error_of(capsys, "evaluate", "--weights", str(tmp_path / "w.h5"))
    (tmp_path / "archive").mkdir()
    argv = ["inspect", str(tmp_path / "archive"), "--output", str(tmp_path / "out")]
    assert "give either" not in error_of(capsys, *argv)


def test_an_error_of_the_body_keeps_its_line(capsys: Capture) -> None:
    def body(args: argparse.Namespace) -> int:
        raise UsageError(f"no warehouse at {args.warehouse}")

    parser = make_parser("test", "doc")
    add_warehouse(parser)
    started = time.monotonic()
    assert run_command(parser, ["--warehouse", "w"], body) == 2
    assert capsys.readouterr().err == "framejury test: error: no warehouse at w\n"
    assert time.monotonic() - started < 5
