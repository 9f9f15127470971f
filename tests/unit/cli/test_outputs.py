"""Every path that a user can give to any command is probed before the work."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from framejury.cli.main import COMMANDS, main, parser_of
from framejury.cli.options import make_parser, run_command
from framejury.cli.outputs import Place, check_place
from framejury.errors import UsageError
from framejury.parsers.retry_videos import parser as retry_parser

Capture = pytest.CaptureFixture[str]

LONG = "x" * 300
QUICK_S = 30.0
"""Far below a start of Spark and a model's work on these two cores, far above a probe."""

NEEDED = {
    "nightly": ["{archive}"],
    "retry": ["--status", "timeout"],
    "scan": ["{clip}"],
    "evidence": ["a.mp4"],
    "explain": ["{clip}"],
    "inspect": ["{clip}"],
    "compare": ["{clip}", "{clip}"],
    "compare-presets": ["{archive}"],
    "index": ["{archive}"],
    "import": ["{archive}"],
    "forget": ["a.mp4"],
    "adopt": ["{clip}", "{clip}", "--check", "{archive}"],
    "ensemble": ["{archive}"],
}
"""What a command requires besides options for paths."""


def paths_of(command: str) -> dict[str, argparse.Action]:
    """The command's options whose value is declared as a path, by name."""
    return {
        action.option_strings[0]: action
        for action in parser_of(command).actions()
        if action.option_strings and isinstance(action.type, Place)
    }


PATHS = [(command, option) for command in COMMANDS for option in paths_of(command)]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one of everything; Java cannot start."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "no-java"))
    (tmp_path / "archive").mkdir()
    for name in ("archive/a.mp4", "file", "full/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"mine")
    return tmp_path


def everything(place: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(place)): path.read_bytes() if path.is_file() else None
        for path in sorted(place.rglob("*"))
    }


def bad_paths(place: Path, declared: Place) -> Iterator[tuple[str, str]]:
    """(path, part of the message) that the declared use cannot take."""
    yield "", "the path is empty"
    yield str(place / "file" / "below"), "file"
    yield str(place / LONG), "long"
    if declared.use == "input file":
        yield str(place / "archive"), "is a folder, not a file"
        yield str(place / "gone"), "does not exist"
    elif declared.use == "file":
        yield str(place / "archive"), "is a folder, not a file"
        yield "/proc/framejury.prom", "cannot write"
        yield str(place / "no" / "folder.prom"), "there is no folder"
    elif declared.use != "input":
        yield str(place / "file"), "is a file, not a folder"
    if declared.use in ("folder", "new folder"):
        yield "/proc/framejury", "cannot write"
    if declared.use == "new folder":
        yield str(place / "full"), "is not an empty folder"
    if not declared.remote:
        yield "s3://bucket/place", "is not a local"


def required(command: str, place: Path, but: str) -> list[str]:
    """Arguments that satisfy the parser, without the option that is tried."""
    words = [
        word.format(archive=place / "archive", clip=place / "file")
        for word in NEEDED.get(command, [])
    ]
    if command == "evaluate" and but not in ("--archive", "--warehouse"):
        of_faces = but in ("--weights", "--frame-labels")
        words += ["--warehouse" if of_faces else "--archive", str(place / "archive")]
    for option, action in paths_of(command).items():
        if action.required and option != but:
            words += [option, str(place / "fresh" / option.strip("-"))]
    return words


@pytest.mark.parametrize(("command", "option"), PATHS)
def test_a_bad_path_stops_the_command_before_its_work(
    command: str, option: str, scene: Path, capsys: Capture
) -> None:
    before = everything(scene)
    declared = paths_of(command)[option].type
    assert isinstance(declared, Place)
    for path, words in bad_paths(scene, declared):
        started = time.monotonic()
        assert main([command, *required(command, scene, option), option, path]) == 2, path
        assert time.monotonic() - started < QUICK_S
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1 and "Traceback" not in err
        assert err.startswith(f"framejury {command}: error: ")
        assert option in err and words in err
        assert everything(scene) == before
        assert not Path("/proc/framejury").exists()


def test_every_option_for_a_path_is_declared() -> None:
    """So a new command cannot forget it."""
    found = {
        (command, action.option_strings[0])
        for command in COMMANDS
        for action in parser_of(command).actions()
        if action.option_strings and action.metavar in ("DIR", "FILE", "PATH")
    }
    assert found == set(PATHS)
    assert {command for command, _ in PATHS} >= set(COMMANDS) - {"settings", "completion"}


def test_every_output_is_probed_by_writing() -> None:
    """Outputs by name: --output and its like are never declared as something to open."""
    written = ("--output", "--html", "--metrics-file", "--warehouses")
    uses = {
        (command, option): action.type.use
        for command, option in PATHS
        if isinstance((action := paths_of(command)[option]).type, Place)
    }
    outputs = {use for (_, option), use in uses.items() if option in written}
    assert outputs == {"file", "folder", "new folder"}
    writers = {"nightly", "retry", "index", "extract", "import", "split", "score", "reduce"}
    for command in {*writers, "modality", "forget", "inspect"}:
        assert uses[command, "--warehouse"] == "folder"


# ---------------------------------------------------------------- into the warehouse


@pytest.fixture
def sealed(scene: Path) -> Iterator[Path]:
    """A folder below which nothing can be made, even by root."""
    place = Path("/proc/self/fdinfo")
    assert place.is_dir()
    yield place


