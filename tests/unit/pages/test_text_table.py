"""Text in columns."""

from __future__ import annotations

import pytest

from framejury.pages.text_table import columns, count, duration, grid, pairs


def test_columns() -> None:
    rows = [("name", "rows", ""), ("a", "1,000", "shared"), ("long name", "2", "")]
    assert columns(rows, "lr") == [
        "name        rows",
        "a          1,000  shared",
        "long name      2",
    ]


def test_grid() -> None:
    assert grid(("name", "rows"), [("a\x1b", 1000), ("b", 2)], "lr").splitlines() == [
        "name   rows",
        "-----  ----",
        "a\\x1b  1000",
        "b         2",
    ]


def test_pairs() -> None:
    assert pairs({"a": "x", "long": "y", "none": None}) == ["  a     x", "  long  y"]
    assert pairs({"a": None}) == pairs({}) == []
    assert pairs({"a": "x"}, indent="") == ["a  x"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0:00:00"), (59.6, "0:01:00"), (3723, "1:02:03"), (360_000, "100:00:00")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_counts() -> None:
    assert (count(None), count(0), count(1_234_567)) == ("-", "0", "1,234,567")
