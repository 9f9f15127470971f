"""What became of the damaged files, as a table at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

PROPERTY = "fuzz"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    outcomes: Counter[tuple[str, str]] = Counter()
    starts = 0
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                outcomes.update({(kind, status): count for kind, status, count in value["table"]})
                starts += value["starts"]
    if not outcomes:
        return
    statuses = sorted({status for _, status in outcomes})
    total = sum(outcomes.values())
    terminalreporter.section(f"{total} damaged videos, {starts} child processes")
    terminalreporter.line(" " * 20 + "".join(f"{word:>13}" for word in statuses))
    for kind in [*sorted({kind for kind, _ in outcomes}), "all"]:
        counts = [
            sum(n for (k, s), n in outcomes.items() if s == status and kind in (k, "all"))
            for status in statuses
        ]
        terminalreporter.line(f"{kind:<20}" + "".join(f"{n:>13}" for n in counts))
