"""A standalone cluster for tests: authentication and encryption on, one GPU claimed a worker."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import nights
from tests.cluster.standalone import ROOT, Cluster

SECRET = "not-a-word-that-is-printed-anywhere"


@pytest.fixture(scope="session")
def environment() -> Path:
    """The environment archive, made when something changed since."""
    if os.uname().sysname != "Linux":
        pytest.skip("archive and cluster are made for Linux here")
    return nights.package()


def daemon_settings() -> dict[str, str]:
    """conf/spark/standalone-daemons.conf, as an operator would append it."""
    lines = (ROOT / "conf" / "spark" / "standalone-daemons.conf").read_text().splitlines()
    return dict(line.split(None, 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers that ask for the secret; each says that it has GPU number 5."""
    script = tmp_path_factory.mktemp("gpu") / "find.sh"
    script.write_text("""#!/bin/sh\necho '{"name": "gpu", "addresses": ["5"]}'\n""")
    script.chmod(0o755)
    settings = daemon_settings() | {
        "spark.authenticate.secret": SECRET,
        "spark.worker.resource.gpu.amount": "1",
        "spark.worker.resource.gpu.discoveryScript": str(script),
    }
    with Cluster(settings=settings) as cluster:
        yield cluster


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_text(f"{SECRET}\n")
    return file


def ok(result: subprocess.CompletedProcess[str]) -> str:
    """What a process printed that must have ended well."""
    assert result.returncode == 0, nights.shown(result)
    return result.stdout
