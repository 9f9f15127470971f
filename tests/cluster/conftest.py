"""The clusters of these tests: a standalone one (authentication, encryption, GPUs) and Hadoop."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.cluster import nights
from tests.builders.cluster.jars import OutOfReachError, hadoop_jars
from tests.builders.cluster.standalone import ROOT, SECRET, Cluster
from tests.builders.cluster.yarn import Hadoop


@pytest.fixture(scope="session")
def environment() -> Path:
    """Return the environment archive; make it when something changed."""
    if os.uname().sysname != "Linux":
        pytest.skip("archive and cluster are made for Linux here")
    return nights.package()


def daemon_settings() -> dict[str, str]:
    """Read conf/spark/standalone-daemons.conf, as an operator would append it."""
    lines = (ROOT / "conf" / "spark" / "standalone-daemons.conf").read_text().splitlines()
    return dict(line.split(None, 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start two workers that ask for the secret; each reports GPU number 5."""
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


@pytest.fixture(scope="session")
def hadoop() -> Iterator[Hadoop]:
    """Start HDFS and YARN on two machines."""
    if os.uname().sysname != "Linux":
        pytest.skip("machines are addresses of Linux' loopback here")
    try:
        hadoop_jars()
    except OutOfReachError as error:
        pytest.skip(f"Hadoop cannot be downloaded: {error}")
    with Hadoop() as hadoop:
        yield hadoop


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_text(f"{SECRET}\n")
    return file


@pytest.fixture(autouse=True)
def _nobody_is_left_on_the_workers(request: pytest.FixtureRequest) -> None:
    """Wait until no executor of an earlier test runs: each worker has one core."""
    if "cluster" in request.fixturenames:
        cluster: Cluster = request.getfixturevalue("cluster")
        deadline_s = time.monotonic() + 30
        while cluster.executors() and time.monotonic() < deadline_s:
            time.sleep(0.2)
