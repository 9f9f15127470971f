"""The pyramid of scales PNet sees, against OpenCV and values worked out by hand."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury.faces import pyramid
from framejury.faces.cascade import CELL_PX
from framejury.faces.pyramid import Pyramid, coarse_from, pyramid_scales, scales_for
from framejury.records import Box, Region, Size


def _reduced(picture, *scales):
    """The picture, one value a pixel, at each scale: red of (height, width)."""
    image = np.repeat(np.asarray(picture, np.uint8)[..., None], 3, axis=2)
    levels = Pyramid(Size(*image.shape[:2]), scales).reduced(image)
    return [level[0, 0].copy() for level in levels]


def test_pyramid_starts_at_the_smallest_face_and_ends_above_a_cell():
    for shorter in range(24, 1200):
        scales = pyramid_scales(Size(shorter, 2000), min_face_px=20)
        if scales:
            assert scales[0] == pytest.approx(0.6)
            assert int(shorter * scales[-1]) >= CELL_PX
    assert len(pyramid_scales(Size(450, 800))) == 10


def test_tiny_pictures_have_no_scales():
    for side in (1, 5, 12, 20):
        assert pyramid_scales(Size(side, side)) == []


def test_scaling_averages_areas():
    corner = [[100, 100, 50, 0], [100, 100, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    half, nearly = _reduced(corner, 0.5, 0.74)
    np.testing.assert_allclose(half, [[100, 12.5], [0, 0]])
    assert nearly.shape == (2, 2)  # 2.96 is cut to 2
    stripes = np.zeros((5, 5))
    stripes[:, 1], stripes[:, 2] = 40, 80  # 2.5 pixels become one: 0 40 80/2 | 80/2 0 0
    for picture, axis in ((stripes, 1), (stripes.T, 0)):
        (reduced,) = _reduced(picture, 0.4)
        np.testing.assert_allclose(reduced.take(0, axis=1 - axis), [80 / 2.5, 40 / 2.5], rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(24, 500), st.integers(24, 300), st.integers(0, 2**31))
def test_pyramid_is_the_area_average_of_opencv(height, width, seed):
    rng = np.random.default_rng(seed)
    scales = pyramid_scales(Size(height, width))
    levels = Pyramid(Size(height, width), scales)
    for _ in range(2):  # the second picture finds the buffers used
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for scale, planes in zip(scales, levels.reduced(image), strict=True):
            side = int(width * scale), int(height * scale)
            expected = cv2.resize(image.astype(np.float32), side, interpolation=cv2.INTER_AREA)
            np.testing.assert_allclose(planes[0].transpose(1, 2, 0), expected, atol=0.02)


def test_pyramid_begins_where_asked():
    image = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    levels = Pyramid(Size(90, 120), [0.6, 0.4, 0.2])
    whole = [planes.copy() for planes in levels.reduced(image)]
    (last,) = levels.reduced(image, first=2)
    assert last.tolist() == whole[2].tolist()


def test_coarse_scales_take_their_share_at_most():
    scales = pyramid_scales(Size(450, 800))
    first = coarse_from(scales, 0.2)
    total = np.square(scales).sum()
    assert np.square(scales[first:]).sum() <= 0.2 * total < np.square(scales[first - 1 :]).sum()
    assert coarse_from(scales, 1.0) == 0
    assert coarse_from([], 0.2) == 0


def test_scales_for_a_face_show_it_as_about_a_cell():
    scales = [0.6, 0.4, 0.3, 0.2, 0.1]  # cells of 20, 30, 40, 60, 120 pixels
    assert scales_for(scales, 40.0) == [1, 2, 3]
    assert scales_for(scales, 1000.0) == []


def test_neighbourhood_is_twice_the_box_within_the_picture():
    size = Size(100, 200)
    assert pyramid.neighbourhood(Box(80, 30, 20, 30), size) == Region(60, 15, 60, 60)
    assert pyramid.neighbourhood(Box(-10, 90, 30, 20), size) == Region(0, 70, 35, 30)
    assert pyramid.neighbourhood(Box(500, 30, 20, 30), size).width == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 119), st.integers(0, 89), st.integers(0, 119), st.integers(0, 89))
def test_a_part_is_cut_from_the_whole_at_even_pixels(x, y, width, height):
    image = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    levels = Pyramid(Size(90, 120), [0.6, 0.47])
    region = Region(x, y, min(width, 120 - x), min(height, 90 - y))
    for rank, whole in enumerate([planes.copy() for planes in levels.reduced(image)]):
        scale = levels.scales[rank]
        found = levels.part(image, rank, region)
        if found is None:
            assert min(region.width, region.height) * scale < CELL_PX
            continue
        part, where = found
        assert where.x % 2 == where.y % 2 == 0
        assert where.x <= region.x * scale
        assert where.y <= region.y * scale
        bottom, right = where.y + where.height, where.x + where.width
        assert right == whole.shape[3] or right >= (region.x + region.width) * scale
        assert bottom == whole.shape[2] or bottom >= (region.y + region.height) * scale
        np.testing.assert_array_equal(part, whole[:, :, where.y : bottom, where.x : right])
