"""Progress of long work on the terminal: videos done, rate, time left.

On a terminal a line every few seconds; into a file or a mail one a minute and later one every
five; as events where logs are JSON (`framejury.logs`).
"""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from framejury import logs

_TERMINAL_S = 5.0
_UNWATCHED_S = (60.0, 300.0)
_OFTEN_FOR_S = 600.0
"""How long unwatched lines come at the first of `_UNWATCHED_S`."""


@contextmanager
def progress(
    what: str,
    total: int,
    done: Callable[[], int],
    every_s: float | None = None,
    *,
    total_cost: float | None = None,
    done_cost: Callable[[], float] | None = None,
) -> Iterator[None]:
    """Print a line to stderr now and then while the body runs, and one at its end.

    Args:
        what: such as `videos`.
        total: how many there are.
        done: how many are finished by now.
        every_s: seconds between lines; None: 5 on a terminal, elsewhere 60 in the first ten
            minutes and then 300.
        total_cost: estimated cost of all, in any unit; with it the time left goes by cost, for
            where the heaviest come first, the count says little.
        done_cost: estimated cost of what is finished; with `total_cost`.
    """
    started_s = time.monotonic()
    finished = threading.Event()

    def show(count: int) -> None:
        elapsed_s = time.monotonic() - started_s
        share = None
        if count < total and total_cost and done_cost is not None:
            share = min(done_cost() / total_cost, 1.0)
        if logs.is_json():
            logs.event(
                "progress",
                **{"what": what, "done": count, "total": total, "elapsed_s": round(elapsed_s, 1)},
                left_s=_left_s(count, total, elapsed_s, share),
            )
        else:
            print(describe(what, count, total, elapsed_s, share), file=sys.stderr, flush=True)

    def watch() -> None:
        last = -1
        while not finished.wait(_pause_s(every_s, time.monotonic() - started_s)):
            count = min(done(), total)
            if count != last:
                show(count)
                last = count

    # A thread begins without context; whose run this is belongs into its events.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(watch,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
    show(total)


def describe(
    what: str, done: int, total: int, elapsed_s: float, cost_share: float | None = None
) -> str:
    """One line: share done, rate, time left.

    Args:
        what, done, total: as in `progress`.
        elapsed_s: since the beginning, seconds.
        cost_share: how much of the estimated cost is done, 0 to 1; None: as the count says.
    """
    share = 100 * done / total if total else 100
    text = f"  {done:,} of {total:,} {what} ({share:.0f} %)"
    if not done or elapsed_s <= 0:
        return text
    text += f", {done / elapsed_s:.2f} a second"
    if done >= total:
        return text + f", in {_duration(elapsed_s)}"
    left_s = _left_s(done, total, elapsed_s, cost_share)
    return text if left_s is None else text + f", about {_duration(left_s)} left"


def _left_s(done: int, total: int, elapsed_s: float, cost_share: float | None) -> float | None:
    """Seconds left at the pace so far; None before anything is done."""
    share = done / total if cost_share is None and total else cost_share
    if not done or not share:
        return None
    return round(elapsed_s * (1 - share) / share, 1)


def _pause_s(every_s: float | None, elapsed_s: float) -> float:
    """Seconds until the next line."""
    if every_s is not None:
        return every_s
    if sys.stderr.isatty():
        return _TERMINAL_S
    return _UNWATCHED_S[0] if elapsed_s < _OFTEN_FOR_S else _UNWATCHED_S[1]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
