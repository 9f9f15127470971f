"""Names of videos: what cannot be one is refused with what to do, before any work."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from framejury.cli.main import main
from framejury.cli.video_files import video_places
from framejury.errors import UsageError
from tests.builders import clips


def refused(*names: str | Path) -> str:
    with pytest.raises(UsageError) as caught:
        video_places([str(name) for name in names])
    return str(caught.value)


def test_files_and_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.mp4").touch()
    (tmp_path / "-").touch()
    (tmp_path / "link.mp4").symlink_to("a b.mp4")
    names = ["a b.mp4", "./-", "link.mp4", f"file:{tmp_path}/a b.mp4", "s3://bucket/a.mp4"]
    folder = str(tmp_path)
    assert video_places(names) == [
        *(f"{folder}/{name}" for name in ("a b.mp4", "-", "link.mp4", "a b.mp4")),
        "s3://bucket/a.mp4",
    ]


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "gone.mp4") == f"no file at {tmp_path}/gone.mp4"
    odd = tmp_path / "my videos"
    odd.mkdir()
    assert f"framejury nightly '{odd}' --warehouse DIR" in refused(odd)
    (tmp_path / "link").symlink_to("nowhere")
    assert "a link to nowhere, which is missing" in refused(tmp_path / "link")
    (tmp_path / "loop").symlink_to("loop")
    assert f"cannot read {tmp_path}/loop" in refused(tmp_path / "loop")
    (tmp_path / "file").touch()
    assert "Not a directory" in refused(tmp_path / "file" / "a.mp4")


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for place in (tmp_path / "pipe", tmp_path / "socket", "/dev/null"):
            assert "is not a regular file" in refused(place)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch(mode=0)
    assert "Permission denied" in refused(tmp_path / "a.mp4")


def test_no_name_and_standard_input() -> None:
    assert "empty file name" in refused("")
    assert "standard input" in refused("-")


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "rtsp", "s3x"])
def test_an_address_is_not_opened_and_shows_no_secret(scheme: str) -> None:
    message = refused(f"{scheme}://somebody:hunter22@example.org/a.mp4")
    assert "Download the video" in message and "example.org" in message
    assert "hunter22" not in message


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "good.mp4").touch()
    names = [tmp_path / f"{name}.mp4" for name in ("a", "b", "good", "c", "d", "e")]
    message = refused(*names)
    assert all(f"{name}.mp4" in message for name in "abc")
    assert "good" not in message and "d.mp4" not in message
    assert message.endswith("; and 2 more")


@pytest.mark.parametrize("command", ["scan", "explain", "compare"])
def test_commands_say_it_before_any_work(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = str(clips.write_clip(tmp_path / "good.mp4", clips.plain_frames(3)))
    names = [str(tmp_path)] if command == "explain" else [good, str(tmp_path)]
    output = [] if command == "scan" else ["--output", str(tmp_path / "new")]
    assert main([command, *names, *output]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert f"{tmp_path} is a folder" in err
    assert not (tmp_path / "new").exists()
