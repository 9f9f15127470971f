"""Names of figures are read back as they were written."""

from __future__ import annotations

import pytest

from framejury.model.figure_sets import FigureSet

NAMES = {
    "test": FigureSet("test"),
    "val, ffpp": FigureSet("val", "data set", "ffpp"),
    "test, a, b": FigureSet("test", "data set", "a, b"),
    "test, wild, method VASA-1": FigureSet("test", "method", "wild", "VASA-1"),
    "test, a, b, method m, n": FigureSet("test", "method", "a, b", "m, n"),
    "test, known methods": FigureSet("test", "known methods"),
    "test, unknown methods": FigureSet("test", "unknown methods"),
    "test, known methods with sampled faces": FigureSet("test", "known methods with sampled faces"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read_as_it_was_written(name: str) -> None:
    assert str(NAMES[name]) == name
    assert FigureSet.of(name) == NAMES[name]


def test_other_names_count_as_a_split() -> None:
    assert FigureSet.of("my own - figures") == FigureSet("my own - figures")
