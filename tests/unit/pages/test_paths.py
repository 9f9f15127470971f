"""Paths on one line."""

from __future__ import annotations

import pytest

from framejury.pages.paths import END_CH, cell_width, halves


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a.mp4",
        "x" * END_CH,
        "x" * (END_CH + 1),
        "archive/2025/newsroom/interviews/clip_0004_final_export.mp4",
        "\u65e5\u672c\u8a9e" * 9 + ".mp4",
        "e\u0301" * 40,
    ],
)
def test_the_halves_are_the_path_and_the_end_fits(path: str) -> None:
    start, end = halves(path)
    assert start + end == path
    assert cell_width(end) <= END_CH
    assert not start or cell_width(end) >= END_CH - 2


def test_a_short_path_is_not_cut() -> None:
    assert halves("clips/0004.mp4") == ("", "clips/0004.mp4")


def test_an_accent_stays_with_its_letter() -> None:
    start, end = halves("a" * 30 + "e\u0301" + "b" * (END_CH - 1))
    assert start.endswith("e\u0301") and end == "b" * (END_CH - 1)


def test_wide_letters_count_twice() -> None:
    assert cell_width("a\u65e5") == 3


def test_characters_that_steer_are_escaped() -> None:
    assert "\u202e" not in "".join(halves("x" * 30 + "\u202e" + "4pm.exe"))
