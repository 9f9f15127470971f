"""A report as one ZIP file: whole, checkable, equal for equal folders, safe to unpack."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from framejury import __version__
from framejury.report.package import CHECKSUMS, MANIFEST, README, folder_name, pack

RUN = {"run_id": "run-1", "model_id": "b0-1", "created_at": "2026-03-01T02:31:07+00:00"}
FILES = {
    "report.json": json.dumps({"run": RUN}).encode(),
    "report.html": b"<a href='evidence/run-1/00.html'>a</a>",
    "evidence/run-1/00.html": b"<a href='../../report.html'>back</a>",
    "evidence/run-1/empty.html": b"",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path / "report")


def filled(folder: Path) -> Path:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def unpacked(target: Path, where: Path) -> Path:
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        archive.extractall(where)
    return where / target.stem


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["sha256sum", "--check", "--strict", CHECKSUMS]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_it_holds_all_files_and_what_made_them(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "for-review.zip")
    out = unpacked(tmp_path / "for-review.zip", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["for-review"]
    found = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert {name: found[name] for name in FILES} == FILES
    assert set(found) == {*FILES, MANIFEST, README, CHECKSUMS}
    manifest = json.loads(found[MANIFEST])
    assert {name: manifest[name] for name in RUN} == RUN
    assert (manifest["framejury"], manifest["files"]) == (__version__, len(FILES))
    words = " ".join(found[README].decode("ascii").split())
    for said in ("run run-1, model b0-1", "Open report.html", "names of these reviewers"):
        assert said in words
    assert f"sha256sum --check {CHECKSUMS}" in words


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
@pytest.mark.parametrize("changed", [None, "evidence/run-1/00.html", MANIFEST, README])
def test_a_change_is_found(folder: Path, tmp_path: Path, changed: str | None) -> None:
    pack(folder, tmp_path / "a.zip")
    out = unpacked(tmp_path / "a.zip", tmp_path / "out")
    if changed is not None:
        (out / changed).write_bytes(b"forged")
    done = checked(out)
    assert (done.returncode == 0) == (changed is None)
    assert done.stdout.count(": OK") == len(FILES) + 2 - (changed is not None)
    if changed is not None:
        assert f"{changed}: FAILED" in done.stdout


def test_equal_folders_give_equal_bytes(tmp_path: Path) -> None:
    for place in ("one", "two"):
        pack(filled(tmp_path / place / "report"), tmp_path / place / "a.zip")
    one, two = ((tmp_path / place / "a.zip").read_bytes() for place in ("one", "two"))
    assert one == two
    with zipfile.ZipFile(tmp_path / "one" / "a.zip") as archive:
        infos = archive.infolist()
    assert [info.filename for info in infos] == [
        *(f"a/{name}" for name in sorted(FILES)),
        f"a/{MANIFEST}",
        f"a/{README}",
        f"a/{CHECKSUMS}",
    ]
    # ZIP keeps every other second.
    assert {info.date_time for info in infos} == {(2026, 3, 1, 2, 31, 6)}
    assert {info.external_attr >> 16 for info in infos} == {0o100644}


def test_more_than_32_bits_hold(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the limit lowered, since a real file of 4 GiB takes minutes."""
    (folder / "large.bin").write_bytes(random.Random(0).randbytes(5000))
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    pack(folder, tmp_path / "a.zip")
    monkeypatch.undo()
    out = unpacked(tmp_path / "a.zip", tmp_path / "out")
    assert (out / "large.bin").stat().st_size == 5000
    assert b"PK\x06\x06" in (tmp_path / "a.zip").read_bytes()  # the 64-bit end of the archive


@pytest.mark.parametrize("name", ["a\nb.html", "..\\..\\evil.html", "\u202egpj.html"])
def test_a_name_that_could_mislead_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    with pytest.raises(ValueError, match="unsafe name"):
        pack(folder, tmp_path / "a.zip")


def test_no_link_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder / "evidence" / "link.html").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match="link"):
        pack(folder, tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.zip", "a"), ("..zip", "report"), ("a\\b\n.zip", "a-b-"), ("Bericht 3.zip", "Bericht 3")],
)
def test_the_folder_in_the_archive_has_a_plain_name(name: str, expected: str) -> None:
    assert folder_name(Path(name)) == expected
