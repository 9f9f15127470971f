"""Heat over a face: what is coloured, and what stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data

from framejury.model.overlay import heat_inside, overlay
from framejury.records import Box

SIDE = 64
RED, _, BLUE = range(3)


def test_an_overlay_colours_the_heat_and_nothing_else() -> None:
    crop = np.ascontiguousarray(skimage.data.astronaut()[60:160, 180:280])
    heat = np.zeros((SIDE, SIDE), np.float32)
    assert np.array_equal(overlay(crop, heat), crop)
    heat[:32] = 1
    shown = overlay(crop, heat)
    assert shown.dtype == np.uint8
    assert np.array_equal(shown[53:], crop[53:])
    change = shown[:45].astype(int) - crop[:45]
    assert change[..., RED].mean() > change[..., BLUE].mean() + 20  # the hottest is red in RGB


def test_an_overlay_of_a_crop_with_black_bars() -> None:
    """Half as wide as high: the network saw bars left and right of it."""
    crop = np.full((100, 50, 3), 200, np.uint8)
    heat = np.zeros((SIDE, SIDE), np.float32)
    heat[:, :24] = 1  # the left bar of 16 pixels, and a quarter of the face
    shown = overlay(crop, heat)
    assert shown.shape == crop.shape
    assert np.array_equal(shown[:, 15:], crop[:, 15:])
    assert (shown[:, :10] != crop[:, :10]).any(axis=2).all()


def test_a_few_cells_become_a_smooth_map() -> None:
    """4 x 4 cells: strongest in the middle of the hot one, nothing two cells away, no steps."""
    crop = np.full((160, 160, 3), 90, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[1, 1] = 1
    change = np.abs(overlay(crop, heat).astype(int) - crop).sum(axis=2)
    assert change[60, 60] > 60
    assert change[140:].max() == change[:, 140:].max() == 0
    row = change[60].astype(float)
    assert np.abs(np.diff(row)).max() < 25


def test_a_step_in_the_map_does_not_leave_the_scale() -> None:
    """Cubic curves overshoot there; the colour beyond red would be the first, blue."""
    heat = np.zeros((4, 4), np.float32)
    heat[:2] = 1
    shown = overlay(np.full((160, 160, 3), 90, np.uint8), heat).astype(int)
    assert (shown[:70, :, RED] > shown[:70, :, BLUE]).all()


def test_a_finer_map_than_the_face_keeps_its_place() -> None:
    crop = np.full((40, 40, 3), 90, np.uint8)
    heat = np.zeros((160, 160), np.float32)
    heat[80:, 80:] = 1
    shown = overlay(crop, heat)
    assert (shown[22:, 22:] != 90).any(axis=2).all()
    assert (shown[:18] == 90).all()


@pytest.mark.parametrize("shape", [(3, 4), (16,), (0, 0)])
def test_what_is_no_square_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="square of cells"):
        overlay(np.zeros((10, 10, 3), np.uint8), np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("cell", "share"), [((1, 1), 1.0), ((0, 0), 0.0), ((3, 0), 0.0), ((2, 2), 1.0)]
)
def test_heat_in_the_middle_is_inside_the_face(cell: tuple[int, int], share: float) -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[cell] = 1
    # Each cell is enlarged smoothly, so a little spills over.
    assert heat_inside(heat, (100, 100), Box(5, 5, 90, 90)) == pytest.approx(share, abs=0.2)


def test_even_heat_is_shared_by_area() -> None:
    heat = np.ones((7, 7), np.float32)
    square = heat_inside(heat, (100, 100), Box(0, 0, 100, 100))
    assert square == pytest.approx(np.pi / 4, abs=0.02)
    half = heat_inside(heat, (100, 100), Box(0, 0, 50, 100))
    assert half == pytest.approx(np.pi / 8, abs=0.02)
    # A wide crop is letterboxed: the upper and lower quarter of the input show none of it.
    wide = heat_inside(heat, (100, 200), Box(0, 0, 200, 100))
    assert wide == pytest.approx(np.pi / 8, abs=0.02)


def test_no_heat_has_no_share() -> None:
    assert heat_inside(np.zeros((7, 7), np.float32), (10, 10), Box(0, 0, 10, 10)) is None
    outside = heat_inside(np.ones((7, 7), np.float32), (10, 10), Box(40, 0, 10, 10))
    assert outside == 0
