"""Executors of a cluster: what they import, which GPU they get, who is let in, what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.bundles import brightness_bundle
from tests.builders.cluster import nights
from tests.builders.cluster.keeper import marked
from tests.builders.cluster.nights import ok
from tests.builders.cluster.standalone import ROOT, Cluster, wait_until

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", autouse=True)
def stranger(
    cluster: Cluster, environment: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a driver with another secret. It tries for a minute, while the other tests run."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "archive").mkdir()
    (folder / "archive" / "a.mp4").write_bytes(b"never opened")
    bundle = brightness_bundle(folder / "bundle").directory
    arguments = nights.night(folder / "archive", folder / "warehouse", bundle)
    process = subprocess.Popen(
        nights.on_cluster(cluster, arguments, "--archive", str(environment)),
        env=cluster.driver_environment() | {"FRAMEJURY_SPARK_SECRET": "another"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    yield process, folder / "warehouse"
    process.kill()
    process.communicate()


def test_executors_import_from_the_archive_alone(
    cluster: Cluster, environment: Path, secret_file: Path
) -> None:
    found = _probe(cluster, environment, secret_file)
    assert {Path(one["folder"]).parts[-4] for one in found} == {"worker0", "worker1"}
    for one in found:
        unpacked = f"{one['folder']}/environment"
        assert one["prefix"] == unpacked
        assert one["executable"].startswith(f"{unpacked}/bin/python")
        assert one["framejury"].startswith(f"{unpacked}/lib/")
        # Neither the checkout nor its .venv. (Spark adds its own jar; our jars are links there.)
        elsewhere = [path for path in one["path"] if not path.endswith(".jar")]
        assert not [path for path in elsewhere if path.startswith(str(ROOT))]
        assert one["variables"]["PATH"] == "/usr/local/bin:/usr/bin:/bin"
        del one["variables"]["PYTHONPATH"]  # Spark's, seen above
        assert not [key for key, value in one["variables"].items() if str(ROOT) in value]
        # The worker's own Python has none of it.
        for name, complaint in one["own"].items():
            assert f"No module named '{name}'" in complaint


def test_a_task_gets_the_gpu_that_the_worker_has(
    cluster: Cluster, environment: Path, secret_file: Path
) -> None:
    found = _probe(cluster, environment, secret_file, ROOT / "conf" / "spark" / "gpu.conf")
    assert [one["gpus"] for one in found] == [{"gpu": ["5"]}] * len(found)


def test_who_has_another_secret_gets_nothing(
    stranger: tuple[subprocess.Popen[str], Path],
) -> None:
    process, warehouse = stranger
    said, _ = process.communicate(timeout=nights.LIMIT_S)
    assert process.returncode not in (0, 3), said
    assert "SparkContext" in said
    assert not list(warehouse.glob("commits/*"))


def test_a_killed_test_leaves_no_process_behind() -> None:
    starter = subprocess.Popen(
        [sys.executable, "-m", "tests.builders.cluster.standalone"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    _, folder = starter.stdout.readline().split()
    name = "-".join(Path(folder).name.split("-")[:2])
    assert len(marked(name)) == 3
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait(timeout=10)
    wait_until(lambda: not marked(name) and not Path(folder).exists(), "end of the cluster")


def _probe(
    cluster: Cluster, environment: Path, secret_file: Path, *more: Path
) -> list[dict[str, object]] | list[dict[str, str]] | object:
    """Return what tasks on the cluster see, from tests/cluster/probe.py."""
    properties = cluster.folder / "probe.conf"
    properties.touch(mode=0o600)
    texts = [(ROOT / "conf" / "spark" / "standalone.conf").read_text()]
    texts += [path.read_text() for path in more]
    settings = nights.SMALL | {"spark.authenticate.secret": secret_file.read_text().strip()}
    # Both executors get a task each.
    settings["spark.scheduler.minRegisteredResourcesRatio"] = "1.0"
    settings["spark.scheduler.maxRegisteredResourcesWaitingTime"] = "300s"
    if more:
        settings["spark.executor.resource.gpu.discoveryScript"] = "/nonexistent"
    texts += [f"{key} {value}" for key, value in settings.items()]
    properties.write_text("\n".join(texts))
    driver = Path(sys.executable)
    result = subprocess.run(
        [
            *(str(driver.with_name("spark-submit")), "--properties-file", str(properties)),
            *("--master", cluster.url, "--archives", f"{environment}#environment"),
            *("--conf", f"spark.pyspark.driver.python={driver}"),
            str(ROOT / "tests" / "cluster" / "probe.py"),
        ],
        env=cluster.driver_environment(),
        cwd=cluster.folder / "home",
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    return json.loads(ok(result).splitlines()[-1])
