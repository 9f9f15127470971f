"""A filter of system calls (seccomp-BPF) for a process that decodes hostile files.

Linux runs a small program at every system call of the process. This one allows what computing,
memory and open descriptors need; kills the process at calls that only an attack makes (a socket,
a program, another process, access to one); and answers all others with an error. It is written
out here because many containers lack libseccomp (decision 12).
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
from dataclasses import dataclass

_ALLOWED = """
read 0 63, readv 19 65, pread64 17 67, preadv 295 69, write 1 64, writev 20 66, lseek 8 62,
close 3 57, fstat 5 80, dup 32 23, newfstatat 262 79, poll 7 -, ppoll 271 73, recvfrom 45 207,
recvmsg 47 212, munmap 11 215, mremap 25 216, madvise 28 233, brk 12 214, membarrier 324 283,
futex 202 98, set_robust_list 273 99, rseq 334 293, exit 60 93, exit_group 231 94, gettid 186 178,
getpid 39 172, getppid 110 173, sched_yield 24 124, sched_getaffinity 204 123,
sched_setaffinity 203 122, sched_getparam 143 121, sched_getscheduler 145 120, getcpu 309 168,
clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115, nanosleep 35 101,
gettimeofday 96 169, time 201 -, times 100 153, getrusage 98 165, rt_sigprocmask 14 135,
rt_sigreturn 15 139, sigaltstack 131 132, restart_syscall 219 128, getrandom 318 278,
uname 63 160, sysinfo 99 179, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177,
getrlimit 97 163
"""
"""Name, number on x86_64, number on aarch64 (-: missing). Calls on what is already open."""

_BY_ARGUMENT = """
clone 56 220, mmap 9 222, mprotect 10 226, fcntl 72 25, prctl 157 167, prlimit64 302 261,
rt_sigaction 13 134, kill 62 129, tgkill 234 131
"""
"""Allowed with harmless arguments."""
_ON_OTHERS = ("clone", "kill", "tgkill")
_CLONE3 = 435  # a filter cannot see its arguments; the C library falls back to clone

_REFUSED = "open 2 -, openat 257 56, creat 85 -"
"""Libraries may try these and cope with permission denied."""

_FATAL = """
socket 41 198, socketpair 53 199, connect 42 203, bind 49 200, listen 50 201, accept 43 202,
accept4 288 242, sendto 44 206, sendmsg 46 211, execve 59 221, execveat 322 281, fork 57 -,
vfork 58 -, ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271,
pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424, rt_sigqueueinfo 129 138,
rt_tgsigqueueinfo 297 240, tkill 200 130, bpf 321 280, io_uring_setup 425 425, mount 165 40,
unshare 272 97, setns 308 268, keyctl 250 219, add_key 248 217, request_key 249 218,
perf_event_open 298 241, userfaultfd 323 282, open_by_handle_at 304 265
"""
"""No decoder has a reason for these: the process is killed with SIGSYS."""

_INSTALL = {"x86_64": 317, "aarch64": 277}
"""The system call `seccomp` itself."""
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000

_SECCOMP_SET_MODE_FILTER = 1
_ON_ALL_THREADS = 1  # SECCOMP_FILTER_FLAG_TSYNC

_ALLOW = 0x7FFF0000
_KILL = 0x80000000  # kills the process; kernels before 4.14 kill the thread
_EPERM, _EACCES, _ENOSYS = (0x00050000 | number for number in (1, 13, 38))

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16  # in `struct seccomp_data`

_CLONE_THREAD = 0x00010000
_PROT_EXEC = 4
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC; not F_SETOWN, which sends signals.
_FCNTL = (0, 1, 2, 3, 4, 1030)
_PRCTL = (15, 16, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA: names for humans


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step of classic BPF (`struct sock_filter`); jumps are numbers of steps to skip."""

    code: int
    if_true: int
    if_false: int
    value: int


