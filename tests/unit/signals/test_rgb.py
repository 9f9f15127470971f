"""The network's picture: scaled without stretching, centred on black."""

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from framejury.settings import Resize
from framejury.signals.rgb import input_points, network_input, stretched


def test_a_crop_of_the_right_size_is_untouched():
    crop = skimage.data.astronaut()[:224, :224].copy()
    result = network_input(crop, 224)
    assert np.array_equal(result, crop)
    assert result is not crop


def test_reduction_averages():
    crop = np.zeros((8, 8, 3), np.uint8)
    crop[:, ::2] = (100, 40, 200)
    result = network_input(crop, 4)
    assert np.unique(result.reshape(-1, 3), axis=0).tolist() == [[50, 20, 100]]


def test_enlargement_is_cubic():
    crop = np.zeros((4, 4, 3), np.uint8)
    crop[:, 2:] = 200
    row = network_input(crop, 8)[4, :, 0].tolist()
    # Catmull-Rom-like overshoot beyond 200, which bilinear and nearest do not have.
    assert max(row) > 200
    assert row[0] == 0


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [
        (100, 50, slice(0, 64), slice(16, 48)),
        (50, 100, slice(16, 48), slice(0, 64)),
        (30, 10, slice(0, 64), slice(21, 42)),  # 21 columns, odd rest: 21 left, 22 right
    ],
)
def test_shape_is_kept_on_black(height, width, rows, columns):
    crop = np.full((height, width, 3), 255, np.uint8)
    result = network_input(crop, 64)
    assert (result[rows, columns] == 255).all()
    result[rows, columns] = 0
    assert not result.any()


@given(st.integers(1, 300), st.integers(1, 300), st.integers(8, 96))
def test_any_crop_gives_a_full_square(height, width, input_px):
    result = network_input(np.full((height, width, 3), 90, np.uint8), input_px)
    assert result.shape == (input_px, input_px, 3)
    assert result.dtype == np.uint8
    filled = np.argwhere(result[..., 0] > 0)
    low, high = filled.min(axis=0), filled.max(axis=0)
    sides = high - low + 1
    assert max(sides) == input_px
    assert abs(sides[0] * width - sides[1] * height) <= max(width, height)
    assert np.abs(low + high - (input_px - 1)).max() <= 1  # centred


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((5, 5), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((5, 5, 3), np.float32),
    ],
)
def test_other_arrays_are_refused(crop):
    with pytest.raises(ValueError, match="uint8"):
        network_input(crop, 64)


@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
@pytest.mark.parametrize(("height", "width"), [(100, 100), (60, 120), (121, 60), (32, 32)])
def test_points_stay_on_what_they_mark(height: int, width: int, resize: Resize) -> None:
    crop = np.zeros((height, width, 3), np.uint8)
    crop[height // 2 - 4 : height // 2 + 4, width // 4 - 4 : width // 4 + 4] = 255
    mark = np.array([[width // 4, height // 2]], np.float32)
    (x, y), *_ = input_points(mark, crop.shape, 96, resize)
    square = network_input(crop, 96) if resize == "letterbox" else stretched(crop, 96)
    rows, columns = np.nonzero(square[..., 0] > 127)
    assert abs(rows.mean() + 0.5 - y) <= 1
    assert abs(columns.mean() + 0.5 - x) <= 1
