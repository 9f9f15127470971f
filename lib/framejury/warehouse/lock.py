"""One run at a time in a warehouse: a lock with an owner and a lease. No Spark.

```
lock/00000007.json     who holds it: job, host, process, since when, a beat that counts up
```

Taking the lock is creating the next file, which only one of several can
(`storage.create_json`). The owner writes its own file again and again with a higher beat; when
it ends, with `released`. A lock whose owner is dead is taken over by creating the file after it.

Dead is an owner whose process is gone from this machine, or, on another machine, whose beat
stands still for a whole lease while we watch. Clocks are never compared: those of two machines
differ. An owner that only slept finds out at its next `check`; and were it to commit in between,
the commit's number would be taken (`Warehouse.commit`), so the lock saves work and the commit
keeps order.
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
"""Seconds after which an owner on another machine that shows no beat is taken for dead."""

_BEATS_A_LEASE = 4
_KEPT = 20
"""Old files that stay, so that a writer who slept cannot create one of their names again."""


@dataclass(frozen=True)
class Owner:
    """A process that may hold the lock.

    Attributes:
        host: name of its machine.
        boot_id: tells one start of that machine, and one container on it, from another.
        pid: its number there.
        started: when the process started, in the kernel's ticks; numbers are used again.
        user: who started it.
    """

    host: str
    boot_id: str
    pid: int
    started: int
    user: str

    @classmethod
    def this_process(cls) -> Owner:
        """Who we are."""
        pid = os.getpid()
        return cls(socket.gethostname(), _boot_id(), pid, _started(pid) or 0, _user())

    def is_dead(self) -> bool | None:
        """Whether the process is gone; None when that cannot be told, as from another machine."""
        if (self.host, self.boot_id) != (socket.gethostname(), _boot_id()):
            return None
        started = _started(self.pid)
        if started is None and _is_hidden(self.pid):
            return None  # /proc may be mounted so that others' processes are not seen
        return started != self.started


@dataclass(frozen=True)
class LockState:
    """What the newest file of the lock says.

    Attributes:
        number: of the file.
        owner: who wrote it.
        job: which job, such as `nightly`.
        taken_at: ISO 8601, UTC, by the owner's clock; for people.
        beat: counts up while the owner lives.
        released: whether the owner is done.
        lease_s: how long its beat may stand still, seconds.
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
        """False when it was released, or its owner is known to be dead."""
        return not self.released and self.owner.is_dead() is not True

    def described(self) -> str:
        """The owner, in words."""
        owner = self.owner
        return (
            f"framejury {self.job} of {owner.user} on {owner.host} (process {owner.pid}), "
            f"since {self.taken_at}"
        )


def read_lock(warehouse: Location) -> LockState | None:
    """The newest state of a warehouse's lock; None when there never was one.

    Raises:
        WarehouseError: it cannot be read.
    """
    folder = warehouse.child("lock")
    numbers = _numbers(folder)
    while numbers:
        try:
            return _state_of(read_json(_place(folder, numbers[-1])))
        except FileNotFoundError:
            numbers.pop()  # removed by its owner's successor
        except (OSError, ValueError, TypeError, KeyError) as error:
            # On HDFS a file that is written again is empty for a moment.
            time.sleep(0.2)
            with suppress(OSError, ValueError, TypeError, KeyError):
                return _state_of(read_json(_place(folder, numbers[-1])))
            raise WarehouseError(
                f"cannot read {_place(folder, numbers[-1]).uri}: {error}; if no framejury job "
                "runs on this warehouse, remove that file"
            ) from error
    return None


class Lock:
    """The lock of a warehouse, held by this process; from `hold`."""

    def __init__(self, folder: Location, state: LockState) -> None:
        self._folder = folder
        self._state = state
        self._stop = threading.Event()
        self._written_s = time.monotonic()
        self._fault: str | None = None
        self._beating = threading.Thread(target=self._beat, name="framejury-lock", daemon=True)

    def check(self) -> None:
        """Make sure that the lock is still ours.

        Raises:
            LockError: another run has taken it, or our beat could not be written for a lease.
        """
        newest = (_numbers(self._folder) or [self._state.number])[-1]
        if newest > self._state.number:
            raise LockError(
                "another run has taken this warehouse over, for this one showed no sign of life "
                f"for {self._state.lease_s:g} seconds; nothing more is committed"
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
            self._fault = str(error)  # told by `check`; the next beat tries again
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
        warehouse: its root; made when it is not there.
        job: who asks, such as `nightly`.
        now: for people who ask since when.
        lease_s: how long others wait for a sign of life before they take over, seconds.
        say: told when another's lock has to be watched, which takes up to its lease.

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
    """Whether the owner lives; of one on another machine, its beat is watched for a lease."""
    dead = held.owner.is_dead()
    if dead is not None:
        if dead:
            say(f"  note: {held.described()}, is gone; taking over")
        return not dead
    say(f"  {held.described()}, holds this warehouse; watching for a sign of life")
    until_s = time.monotonic() + held.lease_s
    while time.monotonic() < until_s:
        time.sleep(held.lease_s / (4 * _BEATS_A_LEASE))
        if read_lock(warehouse) != held:
            return True
    say("  note: it shows none; taking over")
    return False


def _refusal(warehouse: Location, held: LockState) -> LockError:
    return LockError(
        f"{warehouse.uri} is in use by {held.described()}; wait until it ends, or end it, "
        "and run this again"
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
    """One start of this machine, and of the process numbers in it (a container has its own)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"unknown-{secrets.token_hex(8)}"  # equal to no other: watch instead


def _started(pid: int) -> int | None:
    """When a process started, in ticks since boot; None when there is none (or a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _is_hidden(pid: int) -> bool:
    """Whether there is such a process, of which /proc says nothing."""
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