def install(*, opens_files: bool = False) -> None:
    """Filter the system calls of all threads of this process, for good.

    Args:
        opens_files: whether files may be opened and devices used, as CUDA needs; then only the
            otherwise fatal calls are refused, with an error.

    Raises:
        OSError: the kernel refuses; `no_new_privs` must be set first.
        NotImplementedError: there is no filter for this system or processor.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _AUDIT_ARCH:
        raise NotImplementedError(f"there is no system call filter for {sys.platform} on {machine}")
    steps = program(machine, os.getpid(), opens_files=opens_files)
    packed = b"".join(
        struct.pack("=HBBI", step.code, step.if_true, step.if_false, step.value) for step in steps
    )
    code = ctypes.create_string_buffer(packed, len(packed))
    # struct sock_fprog: a count, padding, a pointer.
    whole = struct.pack("@HP", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.syscall(
        _INSTALL[machine], _SECCOMP_SET_MODE_FILTER, _ON_ALL_THREADS, ctypes.c_char_p(whole)
    )
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if done > 0:
        raise OSError(f"thread {done} has another filter")


def program(machine: str, pid: int, *, opens_files: bool = False) -> list[Instruction]:
    """Return the filter for a processor (`x86_64`, `aarch64`) and the process it will restrict."""
    steps = [
        _load(_ARCH_AT),
        Instruction(_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        _answer(_KILL),  # 32-bit calls have other numbers
        _load(_NUMBER_AT),
    ]
    if machine == "x86_64":
        steps += [Instruction(_AT_LEAST, 0, 1, _X32_BIT), _answer(_KILL)]
    column = list(_AUDIT_ARCH).index(machine)
    by_argument = _numbers(_BY_ARGUMENT, column)
    if opens_files:
        for number in _numbers(_FATAL, column).values():
            steps += _on(number, [_answer(_EPERM)])
        for name, judged in _judgements(pid, _EPERM).items():
            if name in _ON_OTHERS:
                steps += _on(by_argument[name], judged)
        return [*steps, *_on(_CLONE3, [_answer(_ENOSYS)]), _answer(_ALLOW)]
    for table, answer in ((_ALLOWED, _ALLOW), (_REFUSED, _EACCES), (_FATAL, _KILL)):
        for number in _numbers(table, column).values():
            steps += _on(number, [_answer(answer)])
    for name, judged in _judgements(pid, _KILL).items():
        steps += _on(by_argument[name], judged)
    # As an older kernel answers: libraries then fall back to older calls.
    return [*steps, _answer(_ENOSYS)]


def _judgements(pid: int, fatal: int) -> dict[str, list[Instruction]]:
    """Return the checks of arguments for the calls of `_BY_ARGUMENT`."""
    oneself = _if_one_of(0, (pid,), _ALLOW, fatal)  # abort() signals its own process
    no_code = _if_any_bit(2, _PROT_EXEC, _EACCES, _ALLOW)
    # Reads a limit without setting one: both halves of the pointer to a new limit are 0.
    asks = [_argument(2), Instruction(_EQUAL, 1, 0, 0), _answer(_EPERM)]
    return {
        "clone": _if_any_bit(0, _CLONE_THREAD, _ALLOW, fatal),  # a thread, not a process
        "mmap": no_code,
        "mprotect": no_code,
        "fcntl": _if_one_of(1, _FCNTL, _ALLOW, _EPERM),
        "prctl": _if_one_of(0, _PRCTL, _ALLOW, _EPERM),
        "prlimit64": asks + _if_one_of(2, (0,), _ALLOW, _EPERM, half=1),
        # SIGXCPU, which enforces the CPU limit, must not be caught.
        "rt_sigaction": _if_one_of(0, (signal.SIGXCPU,), _EPERM, _ALLOW),
        "kill": oneself,
        "tgkill": oneself,
    }


def _numbers(table: str, column: int) -> dict[str, int]:
    """Parse a table above into numbers by name, without calls that the processor lacks."""
    rows = (entry.split() for entry in table.split(","))
    return {name: int(numbers[column]) for name, *numbers in rows if numbers[column] != "-"}


def _on(number: int, steps: list[Instruction]) -> list[Instruction]:
    """Run `steps`, which end with an answer, at one system call."""
    return [Instruction(_EQUAL, 0, len(steps), number), *steps]


def _if_any_bit(index: int, bits: int, then: int, otherwise: int) -> list[Instruction]:
    test = Instruction(_ANY_BIT, 0, 1, bits)
    return [_argument(index), test, _answer(then), _answer(otherwise)]


def _if_one_of(
    index: int, values: tuple[int, ...], then: int, otherwise: int, half: int = 0
) -> list[Instruction]:
    steps = [_argument(index, half)]
    for value in values:
        steps += [Instruction(_EQUAL, 0, 1, value), _answer(then)]
    return [*steps, _answer(otherwise)]


def _argument(index: int, half: int = 0) -> Instruction:
    """Load the low (0) or high (1) 32 bits of an argument (little endian)."""
    return _load(_ARGUMENTS_AT + 8 * index + 4 * half)


def _load(offset: int) -> Instruction:
    return Instruction(_LOAD, 0, 0, offset)


def _answer(value: int) -> Instruction:
    return Instruction(_RETURN, 0, 0, value)
