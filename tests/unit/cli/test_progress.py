"""Progress lines."""

from __future__ import annotations

import json
import sys
import threading

import pytest

from framejury import logs
from framejury.cli.progress import _pause_s, describe, progress


@pytest.mark.parametrize(
    ("done", "total", "elapsed_s", "line"),
    [
        (0, 10, 5, "  0 of 10 videos (0%)"),
        (5, 10, 5, "  5 of 10 videos (50%), 1.00 per second, about 5 s left"),
        (10, 10, 59.7, "  10 of 10 videos (100%), 0.17 per second, in 1 min 00 s"),
        (1, 4, 30, "  1 of 4 videos (25%), 0.03 per second, about 1 min 30 s left"),
        (
            *(1000, 1_000_000, 3600),
            "  1,000 of 1,000,000 videos (0%), 0.28 per second, about 999 h 00 min left",
        ),
        (0, 0, 0, "  0 of 0 videos (100%)"),
        (3, 3, 0, "  3 of 3 videos (100%)"),
    ],
)
def test_lines(done: int, total: int, elapsed_s: float, line: str) -> None:
    assert describe("videos", done, total, elapsed_s) == line


@pytest.mark.parametrize(
    ("done", "share", "left"),
    [
        (1, 0.5, "about 30 s left"),  # the heaviest came first: one of ten is half the work
        (9, 0.5, "about 30 s left"),
        (5, 1.0, "about 0 s left"),  # estimates err
        (5, 0.0, ""),
        (0, 0.5, ""),
    ],
)
def test_the_time_left_goes_by_cost(done: int, share: float, left: str) -> None:
    line = describe("videos", done, 10, 30, share)
    assert line.endswith(left)
    assert (" left" in line) is bool(left)


def test_nothing_is_left_at_the_end() -> None:
    assert describe("videos", 10, 10, 30, 0.5) == describe("videos", 10, 10, 30)


def test_lines_appear_while_the_work_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    counted = threading.Event()
    count = 0

    def done() -> int:
        nonlocal count
        count += 1
        if count == 3:
            counted.set()
        return min(count, 2) if count < 3 else 7  # counters of retried tasks run over

    with progress("videos", 4, done, every_s=0.01):
        assert counted.wait(10)
        threading.Event().wait(0.05)
    out, err = capsys.readouterr()
    lines = [line.split(",")[0] for line in err.splitlines()]
    assert out == ""
    assert lines[:3] == [
        "  1 of 4 videos (25%)",
        "  2 of 4 videos (50%)",
        "  4 of 4 videos (100%)",
    ]
    # A count that did not change is not repeated; the last line is the end of the work.
    assert len(lines) == 4 and ", in " in err.splitlines()[-1]


def test_failed_work_is_not_reported_as_done(capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), progress("videos", 4, lambda: 0, every_s=60):
        raise ZeroDivisionError
    assert capsys.readouterr().err == ""
    assert threading.active_count() == before


def test_costs_are_asked_for_with_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    shown = threading.Event()
    costs = iter([50.0, 75.0, 500.0])

    def done_cost() -> float:
        cost = next(costs, 500.0)
        if cost == 500:
            shown.set()
        return cost

    count = iter(range(1, 1000))
    with progress("videos", 1000, lambda: next(count), 0.02, total_cost=100.0, done_cost=done_cost):
        assert shown.wait(10)
    lines = capsys.readouterr().err.splitlines()
    # Half of the work took some hundredths of a second; by count there would be minutes left.
    assert all("about 0 s left" in line for line in lines[:3])
    assert ", in " in lines[-1]


class Screen:
    def __init__(self, is_terminal: bool) -> None:
        self.isatty = lambda: is_terminal


def test_mails_get_fewer_lines_than_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Screen(is_terminal=True))
    assert [_pause_s(None, elapsed_s) for elapsed_s in (0, 599, 600, 90_000)] == [5] * 4
    monkeypatch.setattr(sys, "stderr", Screen(is_terminal=False))
    assert [_pause_s(None, elapsed_s) for elapsed_s in (0, 599, 600, 90_000)] == [60, 60, 300, 300]
    assert _pause_s(1.5, 0) == 1.5


def test_lines_of_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(logs.VARIABLE, "json")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    logs.start("nightly")
    shown = threading.Event()

    def done() -> int:
        shown.set()
        return 1

    with logs.bound(run_id="r1"), progress("videos", 4, done, every_s=0.01):
        assert shown.wait(10)
        threading.Event().wait(0.05)
    monkeypatch.delenv(logs.VARIABLE)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    logs.start("nightly")
    assert [(x["event"], x["what"], x["done"], x["total"], x["run_id"]) for x in lines] == [
        ("progress", "videos", 1, 4, "r1"),
        ("progress", "videos", 4, 4, "r1"),
    ]
    assert lines[0]["left_s"] >= 0 and lines[1]["left_s"] == 0
