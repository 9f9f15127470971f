"""Text on a terminal: wide characters, and shortening to a width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from framejury.pages.text_table import Fit, Layout, columns, grid
from framejury.pages.text_width import cut, cut_path, padded, width_of
from framejury.redaction import printable

LETTERS = "az/.日本語한é\u0301ü😀\uff41\u0e33\u0e19"
TEXT = st.text(LETTERS, max_size=40)


@pytest.mark.parametrize(
    ("text", "cells"), [("abc", 3), ("", 0), ("日本", 4), ("e\u0301", 1), ("😀", 2), ("\uff41", 2)]
)
def test_widths(text: str, cells: int) -> None:
    assert width_of(text) == cells == wcswidth(text)


@pytest.mark.parametrize(
    ("path", "width", "shown"),
    [
        ("2026/11/camera/clip.mp4", 23, "2026/11/camera/clip.mp4"),
        ("2026/11/camera/clip.mp4", 22, "2026/11/ca.../clip.mp4"),
        ("2026/11/camera/clip.mp4", 12, ".../clip.mp4"),
        ("2026/11/camera/clip.mp4", 11, "clip....mp4"),
        ("a very long name of a clip.mp4", 14, "a very...p.mp4"),
        ("日本/映像/長い名前.mp4", 18, "日.../長い名前.mp4"),
        ("日本/映像/長い名前.mp4", 9, "長...mp4"),
        ("clip.mp4", 2, ".."),
        ("clip.mp4", 0, ""),
    ],
)
def test_a_path_keeps_its_file_name(path: str, width: int, shown: str) -> None:
    assert cut_path(path, width) == shown
    assert wcswidth(shown) <= width


@given(TEXT, st.integers(0, 50))
def test_nothing_is_wider_than_asked_for(text: str, width: int) -> None:
    for shorter in (cut, cut_path):
        found = shorter(text, width)
        assert width_of(found) <= width
        if width_of(text) <= width:
            assert found == text
        assert width_of(padded(found, width)) == width


def test_columns_of_wide_text_stand_below_each_other() -> None:
    first, second = columns([("日本語.mp4", "fake"), ("a.mp4", "real")])
    assert wcswidth(first[: first.index("fake")]) == wcswidth(second[: second.index("real")])
    assert [wcswidth(line) for line in grid(("clip",), [("日本語.mp4",)]).splitlines()] == [
        4,
        10,
        10,
    ]


HEADING = ("path", "label", "verdict", "error")
ROWS = [
    ("2026/11/30/camera-7/clip-000001.mp4", "-", "inconclusive", "the decoder died: " + "x" * 90),
    ("日本語/映像.mp4", "-", "fake", ""),
]


def fitted(width: int, rows: list[tuple[str, ...]] = ROWS) -> list[str]:
    fit = Fit(width, texts={3: 10}, paths={0: 20}, spare=(3, 1))
    return columns([HEADING, *rows], fit=fit)


@pytest.mark.parametrize("width", [200, 120, 80, 60, 40, 30, 10, 1])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = fitted(width)
    assert max(map(wcswidth, lines)) <= width and len(lines) == 3


def test_the_end_of_errors_goes_first_then_the_middle_of_paths_then_whole_columns() -> None:
    assert fitted(200)[1].endswith("x" * 90)
    assert ROWS[0][0] in fitted(80)[1] and fitted(80)[1].endswith("...")
    assert fitted(50)[1] == "2026/.../clip-000001.mp4  inconclusive  the dec..."
    assert fitted(40)[0].split() == ["path", "verdict"]


def test_a_column_without_any_value_is_left_out_on_a_terminal_only() -> None:
    assert fitted(200)[0].split() == ["path", "verdict", "error"]
    assert columns([HEADING, *ROWS])[0].split() == list(HEADING)
    assert Layout.of(HEADING, [], fit=Fit(80)).line(HEADING) == "path"


@given(TEXT)
def test_printable_text_is_what_it_was(text: str) -> None:
    assert printable(text) == text
