"""What every command shares: settings, exit codes, one line an error."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from framejury.cli import options
from framejury.cli.options import (
    add_bundle,
    add_warehouse,
    bundle_dir_of,
    check_has_network,
    make_parser,
    run_command,
    settings_of,
)
from framejury.clock import now
from framejury.errors import BundleError, ConfigError, FramejuryError, UsageError
from framejury.settings import Settings
from framejury.settings.loading import preset_names, setting_fields


def parser() -> argparse.ArgumentParser:
    made = make_parser("test", "What it does.", ["sampling", "limits"])
    add_warehouse(made)
    add_bundle(made)
    return made


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.endswith("\n")
    return err


# ---------------------------------------------------------------- settings


def test_settings_come_from_set_config_and_preset(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("sampling: {frames: 7, seed: 3}\n")
    args = parser().parse_args(
        ["--warehouse", "w", "--config", str(config), "--set", "sampling.frames=8"]
    )
    found = settings_of(args)
    assert (found.sampling.frames, found.sampling.seed) == (8, 3)
    assert settings_of(parser().parse_args(["--warehouse", "w"])) == Settings()


@pytest.mark.parametrize(
    "option",
    [
        ["--set", "sampling.frame=8"],
        ["--set", "sampling.frames=zero"],
        ["--set", "sampling.frames=0"],
        ["--set", "sampling"],
        ["--set", "sampling.frames=[1,"],
        ["--set", "nosuch.frames=1"],
        ["--preset", "nosuch"],
        ["--config", "nosuch.yaml"],
    ],
    ids=" ".join,
)
def test_a_bad_setting_is_one_line_and_exit_code_2(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def body(args: argparse.Namespace) -> int:
        settings_of(args)
        return 0

    assert run_command(parser(), ["--warehouse", "w", *option], body) == 2
    assert one_line(capsys).startswith("framejury test: error: ")


def test_settings_are_listed_with_defaults_when_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(parser(), ["--help-settings"], lambda _: pytest.fail("ran")) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    words = " ".join(text.split())
    for key, field in setting_fields().items():
        known = f"{key} = {field['default']} {field['description']} [{field['values']}]"
        listed = " ".join(known.split()) in words
        assert listed is (key.partition(".")[0] in ("sampling", "limits")), key


def test_a_preset_that_only_looks_trains_and_judges_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from framejury.jobs import nightly, train_head

    where = ["--warehouse", "w", "--preset", "inspect"]
    for job, own in ((train_head, ["--output", "b"]), (nightly, ["archive"])):
        assert job.main([*own, *where]) == 2
        assert "framejury inspect ARCHIVE" in one_line(capsys)
    check_has_network(None)
    for preset in preset_names():
        if preset != "inspect":
            check_has_network(preset)


# ---------------------------------------------------------------- how a command ends


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FramejuryError("a fault"), 1),
        (UsageError("mend it"), 2),
        (ConfigError("two\n  lines"), 2),
    ],
)
def test_errors_become_one_line(
    error: FramejuryError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def body(_: argparse.Namespace) -> int:
        raise error

    assert run_command(parser(), ["--warehouse", "w"], body) == code
    line = one_line(capsys)
    assert line == f"framejury test: error: {' '.join(str(error).split())}\n"


@pytest.mark.parametrize(
    "argv", [[], ["--nosuch"], ["--warehouse"], ["--warehouse", "w", "extra"]], ids=str
)
def test_wrong_options_become_one_line(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(parser(), argv, lambda _: pytest.fail("ran")) == 2
    assert "--help" in one_line(capsys)


def test_exit_code_of_the_body() -> None:
    for code in (0, 3):
        assert run_command(parser(), ["--warehouse", "w"], lambda _, code=code: code) == code


def test_other_exceptions_are_not_hidden() -> None:
    def body(_: argparse.Namespace) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command(parser(), ["--warehouse", "w"], body)


def test_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    assert run_command(parser(), ["--warehouse", "w"], body) == 130
    assert "interrupted" in one_line(capsys)


@pytest.mark.parametrize("verb", ["['--help']", "[]"])
def test_a_reader_that_goes_away_is_no_error(verb: str) -> None:
    code = (
        "import sys; from framejury.cli.options import make_parser, run_command;"
        "body = lambda args: print('line\\n' * 100_000) or 0;"
        f"sys.exit(run_command(make_parser('t', 'long ' * 50_000), {verb}, body))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.read(10)
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(30) == 0


def test_nor_when_it_goes_before_a_short_answer() -> None:
    code = (
        "import sys; from framejury.cli.options import make_parser, run_command;"
        "body = lambda args: print('short', sys.stdin.readline()) or 0;"
        "sys.exit(run_command(make_parser('t', 'doc'), [], body))"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env={**os.environ, "PYTHONUNBUFFERED": ""},  # as users run it: written at the end
    ) as child:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        child.stdout.close()
        child.stdin.close()
        assert child.stderr.read() == b""
        assert child.wait(30) == 0


def test_now_is_utc() -> None:
    assert re.fullmatch(r".*\+00:00", now().isoformat())


# ---------------------------------------------------------------- the bundle


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up checkout; returns its `models`."""
    package = tmp_path / "lib" / "framejury" / "cli"
    package.mkdir(parents=True)
    monkeypatch.setattr(options, "__file__", str(package / "options.py"))
    return tmp_path / "models"


def add_model(models: Path, name: str) -> Path:
    (models / name).mkdir(parents=True)
    (models / name / "bundle.json").write_text("{}")
    return models / name


def test_the_bundle_that_is_named_or_ships(install: Path) -> None:
    args = argparse.Namespace(bundle=None)
    with pytest.raises(BundleError, match="framejury train"):
        bundle_dir_of(args)
    (install / "notes").mkdir(parents=True)
    first = add_model(install, "b0")
    assert bundle_dir_of(args) == first
    add_model(install, "b1")
    with pytest.raises(BundleError, match=r"several bundles \(b0, b1\).*--bundle"):
        bundle_dir_of(args)
    assert bundle_dir_of(argparse.Namespace(bundle="mine")) == Path("mine")


# ---------------------------------------------------------------- a full disk


def _write_to_full(args: argparse.Namespace) -> int:
    Path("/dev/full").write_text("verdicts")
    return 0


def _fail_after_full(args: argparse.Namespace) -> int:
    try:
        return _write_to_full(args)
    except OSError as error:
        raise FramejuryError("the run could not be committed") from error


def _fail_as_java_does(args: argparse.Namespace) -> int:
    raise FramejuryError("Spark failed: java.io.IOException: No space left on device")


@pytest.mark.parametrize("body", [_write_to_full, _fail_after_full, _fail_as_java_does])
def test_a_full_disk_is_told_in_one_line(
    body: Callable[[argparse.Namespace], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(parser(), ["--warehouse", "w"], body) == 2
    line = one_line(capsys)
    assert "make room and run this again" in line


def test_output_into_a_full_disk_is_told_in_one_line() -> None:
    code = (
        "import sys; from framejury.cli.options import make_parser, run_command; "
        "sys.exit(run_command(make_parser('test', 'x', []), [], lambda args: print('rows') or 0))"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "a disk is full" in done.stderr


def test_other_errors_of_the_system_keep_their_place() -> None:
    def missing(args: argparse.Namespace) -> int:
        return len(Path("/nowhere").read_text())

    with pytest.raises(FileNotFoundError):
        run_command(parser(), ["--warehouse", "w"], missing)
