"""The environment archive: what is in it, and what it says where it does not fit."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.builders.cluster.standalone import ROOT


@pytest.fixture(scope="module")
def names(environment: Path) -> set[str]:
    with tarfile.open(environment) as archive:
        return set(archive.getnames())


@pytest.fixture
def bin_folder(environment: Path, tmp_path: Path) -> Path:
    """The archive's `bin` alone."""
    # As Spark unpacks it; Python's own way has other options in 3.11.2 than in 3.11.4.
    command = ["tar", "-xf", str(environment), "-C", str(tmp_path), "./bin"]
    subprocess.run(command, check=True, timeout=120)
    return tmp_path / "bin"


def start(
    bin_folder: Path, path: str = "/usr/bin:/bin", code: str = "print(7)"
) -> subprocess.CompletedProcess[str]:
    words = [str(bin_folder / "python"), "-c", code]
    return subprocess.run(words, env={"PATH": path}, text=True, capture_output=True, check=False)


def test_framejury_is_in_it_whole_and_what_executors_never_use_is_not(names: set[str]) -> None:
    packages = {Path(name).parts[3] for name in names if name.count("/") > 3}
    assert {"framejury", "av", "cv2", "onnxruntime", "pyarrow", "pandas", "numpy"} <= packages
    assert not packages & {"pyspark", "tensorflow", "keras", "matplotlib", "scipy", "pip"}
    (site,) = {"/".join(name.split("/")[:4]) for name in names if "/framejury/" in name}
    for part in ("jobs/nightly.py", "conf/default.yaml", "conf/spark/standalone.conf", "py.typed"):
        assert f"{site}/framejury/{part}" in names
    shipped = sorted((ROOT / "models").glob("*/bundle.json"))
    assert [f"{site}/framejury/models/{p.parent.name}/bundle.json" in names for p in shipped] == [
        True
    ] * len(shipped)


def test_nothing_in_it_tells_of_the_machine_that_made_it(environment: Path) -> None:
    telling = []
    with tarfile.open(environment) as archive:
        for member in archive:
            assert (member.uid, member.gid, member.uname) == (0, 0, "")
            if member.isfile() and member.size < 1 << 20:
                stream = archive.extractfile(member)
                assert stream is not None
                if str(ROOT).encode() in stream.read():
                    telling.append(member.name)
    assert telling == []


def test_the_note_says_what_it_needs(environment: Path, bin_folder: Path) -> None:
    note = json.loads(Path(str(environment).removesuffix(".tar.gz") + ".json").read_text())
    assert Path(note["python_path"]) == (bin_folder / f"python{note['python']}").readlink()
    assert note["python"] in environment.name
    assert note["machine"] == os.uname().machine


def test_it_starts_the_python_it_was_made_for(bin_folder: Path) -> None:
    assert start(bin_folder).stdout == "7\n"
    said = start(bin_folder, code="import sys; print(sys.executable)").stdout.strip()
    assert Path(said).parent == bin_folder
    assert start(bin_folder, code="raise SystemExit(5)").returncode == 5


def test_a_missing_python_is_told(bin_folder: Path) -> None:
    (link,) = bin_folder.glob("python3.*")
    link.unlink()
    link.symlink_to("/nonexistent/python")
    result = start(bin_folder)
    assert result.returncode == 1
    assert os.uname().nodename in result.stderr
    assert "there is no /" in result.stderr
    assert "bin/package.sh --python PATH" in result.stderr


def test_another_version_is_told(bin_folder: Path) -> None:
    (link,) = bin_folder.glob("python3.*")
    link.unlink()
    link.write_text("#!/bin/sh\necho 3.9\n")
    link.chmod(0o755)
    result = start(bin_folder)
    assert result.returncode == 1
    assert "it is Python 3.9" in result.stderr
    assert result.stdout == ""


def test_another_kind_of_machine_is_told(bin_folder: Path, tmp_path: Path) -> None:
    uname = tmp_path / "tools" / "uname"
    uname.parent.mkdir()
    uname.write_text("#!/bin/sh\necho riscv64\n")
    uname.chmod(0o755)
    result = start(bin_folder, path=f"{uname.parent}:/usr/bin:/bin")
    assert result.returncode == 1
    assert "the architecture is different" in result.stderr
