"""Progress of long work on the terminal: videos done, rate, time left."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(
    what: str, total: int, done: Callable[[], int], every_s: float = 5.0
) -> Iterator[None]:
    """Print a line to stderr every few seconds while the body runs, and one at its end.

    Args:
        what: such as `videos`.
        total: how many there are.
        done: how many are finished by now.
        every_s: seconds between lines.
    """
    started_s = time.monotonic()
    finished = threading.Event()

    def show() -> None:
        last = -1
        while not finished.wait(every_s):
            count = min(done(), total)
            if count != last:
                print(describe(what, count, total, time.monotonic() - started_s), file=sys.stderr)
                last = count

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
    print(describe(what, total, total, time.monotonic() - started_s), file=sys.stderr)


def describe(what: str, done: int, total: int, elapsed_s: float) -> str:
    """One line: share done, rate, time left."""
    share = 100 * done / total if total else 100
    text = f"  {done:,} of {total:,} {what} ({share:.0f} %)"
    if not done or elapsed_s <= 0:
        return text
    rate = done / elapsed_s
    text += f", {rate:.2f} a second"
    if done < total:
        return text + f", about {_duration((total - done) / rate)} left"
    return text + f", in {_duration(elapsed_s)}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
