"""An archive that strangers put files into: links, names, times and label files that attack."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from framejury.archive.label_files import LARGEST_BYTES
from framejury.archive.layouts import ArchiveIndex, VideoEntry, describe_videos
from framejury.archive.listing import ArchiveFile, Trouble, list_local
from framejury.archive.video_rows import videos_table
from framejury.errors import ArchiveError, MediaError
from framejury.media.fetch import local_copy
from framejury.schemas.statuses import Status
from framejury.settings import IndexSettings
from tests.builders.clips import ODD_NAMES

SECRET = "root:x:0:0:root:/root:/bin/bash"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """With one honest video."""
    root = tmp_path / "archive"
    root.mkdir()
    (root / "honest.mp4").write_bytes(b"video")
    return root


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What must not be read."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.mp4").write_text(SECRET)
    (folder / "labels.csv").write_text(SECRET)
    return folder


def index(root: Path, **settings: object) -> ArchiveIndex:
    """As `framejury index` does it."""
    chosen = IndexSettings.model_validate(settings)
    files = list_local(root, follow_out=chosen.links == "anywhere")
    return describe_videos(files, lambda file: Path(file.uri).read_text("utf-8"), chosen)


def refusal(root: Path, **settings: object) -> str:
    """Why it is refused: one line, short, without control characters."""
    with pytest.raises(ArchiveError) as caught:
        index(root, **settings)
    words = str(caught.value)
    assert words.isprintable() and len(words) < 800
    return words


def names(entries: list[VideoEntry]) -> list[str]:
    return [entry.file.path for entry in entries]


# ---------------------------------------------------------------- links


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("video.mp4", "../outside/secret.mp4"),
        ("folder", "../outside"),
        ("labels.csv", "../outside/labels.csv"),
        ("metadata.json", "/etc/passwd"),
        ("labels.csv", "/proc/self/environ"),
        ("everything", "/"),
        ("video.mp4", "/gone/for/good.mp4"),
        ("video.mp4", "honest.mp4/../../../outside/secret.mp4"),
        ("up", ".."),
        ("beside", "../archive2"),
    ],
)
def test_a_link_that_leads_out_is_counted_and_not_followed(
    link: str, target: str, archive: Path, outside: Path
) -> None:
    (outside.parent / "archive2").mkdir()  # begins like the archive's own name
    (archive / link).symlink_to(target)
    (listed,) = (file for file in list_local(archive) if file.path == link)
    assert (listed.trouble, listed.size_bytes) == (Trouble.LEADS_OUT, 0)
    assert listed.modified_at == datetime(1970, 1, 1, tzinfo=UTC)  # nothing of the target
    entries, notes, _ = index(archive)
    assert names(entries) == ["honest.mp4"]
    assert notes == [
        f"links out of the archive, not followed: 1 ({link}); "
        "--set index.links=anywhere follows them"
    ]


def test_a_link_over_another_link_leads_out_too(archive: Path, outside: Path) -> None:
    (archive / "a").symlink_to("b")
    (archive / "b").symlink_to(outside)
    (archive / "c.mp4").symlink_to("a/secret.mp4")
    entries, notes, _ = index(archive)
    assert names(entries) == ["honest.mp4"]
    assert "links out of the archive, not followed: 3" in notes[0]


def test_all_links_are_followed_for_who_says_so(archive: Path, outside: Path) -> None:
    (archive / "video.mp4").symlink_to("../outside/secret.mp4")
    (outside / "labels.csv").unlink()
    (archive / "folder").symlink_to("../outside")
    entries, notes, _ = index(archive, links="anywhere")
    assert names(entries) == ["folder/secret.mp4", "honest.mp4", "video.mp4"]
    assert notes == []


def test_links_within_the_archive_are_followed(archive: Path) -> None:
    (archive / "sub").mkdir()
    (archive / "sub" / "b.mp4").write_bytes(b"12")
    (archive / "link.mp4").symlink_to("sub/b.mp4")
    (archive / "absolute.mp4").symlink_to(archive / "sub" / "b.mp4")
    entries, notes, _ = index(archive)
    assert names(entries) == ["absolute.mp4", "honest.mp4", "link.mp4", "sub/b.mp4"]
    assert {entry.file.size_bytes for entry in entries[2:]} == {2}
    assert notes == []


def test_loops_of_links_end(archive: Path) -> None:
    (archive / "self").symlink_to(".")
    (archive / "a").mkdir()
    (archive / "a" / "b").symlink_to("../c")
    (archive / "c").mkdir()
    (archive / "c" / "d").symlink_to("../a")
    (archive / "round.mp4").symlink_to("round.mp4")
    (archive / "there").symlink_to("back")
    (archive / "back").symlink_to("there")
    assert names(index(archive)[0]) == ["honest.mp4", "round.mp4"]


def test_only_links_and_no_video_says_why(archive: Path, outside: Path) -> None:
    (archive / "honest.mp4").unlink()
    (archive / "video.mp4").symlink_to("../outside/secret.mp4")
    assert "links out of the archive, not followed: 1 (" in refusal(archive)


# ---------------------------------------------------------------- names and times


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_an_odd_name_is_listed_and_its_video_can_be_opened(name: str, archive: Path) -> None:
    (archive / name).write_bytes(b"odd")
    entries, notes, _ = index(archive)
    assert names(entries) == sorted(["honest.mp4", name])
    assert notes == []
    rows = {row["path"]: row for row in videos_table(entries, "run").to_pylist()}
    with local_copy(rows[name]["uri"], 100) as copy:
        assert copy.path.read_bytes() == b"odd"


def odd_bytes(archive: Path, name: bytes) -> Path:
    return Path(os.fsdecode(os.fsencode(archive) + b"/" + name))


def test_a_name_that_no_table_can_hold_stops_nobody(archive: Path) -> None:
    odd_bytes(archive, b"caf\xe9").mkdir()
    odd_bytes(archive, b"caf\xe9/clip.mp4").write_bytes(b"x")
    odd_bytes(archive, b"caf\xe9/labels.csv").write_text("broken")
    odd_bytes(archive, b"\xff\x1b.mp4").write_bytes(b"x")
    entries, notes, _ = index(archive)
    assert names(entries) == ["\\xff\x1b.mp4", r"caf\xe9/clip.mp4", "honest.mp4"]
    assert notes == [
        "files not opened, because their names are not UTF-8: 3 "
        r"(\xff\x1b.mp4, caf\xe9/clip.mp4, caf\xe9/labels.csv); rename them"
    ]
    table = videos_table(entries, "run")
    assert isinstance(table, pa.Table)
    bad = next(row for row in table.to_pylist() if row["path"] == r"caf\xe9/clip.mp4")
    with pytest.raises(MediaError) as caught, local_copy(bad["uri"], 100):
        pass
    assert caught.value.status in list(Status)  # a row with a status, not a failed job


def test_an_archive_whose_own_name_is_none_is_refused(archive: Path) -> None:
    root = odd_bytes(archive, b"caf\xe9")
    root.mkdir()
    (root / "a.mp4").write_bytes(b"x")
    assert r"caf\xe9 is not UTF-8" in refusal(root)


def test_two_names_never_become_one(archive: Path) -> None:
    for name in (b"caf\xe9.mp4", rb"caf\xe9.mp4", b"\\xe9\xe9.mp4", b"\xe9\\xe9.mp4"):
        odd_bytes(archive, name).write_bytes(b"x")
    entries, *_ = index(archive)
    assert len(entries) == len(set(names(entries))) == 5
    assert videos_table(entries, "run")["video_id"].to_pylist().count(None) == 0
    # The one that can be opened keeps its own name.
    (real,) = (entry.file for entry in entries if entry.file.path == r"caf\xe9.mp4")
    assert real.trouble is None


@pytest.mark.parametrize("seconds", [-1e9, -1.0, 2**34, 253_402_300_800])
def test_impossible_times(seconds: float, archive: Path) -> None:
    try:
        os.utime(archive / "honest.mp4", (seconds, seconds))
    except (OSError, OverflowError):
        pytest.skip("this file system keeps no such time")
    (entry,), *_ = index(archive)
    assert entry.file.modified_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_folder_in_a_folder_in_a_folder(archive: Path) -> None:
    """Deeper than Python's stack; what is too deep to be opened at all is an error."""
    here = Path.cwd()
    try:
        os.chdir(archive)
        for _ in range(1200):
            Path("d").mkdir()
            os.chdir("d")
        Path("deep.mp4").write_bytes(b"x")
        os.chdir(here)
        entries, *_ = index(archive)
        assert names(entries) == ["d/" * 1200 + "deep.mp4", "honest.mp4"]
        os.chdir(archive)
        for _ in range(1200):
            os.chdir("d")
        for _ in range(1200):
            Path("d").mkdir()
            os.chdir("d")
        os.chdir(here)
        assert re.search("cannot (list|access)", refusal(archive))
    finally:
        os.chdir(here)
        # Too deep for Python's own way to remove it.
        subprocess.run(["rm", "-rf", archive], check=True)


