"""One clock for a nightly run: phases without gaps, from the start of the process to the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from framejury.clock import STARTED_VARIABLE, now
from framejury.night.phases import BETWEEN, JUDGING, START, Phases, besides_judging_s
from framejury.runs.details import timed
from framejury.runs.history import past_runs
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts, CountFacts

NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)


def test_phases_add_up_to_the_time_that_passed() -> None:
    began_s = time.monotonic()
    phases = Phases()
    time.sleep(0.02)
    with phases.phase("index"):
        time.sleep(0.03)
    time.sleep(0.02)
    with phases.phase(JUDGING):
        time.sleep(0.01)
    with phases.phase("index"):
        time.sleep(0.03)
        seconds = phases.stop()
    took_s = time.monotonic() - began_s
    assert list(seconds) == [START, "index", BETWEEN, JUDGING]
    assert seconds["index"] >= 0.06 and seconds[START] >= 0.02 and seconds[BETWEEN] >= 0.02
    assert sum(seconds.values()) == pytest.approx(took_s, abs=0.01)
    assert phases.ended_at - phases.started_at == timedelta(seconds=sum(seconds.values()))


def test_nothing_counts_after_the_end() -> None:
    phases = Phases()
    with phases.phase("report"):
        seconds = phases.stop()
        time.sleep(0.01)
    with phases.phase("late"):
        time.sleep(0.01)
    assert phases.seconds == seconds and "late" not in seconds


def test_a_phase_that_fails_has_its_time() -> None:
    phases = Phases()
    with pytest.raises(ValueError, match="broken"), phases.phase("index"):
        time.sleep(0.01)
        raise ValueError("broken")
    assert phases.seconds["index"] >= 0.01


PRINT = "import time; time.sleep(0.4); from framejury.night.phases import Phases; \
p = Phases.of_process(); print(p.started_at.timestamp(), p.stop()['start'])"


def test_a_run_starts_with_its_process() -> None:
    before = time.time()
    environment = {k: v for k, v in os.environ.items() if k != STARTED_VARIABLE}
    run = subprocess.run(
        [sys.executable, "-c", PRINT], capture_output=True, text=True, check=True, env=environment
    )
    started, spent_s = map(float, run.stdout.split())
    # The kernel counts in hundredths of a second.
    assert before - 0.05 <= started <= time.time() - 0.4
    assert 0.4 <= spent_s <= time.time() - before + 0.05


def test_the_script_that_submits_starts_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STARTED_VARIABLE, str(now().timestamp() - 30))
    assert 30 <= Phases.of_process().stop()[START] < 32
    monkeypatch.setenv(STARTED_VARIABLE, "")
    assert Phases.of_process().started_at <= now()


def night(warehouse: Warehouse, at: datetime, metrics: dict[str, object] | None) -> str:
    with warehouse.running("nightly", at) as run:
        facts = CommitFacts(counts=CountFacts(statuses={"scored": 3}))
        warehouse.commit(run, at + timedelta(seconds=22), facts=facts)
    if metrics is not None:
        warehouse.write_report(run.run_id, {"metrics.json": json.dumps(metrics).encode()})
    return run.run_id


def metrics_of(start: datetime, besides_s: float, judging_s: float) -> dict[str, object]:
    end = start + timedelta(seconds=besides_s + judging_s)
    return {
        "started_at": start.isoformat(),
        "ended_at": end.isoformat(),
        "wall_s": besides_s + judging_s,
        "phase_s": {START: besides_s, JUDGING: judging_s},
    }


def test_a_run_took_what_its_phases_say(tmp_path: Path) -> None:
    """Once it was 22 s in `runs`, 47 in the report and 81 for the shell."""
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    started = NOW - timedelta(seconds=40)
    night(warehouse, NOW, metrics_of(started, 61.0, 20.0))
    (run,) = past_runs(warehouse)
    assert run.wall_s == 22
    run = timed(run, warehouse)
    assert (run.started_at, run.wall_s) == (started, 81)
    assert run.to_plain()["wall_s"] == 81


def test_a_run_without_a_report_ends_with_its_commit(tmp_path: Path) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    night(warehouse, NOW, None)
    (run,) = past_runs(warehouse)
    assert timed(run, warehouse) == run and run.wall_s == 22


def test_the_estimate_besides_judging_is_that_of_earlier_nights(tmp_path: Path) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    usual_s = besides_judging_s(warehouse)
    assert usual_s > 0
    for day, besides_s in enumerate((10.0, 30.0, 500.0)):
        at = NOW + timedelta(days=day)
        night(warehouse, at, metrics_of(at, besides_s, 1000.0))
    night(warehouse, NOW + timedelta(days=5), None)
    assert besides_judging_s(warehouse) == 30.0
