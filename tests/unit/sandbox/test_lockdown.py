"""What a decoder that was taken over may try: each ends it, or is refused; the next call works."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from framejury.errors import SetupError
from framejury.sandbox import lockdown, seccomp
from framejury.sandbox.child_process import SandboxCrashError, SandboxHandlerError
from framejury.sandbox.lockdown import LAYERS, Lockdown
from framejury.sandbox.sandbox import Sandbox

HOSTILE = """
import ctypes, json, mmap, os, resource, signal, socket, subprocess, sys, threading

libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 0, "aarch64": 1}.get(os.uname().machine, 0)

def call(x86, arm, *arguments):
    done = libc.syscall((x86, arm)[number], *arguments)
    if done < 0:
        raise OSError(ctypes.get_errno(), "refused")

def thread():
    seen = []
    one = threading.Thread(target=lambda: seen.append(7))
    one.start(); one.join()
    return seen

def open_in_thread():
    seen = []
    def work():
        try:
            open("/etc/passwd").read()
        except OSError as error:
            seen.append(error.errno)
    one = threading.Thread(target=work)
    one.start(); one.join()
    return seen

acts = {
    "tcp socket": lambda arg: socket.socket(socket.AF_INET),
    "unix socket": lambda arg: socket.socket(socket.AF_UNIX),
    "socket pair": lambda arg: socket.socketpair(),
    "packet to a port": lambda arg: call(44, 206, 0, None, 0, 0, None, 0),
    "program": lambda arg: os.execv("/bin/true", ["true"]),
    "fork": lambda arg: os.fork(),
    "subprocess": lambda arg: subprocess.run(["/bin/true"]),
    "signal to the parent": lambda arg: os.kill(os.getppid(), 0),
    "signal to all": lambda arg: os.kill(-1, 0),
    "signal to a thread of the parent": lambda arg: call(234, 131, arg, arg, 0),
    "ptrace of the parent": lambda arg: libc.ptrace(16, arg, None, None),
    "memory of the parent": lambda arg: call(310, 270, arg, None, 0, None, 0, 0),
    "io_uring": lambda arg: call(425, 425, 1, None),
    "name space": lambda arg: call(272, 97, 0x10000000),
    "read a file": lambda arg: open(arg).read(),
    "list a folder": lambda arg: os.listdir(arg),
    "write a file": lambda arg: open(arg, "w"),
    "remove a file": lambda arg: os.remove(arg),
    "import a module": lambda arg: __import__("wave"),
    "raise the CPU limit": lambda arg: resource.setrlimit(resource.RLIMIT_CPU, (9, 9)),
    "raise the memory limit": lambda arg: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),
    "outlive the CPU limit": lambda arg: signal.signal(signal.SIGXCPU, signal.SIG_IGN),
    "outlive the parent": lambda arg: call(157, 167, 1, 0, 0, 0, 0),
    "run what was written": lambda arg: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "become owner of a pipe": lambda arg: call(72, 25, 0, 8, arg),
    "abort": lambda arg: os.abort(),
    "thread": lambda arg: thread(),
    "open in a thread": lambda arg: open_in_thread(),
    "limits": lambda arg: {
        name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))
        for name in ("CPU", "AS", "CORE", "FSIZE", "NOFILE")
    },
    "status": lambda arg: statuses,
    "read what is handed": lambda arg: os.pread(arg, 100, 0).decode(),
}
statuses = None

def make(setup):
    global statuses
    statuses = os.getpid()
    def handle(request):
        return json.dumps(acts[request["act"]](request.get("file", request.get("arg")))).encode()
    return handle
