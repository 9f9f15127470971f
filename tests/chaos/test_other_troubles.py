"""Nights on full disks, with a child that hangs, and with clocks that disagree."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from framejury.warehouse import Warehouse
from tests.builders import clips
from tests.builders.cluster import nights
from tests.builders.cluster.standalone import Cluster
from tests.chaos.scene import REDUCED, Scene, resize
from tests.chaos.trial import JUDGED, Night, Trial, judged_twice, moments, settle, whole_commits

pytestmark = pytest.mark.long

full_run_only = pytest.mark.skipif(REDUCED, reason="left out of the reduced run")


@full_run_only
@pytest.mark.parametrize("number", range(2))
def test_the_warehouse_fills_up(
    number: int, scene: Scene, trial: Trial, rng: random.Random, small_disk: Path
) -> None:
    trial.victim = "disk of the warehouse"
    resize(small_disk, 64)
    for attempt in range(5):
        warehouse = small_disk / f"warehouse{attempt}"
        step, after_s = moments(rng, scene.steps)
        night = scene.start(warehouse, logs=small_disk.parent)
        in_time = night.wait_for_step(step)
        time.sleep(after_s)
        in_time = in_time and not night.has_ended()
        trial.moment = f"{night.phases()[-1]} {len(night.phases())}/{len(scene.steps)}"
        if in_time:
            _fill(small_disk)
        trial.runs.append(night.wait())
        if in_time:
            break
        trial.repeated += 1
        trial.runs.clear()
    assert in_time
    commits = whole_commits(warehouse)
    if trial.runs[-1] not in JUDGED:
        assert "No space left on device" in night.said(), night.said()
    (small_disk / "filler").unlink()
    again = scene.start(warehouse, logs=small_disk.parent)
    trial.runs.append(again.wait())
    assert trial.runs[-1] in JUDGED, again.said()
    assert whole_commits(warehouse) >= commits
    assert nights.verdicts(warehouse) == scene.expected
    assert judged_twice(warehouse) == set()
    trial.result = "equal"


@full_run_only
def test_the_scratch_of_a_worker_fills_up(
    scene: Scene, trial: Trial, rng: random.Random, small_disk: Path, tmp_path: Path
) -> None:
    trial.victim = "scratch of worker 0"
    resize(small_disk, 600)
    cluster = scene.cluster
    cluster.scratch = [small_disk / "scratch", cluster.folder / "worker1" / "tmp"]
    try:
        cluster.kill_worker(0)
        settle(cluster)
        warehouse = tmp_path / "warehouse"
        # From the survey on there is something to spill.
        step, after_s = moments(rng, [s for s in scene.steps if s.name in ("survey", "extract")])
        night = scene.start(warehouse)
        assert night.wait_for_step(step), night.said()
        time.sleep(after_s)
        trial.moment = f"{night.phases()[-1]} {len(night.phases())}/{len(scene.steps)}"
        _fill(small_disk)
        trial.runs.append(night.wait())
        # The other worker does it all: no run has to be started again.
        assert trial.runs[-1] in JUDGED, night.said()
        assert _complaints_of(cluster, 0), "nobody wrote to the full disk"
        assert nights.verdicts(warehouse) == scene.expected
        trial.result = "equal"
    finally:
        (small_disk / "filler").unlink(missing_ok=True)
        cluster.scratch = None
        cluster.kill_worker(0)
        settle(cluster)


@pytest.mark.parametrize("number", range(1 if REDUCED else 2))
def test_a_child_hangs(
    number: int, scene: Scene, trial: Trial, rng: random.Random, tmp_path: Path
) -> None:
    """A decoder stands still: `timeout` for its video, and the next night tries it again."""
    trial.victim = "child, stopped"
    for attempt in range(3):
        warehouse = tmp_path / f"attempt{attempt}" / "warehouse"
        warehouse.parent.mkdir()
        night = scene.start(warehouse, more=("limits.timeout_s=15",))
        stopped = _stop_a_child(night, rng, trial)
        trial.runs.append(night.wait())
        assert trial.runs[-1] in JUDGED, night.said()
        found = nights.verdicts(warehouse)
        late = {path for path, row in found.items() if row["status"] == "timeout"}
        if stopped is not None and late:
            break
        trial.repeated += 1  # it had nothing more to do
        trial.runs.clear()
    # One child, one video; the others as if nothing had been.
    assert len(late) == 1
    trial.moment += f" {late}"
    assert {path: row for path, row in found.items() if path not in late} == {
        path: row for path, row in scene.expected.items() if path not in late
    }
    assert not Path(f"/proc/{stopped}").exists()
    again = scene.start(warehouse)
    trial.runs.append(again.wait())
    assert trial.runs[-1] in JUDGED, again.said()
    assert nights.verdicts(warehouse) == scene.expected
    assert judged_twice(warehouse) == set()
    trial.result = "equal"


def _stop_a_child(night: Night, rng: random.Random, trial: Trial) -> int | None:
    """SIGSTOP one of the decoders at work; None when none was left."""
    after_s = rng.uniform(0, 1)
    while not night.has_ended():
        # From here on they have loaded what they need: what stands still is a request.
        if "extract" in night.phases() and (children := sorted(night.children())):
            time.sleep(after_s)
            chosen = rng.choice(children)
            with suppress(ProcessLookupError):
                os.kill(chosen, signal.SIGSTOP)
                trial.moment = f"{night.phases()[-1]} +{after_s:.1f} s"
                return chosen
        time.sleep(0.05)
    return None


@full_run_only
def test_the_clock_goes_back_between_two_nights(scene: Scene, trial: Trial, tmp_path: Path) -> None:
    """A night in the future, then one in the past on a changed archive: the second one counts."""
    trial.victim = "clock"
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is not installed (Debian: apt-get install libfaketime)")
    archive = tmp_path / "archive"
    shutil.copytree(scene.archive, archive)
    (archive / "nobody.mp4").unlink()
    shutil.copy(archive / "first.mp4", archive / "second.mp4")
    warehouse = tmp_path / "warehouse"
    for offset in ("+2d", "-3d"):
        trial.moment += f" {offset}"
        python = tmp_path / f"python{offset}"
        python.write_text(
            "#!/bin/sh\n"
            f"export LD_PRELOAD={library} FAKETIME={offset} FAKETIME_DONT_FAKE_MONOTONIC=1\n"
            f'exec {nights.ROOT}/.venv/bin/python "$@"\n'
        )
        python.chmod(0o755)
        words = scene.arguments(warehouse, archive=archive)
        words[1:1] = ["--spark", f"spark.pyspark.driver.python={python}"]
        night = Night(scene.cluster, words, tmp_path / f"night{offset}.log")
        trial.runs.append(night.wait())
        assert trial.runs[-1] in JUDGED, night.said()
        # What changes before the second night.
        clips.write_clip(archive / "nobody.mp4", clips.plain_frames(30))
        shutil.copy(scene.archive / "second.mp4", archive / "second.mp4")
    commits = Warehouse.open(str(warehouse)).commits()
    assert commits[0].created_at > commits[-1].created_at  # the clock did go back
    assert nights.verdicts(warehouse) == scene.expected
    trial.result = "equal"


def _complaints_of(cluster: Cluster, worker: int) -> int:
    """How often executors of a worker found no space."""
    logs = cluster.folder.glob(f"worker{worker}/work/*/*/stderr")
    words = "No space left on device"
    return sum(log.read_text(encoding="utf-8", errors="replace").count(words) for log in logs)


def _fill(disk: Path) -> None:
    """Take every byte that is left."""
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(1 << 16)):
            pass
