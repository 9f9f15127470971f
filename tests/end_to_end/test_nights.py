"""A week of nightly runs: exit codes, a kill, a second run, what changed.

Runs that are killed or terminated are processes; the others share this process and its JVM.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from framejury.warehouse import Warehouse
from framejury.warehouse.lock import read_lock
from tests.builders import clips
from tests.builders.bundles import brightness_bundle
from tests.builders.programs import PROGRAMS, ROOT, here, lines_of_error, ok, shown
from tests.builders.webhooks import TOKEN, Hook, says, served

pytestmark = pytest.mark.long

QUICK = ["--set", "sampling.frames=3", "--set", "detection.detector=haar"]
BATCHES = ["--set", "run.commit_s=0.12"]


@dataclass
class Week:
    """An archive of small clips, its warehouse and a bundle."""

    archive: Path
    warehouse: Path
    bundle: Path

    def nightly(self, *args: str | Path) -> subprocess.CompletedProcess[str]:
        return here(*self.command(), *args)

    def command(self) -> list[str]:
        place = ["nightly", str(self.archive), "--warehouse", str(self.warehouse)]
        return [*place, "--bundle", str(self.bundle), *QUICK]

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """Return the latest verdicts by file name; check that each video has one."""
        warehouse = Warehouse.open(str(self.warehouse))
        videos = warehouse.read_snapshot("videos").to_pylist()
        rows = warehouse.read_latest("verdicts").to_pylist()
        assert sorted(row["video_id"] for row in rows) == sorted(v["video_id"] for v in videos)
        names = {video["video_id"]: video["path"] for video in videos}
        return {names.pop(row["video_id"]): {**row, "run_id": None} for row in rows}


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    root = tmp_path_factory.mktemp("a week")
    archive = root / "archive"
    archive.mkdir()
    face = clips.face_frames(4)
    for number in range(12):
        clips.write_clip(archive / f"v{number:02d}.mp4", face)
    bundle = brightness_bundle(root / "bundle").directory
    return Week(archive, root / "warehouse", bundle)


def metrics_of(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the JSON line, which is the only thing on stdout."""
    (line,) = result.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_dry_run_writes_nothing(week: Week) -> None:
    result = week.nightly("--dry-run")
    assert ok(result) == ""
    assert "12 of 12 videos to process" in result.stderr
    assert "12 new" in result.stderr
    assert "on one core" in result.stderr
    assert not week.warehouse.exists()