# ---------------------------------------------------------------- folders that may not be read


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads everything; the tests of permissions must not be root."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """An archive where everybody may go; pytest's own folders are root's."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "honest.mp4").write_bytes(b"x")
        (root / "sub" / "deep").mkdir(parents=True)
        (root / "sub" / "deep" / "hidden.mp4").write_bytes(b"x")
        yield root
        for folder in ("sub", "sub/deep"):
            if (root / folder).exists():
                (root / folder).chmod(0o755)


@pytest.mark.parametrize("mode", [0o000, 0o200, 0o400], ids=oct)
@pytest.mark.parametrize("folder", ["sub", "sub/deep"])
def test_a_folder_that_may_not_be_read_is_an_error(folder: str, mode: int, public: Path) -> None:
    """Its videos would be taken for deleted."""
    (public / folder).chmod(mode)
    with as_nobody():
        words = refusal(public)
    assert re.search("cannot (list|access)", words) and folder in words


def test_the_error_cannot_steer_a_terminal(public: Path) -> None:
    folder = public / "\x1b[2J\nsub\u202e"
    (public / "sub").rename(folder)
    folder.chmod(0)
    try:
        with as_nobody():
            assert r"\x1b[2J\nsub\u202e: " in refusal(public)
    finally:
        folder.chmod(0o755)


