"""The clock of the commands, and times as people write them."""

from __future__ import annotations

import os
import re
from argparse import ArgumentTypeError
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

STARTED_VARIABLE = "FRAMEJURY_STARTED_S"
"""Environment variable: when bin/submit.sh started, seconds since 1970."""

_AGE = re.compile(r"^(?P<count>\d+(?:\.\d+)?)(?P<unit>[hdw])$")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}


def now() -> datetime:
    """Return the current time, UTC. All commands use this clock."""
    return datetime.now(UTC)


def process_started() -> datetime:
    """Return when this command started, UTC: the script that submitted it, or this process.

    Where the system does not tell, it is now.
    """
    with suppress(KeyError, ValueError):
        return datetime.fromtimestamp(float(os.environ[STARTED_VARIABLE]), UTC)
    age_s = 0.0
    with suppress(OSError, ValueError, IndexError):
        # The name of the program, in brackets, may hold spaces; 20 fields later is the start.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        ticks_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        age_s = float(Path("/proc/uptime").read_text().split()[0]) - ticks_s
    return now() - timedelta(seconds=max(0.0, age_s))


def moment(text: str, at: datetime | None = None) -> datetime:
    """Parse a point in time for argparse; the result is in UTC.

    Args:
        text: a date (`2026-11-20`, midnight UTC), an ISO 8601 time (UTC unless it says
            otherwise), or an age: `36h`, `7d`, `2w`.
        at: the time that ages count back from; None: now.

    Raises:
        ArgumentTypeError: the text is none of these.
    """
    age = _AGE.match(text)
    if age is not None:
        start = now() if at is None else at
        try:
            return start - timedelta(hours=float(age["count"]) * _HOURS[age["unit"]])
        except OverflowError:
            raise ArgumentTypeError(f"{text} is further back than the calendar goes") from None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is not a time; write 2026-11-20, 2026-11-20T02:00, 36h or 7d"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
