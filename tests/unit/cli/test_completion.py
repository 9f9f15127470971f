"""Completion scripts, in the shells themselves."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from framejury.cli.completion import completion_script
from framejury.cli.main import COMMANDS, main, parser_of
from framejury.settings import Settings
from framejury.settings.loading import preset_names, setting_fields

# What Bash does when TAB is pressed, with its own words: it splits at = and :.
ASK = """
. ./completion
COMP_WORDS=(%s)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_framejury 2>/dev/null
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("completion")
    (place / "completion").write_text(completion_script("bash"))
    (place / "my archive").mkdir()
    (place / "my list.csv").write_text("x")
    return place


def completed(folder: Path, *words: str) -> list[str]:
    """What Bash offers for the last word."""
    script = ASK % " ".join(map(shlex.quote, ["framejury", *words]))
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def test_commands(folder: Path) -> None:
    assert completed(folder, "") == ["help", *COMMANDS]
    assert completed(folder, "nigh") == ["nightly"]
    assert completed(folder, "help", "nigh") == ["nightly"]


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_those_of_the_parser(command: str, folder: Path) -> None:
    assert completed(folder, command, "-") == parser_of(command).options()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["verdicts", "--format", ""], ["table", "csv", "parquet", "jsonl", "json"]),
        (["verdicts", "--format", "=", "js"], ["jsonl", "json"]),
        (["verdicts", "--format=js"], ["--format=jsonl", "--format=json"]),  # as in zsh
        (["nightly", "my archive", "--ware"], ["--warehouse"]),
        (["nightly", "my"], ["my archive"]),
        (["nightly", "--dry-run", "my"], ["my archive"]),
        (["nightly", "--since", ""], []),
        (["verdicts", "--warehouse", "my"], ["my archive"]),
        (["verdicts", "--output", "my"], ["my archive", "my list.csv"]),
        (["nightly", "--set", "sampling.frames"], ["sampling.frames="]),
        (["nightly", "--set", "sampling.pairs", "="], ["true", "false"]),
        (["nightly", "--set", "sampling.pairs", "=", "t"], ["true"]),
        (["nightly", "--set", "sampling.frames", "=", ""], []),
        (["retry", "--status", "time"], ["timeout"]),
        (["runs", "sh"], ["show"]),
        (["settings", "sampling.frames"], ["sampling.frames"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["nonsense", "--"], []),
    ],
)
def test_values(words: list[str], offered: list[str], folder: Path) -> None:
    assert completed(folder, *words) == offered


def test_presets_and_settings(folder: Path) -> None:
    assert completed(folder, "nightly", "--preset", "") == preset_names()
    assert completed(folder, "nightly", "--set", "") == [f"{key}=" for key in setting_fields()]
    names = completed(folder, "settings", "")
    assert names == [*COMMANDS, *Settings.model_fields, *setting_fields()]


def test_words_of_a_setting_are_accepted(folder: Path) -> None:
    """What is offered behind `--set KEY=` is what the setting takes."""
    offered = {key: completed(folder, "scan", "--set", key, "=") for key in ("sampling.mode",)}
    assert "keyframes" in offered["sampling.mode"]
    for key, words in offered.items():
        section, name = key.split(".")
        for word in words:
            assert Settings.model_validate({section: {name: word}})


def test_a_real_bash_completes_after_sourcing(folder: Path) -> None:
    """`complete` is registered for the command, and the script needs no bash-completion."""
    script = ". ./completion && complete -p framejury && set -u && type _framejury >/dev/null"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    assert done.stdout == "complete -F _framejury framejury\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_prints_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == completion_script(shell)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("framejury nigh", {"nightly"}),
        ("framejury nightly --wareh", {"--warehouse"}),
        ("framejury verdicts --format js", {"json", "jsonl"}),
        ("framejury nightly --preset random", {"random_frames"}),
        ("framejury scan --set sampling.frames", {"sampling.frames="}),
        ("framejury verdicts --output my", {"my archive/", "my list.csv"}),
        ("framejury nightly my", {"my archive/"}),
    ],
)
def test_fish(line: str, offered: set[str], folder: Path) -> None:
    (folder / "completion.fish").write_text(completion_script("fish"))
    script = "source completion.fish; complete -C $argv[1]"
    done = subprocess.run(
        ["fish", "-N", "-c", script, line], capture_output=True, text=True, check=True, cwd=folder
    )
    assert done.stderr == ""
    assert {row.partition("\t")[0] for row in done.stdout.splitlines()} == offered


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh(folder: Path) -> None:
    """The script loads, and answers as in Bash where zsh keeps `KEY=VALUE` in one word."""
    (folder / "completion.zsh").write_text(completion_script("zsh"))
    script = """
    source ./completion.zsh
    emulate -L ksh
    COMP_WORDS=(framejury scan --set sampling.mode=key) COMP_CWORD=3
    _framejury
    print -r -- $_comps[framejury] "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["zsh", "-f", "-c", script], capture_output=True, text=True, check=False, cwd=folder
    )
    assert "sampling.mode=keyframes" in done.stdout, json.dumps([done.stdout, done.stderr])
