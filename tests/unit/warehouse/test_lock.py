"""One run at a time: who holds the lock, who is refused, who takes over."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from framejury.errors import LockError, WarehouseError
from framejury.storage import Location, locate
from framejury.warehouse.lock import LEASE_S, LockState, Owner, hold, read_lock

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
ELSEWHERE = Owner("another-machine", "its boot", 4711, 99, "nightly")


@pytest.fixture
def place(tmp_path: Path) -> Location:
    return locate(str(tmp_path / "warehouse"))


def write_state(place: Location, state: LockState) -> Path:
    path = Path(place.path) / "lock" / f"{state.number:08d}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(state)))
    return path


def elsewhere(number: int = 1, **changes: Any) -> LockState:
    state = LockState(number, ELSEWHERE, "nightly", "2026-11-20T01:00:00+00:00", lease_s=0.6)
    return replace(state, **changes)


def test_held_and_released(place: Location) -> None:
    assert read_lock(place) is None
    with hold(place, "nightly", NOW):
        state = read_lock(place)
        assert state is not None
        assert (state.number, state.job, state.is_held) == (1, "nightly", True)
        assert state.owner == Owner.this_process()
        assert state.owner.is_dead() is False
        assert state.taken_at == "2026-11-20T02:00:00+00:00"
    state = read_lock(place)
    assert state is not None
    assert (state.released, state.is_held) == (True, False)
    with hold(place, "extract", NOW):
        state = read_lock(place)
        assert state is not None
        assert (state.number, state.job) == (2, "extract")


def test_released_when_the_body_raises(place: Location) -> None:
    with pytest.raises(ZeroDivisionError), hold(place, "nightly", NOW):
        raise ZeroDivisionError
    state = read_lock(place)
    assert state is not None
    assert not state.is_held


def test_a_second_run_is_refused_at_once_and_told_who_holds_it(place: Location) -> None:
    with hold(place, "nightly", NOW):
        started_s = time.monotonic()
        with pytest.raises(LockError) as refused, hold(place, "extract", NOW):
            pass
        assert time.monotonic() - started_s < LEASE_S / 10
    text = str(refused.value)
    assert f"process {os.getpid()}" in text
    assert "framejury nightly" in text
    assert "since 2026-11-20T02:00:00+00:00" in text
    assert refused.value.exit_code == 1


def test_of_many_who_ask_together_one_gets_it(place: Location) -> None:
    together = threading.Barrier(12)
    got: list[int] = []
    refused: list[int] = []

    def ask(number: int) -> None:
        together.wait(20)
        try:
            with hold(place, "nightly", NOW):
                got.append(number)
                time.sleep(0.5)
        except LockError:
            refused.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert len(refused) == 11


def test_the_lock_of_a_killed_process_is_taken_over_at_once(place: Location) -> None:
    code = """
import sys, time
from datetime import UTC, datetime
from framejury.warehouse.lock import hold
from framejury.storage import locate
with hold(locate(sys.argv[1]), "nightly", datetime.now(UTC)):
    print("held", flush=True)
    time.sleep(600)
"""
    victim = subprocess.Popen(
        [sys.executable, "-c", code, place.uri], stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == "held\n"
    with pytest.raises(LockError), hold(place, "nightly", NOW):
        pass
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    said: list[str] = []
    started_s = time.monotonic()
    with hold(place, "nightly", NOW, say=said.append):
        state = read_lock(place)
        assert state is not None
        assert (state.number, state.owner.pid) == (2, os.getpid())
    assert time.monotonic() - started_s < LEASE_S / 10
    assert any("that process is gone" in line for line in said)


def test_a_number_that_another_process_now_has_is_a_dead_owner(place: Location) -> None:
    me = Owner.this_process()
    reused = replace(me, started=me.started - 1)
    assert reused.is_dead() is True
    write_state(place, elsewhere(owner=reused))
    with hold(place, "nightly", NOW):
        pass


def test_a_zombie_is_dead() -> None:
    context = multiprocessing.get_context("fork")
    child = context.Process(target=os._exit, args=(0,))
    child.start()
    assert child.pid is not None
    stat = Path(f"/proc/{child.pid}/stat")
    until_s = time.monotonic() + 10
    while ") Z" not in stat.read_text() and time.monotonic() < until_s:
        time.sleep(0.01)
    started = int(stat.read_text().rpartition(")")[2].split()[19])
    assert replace(Owner.this_process(), pid=child.pid, started=started).is_dead() is True
    child.join()


def test_a_process_that_proc_hides_is_watched_and_not_taken_for_dead(
    place: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under hidepid, or systemd's ProtectProc."""
    with subprocess.Popen(["sleep", "60"]) as other:
        owner = replace(Owner.this_process(), pid=other.pid)
        exists = Path.exists
        monkeypatch.setattr("framejury.warehouse.lock._started", lambda pid: None)
        monkeypatch.setattr(
            Path, "exists", lambda path: False if f"/{other.pid}/" in str(path) else exists(path)
        )
        assert owner.is_dead() is None
        other.kill()
        other.wait()
        assert owner.is_dead() is True


