"""The console command: every command's help, and errors before Spark starts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from framejury import __version__
from framejury.cli import main as cli
from framejury.cli.main import COMMANDS, main, parser_of
from framejury.commands.scan import NOT_ALL_JUDGED
from framejury.model.bundle import load_bundle, write_bundle
from framejury.model.manifest import Manifest
from framejury.tables import session
from framejury.verdict.calibration import Calibration, calibrated
from framejury.verdict.rule import Reducer
from tests.builders import clips
from tests.builders.bundles import brightness_bundle

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong here must be found before a JVM is started."""

    def start(*_: object, **__: object) -> Iterator[Any]:
        raise AssertionError("Spark was started")

    monkeypatch.setattr(session.SparkSession.Builder, "getOrCreate", start)


def fails(capsys: Capture, *argv: str) -> str:
    """The one line on stderr of a command that the user can mend."""
    assert main([str(arg) for arg in argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("framejury")
    return err


# ---------------------------------------------------------------- help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_its_default(command: str) -> None:
    for action in parser_of(command).actions():
        text = action.help or ""
        assert text, action
        if action.option_strings and not action.option_strings[-1].startswith("--help"):
            stated = re.search(r"\((required|(.*; )?default: )", text)
            assert stated, (command, action.option_strings)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command: str, capsys: Capture) -> None:
    assert main([command, "--help"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"usage: framejury {command} ")
    assert err == ""


@pytest.mark.parametrize("argv", [["nightly", "--help"], ["scan", "--help"], ["--help"]])
def test_help_as_a_process(argv: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "framejury.cli.main", *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("usage: framejury ")


def test_general_help_names_every_command(capsys: Capture) -> None:
    for argv, code in ((["--help"], 0), (["help"], 0), (["-h"], 0), ([], 2)):
        assert main(argv) == code
        text = capsys.readouterr().out
        for command, (_, doc) in COMMANDS.items():
            words = r"\s+".join(map(re.escape, [command, *doc.split()]))
            assert re.search(rf"^  {words}$", text, re.MULTILINE)


def test_a_path_in_the_place_of_a_command(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")
    assert "framejury nightly" in fails(capsys, str(tmp_path))
    assert "framejury scan" in fails(capsys, str(tmp_path / "clip.mp4"))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_in_three_ways(command: str, capsys: Capture) -> None:
    texts = set()
    for argv in ([command, "--help"], [command, "-h"], ["help", command]):
        assert main(argv) == 0
        texts.add(capsys.readouterr().out)
    assert len(texts) == 1


def test_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"framejury {__version__}\n"


def test_unknown_command(capsys: Capture) -> None:
    assert "'nigthly'; did you mean nightly?" in fails(capsys, "nigthly")
    assert "'judge'; framejury --help lists the commands" in fails(capsys, "judge")
    assert "'judge'; framejury --help" in fails(capsys, "help", "judge")
    assert "unknown option --warehouse; options follow a command" in fails(capsys, "--warehouse")


def test_a_missing_library_is_named(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'pyspark'", name="pyspark.sql")

    monkeypatch.setattr(cli, "module_of", missing)
    assert "pip install 'framejury[spark" in fails(capsys, "nightly", "a", "--warehouse", "w")


# ---------------------------------------------------------------- before Spark starts


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    clips.write_clip(folder / "a.mp4", clips.plain_frames(3))
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return brightness_bundle(tmp_path / "bundle").directory


def nothing_new(tmp_path: Path) -> bool:
    return not (tmp_path / "w").exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["index", "nightly"])
def test_a_wrong_archive(command: str, tmp_path: Path, bundle: Path, capsys: Capture) -> None:
    (tmp_path / "file.mp4").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    extra = ["--bundle", str(bundle)] if command == "nightly" else []
    for name, words in (
        ("gone", "no archive at"),
        ("file.mp4", "is a file; an archive is a folder"),
    ):
        argv = [command, str(tmp_path / name), "--warehouse", str(tmp_path / "w"), *extra]
        assert words in fails(capsys, *argv)
    assert nothing_new(tmp_path)


def test_an_archive_without_videos(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty").mkdir()
    argv = ["index", str(tmp_path / "empty"), "--warehouse", str(tmp_path / "w")]
    assert "no videos in the archive" in fails(capsys, *argv)
    (tmp_path / "empty" / "notes.txt").write_text("x")
    assert "1 files checked" in fails(capsys, *argv)
    assert nothing_new(tmp_path)


@pytest.mark.parametrize("command", ["index", "nightly"])
def test_an_unwritable_warehouse(
    command: str, tmp_path: Path, archive: Path, bundle: Path, capsys: Capture
) -> None:
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "x.jpg").write_text("mine")
    extra = ["--bundle", str(bundle)] if command == "nightly" else []
    for name, words in (
        ("taken", "taken"),
        ("taken/below", "is a file"),
        ("photos", "neither empty nor a warehouse"),
    ):
        argv = [command, str(archive), "--warehouse", str(tmp_path / name), *extra]
        assert words in fails(capsys, *argv)
    assert (tmp_path / "taken").read_text() == "mine"
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["x.jpg"]


@pytest.mark.parametrize("command", ["nightly", "scan", "score", "evaluate", "calibrate"])
def test_a_missing_or_altered_bundle(
    command: str, tmp_path: Path, archive: Path, bundle: Path, capsys: Capture
) -> None:
    place = {"nightly": [str(archive)], "scan": [str(archive / "a.mp4")]}.get(command, [])
    if command != "scan":
        place += ["--warehouse", str(tmp_path / "w")]
    if command == "calibrate":
        place += ["--output", str(tmp_path / "out")]
    assert "bundle" in fails(capsys, command, *place, "--bundle", str(tmp_path / "lost"))
    (bundle / "model.onnx").write_bytes(b"other bytes")
    assert "model.onnx" in fails(capsys, command, *place, "--bundle", str(bundle))
    assert nothing_new(tmp_path)


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("index", "index.layouts=auto"),
        ("extract", "sampling.frames=0"),
        ("split", "split.train=0.9"),
        ("train", "training.input_px=1"),
        ("score", "scoring.threads=none"),
        ("nightly", "verdict.reducer=max"),
        ("nightly", "limits.timeout_s=-1"),
        ("scan", "verdict.threshold=2"),
        ("evaluate", "verdict.threshold=2"),
    ],
)
def test_a_bad_setting(
    command: str, key: str, archive: Path, bundle: Path, capsys: Capture
) -> None:
    tmp_path = archive.parent
    argv = {"scan": [str(archive / "a.mp4")], "index": [str(archive)], "nightly": [str(archive)]}
    options = argv.get(command, [])
    if command != "scan":
        options = [*options, "--warehouse", str(tmp_path / "w")]
    if command in ("nightly", "scan", "score", "evaluate"):
        options = [*options, "--bundle", str(bundle)]
    if command == "train":
        options = [*options, "--output", str(tmp_path / "out")]
    line = fails(capsys, command, *options, "--set", key)
    assert line.startswith(f"framejury {command}: error: ")
    assert key.partition("=")[0].partition(".")[0] in line
    assert nothing_new(tmp_path)


@pytest.mark.parametrize("command", ["extract", "split", "train", "reduce", "report", "verdicts"])
def test_no_warehouse_yet(command: str, tmp_path: Path, capsys: Capture) -> None:
    extra = ["--output", str(tmp_path / "out")] if command == "train" else []
    line = fails(capsys, command, "--warehouse", str(tmp_path / "w"), *extra)
    assert "no warehouse at" in line and "framejury nightly ARCHIVE" in line
    assert nothing_new(tmp_path)


def test_train_does_not_overwrite_something_else(tmp_path: Path, capsys: Capture) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter1.txt").write_text("years of work")
    argv = ["train", "--warehouse", str(tmp_path / "w"), "--output", str(thesis)]
    assert "thesis" in fails(capsys, *argv)
    assert (thesis / "chapter1.txt").read_text() == "years of work"


@pytest.mark.parametrize("command", ["split", "train", "verdicts", "report", "reduce"])
def test_after_index_alone_the_next_step_is_named(
    command: str, tmp_path: Path, archive: Path, capsys: Capture
) -> None:
    warehouse = ["--warehouse", str(tmp_path / "w")]
    assert main(["index", str(archive), *warehouse]) == 0
    capsys.readouterr()
    extra = ["--output", str(tmp_path / "out")] if command == "train" else []
    assert "run: framejury" in fails(capsys, command, *warehouse, *extra)


# ---------------------------------------------------------------- commands that need no Spark


def test_index_a_local_archive(tmp_path: Path, archive: Path, capsys: Capture) -> None:
    (archive / "labels.csv").write_text("file,label\na.mp4,REAL\ngone.mp4,FAKE\n")
    warehouse = tmp_path / "my warehouse"
    assert main(["index", str(archive), "--warehouse", str(warehouse)]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "1 videos: 1 REAL; layouts: labels_csv 1" in err
    assert "note: 1 labelled files are not in the archive: gone.mp4" in err
    other = tmp_path / "other"
    other.mkdir()
    clips.write_clip(other / "b.mp4", clips.plain_frames(2))
    argv = ["index", str(other), "--warehouse", str(warehouse)]
    assert "holds the archive" in fails(capsys, *argv)


def test_scan_judges_files_one_object_a_line(
    tmp_path: Path, bundle: Path, archive: Path, capsys: Capture
) -> None:
    face = clips.write_clip(tmp_path / "face ü.mp4", clips.face_frames(12))
    text = clips.write_text(tmp_path / "text.mp4")
    empty = clips.write_empty(tmp_path / "empty.mp4")
    files = [str(face), str(text), str(empty)]
    options = ["--bundle", str(bundle), "--set", "sampling.frames=4", "--json"]
    assert main(["scan", *files, *options]) == NOT_ALL_JUDGED
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["uri"] for line in lines] == files
    assert [line["status"] for line in lines] == ["scored", "not_video", "empty"]
    assert lines[0]["faces_scored"] == 4 and 0 < lines[0]["p_fake"] < 1
    for line in lines[1:]:
        assert (line["p_fake"], line["faces_scored"], line["verdict"]) == (None, 0, "inconclusive")
    assert main(["scan", str(face), *options]) == 0


def test_scan_tells_which_seconds_are_suspicious(
    tmp_path: Path, bundle: Path, capsys: Capture
) -> None:
    """The network's score is the mean of red, and seconds 2 and 3 of the film have more of it."""
    frames = clips.face_frames(20)
    for frame in frames[10:]:
        frame[..., 0] = 128 + frame[..., 0] // 2
    for frame in frames[:10]:
        frame[..., 0] //= 2
    film = clips.write_clip(tmp_path / "film.mp4", frames, fps=5)
    options = ["--bundle", str(bundle), "--set", "sampling.mode=all"]
    assert main(["scan", str(film), *options, "--json", "--frames"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(face["frame_index"], face["person"]) for face in found["frames"]] == [
        (number, 0) for number in range(20)
    ]
    times = [number / 5 for number in range(20)]
    assert [face["time_s"] for face in found["frames"]] == pytest.approx(times)
    scores = [face["score"] for face in found["frames"]]
    assert max(scores[:10]) < 0.5 < min(scores[10:])
    assert found["frames"][0]["box"].keys() == {"x", "y", "width", "height"}
    mean = sum(scores[10:]) / 10
    part = {"start_s": 2.0, "end_s": 3.8, "person": 0, "mean_score": mean}
    assert found["stretches"] == [pytest.approx(part)]
    assert main(["scan", str(film), *options]) == 0
    said = capsys.readouterr().out
    assert "  suspicious: 2.0 to 3.8 s, track 0, mean face score 0." in said
    assert "  frame " not in said
    assert main(["scan", str(film), *options, "--frames"]) == 0
    assert capsys.readouterr().out.count("\n  frame ") == 20


def test_scan_adds_frames_until_the_verdict_is_settled(
    tmp_path: Path, bundle: Path, capsys: Capture
) -> None:
    """The network's score is the mean of red, which jumps in the middle of the film."""
    frames = clips.face_frames(20)
    for frame in frames[10:]:
        frame[..., 0] = 128 + frame[..., 0] // 2
    film = clips.write_clip(tmp_path / "film.mp4", frames, fps=5)
    options = ["--bundle", str(bundle), "--set", "sampling.rounds=[4, 8, 30]"]

    def scanned(threshold: float) -> tuple[dict[str, Any], str]:
        chosen = [*options, "--set", f"verdict.threshold={threshold}"]
        assert main(["scan", str(film), *chosen, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert main(["scan", str(film), *chosen]) == 0
        return found, capsys.readouterr().out

    sure, said = scanned(0.05)
    assert (sure["verdict"], sure["rounds"], sure["frames_sampled"]) == ("fake", 1, 4)
    assert "sampled:" not in said
    open_one, said = scanned(sure["p_fake"])
    assert (open_one["verdict"], open_one["rounds"]) == ("inconclusive", 3)
    assert open_one["frames_sampled"] == open_one["faces_scored"] == 20
    assert "\n  sampled: 20 frames in 3 rounds\n" in said


def test_scan_follows_the_rule_of_the_bundle(tmp_path: Path, bundle: Path, capsys: Capture) -> None:
    """Calibrated, unless another reducer is asked for; that is said, and 0.5 is the threshold."""
    platt = Calibration(method="platt", slope=2.0, intercept=1.5)
    made = replace(load_bundle(bundle), reducer=Reducer(name="median"), calibration=platt)
    body = {part.name: getattr(made, part.name) for part in fields(Manifest)}
    calibrated_place = tmp_path / "calibrated"
    write_bundle(calibrated_place, Manifest(**{**body, "threshold": 0.8}), made.onnx_path)
    face = clips.write_clip(tmp_path / "face.mp4", clips.face_frames(12))

    def scanned(place: Path, *more: str) -> tuple[dict[str, Any], str]:
        options = ["--bundle", str(place), "--set", "sampling.frames=4", "--json"]
        assert main(["scan", str(face), *options, *more]) == 0
        out, err = capsys.readouterr()
        return json.loads(out), err

    raw, _ = scanned(bundle, "--set", "verdict.reducer=median")
    own, said = scanned(calibrated_place)
    assert own["p_fake"] == float(calibrated(raw["p_fake"], platt)) != raw["p_fake"]
    assert (own["threshold"], own["reducer"]) == (0.8, "median")
    assert "not the bundle's" not in said
    other, said = scanned(calibrated_place, "--set", "verdict.reducer=mean")
    assert (other["threshold"], other["reducer"]) == (0.5, "mean")
    assert "note: verdict.reducer=mean is not the bundle's aggregation (median)" in said
