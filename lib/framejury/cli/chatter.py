"""Messages of Java, Spark and TensorFlow about themselves, kept away from people.

`conf/chatter.txt` lists them, one regular expression per line. It is read here, by
`conf/spark/spark-env.sh` for jobs under spark-submit, and by `bin/train.sh`. What settings can
silence, settings do (`conf/spark/log4j2.properties`, `TF_CPP_MIN_LOG_LEVEL`); the list is for what
is printed before any setting is read. `FRAMEJURY_LOG=debug` shows everything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, suppress
from functools import cache
from pathlib import Path
from typing import TextIO

from framejury import logs
from framejury.settings.loading import find_conf_dir

_STDERR = 2
_LAST_WORDS_S = 10.0


def is_chatter(line: str) -> bool:
    """Whether a line on stderr tells nobody anything."""
    return _chatter().search(line) is not None


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Hide TensorFlow's chatter while the body runs; start before it is imported.

    TensorFlow prints to file descriptor 2 whatever its log level, so that descriptor goes through
    `grep`: a process of its own, which also passes on the last words of a crash. Python's own
    stderr stays the terminal or file that it was.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if logs.is_debug() else "3")
    if logs.is_debug():
        yield
        return
    sys.stderr.flush()
    with ExitStack() as stack:
        kept = os.dup(_STDERR)
        stack.callback(os.close, kept)
        if _is_descriptor_2(sys.stderr):
            stack.enter_context(redirect_stderr(stack.enter_context(_like_stderr(kept))))
        try:
            grep = subprocess.Popen(
                ["grep", "--line-buffered", "-vEf", str(chatter_file())],
                stdin=subprocess.PIPE,
                stdout=kept,
                start_new_session=True,  # Ctrl-C must not end it before it has passed on all
            )
        except FileNotFoundError:  # no grep on this machine: noise is better than an error
            yield
            return
        assert grep.stdin is not None
        os.dup2(grep.stdin.fileno(), _STDERR)
        grep.stdin.close()
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            # A process that the body left behind may hold the pipe open.
            with suppress(subprocess.TimeoutExpired):
                grep.wait(_LAST_WORDS_S)


def chatter_file() -> Path:
    """Return the list of regular expressions."""
    return find_conf_dir() / "chatter.txt"


@cache
def _chatter() -> re.Pattern[str]:
    lines = chatter_file().read_text(encoding="utf-8").splitlines()
    return re.compile("|".join(f"(?:{line})" for line in lines))


def _is_descriptor_2(stream: TextIO) -> bool:
    try:
        return stream.fileno() == _STDERR
    except (OSError, ValueError):
        return False


def _like_stderr(descriptor: int) -> TextIO:
    """Return a text stream like stderr on another descriptor."""
    like, lines = sys.stderr, 1
    return open(descriptor, "w", lines, like.encoding, like.errors, closefd=False)
