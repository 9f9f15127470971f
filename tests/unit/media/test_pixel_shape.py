"""The size at which pixels become square."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.media.pixel_shape import in_square_pixels
from framejury.records import Size


@pytest.mark.parametrize(
    ("coded", "ratio", "shown"),
    [
        (Size(576, 720), Fraction(16, 15), Size(576, 768)),  # DVD, 4:3
        (Size(576, 720), Fraction(64, 45), Size(576, 1024)),  # DVD, 16:9
        (Size(480, 720), Fraction(8, 9), Size(540, 720)),  # NTSC, 4:3
        (Size(240, 704), Fraction(1, 2), Size(480, 704)),  # 2CIF
        (Size(480, 640), Fraction(1), Size(480, 640)),
    ],
)
def test_formats_of_television(coded: Size, ratio: Fraction, shown: Size) -> None:
    assert in_square_pixels(coded, ratio) == shown


@given(
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.fractions(Fraction(1, 100), Fraction(100), max_denominator=200),
)
def test_nothing_is_lost(height: int, width: int, ratio: Fraction) -> None:
    shown = in_square_pixels(Size(height, width), ratio)
    assert shown.height >= height
    assert shown.width >= width
    assert (shown.height == height) or (shown.width == width)
