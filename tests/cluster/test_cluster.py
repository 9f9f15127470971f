"""Jobs on a real standalone cluster whose executors have nothing but Java and plain Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.cluster import nights
from tests.builders.cluster.keeper import marked
from tests.builders.cluster.nights import ok
from tests.builders.cluster.standalone import ROOT, SECRET, Cluster, wait_until

JUDGED_WITH_FAILURES = 3


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


def test_a_night_equals_that_of_one_machine(
    cluster: Cluster, environment: Path, secret_file: Path, tmp_path: Path
) -> None:
    archive = nights.write_archive(tmp_path / "videos with spaces")
    bundle = brightness_bundle(tmp_path / "bundle").directory
    here = nights.submit_here(nights.night(archive, tmp_path / "here", bundle), tmp_path / "events")
    assert here.returncode == JUDGED_WITH_FAILURES, nights.shown(here)
    words = _words_of_processes(cluster)
    there = nights.submit(
        cluster,
        nights.night(archive, tmp_path / "there", bundle),
        *("--archive", str(environment), "--secret-file", str(secret_file)),
        *("--spark", "spark.eventLog.compress=false"),
    )
    seen = words()
    assert there.returncode == JUDGED_WITH_FAILURES, nights.shown(there)
    expected = nights.verdicts(tmp_path / "here")
    assert nights.verdicts(tmp_path / "there") == expected
    assert {row["status"] for row in expected.values()} == {
        *("scored", "no_face", "unreadable", "empty", "not_video")
    }
    # It ran on both workers, in pieces, and nobody could read the secret.
    (commit,) = Warehouse.open(str(tmp_path / "there")).with_table("verdicts")
    assert commit.facts.counted("statuses")["scored"] == 5
    folders = {path.parent.parent.parent.name for path in cluster.folder.glob("worker*/work/*/*")}
    assert folders == {"worker0", "worker1"}
    assert SECRET not in seen
    assert str(ROOT / "jobs" / "nightly.py") in seen  # so the words of the driver were read
    assert SECRET not in there.stdout + there.stderr
    logs = (path for path in (cluster.folder / "events").iterdir() if path.suffix != ".zstd")
    events = "".join(path.read_text() for path in logs)
    assert "spark.authenticate.secret" in events
    assert SECRET not in events


@pytest.fixture(scope="module", autouse=True)
def stranger(
    cluster: Cluster, environment: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A driver with another secret. It knocks for a minute, while the other tests run."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "archive").mkdir()
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


def test_who_has_another_secret_gets_nothing(
    stranger: tuple[subprocess.Popen[str], Path],
) -> None:
    process, warehouse = stranger
    said, _ = process.communicate(timeout=nights.LIMIT_S)
    assert process.returncode not in (0, JUDGED_WITH_FAILURES), said
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
    """What tasks on the cluster see, from tests/cluster/probe.py."""
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


def _words_of_processes(cluster: Cluster) -> object:
    """Collects the command lines of the cluster's processes until it is called."""
    seen: set[str] = set()
    stop = threading.Event()

    def collect() -> None:
        while not stop.wait(0.2):
            for pid in marked(cluster.name):
                try:
                    line = Path(f"/proc/{pid}/cmdline").read_text("utf-8", errors="replace")
                except OSError:
                    continue
                seen.update(line.split("\0"))

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()

    def words() -> str:
        stop.set()
        thread.join()
        return "\n".join(sorted(seen))

    return words


@pytest.fixture(autouse=True)
def _nobody_is_left_on_the_workers(request: pytest.FixtureRequest) -> None:
    """Executors of one test end before the next begins: each worker has one core."""
    if "cluster" in request.fixturenames:
        cluster: Cluster = request.getfixturevalue("cluster")
        deadline_s = time.monotonic() + 30
        while cluster.executors() and time.monotonic() < deadline_s:
            time.sleep(0.2)
