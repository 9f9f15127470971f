"""Paths and URIs, and files fetched for a decoder."""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path

import pytest
from pyarrow import fs

from framejury import storage
from framejury.errors import MediaError, UsageError
from framejury.media.fetch import local_copy
from framejury.schemas.statuses import Status
from framejury.storage import is_local, local_path, locate, write_whole
from framejury.warehouse import Warehouse

NAMES = ["a b.mp4", "50%20off.mp4", "%.mp4", "ü✓.mp4", "two\nlines.mp4", "~odd.mp4", "a:b.mp4"]


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        ("clip.mp4", True),
        ("/data/clip.mp4", True),
        ("file:/data/clip.mp4", True),
        ("file:///data/clip.mp4", True),
        ("FILE:///data/clip.mp4", True),
        ("a:b.mp4", True),
        ("s3a://bucket/clip.mp4", False),
        ("hdfs://namenode:8020/x", False),
        ("hdfs:///x", False),
        ("viewfs:/x", False),
    ],
)
def test_what_is_local(uri: str, local: bool) -> None:
    assert is_local(uri) is local


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/data/a b", "/data/a b"),
        ("file:/data/x", "/data/x"),
        ("file:///data/50%20off", "/data/50%20off"),
        ("file:///data/two\nlines", "/data/two\nlines"),
        ("/data/~x", "/data/~x"),
        ("file:///~", "/~"),
    ],
)
def test_local_paths_are_taken_as_they_are(uri: str, path: str) -> None:
    assert str(local_path(uri)) == path


def test_relative_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert local_path("x.mp4") == tmp_path / "x.mp4"
    assert local_path("~/x.mp4") == Path("/home/someone/x.mp4")
    assert local_path("~nobody-of-that-name.mp4") == tmp_path / "~nobody-of-that-name.mp4"


