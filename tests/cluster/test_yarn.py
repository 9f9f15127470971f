"""Nights on YARN over an archive on HDFS; containers have Java, Python and our archive."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pyspark
import pytest

from framejury.storage import locate
from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.cluster import nights
from tests.builders.cluster.yarn import Hadoop

pytestmark = pytest.mark.long

JUDGED_WITH_FAILURES = 3
SMALL = nights.SMALL | {
    "spark.executor.instances": "2",
    "spark.executor.memoryOverhead": "1536m",
    "spark.driver.memoryOverhead": "1g",
    # As on a cluster where Spark is installed; the upload of its jars is Spark's own affair.
    "spark.yarn.jars": f"local:{Path(pyspark.__file__).parent}/jars/*",
}
del SMALL["spark.driver.host"], SMALL["spark.driver.bindAddress"]


def submit(
    hadoop: Hadoop, environment: str, mode: str, arguments: list[str]
) -> subprocess.CompletedProcess[str]:
    """Run a job on YARN to its end."""
    settings = SMALL | {"spark.submit.deployMode": mode}
    if mode == "client":
        settings |= {"spark.eventLog.dir": f"file:{hadoop.folder}/events"}
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return subprocess.run(
        nights.command("yarn", arguments, settings, "--archive", environment),
        env=hadoop.driver_environment(),
        cwd=hadoop.folder / "home",
        text=True,
        capture_output=True,
        timeout=nights.LIMIT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def shipped(hadoop: Hadoop) -> tuple[Path, str]:
    """Return the environment archive with the report's packages: here, and its copy in HDFS."""
    path = nights.package("--with", "report")
    place = locate(f"{hadoop.hdfs}/{path.name}")
    sink = place.filesystem.open_output_stream(place.path, compression=None)  # it is .gz already
    with path.open("rb") as source, sink:
        while block := source.read(1 << 20):
            sink.write(block)
    return path, place.uri


@pytest.fixture(scope="module")
def expected(
    hadoop: Hadoop, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, dict[str, Any]]]:
    """Put the archive into HDFS; return the bundle, and the verdicts of this machine alone."""
    folder = tmp_path_factory.mktemp("here")
    archive = nights.write_archive(folder / "videos")
    hadoop.put(archive, f"{hadoop.hdfs}/videos")
    bundle = brightness_bundle(folder / "bundle").directory
    here = nights.submit_here(nights.night(archive, folder / "warehouse", bundle), folder / "log")
    assert here.returncode == JUDGED_WITH_FAILURES, nights.shown(here)
    return bundle, nights.verdicts(folder / "warehouse")


def test_nights_equal_that_of_one_machine(
    hadoop: Hadoop,
    shipped: tuple[Path, str],
    expected: tuple[Path, dict[str, dict[str, Any]]],
) -> None:
    """With the driver here, and the environment archive sent by Spark; then a second night."""
    bundle, verdicts = expected
    arguments = nights.night("hdfs:///videos", "hdfs:///client mode", bundle)
    first = submit(hadoop, str(shipped[0]), "client", arguments)
    assert first.returncode == JUDGED_WITH_FAILURES, nights.shown(first) + hadoop.logs()
    warehouse = f"{hadoop.hdfs}/client mode"
    assert nights.verdicts(warehouse) == verdicts
    second = submit(hadoop, shipped[1], "client", arguments)
    assert second.returncode in (0, JUDGED_WITH_FAILURES), nights.shown(second) + hadoop.logs()
    assert nights.verdicts(warehouse) == verdicts
    assert Warehouse.open(warehouse).commits()


def test_the_driver_runs_in_the_cluster(
    hadoop: Hadoop, shipped: tuple[Path, str], expected: tuple[Path, dict[str, dict[str, Any]]]
) -> None:
    bundle, verdicts = expected
    arguments = nights.night("hdfs:///videos", "hdfs:///cluster-mode", bundle)
    night = submit(hadoop, shipped[1], "cluster", arguments)
    # YARN knows success and failure only: any other exit code of the driver comes out as 1.
    assert night.returncode == 1, nights.shown(night) + hadoop.logs()
    warehouse = f"{hadoop.hdfs}/cluster-mode"
    assert nights.verdicts(warehouse) == verdicts
    place = Warehouse.open(warehouse)
    (commit,) = place.with_table("verdicts")
    report = place.location.child("reports", commit.run_id, "report.html")
    assert report.filesystem.get_file_info(report.path).is_file
    retry = ["retry", "--warehouse", "hdfs:///cluster-mode", "--bundle", str(bundle)]
    again = submit(hadoop, shipped[1], "cluster", [*retry, "--status", "unreadable"])
    assert again.returncode in (0, 1), nights.shown(again) + hadoop.logs()
    assert nights.verdicts(warehouse) == verdicts
