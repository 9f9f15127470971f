"""The geometry of MTCNN's cascade, against values worked out by hand."""

import numpy as np
import pytest

from framejury.faces import cascade


def _boxes(*rows):
    return np.array(rows, np.float64)


def test_propose_places_cells_and_shifts_corners():
    heads = np.zeros((5, 3, 4), np.float32)
    heads[4] = -5
    heads[4, 2, 3], heads[4, 0, 0] = 3.0, 1.0
    heads[4, 1, 1], heads[4, 1, 2] = 0.40, 0.41  # of probability 0.599 and 0.601
    heads[:4, 2, 3] = [0.1, -0.2, 0.3, 0.4]
    boxes = cascade.propose(heads, scale=0.5, threshold=0.6)
    expected = _boxes(
        [2 * (7 + 1.1), 2 * (5 - 2.2), 2 * (18 + 3.3), 2 * (16 + 4.4), 0.952574],
        [2, 2, 24, 24, 0.731059],
        [10, 6, 32, 28, 0.601088],
    )
    np.testing.assert_allclose(boxes, expected, rtol=1e-6)


def test_logit_undoes_probability():
    for share in (1e-6, 0.3, 0.5, 0.999):
        assert cascade.probability(np.array([cascade.logit(share)]))[0] == pytest.approx(share)
    assert cascade.logit(0.0) == -np.inf
    assert cascade.logit(1.0) == np.inf


def test_suppression_drops_the_weaker_of_two():
    boxes = _boxes([0, 0, 10, 10, 0.9], [1, 0, 11, 10, 0.8], [20, 0, 30, 10, 0.7])
    assert cascade.suppress(boxes, 0.5, "union")[:, 4].tolist() == [0.9, 0.7]


def test_a_suppressed_box_still_suppresses():
    # 1 overlaps 0, and 2 overlaps only 1: greedy suppression would keep 2, the package does not.
    boxes = _boxes([0, 0, 10, 10, 0.9], [4, 0, 14, 10, 0.8], [8, 0, 18, 10, 0.7])
    assert cascade.suppress(boxes, 0.4, "union")[:, 4].tolist() == [0.9]


def test_overlap_with_the_smaller_box():
    boxes = _boxes([0, 0, 100, 100, 0.9], [40, 40, 50, 50, 0.8])
    assert len(cascade.suppress(boxes, 0.7, "union")) == 2
    assert len(cascade.suppress(boxes, 0.7, "smaller")) == 1


def test_suppression_in_blocks_equals_the_whole_matrix(monkeypatch):
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 200, (500, 2))
    scores = np.sort(rng.uniform(size=500))[::-1]
    boxes = np.column_stack([corner, corner + rng.uniform(5, 60, (500, 2)), scores])
    expected = []
    for index in range(500):
        left_top = np.maximum(boxes[:index, :2], boxes[index, :2])
        right_bottom = np.minimum(boxes[:index, 2:4], boxes[index, 2:4])
        shared = np.prod(np.maximum(right_bottom - left_top, 0), axis=1)
        areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
        if not (shared / (areas[:index] + areas[index] - shared) > 0.3).any():
            expected.append(index)
    monkeypatch.setattr(cascade, "_NMS_BLOCK", 64)
    assert 10 < len(expected) < 490
    assert cascade.suppress(boxes, 0.3, "union").tolist() == boxes[expected].tolist()


def test_no_boxes_pass_through_every_step():
    none = np.empty((0, 5))
    assert cascade.suppress(none, 0.5, "union").shape == (0, 5)
    assert cascade.squared(none).shape == (0, 5)
    assert cascade.patches(_packed(np.zeros((9, 9, 3))), none, 24).shape == (0, 3, 24, 24)


def test_squared_keeps_the_centre():
    square = cascade.squared(_boxes([10, 20, 30, 26, 0.5]))
    assert square.tolist() == [[10, 13, 30, 33, 0.5]]


def test_shift_and_landmarks_count_one_pixel_more_than_the_side():
    boxes = _boxes([10, 20, 29, 49, 0.5])  # 20 x 30 pixels, both ends counted
    offsets = np.array([[0.1, 0.1, -0.1, -0.1]], np.float32)
    np.testing.assert_allclose(cascade.shifted(boxes, offsets), [[12, 23, 27, 46, 0.5]], rtol=1e-6)
    shares = np.array([[0, 0.5, 1, 0, 0, 0, 0.5, 1, 0, 0]], np.float32)
    points = cascade.landmark_pixels(boxes, shares)
    assert points.tolist() == [[9, 19, 29, 9, 9, 19, 34, 49, 19, 19]]


def test_a_patch_of_the_whole_picture_is_a_stretched_copy():
    ramp = np.arange(9)
    picture = np.stack([np.add.outer(10 * ramp, k * ramp) for k in (1, 2, 3)], axis=-1)
    patch = cascade.patches(_packed(picture), _boxes([0, 0, 9, 9, 1]), 5)[0]
    for k in (1, 2, 3):
        expected = np.add.outer(20 * ramp[:5], 2 * k * ramp[:5])
        np.testing.assert_allclose(patch[k - 1], expected, atol=1e-4)


def test_patches_interpolate_and_are_grey_beyond_the_picture():
    picture = np.ones((10, 20, 3))
    picture[:, :, 0] = np.arange(20)
    boxes = _boxes([-10, 0, 10, 10, 1], [0, -10, 20, 20, 1])
    patches = cascade.patches(_packed(picture), boxes, 5)
    # samples at x1 * 19/20 + k * 20 * 19/20 / 4
    np.testing.assert_allclose(patches[0, 0, 2], [127.5, 127.5, 0, 4.75, 9.5], atol=1e-5)
    np.testing.assert_allclose(patches[0, 1, 2], [127.5, 127.5, 1, 1, 1])
    np.testing.assert_allclose(patches[1, 1, :, 2], [127.5, 127.5, 1, 127.5, 127.5])


def _packed(picture):
    return cascade.packed(picture.astype(np.uint8))


def test_more_candidates_than_a_crowd_has_are_left_out_the_weakest_first():
    many = cascade.MOST_CANDIDATES + 500
    apart = np.arange(many) * 20.0
    scores = np.linspace(1.0, 0.5, many)
    boxes = np.stack([apart, apart, apart + 10, apart + 10, scores], axis=1)
    kept = cascade.suppress(boxes, 0.5, "union")
    np.testing.assert_array_equal(kept, boxes[: cascade.MOST_CANDIDATES])
