"""URIs of HDFS without a server. tests/cluster/test_hdfs.py uses a real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from framejury.storage import locate


@pytest.mark.parametrize(
    ("uri", "path", "root"),
    [
        ("hdfs://name:8020/day 1/50%25#x?.mp4", "/day 1/50%25#x?.mp4", "hdfs://name:8020/"),
        ("hdfs://name:8020", "/", "hdfs://name:8020/"),
        ("HDFS://name:8020/x", "/x", "hdfs://name:8020/"),
    ],
)
def test_paths_are_taken_as_they_are(uri: str, path: str, root: str) -> None:
    place = locate(uri)
    assert (place.path, place.uri) == (path, uri)
    assert place.child("a b").path == f"{path.rstrip('/')}/a b"
    assert place.filesystem.equals(locate(root).filesystem)
    assert not place.filesystem.equals(locate("hdfs://other:8020/").filesystem)


@pytest.mark.parametrize("uri", ["hdfs:///x", "hdfs:/x"])
def test_the_default_file_system_needs_hadoops_configuration(uri: str, tmp_path: Path) -> None:
    code = f"from framejury.storage import locate; print(locate({uri!r}).path)"

    def ask() -> subprocess.CompletedProcess[str]:
        # In a process of its own: a connection lives as long as the process.
        return subprocess.run(
            [sys.executable, "-c", code],
            env={"HADOOP_CONF_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
            text=True,
            capture_output=True,
            check=False,
        )

    assert "set HADOOP_CONF_DIR to the folder" in ask().stderr.splitlines()[-1]
    (tmp_path / "core-site.xml").write_text(
        "<configuration><property><name>fs.defaultFS</name><value>hdfs://name:8020</value>"
        "</property></configuration>"
    )
    assert ask().stdout == "/x\n"
