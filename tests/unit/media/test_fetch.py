"""Getting at a file's bytes: what hangs, changes or fills the disk on the way."""

from __future__ import annotations

import io
import os
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import fs

from framejury.errors import MediaError
from framejury.media.fetch import KnownContent, ScratchError, local_copy
from framejury.schemas.statuses import Status
from framejury.storage import Location

CONTENT = bytes(range(256)) * 16_384  # 4 MiB, in blocks of one


class Server(fs.FileSystemHandler):  # type: ignore[misc]
    """Serves one file, block by block, while `answers` is set; else a read does not come back."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.blocks = 0

    def open_input_stream(self, path: str) -> pa.PythonFile:
        server = self

        class Slow(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                server.answers.wait(60)
                server.blocks += 1
                return super().read(size)

        return pa.PythonFile(Slow(CONTENT), "r")

    def _not_here(self, *_: object) -> None:
        raise NotImplementedError

    get_type_name = normalize_path = get_file_info = get_file_info_selector = _not_here
    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _not_here
    delete_file = move = copy_file = open_input_file = open_output_stream = _not_here
    open_append_stream = _not_here


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> Iterator[Server]:
    """What `slow://` URIs lead to."""
    server = Server()
    monkeypatch.setattr(
        "framejury.media.fetch.locate",
        lambda uri: Location(fs.PyFileSystem(server), "a.mp4", uri),
    )
    yield server
    assert wait_for(lambda: not fetching()), "a thread was left behind for good"


def fetching() -> bool:
    return any(thread.name == "fetch" for thread in threading.enumerate())


def wait_for(condition: object, timeout_s: float = 20) -> bool:
    assert callable(condition)
    deadline_s = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return bool(condition())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_reading_ends_at_its_time(server: Server, scratch: Path) -> None:
    server.answers.clear()
    before = open_files()
    with (
        pytest.raises(MediaError, match=r"longer than limits\.timeout_s = 0\.2 s") as caught,
        local_copy("slow://host/a.mp4", 2**30, timeout_s=0.2),
    ):
        pass
    assert caught.value.status is Status.TIMEOUT
    assert fetching()  # it did not wait for the read to come back
    server.answers.set()
    assert wait_for(lambda: not fetching())
    assert server.blocks == 1  # of five: nobody waits for the others
    assert list(scratch.iterdir()) == [] and open_files() == before


def test_what_comes_in_time_is_taken(server: Server, scratch: Path) -> None:
    before = open_files()
    with local_copy("slow://host/a.mp4", 2**30, timeout_s=60) as copy:
        assert os.pread(copy.file, len(CONTENT) + 1, 0) == CONTENT
        assert copy.path.read_bytes() == CONTENT
    assert server.blocks == 5
    assert list(scratch.iterdir()) == [] and open_files() == before


# ---------------------------------------------------------------- faults of the machine


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """Writing further fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_scratch_disk_that_takes_no_more_is_no_fault_of_the_video(
    server: Server, scratch: Path
) -> None:
    with (
        file_size_limit(2**20),
        pytest.raises(ScratchError, match=r"cannot spool to .*scratch"),
        local_copy("slow://host/a.mp4", 2**30),
    ):
        pass
    assert list(scratch.iterdir()) == []


def test_a_disk_that_is_really_full(server: Server, scratch: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(scratch)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        with (
            pytest.raises(ScratchError, match="No space left"),
            local_copy("slow://host/a.mp4", 2**30),
        ):
            pass
        assert list(scratch.iterdir()) == []
    finally:
        subprocess.run(["umount", str(scratch)], check=True)


def test_no_scratch_folder(server: Server, scratch: Path) -> None:
    shutil.rmtree(scratch)
    with (
        pytest.raises(ScratchError, match=r"cannot create a file in .*scratch"),
        local_copy("slow://host/a.mp4", 2**30),
    ):
        pass


def test_too_many_open_files_are_no_fault_of_the_video(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(tmp_path / "a", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with (
            pytest.raises(ScratchError, match="Too many open files"),
            local_copy(str(tmp_path / "a"), 100),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ---------------------------------------------------------------- files that are none, or change


def status_of(path: Path) -> tuple[Status, str]:
    with pytest.raises(MediaError) as caught, local_copy(str(path), 2**30, timeout_s=20):
        pass
    return caught.value.status, str(caught.value)


def test_a_pipe_or_a_device_is_no_video(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    (tmp_path / "folder.mp4").mkdir()
    for name in ("pipe.mp4", "zero.mp4", "folder.mp4"):
        started_s = time.monotonic()
        status, words = status_of(tmp_path / name)
        assert status is Status.UNREADABLE and "not a regular file" in words
        assert time.monotonic() - started_s < 10


def test_a_file_that_is_written_to_meanwhile_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    for change in (
        lambda: os.truncate(path, 10),
        lambda: path.write_bytes(b"y" * 5000),
        lambda: path.open("ab").write(b"more"),
    ):
        path.write_bytes(b"x" * 1000)
        with (
            pytest.raises(MediaError, match="changed while it was read") as caught,
            local_copy(str(path), 2**30) as copy,
        ):
            time.sleep(0.02)  # a file system's clock ticks a hundred times a second or more
            change()
            assert copy.has_changed()
        assert caught.value.status is Status.UNREADABLE


def test_a_file_that_is_renamed_or_replaced_stays_the_one_that_was_opened(tmp_path: Path) -> None:
    path, other = tmp_path / "a.mp4", tmp_path / "b.mp4"
    for change in (path.unlink, lambda: path.rename(other), lambda: other.rename(path)):
        path.write_bytes(b"x" * 1000)
        other.write_bytes(b"y" * 2000)
        with local_copy(str(path), 2**30) as copy:
            change()
            assert os.pread(copy.file, 3000, 0) == b"x" * 1000
            assert not copy.has_changed()


def test_a_known_file_that_grew_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    with (
        pytest.raises(MediaError, match="changed while its segments") as caught,
        local_copy(str(tmp_path / "a"), 100, KnownContent(4, "x")),
    ):
        pass
    assert caught.value.status is Status.UNREADABLE


def test_too_large_is_said_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "sparse.mp4"
    with path.open("wb") as file:
        file.truncate(2**40)
    started_s = time.monotonic()
    assert status_of(path)[0] is Status.TOO_LARGE
    assert time.monotonic() - started_s < 10
