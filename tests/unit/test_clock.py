"""Times on the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta

import pytest

from framejury.clock import moment, now

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-19", datetime(2026, 11, 19, tzinfo=UTC)),
        ("2026-11-19T02:30", datetime(2026, 11, 19, 2, 30, tzinfo=UTC)),
        ("2026-11-19T02:30:00+02:00", datetime(2026, 11, 19, 0, 30, tzinfo=UTC)),
        ("36h", AT - timedelta(hours=36)),
        ("1.5d", AT - timedelta(hours=36)),
        ("2w", AT - timedelta(days=14)),
    ],
)
def test_moments(text: str, expected: datetime) -> None:
    found = moment(text, AT)
    assert found == expected
    assert found.tzinfo is not None


@pytest.mark.parametrize("text", ["", "yesterday", "7", "7m", "-7d", "2026-13-01", "9" * 400 + "w"])
def test_no_moments(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"not a time|calendar"):
        moment(text, AT)


def test_ages_count_from_now() -> None:
    assert abs(now() - timedelta(days=7) - moment("7d")) < timedelta(seconds=5)
