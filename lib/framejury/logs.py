"""Events of a run as JSON lines, one object per line, for machines and for grep.

```
{"time": "2026-11-20T02:00:07.123456+00:00", "level": "info", "event": "video_examined",
 "run_id": "20261120T020000Z-1a2b3c", "job": "nightly", "video_id": "0f...", "host": "node-7",
 "pid": 4711, "status": "timeout", "wall_s": 300.1, "error": "longer than ..."}
```

`event` names what happened, in a word that never changes; everything else is a field. Fields that
identify the worker are bound once (`start`, `bound`) and repeated in every line. Lines go:

* to stderr if `FRAMEJURY_LOG=json`: on executors, where Spark keeps it, and on the driver instead
  of the lines for people. With `text`, `debug`, or unset, executors log nothing.
* on the driver, in any case, to the log file of the run (`collected`).

No line holds a secret or a control character (`framejury.redaction`). No line on stderr is longer
than what a pipe writes in one piece, so lines of several workers do not mix.
"""

from __future__ import annotations

import contextvars
import logging
import math
import os
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from framejury.errors import ConfigError
from framejury.redaction import HIDDEN, is_sensitive, printable, redacted

VARIABLE = "FRAMEJURY_LOG"
"""Environment variable, `text`, `json` or `debug`; on executors `spark.executorEnv.FRAMEJURY_LOG`.
"""

PIPE_BYTES = 4096
"""Longest write that a pipe keeps in one piece (PIPE_BUF on Linux, man 7 pipe)."""

FILE_BYTES = 2**16
"""Longest line of a log file; an error of Spark holds the stack trace of the JVM."""

_FORMS = ("text", "json", "debug")
_FIRST = ("run_id", "job", "video_id")
_FIELDS = "fields"
_ALWAYS = ("time", "level", "event", *_FIRST, "host", "pid")
_LOGGER = logging.getLogger("framejury")
_LOGGER.addHandler(logging.NullHandler())  # used as a library, framejury logs nothing
_LOGGER.setLevel(logging.INFO)
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_CONTEXT = contextvars.ContextVar("framejury_log", default=_NOTHING)


def start(job: str, /, **fields: Any) -> None:
    """Set up logging in this process: the fields of every line, and JSON to stderr if requested.

    Every command and every task on an executor calls this; the last call applies.

    Args:
        job: name of the job, in every line.
        fields: further fields in every line.

    Raises:
        ConfigError: `FRAMEJURY_LOG` has another value.
    """
    form = os.environ.get(VARIABLE) or "text"
    if form not in _FORMS:
        raise ConfigError(f"{VARIABLE} cannot be {form!r}; allowed: {', '.join(_FORMS)}")
    _CONTEXT.set({"job": job, **fields})
    _LOGGER.propagate = False  # or handlers of other libraries print the lines again
    for handler in list(_LOGGER.handlers):
        if isinstance(handler, _ToStderr):
            _LOGGER.removeHandler(handler)
    if form == "json":
        _LOGGER.addHandler(_ToStderr())
    sys.excepthook = _show_fault


def is_json() -> bool:
    """Whether stderr gets JSON lines instead of lines for people."""
    return os.environ.get(VARIABLE) == "json"