def test_a_file_that_may_not_be_read_is_listed(public: Path) -> None:
    (public / "honest.mp4").chmod(0)
    with as_nobody():
        entries, *_ = index(public)
        assert names(entries) == ["honest.mp4", "sub/deep/hidden.mp4"]
        with pytest.raises(MediaError) as caught, local_copy(str(public / "honest.mp4"), 100):
            pass
    assert caught.value.status is Status.UNREADABLE


# ---------------------------------------------------------------- label files


def with_file(archive: Path, name: str, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    (archive / name).write_bytes(data)
    return archive


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps({"honest.mp4": {"label": 1}}).replace("1", "1" * 5000), "is not JSON"),
        ('{"honest.mp4": {"label": "FAKE", "original": "\\ud800.mp4"}}', "surrogate"),
        ('{"\\ud800.mp4": {"label": "FAKE"}}', "surrogate"),
        ('{"a.mp4": ' * 50_000, "is not JSON"),
        ("[" * 1_000_000, "is not JSON"),
        ('{"honest.mp4": {"label": NaN}}', "label must be"),
        ('{"honest.mp4": {"label": "' + "x" * 100_000 + '"}}', "label must be"),
        ('{"/etc/passwd": {"label": "FAKE"}, "a.b": {"label": "FAKE"}}', "points outside"),
        ('{"../../x.mp4": {"label": "FAKE"}}', "points outside"),
        ('{"\\u001b[2J/../../../x.mp4": {"label": "FAKE"}}', "points outside"),
        (b'\xff\xfe{"honest.mp4": {"label": "FAKE"}}', "is not UTF-8"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_metadata_json_that_attacks_is_refused(
    content: str | bytes, words: str, archive: Path
) -> None:
    assert words in refusal(with_file(archive, "metadata.json", content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("file,label,method\nhonest.mp4,FAKE," + "x" * 200_000, "is not a CSV file"),
        ('file,label\n"honest.mp4,FAKE\nother.mp4,REAL\n', "is not a CSV file"),
        ("\x1b[2J\x1b]0;title\x07,x\nhonest.mp4,FAKE\n", r"\\x1b[2J"),
        ("a" * 100_000 + ",b\n", "needs the columns"),
        (",".join("abcdefghij" * 1000) + "\n", "needs the columns"),
        ("file,label\n/etc/passwd,FAKE\n", "points outside"),
        ("file,label\nsub/../../x.mp4,FAKE\n", "points outside"),
        ("file,label\nhonest.mp4,FAKE\x00\n", "label must be"),
        ("file,label\nhonest.mp4," + "F" * 10_000 + "\n", "label must be"),
        ("file,label\nhonest.mp4,FAKE\n".encode("utf-16"), "is not UTF-8"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_labels_csv_that_attacks_is_refused(
    content: str | bytes, words: str, archive: Path
) -> None:
    assert words.replace("\\\\", "\\") in refusal(with_file(archive, "labels.csv", content))


def test_a_huge_label_file_is_not_read() -> None:
    changed = datetime(2024, 1, 1, tzinfo=UTC)
    files = [
        ArchiveFile("labels.csv", "/a/labels.csv", LARGEST_BYTES + 1, changed),
        ArchiveFile("honest.mp4", "/a/honest.mp4", 1, changed),
    ]
    with pytest.raises(ArchiveError, match="more than the 268,435,456 allowed"):
        describe_videos(files, lambda _: pytest.fail("was read"), IndexSettings())


def test_what_label_files_name_is_never_opened(archive: Path) -> None:
    """URLs, absolute paths and `..` as original, donor, method, subject, group: words, no more."""
    evil = ["file:///etc/passwd", "http://evil.example/x.mp4", "/etc/passwd", "../../x.mp4", "a\0b"]
    rows = "".join(f"honest.mp4,FAKE,{word},{word},{word},{word},{word}\n" for word in evil[:1])
    text = "file,label,original,donor,method,subject,group\n" + rows
    for word in evil:
        with_file(archive, "labels.csv", text.replace(evil[0], word))
        opened: list[str] = []

        def read(file: ArchiveFile, opened: list[str] = opened) -> str:
            opened.append(file.path)
            return Path(file.uri).read_text("utf-8")

        (entry,), *_ = describe_videos(list_local(archive), read, IndexSettings())
        assert opened == ["labels.csv"]
        assert (entry.original, entry.donor, entry.method) == (word, word, word)
        assert entry.file.uri == str(archive / "honest.mp4")
        assert videos_table([entry], "run").num_rows == 1


def test_strangers_may_label_nothing_where_layout_is_plain(archive: Path) -> None:
    """The defence for archives that strangers write into: docs/security.md."""
    with_file(archive, "labels.csv", "file,label\nhonest.mp4,REAL\n")
    with_file(archive, "metadata.json", "[" * 100_000)
    (entry,), notes, _ = index(archive, layout="plain")
    assert (entry.label, notes) == (None, [])


def test_notes_cannot_steer_a_terminal(archive: Path) -> None:
    with_file(
        archive,
        "labels.csv",
        "file,label,\x1bcolumn\n\x1b[2J" + "y" * 5000 + ".mp4,FAKE,\na\nb.mp4,FAKE,\n",
    )
    (archive / "out\x1b[2J\n.mp4").symlink_to("/etc/passwd")
    try:
        _, notes, _ = index(archive)
    except ArchiveError as error:
        notes = [str(error)]
    assert notes and all(note.isprintable() and len(note) < 800 for note in notes)