"""

FATAL = [
    *("tcp socket", "unix socket", "socket pair", "packet to a port", "program", "fork"),
    *("signal to the parent", "signal to all", "signal to a thread of the parent"),
    *("ptrace of the parent", "memory of the parent", "io_uring", "name space"),
]
REFUSED = [
    *("import a module", "subprocess", "raise the CPU limit", "raise the memory limit"),
    *("outlive the CPU limit", "outlive the parent", "run what was written"),
    "become owner of a pipe",
]


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hostile_handlers.py").write_text(HOSTILE)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def box(hostile: None) -> Iterator[Sandbox]:
    box = Sandbox("hostile_handlers:make", {}, 2**28)
    yield box
    box.close()


@pytest.fixture(scope="module")
def here() -> Lockdown:
    """What this machine offers."""
    box = Sandbox("framejury.sandbox.lockdown:probe", {}, 2**28)
    found = box.lockdown()
    box.close()
    return found


@pytest.fixture
def whole(here: Lockdown) -> None:
    if "seccomp" in here.lacking:
        pytest.skip(f"no filter of system calls here: {here.lacking['seccomp']}")


def act(box: Sandbox, name: str, arg: object = None) -> object:
    return json.loads(box.call({"act": name, "arg": arg}, 60))


# ---------------------------------------------------------------- through the sandbox


def test_every_layer_is_in_force_or_said_to_be_lacking(here: Lockdown) -> None:
    assert set(here.in_force) | set(here.lacking) == set(LAYERS)
    assert not set(here.in_force) & set(here.lacking)
    assert all(here.lacking.values())
    assert {"memory", "core", "file_size", "open_files"} <= set(here.in_force)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_this_kernel_offers_what_it_says(here: Lockdown) -> None:
    """Were a layer lost to a mistake of ours, the tests below would be skipped."""
    filters = re.search(r"^Seccomp:\t(\d)", Path("/proc/self/status").read_text(), re.MULTILINE)
    if filters is None or platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("a kernel without filters, or another processor")
    if filters[1] != "0" and here.lacking:
        pytest.skip(f"filters from outside may refuse: {here.lacking}")
    assert {"seccomp", "no_new_privs", "cpu"} <= set(here.in_force), here.lacking
    listed = Path("/sys/kernel/security/lsm")
    if listed.is_file() and "landlock" in listed.read_text():
        assert "landlock" in here.in_force, here.lacking


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize("name", FATAL)
def test_what_only_an_attack_tries_ends_the_process(box: Sandbox, name: str) -> None:
    first = act(box, "status")
    with pytest.raises(SandboxCrashError, match=r"system call that the sandbox forbids \(SIGSYS\)"):
        act(box, name, os.getpid())
    assert act(box, "status") != first
    assert box.starts == 2


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize("name", REFUSED)
def test_what_a_library_may_try_is_refused(box: Sandbox, name: str) -> None:
    with pytest.raises(
        SandboxHandlerError, match=r"OSError|PermissionError|ValueError: not allowed|LateImport"
    ):
        act(box, name, os.getpid())
    assert act(box, "thread") == [7]
    assert box.starts == 1


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", f"/proc/{os.getpid()}/environ", "/proc/self/maps", "/dev/zero", __file__],
    ids=["passwd", "environment of the parent", "own maps", "device", "source"],
)
def test_no_file_can_be_read(box: Sandbox, path: str) -> None:
    assert os.access(path, os.R_OK)
    with pytest.raises(SandboxHandlerError, match="PermissionError"):
        act(box, "read a file", path)


@pytest.mark.usefixtures("whole")
def test_no_file_can_be_listed_written_or_removed(box: Sandbox, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("still there")
    for name, path in (
        ("list a folder", tmp_path),
        ("write a file", victim),
        ("write a file", tmp_path / "new"),
        ("remove a file", victim),
    ):
        with pytest.raises(SandboxHandlerError, match=r"OSError|PermissionError"):
            act(box, name, str(path))
    assert victim.read_text() == "still there" and not (tmp_path / "new").exists()


@pytest.mark.usefixtures("whole")
def test_threads_work_and_are_held_too(box: Sandbox) -> None:
    assert act(box, "thread") == [7]
    assert act(box, "open in a thread") == [13]


def test_the_one_file_is_handed_over_open(box: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "a"
    for number in range(100):  # more than the child may have open at once
        text = f"file {number}"
        path.write_text(text)
        with path.open("rb") as file:
            path.unlink()
            answer = box.call({"act": "read what is handed"}, 60, file=file.fileno())
        assert json.loads(answer) == text


def test_a_process_may_abort_itself(box: Sandbox) -> None:
    with pytest.raises(SandboxCrashError, match="SIGABRT"):
        act(box, "abort")


def test_limits_are_set(box: Sandbox) -> None:
    limits = json.loads(box.call({"act": "limits"}, 60, cpu_s=5))
    assert limits["CORE"] == limits["FSIZE"] == [0, 0]
    assert limits["NOFILE"] == [64, 64]
    assert limits["AS"][0] == limits["AS"][1] > 2**28
    assert 5 <= limits["CPU"][0] <= 10
    free = json.loads(box.call({"act": "limits"}, 60))
    assert free["CPU"][0] == resource.getrlimit(resource.RLIMIT_CPU)[1]


def test_a_child_that_opens_files_is_not_held_in_full(hostile: None) -> None:
    """As CUDA needs it; `require` then refuses, and names what is lacking."""
    box = Sandbox("hostile_handlers:make", {}, 2**28, opens_files=True)
    lacking = set(box.lockdown().lacking)
    assert {"landlock", "seccomp", "file_size", "open_files"} <= lacking
    assert not lacking & set(box.lockdown().in_force)
    assert "root" in str(act(box, "read a file", "/etc/passwd"))
    if "no network" in box.lockdown().lacking["seccomp"]:
        for name in ("tcp socket", "fork", "signal to the parent", "io_uring"):
            with pytest.raises(SandboxHandlerError, match="PermissionError"):
                act(box, name, os.getpid())
        assert act(box, "thread") == [7]
    box.close()
    strict = Sandbox("hostile_handlers:make", {}, 2**28, opens_files=True, policy="require")
    with pytest.raises(SetupError, match=r"limits\.jail=require.*landlock: CUDA"):
        strict.call({"act": "thread"}, 60)


def test_require_is_content_where_nothing_is_lacking(here: Lockdown, hostile: None) -> None:
    box = Sandbox("hostile_handlers:make", {}, 2**28, policy="require")
    if here.lacking:
        with pytest.raises(SetupError, match="fully locked down"):
            box.call({"act": "thread"}, 60)
    else:
        assert act(box, "thread") == [7]
    box.close()


# ---------------------------------------------------------------- each layer alone

ALONE = """
import os, sys, threading
from framejury.sandbox import lockdown, seccomp
"""


def run_alone(code: str, *arguments: str, files: tuple[int, ...] = ()) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ALONE + code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        pass_fds=files,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_landlock_alone_closes_files(here: Lockdown, tmp_path: Path) -> None:
    """The second lock, should the first have a gap."""
    if "landlock" in here.lacking:
        pytest.skip(f"no Landlock here: {here.lacking['landlock']}")
    (tmp_path / "a").write_text("open before")
    code = """
