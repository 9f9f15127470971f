"""The filter's program, run step by step for both processors as the kernel would."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from framejury.sandbox import seccomp

MACHINES = ("x86_64", "aarch64")
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
PID = 4711
HEADERS = {
    "x86_64": [
        Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        Path("/usr/include/asm/unistd_64.h"),
    ],
    "aarch64": [Path("/usr/include/asm-generic/unistd.h")],
}
ALLOW, KILL, EPERM, EACCES, ENOSYS = "allow", "kill", 1, 13, 38
TABLES = ("_ALLOWED", "_BY_ARGUMENT", "_REFUSED", "_FATAL")


def numbers(machine: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for table in TABLES:
        found |= seccomp._numbers(getattr(seccomp, table), MACHINES.index(machine))
    return found


def verdict(
    machine: str,
    number: int,
    arguments: Sequence[int] = (),
    arch: int | None = None,
    **options: bool,
) -> str | int:
    """What the kernel would make of a call: classic BPF over `struct seccomp_data`."""
    words = {0: number, 4: ARCH[machine] if arch is None else arch}
    for index, value in enumerate([*arguments, 0, 0, 0, 0, 0, 0][:6]):
        low, high = value % 2**32, (value >> 32) % 2**32
        words |= {16 + 8 * index: low, 20 + 8 * index: high}
    steps = seccomp.program(machine, PID, **options)
    at, accumulator = 0, 0
    while True:
        step = steps[at]
        at += 1
        if step.code == 0x20:
            accumulator = words[step.value]
        elif step.code == 0x06:
            break
        else:
            test = {
                0x15: accumulator == step.value,
                0x35: accumulator >= step.value,
                0x45: accumulator & step.value != 0,
            }[step.code]
            at += step.if_true if test else step.if_false
    if step.value & 0xFFFF0000 == 0x00050000:
        return step.value & 0xFFFF
    return {0x7FFF0000: ALLOW, 0x80000000: KILL}[step.value]


EXPECTED: list[tuple[str, tuple[int, ...], str | int]] = [
    ("read", (0,), ALLOW),
    ("futex", (), ALLOW),
    ("recvmsg", (0,), ALLOW),
    ("openat", (), EACCES),
    ("socket", (2, 1, 0), KILL),
    ("execve", (), KILL),
    ("ptrace", (16, 1), KILL),
    ("process_vm_readv", (1,), KILL),
    ("clone", (0x3D0F00,), ALLOW),  # what pthread_create asks for
    ("clone", (0x01200011,), KILL),  # what fork asks for
    ("clone", (0x4111,), KILL),  # what posix_spawn asks for
    ("kill", (PID, 6), ALLOW),
    ("kill", (PID + 1, 0), KILL),
    ("kill", (-1, 9), KILL),
    ("tgkill", (PID, PID, 6), ALLOW),
    ("tgkill", (1, 1, 9), KILL),
    ("mmap", (0, 4096, 3), ALLOW),
    ("mmap", (0, 4096, 5), EACCES),
    ("mprotect", (0, 4096, 1), ALLOW),
    ("mprotect", (0, 4096, 7), EACCES),
    ("fcntl", (3, 1030), ALLOW),
    ("fcntl", (3, 8), EPERM),
    ("prctl", (15,), ALLOW),
    ("prctl", (1, 0), EPERM),
    ("prlimit64", (0, 0, 0, 1), ALLOW),
    ("prlimit64", (0, 0, 0x1000, 0), EPERM),
    ("prlimit64", (0, 0, 0x100000000, 0), EPERM),  # only its high half is not 0
    ("rt_sigaction", (2,), ALLOW),
    ("rt_sigaction", (24,), EPERM),
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("name", "arguments", "answer"), EXPECTED)
def test_each_call_gets_its_answer(
    machine: str, name: str, arguments: tuple[int, ...], answer: str | int
) -> None:
    assert verdict(machine, numbers(machine)[name], arguments) == answer


@pytest.mark.parametrize("machine", MACHINES)
def test_everything_else_is_not_there(machine: str) -> None:
    known = set(numbers(machine).values())
    others = [number for number in range(600) if number not in known]
    assert {verdict(machine, number) for number in others} == {ENOSYS}
    assert verdict(machine, 435) == ENOSYS  # clone3: the C library then takes clone


@pytest.mark.parametrize("machine", MACHINES)
def test_every_table_means_what_it_says(machine: str) -> None:
    for table, answer in (("_ALLOWED", ALLOW), ("_REFUSED", EACCES), ("_FATAL", KILL)):
        named = seccomp._numbers(getattr(seccomp, table), MACHINES.index(machine))
        assert {verdict(machine, number) for number in named.values()} == {answer}
    assert len(set(numbers(machine).values())) == len(numbers(machine))


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_processor_are_fatal(machine: str) -> None:
    assert verdict(machine, 0, arch=0x40000003) == KILL  # 32 bits: number 0 is another call
    if machine == "x86_64":
        assert verdict(machine, 0x40000000) == KILL  # x32


@pytest.mark.parametrize("machine", MACHINES)
def test_a_process_that_opens_files_still_reaches_nobody(machine: str) -> None:
    known = numbers(machine)
    for name in ("openat", "mmap", "prctl"):
        assert verdict(machine, known[name], (0, 0, 7), opens_files=True) == ALLOW
    assert verdict(machine, known["clone"], (0x3D0F00,), opens_files=True) == ALLOW
    assert verdict(machine, known["clone"], (0x01200011,), opens_files=True) == EPERM
    assert verdict(machine, known["kill"], (1,), opens_files=True) == EPERM
    assert verdict(machine, 435, opens_files=True) == ENOSYS
    for name in ("socket", "execve", "ptrace", "io_uring_setup"):
        assert verdict(machine, known[name], opens_files=True) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_the_kernel(machine: str) -> None:
    header = next((path for path in HEADERS[machine] if path.is_file()), None)
    if header is None:
        pytest.skip(f"the kernel's headers are not installed: {HEADERS[machine][0]}")
    pattern = r"#define\s+__NR(?:3264)?_(\w+)\s+(\d+)"
    official = {name: int(number) for name, number in re.findall(pattern, header.read_text())}
    official.setdefault("newfstatat", official.get("fstatat", -1))
    assert {name: official[name] for name in numbers(machine)} == numbers(machine)


@pytest.mark.parametrize("machine", MACHINES)
def test_jumps_stay_inside(machine: str) -> None:
    steps = seccomp.program(machine, PID)
    assert len(steps) < 4096 and steps[-1].code == 0x06
    for at, step in enumerate(steps):
        assert max(step.if_true, step.if_false) < min(256, len(steps) - at - 1) or step.code != 0x15