def test_symbolic_links_stay(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert local_path(str(tmp_path / "link" / "x")) == tmp_path / "link" / "x"


@pytest.mark.parametrize("uri", ["nosuch://host/x", "https://host/x.mp4", "dbfs:/x"])
def test_an_unknown_scheme_comes_with_advice(uri: str) -> None:
    with pytest.raises(UsageError, match=uri.partition(":")[0]) as caught:
        locate(uri)
    caught.match("install the Hadoop client|credentials")


@pytest.mark.parametrize("scheme", ["s3", "s3a", "s3n", "S3A"])
def test_hadoop_names_of_s3_are_arrows_s3(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Stub:
        @staticmethod
        def from_uri(uri: str) -> tuple[fs.FileSystem, str]:
            asked.append(uri)
            return fs.LocalFileSystem(), "bucket"

    monkeypatch.setattr("pyarrow.fs.FileSystem", Stub)
    place = locate(f"{scheme}://bucket/day 1/50%25.mp4")
    assert asked == ["s3://bucket/"]
    assert place.path == "bucket/day 1/50%25.mp4"
    assert place.uri == f"{scheme}://bucket/day 1/50%25.mp4"
    assert locate(f"{scheme}://bucket").path == "bucket"


def test_children(tmp_path: Path) -> None:
    place = locate(f"{tmp_path}/").child("runs", "table=videos")
    assert place.path == place.uri == f"{tmp_path}/runs/table=videos"


@pytest.mark.parametrize("name", NAMES)
def test_a_local_file_is_hashed_where_it_lies(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 9000  # more than two blocks
    (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    for uri in (str(tmp_path / name), f"file://{tmp_path / name}", name):
        with local_copy(uri, limit_bytes=len(content)) as copy:
            assert copy.path == tmp_path / name
            assert copy.size_bytes == len(content)
            assert copy.content_id == hashlib.sha256(content).hexdigest()
        assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("name", ["a.mp4.gz", "a.bz2"])
def test_an_ending_does_not_unpack(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not packed at all")
    with local_copy(str(tmp_path / name), 100) as copy:
        assert copy.content_id == hashlib.sha256(b"not packed at all").hexdigest()


def status_of(uri: str, limit_bytes: int = 2**30) -> Status:
    with pytest.raises(MediaError) as caught, local_copy(uri, limit_bytes):
        pass
    return caught.value.status


def test_statuses(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "large.mp4").write_bytes(b"x" * 1001)
    (tmp_path / "dead.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    assert status_of(str(tmp_path / "gone.mp4")) is Status.MISSING
    assert status_of(str(tmp_path / "dead.mp4")) is Status.MISSING
    assert status_of(str(tmp_path / "empty.mp4")) is Status.EMPTY
    assert status_of(str(tmp_path / "large.mp4"), 1000) is Status.TOO_LARGE
    assert status_of(str(tmp_path / "loop.mp4")) is Status.UNREADABLE
    assert status_of(str(tmp_path)) is Status.UNREADABLE
    assert status_of(str(tmp_path / "large.mp4" / "below.mp4")) in (
        Status.MISSING,
        Status.UNREADABLE,
    )


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that `mem://` URIs lead to, and a scratch folder to look into."""
    root, scratch = tmp_path / "remote", tmp_path / "scratch"
    root.mkdir()
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    whole = fs.SubTreeFileSystem(str(root), fs.LocalFileSystem())
    monkeypatch.setattr(
        "framejury.media.fetch.locate",
        lambda uri: storage.Location(whole, uri.removeprefix("mem://host/"), uri),
    )
    return root


def test_a_remote_file_is_spooled_and_removed_again(remote: Path) -> None:
    content = b"0123456789" * 300_000
    (remote / "ü 1.mp4").write_bytes(content)
    with local_copy("mem://host/ü 1.mp4", 2**30) as copy:
        assert copy.path.read_bytes() == content
        assert copy.content_id == hashlib.sha256(content).hexdigest()
        assert remote not in copy.path.parents
    assert list((remote.parent / "scratch").iterdir()) == []


def test_scratch_is_removed_whatever_happens(remote: Path) -> None:
    (remote / "a.mp4").write_bytes(b"x" * 2000)
    with pytest.raises(ZeroDivisionError), local_copy("mem://host/a.mp4", 2**30):
        raise ZeroDivisionError
    assert status_of("mem://host/a.mp4", 1999) is Status.TOO_LARGE
    assert status_of("mem://host/gone.mp4") is Status.MISSING
    assert list((remote.parent / "scratch").iterdir()) == []


def test_a_file_system_out_of_reach_makes_one_video_unreadable() -> None:
    assert status_of("nosuch://host/a.mp4") is Status.UNREADABLE


@pytest.mark.parametrize(
    "uri",
    ["s3://AKIAKEY:hunter2secret@bucket/x", "abfss://c@a.dfs.core.windows.net/x?sig=&token=abc123"],
)
def test_a_uri_with_a_secret_is_refused_without_repeating_it(uri: str) -> None:
    with pytest.raises(UsageError, match="holds a secret") as refused:
        storage.check_no_secret(uri)
    assert "hunter2" not in str(refused.value)
    assert "abc123" not in str(refused.value)
    with pytest.raises(UsageError, match="holds a secret"):
        Warehouse.open_or_plan(uri)


@pytest.mark.parametrize(
    "uri", ["s3a://bucket/x", "/data/a b", "abfss://box@account.dfs.core.windows.net/x", "a@b:c"]
)
def test_other_uris_are_taken(uri: str) -> None:
    assert storage.check_no_secret(uri) == uri


def test_a_file_is_written_whole_from_another(tmp_path: Path) -> None:
    place = locate(str(tmp_path / "new" / "copy.bin"))
    source = io.BytesIO(b"head" + b"body" * 10**6)
    source.seek(4)
    write_whole(place, source)
    assert Path(place.path).read_bytes() == b"body" * 10**6


def test_a_file_that_cannot_be_read_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    class Torn(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the other end is gone")

    (tmp_path / "old.bin").write_bytes(b"old")
    with pytest.raises(OSError, match="the other end"):
        write_whole(locate(str(tmp_path / "old.bin")), Torn(b"new"))
    assert [path.name for path in tmp_path.iterdir()] == ["old.bin"]
    assert (tmp_path / "old.bin").read_bytes() == b"old"