def tried(work):
    try:
        return work()
    except OSError as error:
        return error.errno
import socket
port = socket.socket()
lockdown._give_up_privileges()
lockdown._enter_landlock()
print(tried(lambda: open("/etc/passwd")), tried(lambda: os.listdir("/")))
print(tried(lambda: os.truncate(sys.argv[1], 0)), tried(lambda: os.remove(sys.argv[1])))
print(tried(lambda: open(f"/proc/{os.getppid()}/environ")))
print(os.read(int(sys.argv[2]), 4).decode())
print(tried(lambda: port.connect(("127.0.0.1", 9))), tried(lambda: os.kill(os.getppid(), 0)))
"""
    with (tmp_path / "a").open("rb") as file:
        said = run_alone(code, str(tmp_path / "a"), str(file.fileno()), files=(file.fileno(),))
    assert said[:6] == ["13", "13", "13", "13", "13", "open"]
    version = landlock_version()
    assert said[6] == ("13" if version >= 4 else "111")
    assert said[7] == ("1" if version >= 6 else "None")


def landlock_version() -> int:
    code = "import ctypes; print(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1))"
    return int(run_alone(code)[0])


@pytest.mark.usefixtures("whole")
def test_the_filter_alone_holds_threads_that_run_already(here: Lockdown) -> None:
    code = """
ready, go, seen = threading.Event(), threading.Event(), []
def work():
    ready.set(); go.wait()
    try:
        open("/etc/passwd")
    except OSError as error:
        seen.append(error.errno)
one = threading.Thread(target=work)
one.start(); ready.wait()
lockdown._give_up_privileges()
seccomp.install()
go.set(); one.join()
print(*seen)
"""
    assert run_alone(code) == ["13"]


@pytest.mark.usefixtures("whole")
def test_landlock_says_that_it_does_not_hold_threads_that_run(here: Lockdown) -> None:
    code = """
stop = threading.Event()
one = threading.Thread(target=stop.wait)
one.start()
found = lockdown.lock_down(2**28)
print("landlock" in found.in_force, "seccomp" in found.in_force, found.lacking["landlock"])
stop.set()
"""
    said = " ".join(run_alone(code))
    assert said.startswith("False True") and "2 are running (scoring.threads" in said


def test_another_processor_is_told_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(NotImplementedError, match="riscv64"):
        seccomp.install()


def test_what_fails_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step made to fail, so that none is taken in this process."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(1, "not here")

    for name in ("_limit_memory", "_limit", "_give_up_privileges", "_enter_landlock"):
        monkeypatch.setattr(lockdown, name, fail)
    monkeypatch.setattr(seccomp, "install", fail)
    found = lockdown.lock_down(2**28)
    assert found.in_force == ()
    assert set(found.lacking) == set(LAYERS) - {"cpu"}
    assert "not here" in found.lacking["seccomp"]


def test_a_killed_child_of_this_test_is_no_sigsys() -> None:
    assert signal.SIGSYS == 31  # what the words above rest on
