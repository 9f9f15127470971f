"""Progress lines."""

from __future__ import annotations

import threading

import pytest

from framejury.progress import describe, progress


@pytest.mark.parametrize(
    ("done", "total", "elapsed_s", "line"),
    [
        (0, 10, 5, "  0 of 10 videos (0 %)"),
        (5, 10, 5, "  5 of 10 videos (50 %), 1.00 a second, about 5 s left"),
        (10, 10, 59.7, "  10 of 10 videos (100 %), 0.17 a second, in 1 min 00 s"),
        (1, 4, 30, "  1 of 4 videos (25 %), 0.03 a second, about 1 min 30 s left"),
        (
            *(1000, 1_000_000, 3600),
            "  1,000 of 1,000,000 videos (0 %), 0.28 a second, about 999 h 00 min left",
        ),
        (0, 0, 0, "  0 of 0 videos (100 %)"),
        (3, 3, 0, "  3 of 3 videos (100 %)"),
    ],
)
def test_lines(done: int, total: int, elapsed_s: float, line: str) -> None:
    assert describe("videos", done, total, elapsed_s) == line


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
        "  1 of 4 videos (25 %)",
        "  2 of 4 videos (50 %)",
        "  4 of 4 videos (100 %)",
    ]
    # A count that did not change is not repeated; the last line is the end of the work.
    assert len(lines) == 4 and ", in " in err.splitlines()[-1]


def test_failed_work_is_not_reported_as_done(capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), progress("videos", 4, lambda: 0, every_s=60):
        raise ZeroDivisionError
    assert capsys.readouterr().err == ""
    assert threading.active_count() == before
