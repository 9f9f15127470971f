"""Nights whose executor, worker or driver is killed with SIGKILL at a seeded moment."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.builders.cluster import nights
from tests.builders.cluster.standalone import wait_until
from tests.chaos.scene import REDUCED, TRIALS, Scene, done
from tests.chaos.trial import (
    JUDGED,
    Trial,
    judged_twice,
    moments,
    settle,
    strike,
    whole_commits,
)

pytestmark = pytest.mark.long

# The reduced run takes the first ones only.
VICTIMS = ("driver", "executor", "worker")
MOST_RUNS = 3
MOST_REPEATS = 5
# One trial of the reduced run is a child that hangs.
KILLS = TRIALS - 1 if REDUCED else TRIALS


@pytest.mark.parametrize("number", range(KILLS))
def test_kill(number: int, scene: Scene, trial: Trial, rng: random.Random, tmp_path: Path) -> None:
    victim = VICTIMS[number % len(VICTIMS)]
    trial.victim = victim
    for attempt in range(MOST_REPEATS):
        warehouse = tmp_path / f"attempt{attempt}" / "warehouse"
        warehouse.parent.mkdir()
        if _disturb(scene, victim, warehouse, trial, rng):
            break
        trial.repeated += 1
    else:
        pytest.fail(f"the {victim} was gone before the moment came, {MOST_REPEATS} times")
    commits = whole_commits(warehouse)
    while trial.runs[-1] not in JUDGED and len(trial.runs) < MOST_RUNS:
        again = scene.start(warehouse)
        trial.runs.append(again.wait())
        # What was committed before the kill is still there.
        assert whole_commits(warehouse) >= commits, again.said()
    assert trial.runs[-1] in JUDGED, again.said()
    if victim != "driver":
        # A lost machine delays a night; nobody has to start it again.
        assert len(trial.runs) == 1
    assert nights.verdicts(warehouse) == scene.expected
    assert judged_twice(warehouse) == set()
    trial.result = "equal"


def test_the_kills_fell_on_different_phases() -> None:
    kills = [one for one in done if one.result == "equal" and one.victim.startswith(VICTIMS)]
    assert len(kills) == KILLS
    assert {one.victim.split()[0] for one in kills} == set(VICTIMS[:KILLS])
    phases = {one.moment.split()[0] for one in kills}
    assert len(phases) >= (2 if REDUCED else 4), phases


def _disturb(scene: Scene, victim: str, warehouse: Path, trial: Trial, rng: random.Random) -> bool:
    """A night with a kill in it, to its end; False when the victim was gone already."""
    step, after_s = moments(rng, scene.steps)
    comes_back_s = rng.uniform(0, 10)
    night = scene.start(warehouse)
    try:
        if not night.wait_for_step(step):
            return False
        time.sleep(after_s)
        if night.has_ended():
            return False
        begun = night.phases()
        struck = strike(rng, victim, scene.cluster, night)
        if struck is None:
            return False
        trial.victim = struck
        late_s = after_s if len(begun) == step.number + 1 else 0.0
        trial.moment = f"{begun[-1]} {len(begun)}/{len(scene.steps)} +{late_s:.1f} s"
        if victim == "worker":
            time.sleep(comes_back_s)
            settle(scene.cluster)
        trial.runs.append(night.wait())
        return True
    finally:
        if not night.has_ended():
            night.process.kill()
        night.wait()
        settle(scene.cluster)
        wait_until(lambda: not scene.cluster.executors(), "end of the executors")
