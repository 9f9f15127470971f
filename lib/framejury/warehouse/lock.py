"""One run at a time in a warehouse: a lock with an owner and a lease. No Spark.

```
lock/00000007.json     the owner: job, host, process, since when, a beat that counts up
```

To take the lock, a process creates the next file, which only one of several can do
(`storage.create_json`). The owner rewrites its file with a higher beat, and with `released` when it
ends. A process takes over the lock of a dead owner by creating the next file.

An owner is dead if its process is gone from this machine, or, on another machine, if its beat does
not change for a whole lease while we watch. Clocks are never compared: those of two machines
differ. An owner that was suspended finds out at its next `check`; if it commits before, the number
of its commit is taken (`Warehouse.commit`). So the lock saves work, and the commit keeps order.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyarrow import fs

from framejury.errors import LockError, WarehouseError
from framejury.storage import Location, create_json, read_json, write_json

LEASE_S = 60.0
"""Time without a beat after which an owner on another machine counts as dead, seconds."""

_BEATS_A_LEASE = 4
_KEPT = 20
"""Old files to keep, so that a suspended process cannot create one of their names again."""


@dataclass(frozen=True)
class Owner:
    """A process that may hold the lock.

    Attributes:
        host: name of the machine.
        boot_id: identifies one boot of the machine and one container on it.
        pid: number of the process.
        started: when the process started, in the kernel's ticks; process numbers are reused.
        user: the user who started it.
    """

    host: str
    boot_id: str
    pid: int
    started: int
    user: str

    @classmethod
    def this_process(cls) -> Owner:
        """Return the owner that is this process."""
        pid = os.getpid()
        return cls(socket.gethostname(), _boot_id(), pid, _started(pid) or 0, _user())

    def is_dead(self) -> bool | None:
        """Return whether the process is gone; None if unknown, as on another machine."""
        if (self.host, self.boot_id) != (socket.gethostname(), _boot_id()):
            return None
        started = _started(self.pid)
        if started is None and _is_hidden(self.pid):
            return None  # /proc may hide processes of other users
        return started != self.started


@dataclass(frozen=True)
class LockState:
    """Content of the newest lock file.

    Attributes:
        number: number of the file.
        owner: the process that wrote it.
        job: the job, such as `nightly`.
        taken_at: when the lock was taken by the owner's clock, ISO 8601, UTC; for display.
        beat: counts up while the owner lives.
        released: whether the owner has finished.
        lease_s: how long the beat may stay the same, seconds.
        token: random, so that two states never compare equal by chance.
    """

    number: int
    owner: Owner
    job: str
    taken_at: str
    beat: int = 0
    released: bool = False
    lease_s: float = LEASE_S
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def is_held(self) -> bool:
        """False if the lock was released or its owner is known to be dead."""
        return not self.released and self.owner.is_dead() is not True

    def described(self) -> str:
        """Return the owner in words."""
        owner = self.owner
        return (
            f"framejury {self.job} of {owner.user} on {owner.host} (process {owner.pid}), "
            f"since {self.taken_at}"
        )


def read_lock(warehouse: Location) -> LockState | None:
    """Read the newest state of a warehouse's lock; None if there never was one.

    Raises:
        WarehouseError: it cannot be read.
    """
    folder = warehouse.child("lock")
    numbers = _numbers(folder)
    while numbers:
        try:
            return _state_of(read_json(_place(folder, numbers[-1])))
        except FileNotFoundError:
            numbers.pop()  # removed by a later owner
        except (OSError, ValueError, TypeError, KeyError) as error:
            # On HDFS a file is empty for a moment while it is rewritten.
            time.sleep(0.2)
            with suppress(OSError, ValueError, TypeError, KeyError):
                return _state_of(read_json(_place(folder, numbers[-1])))
            raise WarehouseError(
                f"cannot read {_place(folder, numbers[-1]).uri}: {error}; if no framejury job "
                "is running on this warehouse, remove that file"
            ) from error
    return None


class Lock:
    """The lock of a warehouse, held by this process; made by `hold`."""

    def __init__(self, folder: Location, state: LockState) -> None:
        self._folder = folder
        self._state = state
        self._stop = threading.Event()
        self._written_s = time.monotonic()
        self._fault: str | None = None
        self._beating = threading.Thread(target=self._beat, name="framejury-lock", daemon=True)

    def check(self) -> None:
        """Check that this process still holds the lock.

        Raises:
            LockError: another run took it, or the beat could not be written for a whole lease.
        """
        newest = (_numbers(self._folder) or [self._state.number])[-1]
        if newest > self._state.number:
            raise LockError(
                f"another run took over this warehouse because this run's lock was not renewed "
                f"for {self._state.lease_s:g} seconds; nothing more is committed, run it again"
            )
        if time.monotonic() - self._written_s > self._state.lease_s and self._fault is not None:
            raise LockError(f"the lock could not be renewed: {self._fault}")

    def _beat(self) -> None:
        while not self._stop.wait(self._state.lease_s / _BEATS_A_LEASE):
            self._write(replace(self._state, beat=self._state.beat + 1))

    def _write(self, state: LockState) -> None:
        try:
            write_json(_place(self._folder, state.number), asdict(state))
        except OSError as error:
            self._fault = str(error)  # reported by `check`; the next beat tries again
        else:
            self._state = state
            self._written_s, self._fault = time.monotonic(), None

    def _release(self) -> None:
        self._stop.set()
        self._beating.join()
        self._write(replace(self._state, released=True))
        for number in _numbers(self._folder):
            if number <= self._state.number - _KEPT:
                with suppress(OSError):
                    _remove(_place(self._folder, number))


@contextmanager
def hold(
    warehouse: Location,
    job: str,
    now: datetime,
    lease_s: float = LEASE_S,
    say: Callable[[str], None] = lambda message: None,
) -> Iterator[Lock]:
    """Hold the lock of a warehouse while the body runs.

    Args:
        warehouse: its root; made if it is not there.
        job: the job that takes the lock, such as `nightly`.
        now: time of taking it, for display.
        lease_s: how long others wait for a beat before they take over, seconds.
        say: reports that another owner's lock is being watched, which takes up to its lease.

    Raises:
        LockError: another run holds it.
        WarehouseError: it cannot be read or written.
    """
    folder = warehouse.child("lock")
    try:
        folder.filesystem.create_dir(folder.path, recursive=True)
        lock = Lock(folder, _take(warehouse, job, now, lease_s, say))
    except OSError as error:
        raise WarehouseError(f"cannot lock {warehouse.uri}: {error}") from error
    lock._beating.start()
    try:
        yield lock
    finally:
        lock._release()


def _take(
    warehouse: Location,
    job: str,
    now: datetime,
    lease_s: float,
    say: Callable[[str], None],
) -> LockState:
    folder = warehouse.child("lock")
    before = read_lock(warehouse)
    if before is not None and not before.released and _is_alive(warehouse, before, say):
        raise _refusal(warehouse, before)
    state = LockState(
        number=before.number + 1 if before is not None else 1,
        owner=Owner.this_process(),
        job=job,
        taken_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        lease_s=lease_s,
    )
    with suppress(FileExistsError):
        create_json(_place(folder, state.number), asdict(state))
        if _numbers(folder)[-1] == state.number:
            return state
    winner = read_lock(warehouse)
    raise _refusal(warehouse, winner if winner is not None else state)


def _is_alive(warehouse: Location, held: LockState, say: Callable[[str], None]) -> bool:
    """Return whether the owner lives; on another machine, watch its beat for a lease."""
    dead = held.owner.is_dead()
    if dead is not None:
        if dead:
            say(f"  note: taking over the lock of {held.described()}: that process is gone")
        return not dead
    say(f"  {held.described()}, holds the lock; waiting {held.lease_s:g} s for its next beat")
    until_s = time.monotonic() + held.lease_s
    while time.monotonic() < until_s:
        time.sleep(held.lease_s / (4 * _BEATS_A_LEASE))
        if read_lock(warehouse) != held:
            return True
    say("  note: taking over the lock: it was not renewed")
    return False


def _refusal(warehouse: Location, held: LockState) -> LockError:
    return LockError(
        f"{warehouse.uri} is in use by {held.described()}; wait until it ends or stop it, "
        "then run this again"
    )


def _place(folder: Location, number: int) -> Location:
    return folder.child(f"{number:08d}.json")


def _numbers(folder: Location) -> list[int]:
    infos = folder.filesystem.get_file_info(fs.FileSelector(folder.path, allow_not_found=True))
    stems = (info.base_name.partition(".") for info in infos if info.extension == "json")
    return sorted(int(stem) for stem, _, rest in stems if stem.isdigit() and rest == "json")


def _remove(place: Location) -> None:
    if place.filesystem.get_file_info(place.path).type == fs.FileType.Directory:
        place.filesystem.delete_dir(place.path)
    else:
        place.filesystem.delete_file(place.path)


def _state_of(content: dict[str, Any]) -> LockState:
    return LockState(**{**content, "owner": Owner(**content["owner"])})


def _boot_id() -> str:
    """Return an id of this boot and process namespace (a container has its own)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"unknown-{secrets.token_hex(8)}"  # equals no other, so the beat is watched


def _started(pid: int) -> int | None:
    """Return when a process started, in ticks since boot; None if there is none or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _is_hidden(pid: int) -> bool:
    """Return whether the process exists but /proc does not show it."""
    if Path(f"/proc/{pid}/stat").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's number without a name
        return f"user {os.getuid()}"
