"""The last line of the terminal, rewritten in place while long work goes on.

Other output appears above it: inside `live_line`, both standard streams erase the line before they
print and draw it again afterwards. It is erased with spaces, without escape sequences, so it looks
the same on every terminal and with NO_COLOR. Where stderr is no terminal, or TERM is `dumb`, there
is no such line, and messages are printed one below the other.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from framejury import logs

_USUAL_WIDTH = 80
_STDOUT = 1


class _LiveLine:
    """One line on a stream, and whatever else is printed above it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._text = ""
        self._drawn = 0
        self._half_written = False

    def show(self, text: str) -> None:
        """Replace the line."""
        with self._lock:
            self._text = text
            self._draw()

    def above(self, stream: TextIO, text: str) -> int:
        """Print on one of the terminal's streams as if the line were not there."""
        with self._lock:
            self._erase()
            stream.write(text)
            stream.flush()
            if text:
                self._half_written = not text.endswith("\n")
            self._draw()
        return len(text)

    def end(self) -> None:
        """Erase the line for good."""
        self.show("")

    def _draw(self) -> None:
        if self._half_written:
            return  # the rest of somebody else's line follows
        self._erase()
        # A text as wide as the terminal would move on to the next line.
        shown = self._text[: width(self._stream) - 1]
        self._stream.write(shown)
        self._stream.flush()
        self._drawn = len(shown)

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\r{' ' * self._drawn}\r")
            self._drawn = 0


class _Above(io.TextIOBase):
    """A standard stream whose text appears above the live line."""

    def __init__(self, stream: TextIO, line: _LiveLine) -> None:
        self._stream, self._line = stream, line

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a plain attribute
        """Return the stream's own encoding."""
        return self._stream.encoding

    def write(self, text: str, /) -> int:
        return self._line.above(self._stream, text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return is_terminal(self._stream)

    def fileno(self) -> int:
        return self._stream.fileno()


_ACTIVE: ContextVar[_LiveLine | None] = ContextVar("live_line", default=None)


@contextmanager
def live_line() -> Iterator[None]:
    """Keep a line at the bottom of the terminal while the body runs; erase it at the end."""
    if _ACTIVE.get() is not None or not can_rewrite():
        yield
        return
    line = _LiveLine(sys.stderr)
    with ExitStack() as stack:
        stack.enter_context(redirect_stderr(_Above(sys.stderr, line)))
        if is_terminal(sys.stdout):
            stack.enter_context(redirect_stdout(_Above(sys.stdout, line)))
        token = _ACTIVE.set(line)
        try:
            yield
        finally:
            _ACTIVE.reset(token)
            line.end()


def is_live() -> bool:
    """Whether there is a live line now."""
    return _ACTIVE.get() is not None


def pass_by(message: str) -> None:
    """Show a message that matters only while the work goes on.

    It replaces the live line. Without one, it is printed like any other message.
    """
    if (line := _ACTIVE.get()) is None:
        logs.say(message)
        return
    logs.event("said", message=message.strip())
    line.show(_whole_lines(logs.for_terminal(message)))


def _whole_lines(text: str) -> str:
    """Join as many lines as fit into one of the terminal, none of them cut but the first."""
    first, *others = [" ".join(line.split()) for line in text.strip().split("\n")]
    for other in others:
        if len(first) + 2 + len(other) >= width(sys.stderr):
            break
        first += f"; {other}"
    return first


def clear() -> None:
    """Erase the live line for good: what is printed next is the end."""
    if (line := _ACTIVE.get()) is not None:
        line.end()


def say_some(messages: Sequence[str], level: int = logging.INFO) -> None:
    """Print messages; above a live line only the first, and how many more the log has."""
    most = 1 if is_live() and len(messages) > 2 else len(messages)
    for message in messages[:most]:
        logs.say(message, level=level)
    for message in messages[most:]:
        logs.event("said", level, message=message.strip())
    if rest := len(messages) - most:
        logs.say(f"  and {rest:,} more like this; the log of the run has them all")


def draw(text: str) -> None:
    """Replace the live line, or print a line to stderr without one; nothing is logged."""
    if (line := _ACTIVE.get()) is None:
        print(text, file=sys.stderr, flush=True)
    else:
        line.show(text)


def can_rewrite() -> bool:
    """Whether stderr is a terminal on which a line can be rewritten."""
    quiet = not logs.is_json() and not logs.is_debug()
    return quiet and os.environ.get("TERM") != "dumb" and is_terminal(sys.stderr)


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody reads this standard stream on a terminal.

    Under spark-submit, both streams of a job end in the stdout of the JVM that started it.
    """
    if stream.isatty():
        return True
    return stream in (sys.__stdout__, sys.__stderr__) and _terminal_of_submit() is not None


def width(stream: TextIO) -> int:
    """Return the width of the terminal behind a standard stream, columns; 80 where unknown."""
    for place in (stream, _terminal_of_submit()):
        try:
            if isinstance(place, Path):
                with place.open() as terminal:
                    return os.get_terminal_size(terminal.fileno()).columns or _USUAL_WIDTH
            if place is not None:
                return os.get_terminal_size(place.fileno()).columns or _USUAL_WIDTH
        except (OSError, ValueError):
            continue
    return _USUAL_WIDTH


def _terminal_of_submit() -> Path | None:
    """Return the terminal that spark-submit writes to; None without spark-submit or terminal."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return None
    try:
        place = Path(f"/proc/{os.getppid()}/fd/{_STDOUT}").readlink()
    except OSError:
        return None
    return place if str(place).startswith(("/dev/pts/", "/dev/tty")) else None
