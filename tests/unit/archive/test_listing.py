"""Every file of a local archive, by the same paths every night."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from framejury.archive.listing import list_local
from framejury.errors import ArchiveError


def write(path: Path, size: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def paths(root: Path, *, follow_out: bool = False) -> list[str]:
    return [file.path for file in list_local(root, follow_out=follow_out)]


def test_every_file_with_its_facts(tmp_path: Path) -> None:
    first = write(tmp_path / "b" / "ü ✓\n%20.mp4", 5)
    os.utime(first, (1_700_000_000.25, 1_700_000_000.25))
    write(tmp_path / ".hidden" / ".clip.mp4")
    write(tmp_path / "A.txt", 0)
    files = list_local(tmp_path)
    assert [file.path for file in files] == [".hidden/.clip.mp4", "A.txt", "b/ü ✓\n%20.mp4"]
    assert [file.size_bytes for file in files] == [3, 0, 5]
    assert files[2].uri == str(first)
    assert files[2].modified_at == datetime.fromtimestamp(1_700_000_000.25, UTC)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no archive at"):
        list_local(tmp_path / "gone")
    with pytest.raises(ArchiveError, match="framejury scan"):
        list_local(write(tmp_path / "a.mp4"))


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert paths(tmp_path) == []


def test_dead_links_are_listed_and_what_is_no_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "dead.mp4").symlink_to("nowhere")
    (tmp_path / "itself.mp4").symlink_to("itself.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(tmp_path / "socket.mp4"))
        files = list_local(tmp_path)
    assert [(file.path, file.size_bytes) for file in files] == [("dead.mp4", 0), ("itself.mp4", 0)]


def test_linked_files_have_the_size_of_what_they_point_to(tmp_path: Path) -> None:
    write(tmp_path / "a" / "clip.mp4", 9)
    (tmp_path / "link.mp4").symlink_to("a/clip.mp4")
    assert [(file.path, file.size_bytes) for file in list_local(tmp_path)] == [
        ("a/clip.mp4", 9),
        ("link.mp4", 9),
    ]


@pytest.mark.parametrize("link", ["a", "z", "m/a"])
def test_a_linked_folder_is_listed_once_under_its_real_name(tmp_path: Path, link: str) -> None:
    """Whatever order the file system lists folders in; else video ids would change with it."""
    write(tmp_path / "m" / "deep" / "clip.mp4")
    (tmp_path / link).symlink_to(tmp_path / "m" / "deep")
    assert paths(tmp_path) == ["m/deep/clip.mp4"]


def test_links_that_lead_out_are_followed_when_asked(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "sub" / "clip.mp4")
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "two").symlink_to("../elsewhere")
    (archive / "one").symlink_to("../elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(archive)  # a circle
    assert paths(archive, follow_out=True) == ["one/sub/clip.mp4"]


def test_the_archive_itself_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path / "real" / "clip.mp4")
    (tmp_path / "link").symlink_to("real")
    (file,) = list_local(tmp_path / "link")
    assert file.uri == str(tmp_path / "link" / "clip.mp4")
