"""The geometry of MTCNN's cascade, against values worked out by hand."""

import numpy as np
import pytest

from framejury.faces import cascade
from framejury.records import Size


def _boxes(*rows):
    return np.array(rows, np.float64)


def test_pyramid_starts_at_the_smallest_face_and_ends_above_a_cell():
    for shorter in range(24, 1200):
        scales = cascade.pyramid_scales(Size(shorter, 2000), min_face_px=20)
        if scales:
            assert scales[0] == pytest.approx(0.6)
            assert int(shorter * scales[-1]) >= cascade.CELL_PX
    assert len(cascade.pyramid_scales(Size(450, 800))) == 10


def test_tiny_pictures_have_no_scales():
    for side in (1, 5, 12, 20):
        assert cascade.pyramid_scales(Size(side, side)) == []


def test_scaling_averages_areas():
    picture = np.zeros((1, 4, 4, 3), np.float32)
    picture[0, :2, :2] = 1.0
    picture[0, 0, 2] = 0.5
    expected = np.array([[1.0, 0.125], [0.0, 0.0]], np.float32)
    np.testing.assert_allclose(cascade.scale_pictures(picture, 0.5)[0, ..., 1], expected)
    columns = np.zeros((1, 5, 5, 3), np.float32)
    columns[0, :, 1:3] = [[4.0], [8.0]]  # 2.5 pixels become one: 0 4 8/2 | 8/2 0 0
    halves = cascade.scale_pictures(columns, 0.4)[0, 0, :, 0]
    np.testing.assert_allclose(halves, [8 / 2.5, 4 / 2.5], rtol=1e-6)
    assert cascade.scale_pictures(picture, 0.74).shape == (1, 2, 2, 3)  # 2.96 is cut to 2


def test_propose_places_cells_and_shifts_corners():
    face = np.zeros((2, 3, 4), np.float32)
    offsets = np.zeros((2, 4, 3, 4), np.float32)
    face[1, 2, 3], face[0, 0, 0], face[0, 1, 1] = 0.9, 0.7, 0.6
    offsets[1, :, 2, 3] = [0.1, -0.2, 0.3, 0.4]
    boxes = cascade.propose(offsets, face, scale=0.5, threshold=np.float32(0.6))
    expected = _boxes(
        [1, 2 * (7 + 1.1), 2 * (5 - 2.2), 2 * (18 + 3.3), 2 * (16 + 4.4), 0.9],
        [0, 2, 2, 24, 24, 0.7],
    )
    np.testing.assert_allclose(boxes, expected, rtol=1e-6)


def test_suppression_drops_the_weaker_of_two_and_keeps_images_apart():
    boxes = _boxes(
        [0, 0, 0, 10, 10, 0.9],
        [1, 1, 0, 11, 10, 0.85],
        [0, 1, 0, 11, 10, 0.8],
        [0, 20, 0, 30, 10, 0.7],
    )
    kept = cascade.suppress(boxes, 0.5, "union")
    assert kept[:, [0, 5]].tolist() == [[0, 0.9], [0, 0.7], [1, 0.85]]


def test_a_suppressed_box_still_suppresses():
    # 1 overlaps 0, and 2 overlaps only 1: greedy suppression would keep 2, the package does not.
    boxes = _boxes([0, 0, 0, 10, 10, 0.9], [0, 4, 0, 14, 10, 0.8], [0, 8, 0, 18, 10, 0.7])
    assert cascade.suppress(boxes, 0.4, "union")[:, 5].tolist() == [0.9]


def test_overlap_with_the_smaller_box():
    boxes = _boxes([0, 0, 0, 100, 100, 0.9], [0, 40, 40, 50, 50, 0.8])
    assert len(cascade.suppress(boxes, 0.7, "union")) == 2
    assert len(cascade.suppress(boxes, 0.7, "smaller")) == 1


def test_suppression_in_blocks_equals_the_whole_matrix(monkeypatch):
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 200, (500, 2))
    scores = np.sort(rng.uniform(size=500))[::-1]
    boxes = np.column_stack([np.zeros(500), corner, corner + rng.uniform(5, 60, (500, 2)), scores])
    expected = []
    for index in range(500):
        left_top = np.maximum(boxes[:index, 1:3], boxes[index, 1:3])
        right_bottom = np.minimum(boxes[:index, 3:5], boxes[index, 3:5])
        shared = np.prod(np.maximum(right_bottom - left_top, 0), axis=1)
        areas = np.prod(boxes[:, 3:5] - boxes[:, 1:3], axis=1)
        if not (shared / (areas[:index] + areas[index] - shared) > 0.3).any():
            expected.append(index)
    monkeypatch.setattr(cascade, "_NMS_BLOCK", 64)
    assert 10 < len(expected) < 490
    assert cascade.suppress(boxes, 0.3, "union").tolist() == boxes[expected].tolist()


def test_no_boxes_pass_through_every_step():
    none = np.empty((0, 6))
    assert cascade.suppress(none, 0.5, "union").shape == (0, 6)
    assert cascade.squared(none).shape == (0, 6)
    assert cascade.patches(np.zeros((1, 9, 9, 3), np.float32), none, 24).shape == (0, 24, 24, 3)


def test_squared_keeps_the_centre():
    square = cascade.squared(_boxes([0, 10, 20, 30, 26, 0.5]))
    assert square.tolist() == [[0, 10, 13, 30, 33, 0.5]]


def test_shift_and_landmarks_count_one_pixel_more_than_the_side():
    boxes = _boxes([0, 10, 20, 29, 49, 0.5])  # 20 x 30 pixels, both ends counted
    offsets = np.array([[0.1, 0.1, -0.1, -0.1]], np.float32)
    np.testing.assert_allclose(
        cascade.shifted(boxes, offsets), [[0, 12, 23, 27, 46, 0.5]], rtol=1e-6
    )
    shares = np.array([[0, 0.5, 1, 0, 0, 0, 0.5, 1, 0, 0]], np.float32)
    points = cascade.landmark_pixels(boxes, shares)
    assert points.tolist() == [[9, 19, 29, 9, 9, 19, 34, 49, 19, 19]]


def test_a_patch_of_the_whole_picture_is_a_stretched_copy():
    ramp = np.arange(9, dtype=np.float32)
    picture = np.stack([np.add.outer(10 * ramp, ramp)] * 3, axis=-1)[None]
    patch = cascade.patches(picture, _boxes([0, 0, 0, 9, 9, 1]), 5)[0, ..., 2]
    np.testing.assert_allclose(patch, np.add.outer(20 * ramp[:5], 2 * ramp[:5]), atol=1e-5)


def test_patches_interpolate_and_are_grey_beyond_the_picture():
    picture = np.ones((2, 10, 20, 3), np.float32)
    picture[1, :, :, 0] = np.arange(20)
    boxes = _boxes([1, -10, 0, 10, 10, 1], [0, 0, -10, 20, 20, 1])
    patches = cascade.patches(picture, boxes, 5)
    # samples at x1 * 19/20 + k * 20 * 19/20 / 4
    np.testing.assert_allclose(patches[0, 2, :, 0], [0, 0, 0, 4.75, 9.5], atol=1e-5)
    np.testing.assert_allclose(patches[0, 2, :, 1], [0, 0, 1, 1, 1])
    np.testing.assert_allclose(patches[1, :, 2, 0], [0, 0, 1, 0, 0])
