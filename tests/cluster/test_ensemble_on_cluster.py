"""Three detectors judge a night on a cluster that loses an executor."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from framejury.model.bundle import load_bundle
from framejury.model.ensemble import write_ensemble
from framejury.model.manifest import Bundle
from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.cluster import nights
from tests.builders.cluster.keeper import marked
from tests.builders.cluster.standalone import ROOT, Cluster, wait_until
from tests.builders.ensembles import mesonet_bundle, mesonet_is_there, red_bundle

pytestmark = pytest.mark.long

JUDGED_WITH_FAILURES = 3
_CHILD = "framejury.sandbox.child_main"


def members(folder: Path) -> list[Bundle]:
    """The shipped detector and both MesoNets; small networks where those are not."""
    if not mesonet_is_there():
        return [
            brightness_bundle(folder / "bright"),
            red_bundle(folder / "red"),
            brightness_bundle(folder / "dim", 1 / 400),
        ]
    shipped = load_bundle(ROOT / "models" / "detector")
    return [shipped, *(mesonet_bundle(folder / n, n) for n in ("Meso4_DF", "Meso4_F2F"))]


def test_a_night_of_three_detectors_survives_a_killed_executor(
    cluster: Cluster, environment: Path, secret_file: Path, tmp_path: Path
) -> None:
    archive = nights.write_archive(tmp_path / "videos")
    parts = members(tmp_path)
    bundle = write_ensemble(tmp_path / "ensemble", parts, (2, 1, 1)).directory
    here = nights.submit_here(nights.night(archive, tmp_path / "here", bundle), tmp_path / "events")
    assert here.returncode == JUDGED_WITH_FAILURES, nights.shown(here)
    options = ("--archive", str(environment), "--secret-file", str(secret_file))
    there = nights.night(archive, tmp_path / "there", bundle)
    log = tmp_path / "there.log"
    with log.open("w") as output:
        driver = subprocess.Popen(
            nights.on_cluster(cluster, there, *options),
            env=cluster.driver_environment(),
            cwd=cluster.folder / "home",
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(lambda: driver.poll() is not None or _children(cluster), "a video at work")
            assert driver.poll() is None, log.read_text()
            victim = cluster.executors()[0]
            os.kill(victim.pid, signal.SIGKILL)
            code = driver.wait(timeout=nights.LIMIT_S)
        finally:
            driver.kill()
    assert code == JUDGED_WITH_FAILURES, log.read_text()
    expected = nights.verdicts(tmp_path / "here")
    assert nights.verdicts(tmp_path / "there") == expected
    said = expected["first.mp4"]["members"]
    assert [one["model_id"] for one in said] == [part.model_id for part in parts]
    (commit,) = Warehouse.open(str(tmp_path / "there")).with_table("verdicts")
    assert commit.facts.counts is not None
    assert commit.facts.counts.scoring_s.keys() == {part.model_id for part in parts}


def _children(cluster: Cluster) -> list[int]:
    """Processes that decode videos on the workers; they do not have the cluster's mark."""
    found, workers = [], set(marked(cluster.name))
    for place in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if _CHILD in (place / "cmdline").read_text("utf-8", errors="replace").split("\0"):
                parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
                found += [int(place.name)] if int(parent) in workers else []
    return found