def test_an_owner_elsewhere_is_watched_and_taken_over_when_still(place: Location) -> None:
    write_state(place, elsewhere(number=5))
    said: list[str] = []
    started_s = time.monotonic()
    with hold(place, "nightly", NOW, say=said.append):
        assert time.monotonic() - started_s >= 0.6
        state = read_lock(place)
        assert state is not None
        assert state.number == 6
    assert "for its next beat" in said[0]
    assert "taking over" in said[1]


@pytest.mark.parametrize("hours", [-48, 48], ids=["its clock is behind", "its clock is ahead"])
def test_clocks_are_not_compared(place: Location, hours: int) -> None:
    """An owner that shows a beat lives, and one that shows none is dead, whatever it wrote."""
    taken_at = f"2026-11-{20 + hours // 24:02d}T02:00:00+00:00"
    state = elsewhere(taken_at=taken_at, lease_s=2.0)
    write_state(place, state)
    stop = threading.Event()

    def live() -> None:
        beat = 0
        while not stop.wait(0.3):
            beat += 1
            draft = write_state(replace_root(place), replace(state, beat=beat))
            draft.replace(Path(place.path) / "lock" / draft.name)

    def replace_root(where: Location) -> Location:
        return locate(where.uri + "-drafts")

    owner = threading.Thread(target=live)
    owner.start()
    try:
        with pytest.raises(LockError, match="another-machine"), hold(place, "nightly", NOW):
            pass
    finally:
        stop.set()
        owner.join()
    with hold(place, "nightly", NOW):
        pass


def test_a_lock_that_is_released_elsewhere_is_free(place: Location) -> None:
    write_state(place, elsewhere(released=True))
    started_s = time.monotonic()
    with hold(place, "nightly", NOW):
        assert time.monotonic() - started_s < 0.5


def test_the_owner_beats_and_notices_that_it_was_overtaken(place: Location) -> None:
    with hold(place, "nightly", NOW, lease_s=0.4) as lock:
        until_s = time.monotonic() + 30
        while (state := read_lock(place)) is None or state.beat < 2:
            assert time.monotonic() < until_s, "no beat"
            time.sleep(0.05)
        lock.check()
        write_state(place, elsewhere(number=2))
        with pytest.raises(LockError, match="took over this warehouse"):
            lock.check()
        Path(place.path, "lock", "00000002.json").unlink()


def test_a_beat_that_cannot_be_written_ends_the_run(
    place: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with hold(place, "nightly", NOW, lease_s=0.4) as lock:
        lock.check()
        monkeypatch.setattr("framejury.warehouse.lock.write_json", full)
        time.sleep(0.7)
        with pytest.raises(LockError, match="No space left"):
            lock.check()


def test_old_files_go_and_some_stay(place: Location) -> None:
    for _ in range(25):
        with hold(place, "nightly", NOW):
            pass
    names = sorted(path.name for path in Path(place.path, "lock").iterdir())
    assert names == [f"{number:08d}.json" for number in range(6, 26)]


def test_a_file_that_is_no_lock_is_told_of(place: Location) -> None:
    folder = Path(place.path, "lock")
    folder.mkdir(parents=True)
    (folder / "00000001.json").write_text("{")
    with pytest.raises(WarehouseError, match="remove that file"), hold(place, "nightly", NOW):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(WarehouseError, match="cannot lock"),
        hold(locate(str(tmp_path / "file" / "warehouse")), "nightly", NOW),
    ):
        pass