@pytest.mark.parametrize(
    "argv",
    [["report"], ["evidence", "a.mp4"], ["evaluate"], ["train", "--output", "{scene}/b"]],
    ids=lambda argv: argv[0],
)
def test_a_warehouse_that_cannot_be_written_is_found_before_the_work(
    argv: list[str], sealed: Path, scene: Path, capsys: Capture
) -> None:
    """These read the warehouse, and write to it where --output names no other place."""
    words = [word.format(scene=scene) for word in argv]
    assert main([*words, "--warehouse", str(sealed)]) == 2
    err = capsys.readouterr().err
    assert f"cannot write --warehouse {sealed}" in err and err.count("\n") == 1
    if argv[0] != "train":
        assert main([*words, "--warehouse", str(sealed), "--output", str(scene / "out")]) == 2
        assert "cannot write" not in capsys.readouterr().err


def test_a_bad_path_needs_neither_java_nor_the_libraries(scene: Path) -> None:
    code = (
        "import sys; from framejury.cli.main import main; "
        f"code = main(['report', '--warehouse', 'w', '--output', {str(scene / 'file')!r}]); "
        "print(code, *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    code, *loaded = done.stdout.split()
    assert code == "2" and "is a file, not a folder" in done.stderr
    assert not {"pyspark", "pyarrow", "pandas", "jinja2", "numpy"} & set(loaded)


# ---------------------------------------------------------------- what is accepted


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("new/deep/folder", Place("folder")),
        ("new/deep/folder", Place("new folder")),
        ("archive", Place("folder")),
        ("empty", Place("new folder")),
        ("new.csv", Place("file")),
        ("file", Place("file")),
        ("file", Place("input file")),
        ("gone", Place("folder to open")),
        ("archive", Place("folder to open")),
        ("new/folder/all.zip", Place("new folder", file_endings=(".zip",))),
        ("ALL.ZIP", Place("new folder", file_endings=(".zip",))),
        ("new folder/ü", Place("folder")),
    ],
)
def test_a_good_path_is_accepted_and_left_as_it_was(
    path: str, place: Place, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scene)
    (scene / "empty").mkdir()
    before = everything(scene)
    check_place("--output", path, place)
    check_place("--output", str(scene / path), place)
    check_place("--output", f"file://{scene / path}", place)
    assert everything(scene) == before


def test_remote_places_are_left_to_the_command() -> None:
    check_place("--output", "hdfs://namenode/out", Place("folder", remote=True))
    with pytest.raises(UsageError, match="is not a local folder"):
        check_place("--output", "hdfs://namenode/out", Place("folder"))


def test_a_device_is_no_file_to_replace() -> None:
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        check_place("--output", "/dev/null", Place("file"))


def test_a_file_by_its_ending_must_not_be_a_folder(scene: Path) -> None:
    (scene / "all.zip").mkdir()
    zip_or_folder = Place("folder", file_endings=(".zip",))
    with pytest.raises(UsageError, match="is a folder, not a file"):
        check_place("--output", str(scene / "all.zip"), zip_or_folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else(scene: Path) -> None:
    (scene / "full").chmod(0o555)
    with pytest.raises(UsageError, match="Permission denied; choose another, or change"):
        check_place("--output", str(scene / "full" / "out"), Place("folder"))


def test_a_value_keeps_its_type(scene: Path) -> None:
    args = retry_parser().parse_args(
        ["--warehouse", "w", "--status", "timeout", "--metrics-file", "m.prom"]
    )
    assert (args.warehouse, args.metrics_file) == ("w", Path("m.prom"))


# ---------------------------------------------------------------- what no probe can foresee


def test_an_error_about_a_given_path_is_one_line(tmp_path: Path, capsys: Capture) -> None:
    """Such as a disk that became read-only meanwhile; others keep their traceback."""
    parser = make_parser("test", "doc")
    parser.add_argument("--output", type=Place("folder"))
    where, other = (["--output", str(tmp_path / name)] for name in ("out", "other"))

    def writes(args: argparse.Namespace) -> int:
        Path(args.output).write_text("taken")
        return len(list((Path(args.output) / "page.html").read_bytes()))

    assert run_command(parser, where, writes) == 2
    err = capsys.readouterr().err
    assert "Not a directory" in err and "check the path" in err and err.count("\n") == 1
    with pytest.raises(FileNotFoundError):
        run_command(parser, other, lambda _: len(Path("/nowhere").read_text()))


@pytest.mark.parametrize(
    "argv",
    [
        ["nightly", "{path}", "--warehouse", "{scene}/w"],
        ["index", "{path}", "--warehouse", "{scene}/w"],
        ["compare-presets", "{path}", "--output", "{scene}/out"],
        ["inspect", "{path}", "--output", "{scene}/out"],
        ["import", "{path}", "--warehouse", "{scene}/w"],
        ["evaluate", "--archive", "{path}", "--output", "{scene}/out"],
        ["train", "--archive", "{path}", "--warehouse", "{scene}/w", "--output", "{scene}/out"],
        ["explain", "{path}", "--output", "{scene}/out"],
        ["compare", "{path}", "{path}", "--output", "{scene}/out"],
    ],
    ids=lambda argv: argv[0],
)
@pytest.mark.parametrize(
    "name", ["", "gone", "file/below", LONG], ids=["-", "gone", "below", "long"]
)
def test_a_wrong_input_is_one_line(
    argv: list[str], name: str, scene: Path, capsys: Capture
) -> None:
    path = str(scene / name) if name else ""
    started = time.monotonic()
    assert main([word.format(path=path, scene=scene) for word in argv]) == 2
    assert time.monotonic() - started < QUICK_S
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    lines = [line for line in err.splitlines() if ": error: " in line]
    assert len(lines) == 1 and lines[0].startswith("framejury ")
    assert not (scene / "out").exists() or not any((scene / "out").iterdir())
