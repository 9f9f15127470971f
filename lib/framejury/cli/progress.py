"""Progress of long work: videos done, rate, time left.

On a terminal one line that is rewritten every second (`cli.live_line`); into a file or a mail one
line per minute, later one every five minutes; events where logs are JSON (`framejury.logs`).
"""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from framejury import logs
from framejury.cli.live_line import draw, is_live, live_line

_LIVE_S = 1.0
_TERMINAL_S = 5.0
_UNWATCHED_S = (60.0, 300.0)
_OFTEN_FOR_S = 600.0
"""For how long lines that nobody watches come at the first pace of `_UNWATCHED_S`."""


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
    """Show progress on stderr while the body runs, and a last line at its end.

    The last line stays, unless the caller has a live line of its own.

    Args:
        what: such as `videos`.
        total: how many in all.
        done: returns how many are finished.
        every_s: seconds between lines; None: 1 where a line is rewritten, 5 on other terminals,
            elsewhere 60 in the first ten minutes and then 300.
        total_cost: estimated cost of all, in any unit; the time left is then estimated by
            cost, since the heaviest videos come first.
        done_cost: returns the estimated cost of what is finished; with `total_cost`.
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
            draw(describe(what, count, total, elapsed_s, share))

    def watch() -> None:
        last = -1
        while not finished.wait(_pause_s(every_s, time.monotonic() - started_s)):
            count = min(done(), total)
            if count != last:
                show(count)
                last = count

    # A thread starts without context, but its events belong to this run.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(watch,), daemon=True)
    with live_line():
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
    """Return one line: share done, rate, time left.

    Args:
        what: as in `progress`.
        done: how many are finished.
        total: how many in all.
        elapsed_s: seconds since the start.
        cost_share: share of the estimated cost that is done, 0 to 1; None: that of the count.
    """
    share = 100 * done / total if total else 100
    text = f"  {done:,} of {total:,} {what} ({share:.0f}%)"
    if not done or elapsed_s <= 0:
        return text
    text += f", {done / elapsed_s:.2f} per second"
    if done >= total:
        return text + f", in {_duration(elapsed_s)}"
    left_s = _left_s(done, total, elapsed_s, cost_share)
    return text if left_s is None else text + f", about {_duration(left_s)} left"


def _left_s(done: int, total: int, elapsed_s: float, cost_share: float | None) -> float | None:
    """Estimate the seconds left at the pace so far; None before anything is done."""
    share = done / total if cost_share is None and total else cost_share
    if not done or not share:
        return None
    return round(elapsed_s * (1 - share) / share, 1)


def _pause_s(every_s: float | None, elapsed_s: float) -> float:
    """Return the seconds until the next line."""
    if every_s is not None:
        return every_s
    if is_live():
        return _LIVE_S
    if sys.stderr.isatty():
        return _TERMINAL_S
    return _UNWATCHED_S[0] if elapsed_s < _OFTEN_FOR_S else _UNWATCHED_S[1]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
