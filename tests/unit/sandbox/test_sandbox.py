"""The child process: it answers, crashes, hangs, eats memory; the next call works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from framejury.sandbox import child_process
from framejury.sandbox.child_process import (
    SandboxCpuTimeError,
    SandboxCrashError,
    SandboxHandlerError,
    SandboxStartError,
    SandboxTimeoutError,
)
from framejury.sandbox.late_imports import refused_module
from framejury.sandbox.process import forget_peak_memory, peak_memory_bytes
from framejury.sandbox.sandbox import Sandbox

HANDLERS = """
import ctypes, importlib, json, os, sys, time

def make(setup):
    def handle(request):
        act = request["act"]
        if act == "echo":
            return json.dumps([setup, request["value"], os.getpid()]).encode()
        if act == "bytes":
            return bytes(range(256)) * request["count"]
        if act == "raise":
            raise ValueError("no such frame")
        if act == "import":
            if request.get("optional"):
                try:
                    importlib.import_module(request["module"])
                except ModuleNotFoundError:
                    return b"without"
            importlib.import_module(request["module"])
            return b"imported"
        if act == "hang":
            time.sleep(600)
        if act == "exit":
            os._exit(7)
        if act == "segfault":
            ctypes.string_at(0)
        if act == "allocate":
            bytearray(request["bytes"])
            return b"had room"
        if act == "fill":
            held = b"x" * request["bytes"]
            return b"filled"
        if act == "environ":
            return json.dumps(dict(os.environ)).encode()
        if act == "print":
            print("noise " * 10000)
            os.write(1, b"raw noise")
            return b"quiet"
        if act == "burn":
            started_s = time.process_time()
            while time.process_time() - started_s < request["cpu_s"]:
                pass
            return b"burnt"
        if act == "say":
            os.write(2, request["words"].encode())
            os.abort()
        if act == "talk":
            for _ in range(1000):
                os.write(2, b"blah " * 1000)
            return b"said"
        if act == "flood":
            while True:
                os.write(2, b"blah " * 1000)
        if act == "trickle":
            os.write(int(sys.argv[1]), (1000).to_bytes(8, "big"))
            while True:
                os.write(int(sys.argv[1]), b"+")
                time.sleep(0.001)
        if act == "started with":
            return json.dumps(STARTED_WITH).encode()
        if act == "lie":
            os.write(int(sys.argv[1]), b"\x7f" * 8)
            time.sleep(600)
        if act == "close":
            os.closerange(3, 64)
            time.sleep(600)
    return handle

STARTED_WITH = None

def look_around(setup):
    global STARTED_WITH
    group = os.fork()
    if group == 0:
        os.closerange(0, 64)
        time.sleep(600)
    folder = "/proc/self/fd/"
    names = [name for name in os.listdir(folder) if os.path.lexists(folder + name)]
    STARTED_WITH = {
        "files": {name: os.readlink(folder + name) for name in names},
        "answers": int(sys.argv[1]),
        "session": os.getsid(0) == os.getpid(),
        "other": group,
    }
    return make(setup)

def broken(setup):
    raise LookupError("no bundle at " + setup["place"])

def dies(setup):
    os._exit(9)

def slow(setup):
    time.sleep(600)
