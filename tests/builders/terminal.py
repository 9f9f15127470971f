"""Real commands in a pseudo-terminal, and what a person sees on its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.builders.programs import ROOT

ROWS = 24


@dataclass(frozen=True)
class Session:
    """A command that ran in a terminal.

    Attributes:
        code: its exit code.
        raw: everything it wrote.
        screen: the lines that are left to be read, without trailing spaces.
    """

    code: int
    raw: str
    screen: list[str]


def in_terminal(
    command: Sequence[str | Path],
    *,
    columns: int = 80,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = 600,
    stdout: int | None = None,
) -> Session:
    """Run a command whose streams are a terminal.

    Args:
        command: program and arguments.
        columns: width of the terminal.
        environment: added to this process's.
        timeout_s: after it the command is killed.
        stdout: a descriptor for its stdout; None: the terminal.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    usual = {"TERM": "xterm", "PATH": os.environ["PATH"]}
    inherited = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        cwd=ROOT,
        env=inherited | usual | dict(environment or {}),
        start_new_session=True,
    )
    os.close(theirs)
    timer = threading.Timer(timeout_s, process.kill)
    timer.start()
    written = b""
    try:
        while data := _read(ours):
            written += data
    finally:
        timer.cancel()
        os.close(ours)
    raw = written.decode()
    return Session(process.wait(60), raw, screen_of(raw, columns))


def on_terminal(argv: Sequence[str], columns: int, **environment: str) -> tuple[int, list[str]]:
    """Return the exit code of a command, and the lines that it prints on a terminal."""
    done = in_terminal(argv, columns=columns, environment=environment, timeout_s=60)
    return done.code, done.raw.replace("\r\n", "\n").splitlines()


def screen_of(raw: str, columns: int) -> list[str]:
    """Return the lines that a terminal without escape sequences shows in the end."""
    lines: list[list[str]] = [[]]
    at = 0
    for character in raw:
        if character == "\r":
            at = 0
        elif character == "\n":
            lines.append([])
        else:
            assert character.isprintable(), f"{character!r} on the terminal"
            if at == columns:
                lines.append([])
                at = 0
            line = lines[-1]
            line[at : at + 1] = [" "] * (at - len(line)) + [character]
            at += 1
    shown = ["".join(line).rstrip() for line in lines]
    while shown and not shown[-1]:
        shown.pop()
    return shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux: nobody has the other end any more
        return b""
