"""Fixtures of the chaos tests, and the table of trials at the end."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders.bundles import brightness_bundle
from tests.builders.cluster import nights
from tests.builders.cluster.standalone import Cluster
from tests.chaos.scene import SEED, Scene, done
from tests.chaos.trial import JUDGED, Trial, measured


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The cluster, and one night on it that nobody disturbs."""
    if os.uname().sysname != "Linux":
        pytest.skip("processes are found and killed through /proc")
    folder = tmp_path_factory.mktemp("chaos")
    environment = nights.package()
    archive = nights.write_archive(folder / "archive")
    bundle = brightness_bundle(folder / "bundle").directory
    warehouse = folder / "undisturbed" / "warehouse"
    warehouse.parent.mkdir()
    with Cluster() as cluster:
        scene = Scene(cluster, environment, archive, bundle, [], {})
        night = scene.start(warehouse)
        steps = measured(night)
        assert night.wait() in JUDGED, night.said()
        names = {step.name for step in steps}
        assert names == {"start", "index", "survey", "extract", "reduce", "commit", "report", "end"}
        assert sum(step.name == "commit" for step in steps) >= 2
        yield replace(scene, steps=steps, expected=nights.verdicts(warehouse))


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> Iterator[Trial]:
    """A line of the table, and its seeded randomness in `rng`."""
    trial = Trial(f"{SEED}/{request.node.name.removeprefix('test_')}", "")
    done.append(trial)
    started_s = time.monotonic()
    yield trial
    trial.seconds = time.monotonic() - started_s


@pytest.fixture
def rng(trial: Trial) -> random.Random:
    return random.Random(trial.seed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in memory, 1 MiB, to be filled up."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "framejury-chaos", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no right to mount ({mounted.stderr.strip()}); as root, or in unshare -rm")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not done:
        return
    terminalreporter.section("trials")
    row = "{:<24} {:<26} {:<20} {:>8} {:>10} {:>7}  {}"
    terminalreporter.line(
        row.format("seed", "victim", "moment", "too late", "exits", "seconds", "result")
    )
    for one in done:
        exits = " ".join(map(str, one.runs))
        seconds = f"{one.seconds:.0f}"
        terminalreporter.line(
            row.format(one.seed, one.victim, one.moment, one.repeated, exits, seconds, one.result)
        )