"""


@pytest.fixture
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sandbox_handlers.py").write_text(HANDLERS)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def box(handlers: None) -> Iterator[Sandbox]:
    box = Sandbox("sandbox_handlers:make", {"side": "ü"}, memory_bytes=2**28)
    yield box
    box.close()


def works(box: Sandbox) -> bool:
    return box.call({"act": "print"}, timeout_s=60) == b"quiet"


def pid_of(box: Sandbox) -> int:
    return int(box.call({"act": "echo", "value": 0}, 60).rstrip(b"]").split()[-1])


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int, timeout_s: float = 20) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while is_running(pid) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return not is_running(pid)


def test_it_answers_from_one_child(box: Sandbox) -> None:
    answer = box.call({"act": "echo", "value": "pâth\n\udcff"}, timeout_s=60)
    assert answer.startswith(rb'[{"side": "\u00fc"}, "p\u00e2th\n\udcff", ')
    assert pid_of(box) == pid_of(box) != os.getpid()


@pytest.mark.parametrize("count", [0, 1, 40_000])
def test_answers_of_any_size_arrive_whole(box: Sandbox, count: int) -> None:
    assert box.call({"act": "bytes", "count": count}, 60) == bytes(range(256)) * count


def test_an_exception_carries_its_traceback_and_the_child_lives(box: Sandbox) -> None:
    before = pid_of(box)
    with pytest.raises(SandboxHandlerError, match="ValueError: no such frame") as caught:
        box.call({"act": "raise"}, 60)
    assert "sandbox_handlers.py" in str(caught.value)
    assert pid_of(box) == before


def test_a_hang_ends_at_the_time_limit(box: Sandbox) -> None:
    before = pid_of(box)
    started_s = time.monotonic()
    with pytest.raises(SandboxTimeoutError):
        box.call({"act": "hang"}, timeout_s=0.3)
    assert time.monotonic() - started_s < 10
    assert wait_until_gone(before)
    assert works(box)


@pytest.mark.parametrize(
    ("act", "words"), [("exit", "exit code 7"), ("segfault", "SIGSEGV")], ids=["exit", "segfault"]
)
def test_a_crash_has_its_name(box: Sandbox, act: str, words: str) -> None:
    with pytest.raises(SandboxCrashError, match=words):
        box.call({"act": act}, 60)
    assert works(box)


def test_a_child_killed_between_calls_is_replaced(box: Sandbox) -> None:
    first = pid_of(box)
    os.kill(first, signal.SIGKILL)
    assert wait_until_gone(first)
    assert works(box)


def test_a_child_that_closes_its_pipe_is_given_up(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = child_process.exit_code
    monkeypatch.setattr(child_process, "exit_code", lambda child: original(child, 0.2))
    with pytest.raises(SandboxCrashError, match="closed its pipe"):
        box.call({"act": "close"}, 60)
    assert works(box)


def test_memory_is_limited(box: Sandbox) -> None:
    assert box.call({"act": "allocate", "bytes": 2**26}, 60) == b"had room"
    with pytest.raises((SandboxHandlerError, SandboxCrashError), match=r"MemoryError|died"):
        box.call({"act": "allocate", "bytes": 2**29}, 60)
    assert works(box)


def test_a_tighter_limit_of_the_machine_does_not_keep_it_from_starting(handlers: None) -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33));"
        "from framejury.sandbox.sandbox import Sandbox;"
        "box = Sandbox('sandbox_handlers:make', {}, memory_bytes=2**34);"
        "print(box.call({'act': 'print'}, 60)); box.close()"
    )
    assert run_python(code).stdout == "b'quiet'\n"


def test_no_secret_of_the_parent_is_handed_down(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("HADOOP_TOKEN_FILE_LOCATION", "/tokens")
    seen = box.call({"act": "environ"}, 60)
    assert b"hunter2" not in seen and b"/tokens" not in seen
    assert b'"OMP_NUM_THREADS": "1"' in seen


def test_no_open_file_of_the_parent_is_handed_down(handlers: None, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        box = Sandbox("sandbox_handlers:look_around", {}, 2**28)
        found = json.loads(box.call({"act": "started with"}, 60))
        box.close()
    answers = str(found["answers"])
    kinds = {number: place.partition(":")[0] for number, place in found["files"].items()}
    assert {kinds.pop("0"), kinds.pop("1"), kinds.pop("2")} == {"socket", "/dev/null", "pipe"}
    assert kinds.pop(answers) == "pipe"
    assert kinds == {}
    assert found["session"]


def test_close_ends_what_the_child_started_too(handlers: None) -> None:
    """Where the kernel lets it start anything: here before it is locked down."""
    box = Sandbox("sandbox_handlers:look_around", {}, 2**28)
    other = json.loads(box.call({"act": "started with"}, 60))["other"]
    assert is_running(other)
    with pytest.raises(SandboxTimeoutError):
        box.call({"act": "hang"}, 0.2)
    assert wait_until_gone(other)


def test_what_a_crashed_child_started_ends_too(handlers: None) -> None:
    box = Sandbox("sandbox_handlers:look_around", {}, 2**28)
    other = json.loads(box.call({"act": "started with"}, 60))["other"]
    with pytest.raises(SandboxCrashError):
        box.call({"act": "exit"}, 60)
    assert wait_until_gone(other)


def test_cpu_time_is_limited_apart_from_the_clock(box: Sandbox) -> None:
    before = pid_of(box)
    started_s = time.monotonic()
    with pytest.raises(SandboxCpuTimeError):
        box.call({"act": "burn", "cpu_s": 600}, 120, cpu_s=0.5)
    assert time.monotonic() - started_s < 60
    assert wait_until_gone(before)
    assert works(box)


def test_each_request_has_its_own_cpu_time(box: Sandbox) -> None:
    for _ in range(4):  # 2.4 seconds together
        assert box.call({"act": "burn", "cpu_s": 0.6}, 120, cpu_s=1) == b"burnt"
    assert box.starts == 1


def test_sleeping_takes_no_cpu_time(box: Sandbox) -> None:
    with pytest.raises(SandboxTimeoutError):
        box.call({"act": "hang"}, timeout_s=2.5, cpu_s=0.1)


def test_the_last_words_of_a_child_are_kept(box: Sandbox) -> None:
    with pytest.raises(SandboxCrashError, match=r"SIGABRT: what\?\?31m: std::bad_alloc$"):
        box.call({"act": "say", "words": "terminate\nwhat\x1b\x9b31m: std::bad_alloc\n"}, 60)
    assert works(box)


def test_words_of_an_earlier_request_are_not_the_last_ones(box: Sandbox) -> None:
    assert box.call({"act": "talk"}, 60) == b"said"
    with pytest.raises(SandboxCrashError) as caught:
        box.call({"act": "segfault"}, 60)
    assert "blah" not in str(caught.value)


def test_a_child_that_talks_does_not_wait_to_be_heard(box: Sandbox) -> None:
    before = pid_of(box)
    for _ in range(3):
        assert box.call({"act": "talk"}, 60) == b"said"
    assert pid_of(box) == before


@pytest.mark.parametrize("act", ["flood", "trickle"])
def test_talk_without_end_is_no_answer(box: Sandbox, act: str) -> None:
    works(box)
    with pytest.raises(SandboxTimeoutError):
        box.call({"act": act}, timeout_s=0.4)
    assert works(box)


def test_an_answer_longer_than_there_can_be_is_not_waited_for(box: Sandbox) -> None:
    with pytest.raises(SandboxCrashError, match="announced 9,187,201,950,435,737,471 bytes"):
        box.call({"act": "lie"}, 60)
    assert works(box)


def test_no_library_reports_to_its_maker(box: Sandbox) -> None:
    """ONNX Runtime does, from 1.29 on, unless told not to before it loads."""
    assert b'"ORT_DISABLE_TELEMETRY": "1"' in box.call({"act": "environ"}, 60)


def test_modules_in_the_working_directory_are_not_imported(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "work"
    hostile.mkdir()
    (hostile / "json.py").write_text("raise SystemExit('imported from the working directory')")
    monkeypatch.chdir(hostile)
    assert works(box)


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("sandbox_handlers:missing", "AttributeError"),
        ("no_such_module:make", "ModuleNotFoundError"),
        ("sandbox_handlers:broken", "LookupError: 'no bundle at there'|no bundle at there"),
        ("sandbox_handlers:dies", "exit code 9"),
    ],
)
def test_a_child_that_cannot_start_is_a_fault(handlers: None, factory: str, words: str) -> None:
    box = Sandbox(factory, {"place": "there"}, memory_bytes=2**28)
    for _ in range(2):
        with pytest.raises(SandboxStartError, match="did not start") as caught:
            box.call({"act": "print"}, 60)
        caught.match(words)
        assert "\n" not in str(caught.value)
    box.close()


def test_a_child_that_hangs_at_its_start_is_a_fault(
    handlers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "_START_TIMEOUT_S", 0.5)
    with pytest.raises(SandboxStartError, match=r"within 0\.5 seconds"):
        Sandbox("sandbox_handlers:slow", {}, 2**28).call({"act": "print"}, 60)


def test_close_ends_the_child_and_leaks_nothing(box: Sandbox) -> None:
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    child = pid_of(box)
    box.close()
    box.close()
    assert wait_until_gone(child)
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    assert works(box)


def test_the_child_dies_with_a_killed_parent(handlers: None, tmp_path: Path) -> None:
    code = (
        "from framejury.sandbox.sandbox import Sandbox;"
        "box = Sandbox('sandbox_handlers:make', {}, memory_bytes=2**28);"
        "print(box.call({'act': 'echo', 'value': 0}, 60).split()[-1].decode()[:-1], flush=True);"
        "box.call({'act': 'hang'}, 600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=with_path(tmp_path)
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        time.sleep(0.2)
        parent.kill()
        parent.wait()
    assert wait_until_gone(child)


def with_path(*folders: Path) -> dict[str, str]:
    path = [*map(str, folders), *filter(None, sys.path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=with_path(),
    )


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="no /proc here that tells of memory"
)
def test_memory_is_the_childs_own_since_the_last_request(box: Sandbox) -> None:
    """Not the parent's, from before the child was another program, as `getrusage` has it."""
    ours = b"x" * 400_000_000
    assert box.peak_memory_bytes() is None
    assert works(box)
    small = box.peak_memory_bytes()
    assert small is not None and 1_000_000 < small < len(ours) / 2
    assert box.call({"act": "fill", "bytes": 100_000_000}, 60) == b"filled"
    large = box.peak_memory_bytes()
    assert large is not None and 100_000_000 <= large - small + 5_000_000 < 150_000_000
    assert works(box)
    again = box.peak_memory_bytes()
    assert again is not None and again < small + 50_000_000
    box.close()
    assert box.peak_memory_bytes() is None


def test_memory_of_a_process_that_is_gone_is_not_known(box: Sandbox) -> None:
    pid = pid_of(box)
    box.close()
    forget_peak_memory(pid)
    assert peak_memory_bytes(pid) is None


def test_a_module_needed_too_late_is_named(handlers: None) -> None:
    """Optional modules are done without; those that are needed end the request, not the child."""
    box = Sandbox("sandbox_handlers:make", {}, 2**28)
    assert box.call({"act": "import", "module": "wave", "optional": True}, 60) == b"without"
    for module in ("wave", "cmd"):
        with pytest.raises(SandboxHandlerError) as caught:
            box.call({"act": "import", "module": module}, 60)
        assert refused_module(str(caught.value)) == module
    assert box.call({"act": "import", "module": "os"}, 60) == b"imported"
    assert works(box)
    box.close()