def test_killed_in_the_middle_and_run_again(week: Week, tmp_path: Path) -> None:
    """SIGKILL after some batches are committed; before it, another run is refused."""
    other = Week(week.archive, tmp_path / "undisturbed", week.bundle)
    ok(other.nightly())
    environment = os.environ | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    night = subprocess.Popen(
        [str(PROGRAMS / "framejury"), *week.command(), *BATCHES],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        commits = week.warehouse / "commits"
        until_s = time.monotonic() + 120
        while len(list(commits.glob("*.json"))) < 2 and time.monotonic() < until_s:
            assert night.poll() is None, "the night ended before it could be killed"
            time.sleep(0.1)
        refused = here("index", week.archive, "--warehouse", week.warehouse)
        assert refused.returncode == 1, shown(refused)
        (line,) = lines_of_error(refused)
        assert "is in use by framejury nightly" in line
        assert night.poll() is None, "the night ended before it could be killed"
    finally:
        os.killpg(night.pid, signal.SIGKILL)
        night.wait()
    committed = Warehouse.open(str(week.warehouse)).read_latest("verdicts").num_rows
    assert 0 < committed < 12
    result = week.nightly(*BATCHES)
    ok(result)
    assert "that process is gone" in result.stderr
    assert f"{12 - committed} of 12 videos to process" in result.stderr
    assert week.verdicts() == other.verdicts()
    warehouse = Warehouse.open(str(week.warehouse))
    written = sum(commit.tables.get("extractions", 0) for commit in warehouse.commits())
    assert written == 12  # nothing was opened twice
    assert warehouse.abandoned() == []
    lock = read_lock(warehouse.location)
    assert lock is not None
    assert lock.released


def test_a_terminated_night_lets_the_lock_go(week: Week) -> None:
    (week.archive / "late.mp4").write_bytes((week.archive / "v00.mp4").read_bytes())
    environment = os.environ | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    night = subprocess.Popen(
        [str(PROGRAMS / "framejury"), *week.command()],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert night.stderr is not None
    for line in night.stderr:
        if line.startswith("[index]"):
            night.terminate()
            break
    rest = night.stderr.read()
    assert night.wait(60) == 143, rest
    assert "terminated" in rest
    lock = read_lock(Warehouse.open(str(week.warehouse)).location)
    assert lock is not None
    assert lock.released
    assert Warehouse.open(str(week.warehouse)).abandoned() == []


def test_what_changed_and_what_is_gone(week: Week, tmp_path: Path) -> None:
    before = week.verdicts()
    gone = week.archive / "v03.mp4"
    gone.unlink()
    clips.write_without_moov(week.archive / "v05.mp4", clips.face_frames(4))
    prom = tmp_path / "framejury.prom"
    result = week.nightly("--metrics-file", prom)
    # One of the two that were opened is broken now.
    assert result.returncode == 3, shown(result)
    assert "50.0% of the videos opened failed" in result.stderr
    told = metrics_of(result)
    assert told["exit_code"] == 3
    assert told["counts"]["planned"] == {"changed": 1, "missing": 1, "new": 1}
    assert told["counts"]["statuses"] == {"missing": 1, "scored": 1, "unreadable": 1}
    assert told["counts"]["failures"] == {"unreadable": 1}
    assert "framejury_run_exit_code" in prom.read_text()
    after = week.verdicts()
    assert after["v03.mp4"]["status"] == "missing"
    assert after["v05.mp4"]["status"] == "unreadable"
    kept = before.keys() - {"v03.mp4", "v05.mp4"}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    # Failing again is no news.
    again = week.nightly()
    assert metrics_of(again)["counts"]["planned"] == {"retried": 1}
    assert again.returncode == 0, shown(again)


def test_a_log_and_a_list_of_runs(week: Week) -> None:
    warehouse = Warehouse.open(str(week.warehouse))
    last = warehouse.commits()[-1].run_id
    log = week.warehouse / "logs" / f"{last}.jsonl"
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"phase_started", "phase_ended", "committed", "run_ended"} <= {
        one["event"] for one in events
    }
    committed = next(one for one in events if one["event"] == "committed")
    assert (committed["run_id"], committed["job"]) == (last, "nightly")
    listed = json.loads(ok(here("runs", "--warehouse", week.warehouse, "--format", "json")))
    assert last in json.dumps(listed[-1])
    text = ok(here("runs", "show", last, "--warehouse", week.warehouse))
    assert "v05.mp4" in text
    assert "unreadable" in text


def test_retry_what_failed(week: Week) -> None:
    place = ["--warehouse", week.warehouse, "--bundle", week.bundle, *QUICK]
    nothing = here("retry", "--status", "timeout", *place)
    assert ok(nothing) == ""
    assert "nothing to retry: no video has the status timeout" in nothing.stderr
    shutil.copy(week.archive / "v00.mp4", week.archive / "v05.mp4")
    with served(Hook([says(500), says(200)])) as hook:
        result = here("retry", "--status", "unreadable", *place, "--notify", hook.url)
    ok(result)
    assert metrics_of(result)["counts"]["planned"] == {"selected": 1}
    assert len(hook.bodies) == 2
    posted = hook.bodies[1]
    assert "ended with exit code 0" in posted.pop("text") and posted == metrics_of(result)
    _kept_nowhere(week.warehouse, result)
    assert week.verdicts()["v05.mp4"]["status"] == "scored"


def test_an_archive_that_is_not_mounted_is_refused(week: Week) -> None:
    before = week.verdicts()
    hidden = week.archive.with_name("hidden")
    week.archive.rename(hidden)
    week.archive.mkdir()
    shutil.copy(hidden / "v00.mp4", week.archive / "v00.mp4")
    try:
        with served(Hook([says(200)])) as hook:
            result = week.nightly("--notify", hook.url)
        assert result.returncode == 2, shown(result)
        (line,) = lines_of_error(result)
        assert "11 of 12 known videos are gone" in line
        (posted,) = hook.bodies
        assert posted["exit_code"] == 2 and "11 of 12 known videos are gone" in posted["error"]
        _kept_nowhere(week.warehouse, result)
        assert "mounted" in line
    finally:
        shutil.rmtree(week.archive)
        hidden.rename(week.archive)
    assert week.verdicts() == before


def _kept_nowhere(warehouse: Path, result: subprocess.CompletedProcess[str]) -> None:
    """Check that the address of the webhook is in no output and in no file."""
    assert TOKEN not in result.stdout + result.stderr
    files = [path for path in warehouse.rglob("*") if path.is_file()]
    assert files and not [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_another_model_judges_again_when_asked(week: Week) -> None:
    other = brightness_bundle(week.bundle.with_name("other bundle"), 0.5 / 255).directory
    args = ["nightly", week.archive, "--warehouse", week.warehouse, *QUICK, "--model", other]
    plain = here(*args, "--dry-run")
    assert "rescored" not in plain.stderr, shown(plain)
    asked = here(*args, "--rescore")
    ok(asked)
    models = {row["model_id"] for row in week.verdicts().values() if row["status"] == "scored"}
    assert len(models) == 1
    again = here(*args, "--rescore", "--dry-run")
    assert "0 of 13 videos" in again.stderr, shown(again)


def test_what_was_forgotten_is_judged_no_more(week: Week) -> None:
    ok(here("forget", "v00.mp4", "--warehouse", week.warehouse))
    os.utime(week.archive / "v00.mp4", (1, 1))  # a changed file would be judged again
    planned = week.nightly("--dry-run")
    assert "0 of 13 videos" in planned.stderr, shown(planned)
    ok(here("forget", "v00.mp4", "--undo", "--warehouse", week.warehouse))
    planned = week.nightly("--dry-run")
    assert "1 of 13 videos" in planned.stderr, shown(planned)