def is_debug() -> bool:
    """Whether stderr gets everything that Java, Spark and TensorFlow print (`cli.chatter`)."""
    return os.environ.get(VARIABLE) == "debug"


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Add fields, such as `video_id`, to every line that the body logs.

    In a generator, the body must not yield: the consumer would run inside it.
    """
    token = _CONTEXT.set({**_CONTEXT.get(), **fields})
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def event(name: str, level: int = logging.INFO, /, **fields: Any) -> None:
    """Log an event.

    Args:
        name: its constant name, such as `video_examined`.
        level: one of `logging`'s.
        fields: details, with units in their names.
    """
    _LOGGER.log(level, name, extra={_FIELDS: {**_CONTEXT.get(), **fields}})


def fault(name: str, error: BaseException) -> None:
    """Log an error with its traceback."""
    where = (type(error), error, error.__traceback__)
    _LOGGER.error(name, exc_info=where, extra={_FIELDS: dict(_CONTEXT.get())})


def say(message: str, name: str = "said", level: int = logging.INFO) -> None:
    """Print a line for people to stderr, without secrets and control characters, and log it.

    Where stderr gets JSON, it is only logged.
    """
    event(name, level, message=message.strip())
    if not is_json():
        print(for_terminal(message), file=sys.stderr, flush=True)


def for_terminal(message: str) -> str:
    """Return text without secrets and without control characters other than line ends."""
    return "\n".join(map(printable, redacted(message).split("\n")))


@contextmanager
def collected() -> Iterator[Path]:
    """Yield a local file that receives every line the body logs; it is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="framejury-log-") as folder:
        path = Path(folder) / "log.jsonl"
        handler = _ToFile(path, encoding="utf-8")
        handler.setFormatter(_OneLine(FILE_BYTES))
        _LOGGER.addHandler(handler)
        try:
            yield path
        finally:
            _LOGGER.removeHandler(handler)
            handler.close()


class _OneLine(JsonFormatter):
    """Formats a record as one line.

    Args:
        longest_bytes: limit of a line with its end; longer texts in it lose their middle.
        ascii_only: write other characters as `\\uXXXX`.
    """

    def __init__(self, longest_bytes: int, *, ascii_only: bool = False) -> None:
        super().__init__(
            ["levelname", "message"],
            timestamp="time",
            json_ensure_ascii=ascii_only,
        )
        self._longest_bytes = longest_bytes

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Return the record's fields in order, without secrets."""
        fields = dict(log_data.pop(_FIELDS, {}))
        line = {
            "time": log_data["time"].isoformat(),
            "level": log_data["levelname"].lower(),
            "event": log_data["message"],
            **{name: fields.pop(name) for name in _FIRST if name in fields},
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        # A field of the same name does not replace one of these.
        line |= {f"{name}_" if name in line else name: value for name, value in fields.items()}
        if "exc_info" in log_data:
            line["traceback"] = redacted(log_data["exc_info"]).splitlines()
        cleaned: dict[str, Any] = _clean(line)
        return cleaned

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Return JSON that fits the limit."""
        longest = self._longest_bytes
        while longest > 8:
            line = super().jsonify_log_record(_cut(log_data, longest))
            if len(line.encode()) < self._longest_bytes:
                return line
            longest //= 2
        named = {name: value for name, value in log_data.items() if name in _ALWAYS}
        return super().jsonify_log_record(_cut(named, self._longest_bytes // 32))


class _ToFile(logging.FileHandler):
    """Says once that the log cannot be written, instead of printing a traceback per line."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        if not self._told:
            self._told = True
            print(f"warning: the log is incomplete: {sys.exc_info()[1]}", file=sys.stderr)


class _ToStderr(logging.StreamHandler[Any]):
    def __init__(self) -> None:
        super().__init__(sys.stderr)
        utf8 = (sys.stderr.encoding or "").lower().replace("-", "") == "utf8"
        self.setFormatter(_OneLine(PIPE_BYTES, ascii_only=not utf8))


def _clean(value: Any, name: str = "") -> Any:
    """Return plain values whose texts hold no secret and no control character."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {printable(redacted(key)): _clean(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner, name) for inner in value]
    if is_sensitive(name):
        return HIDDEN
    return printable(redacted(value.isoformat() if isinstance(value, datetime) else value))


def _cut(value: Any, longest: int) -> Any:
    """Cut the middle out of long texts and the beginning off long lists."""
    if isinstance(value, str) and len(value) > longest:
        return f"{value[: longest // 2]} ... {value[-longest // 2 :]}"
    if isinstance(value, dict):
        return {name: _cut(inner, longest) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cut(inner, longest) for inner in value[-max(1, longest // 64) :]]
    return value


def _show_fault(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    """Show an uncaught error without secrets, and log it; replaces Python's own hook."""
    fault("fault", error)
    if not is_json():
        text = "".join(traceback.format_exception(kind, error, where))
        print(redacted(text), end="", file=sys.stderr, flush=True)
