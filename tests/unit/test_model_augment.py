"""Augmentation: what each change does, and that the same seed does the same."""

from __future__ import annotations

import numpy as np
import pytest

from framejury.model import augment
from framejury.model.augment import Augmentation, apply, draw, sample_rng
from tests.unit.test_model_tables import real_face

NOTHING = Augmentation(False, 0.0, 0.0, 1.0, 0.0, 1.0, (1.0, 1.0, 1.0), None)


def test_nothing_drawn_changes_nothing_and_copies() -> None:
    face = real_face(0)
    same = apply(face, NOTHING)
    assert np.array_equal(same, face)
    assert not np.shares_memory(same, face)


def test_flip_mirrors_left_and_right() -> None:
    face = real_face(0)
    assert np.array_equal(augment.flipped(face), face[:, ::-1])


def test_shift_goes_right_and_down() -> None:
    face = np.zeros((40, 20, 3), np.uint8)
    face[10, 5] = 200
    moved = augment.moved(face, shift_x=0.1, shift_y=0.05, scale=1.0)
    assert tuple(np.argwhere(moved[..., 0] == 200)[0]) == (12, 7)


def test_scale_keeps_the_middle() -> None:
    face = np.zeros((41, 41, 3), np.uint8)
    face[18:23, 18:23] = 255
    larger = augment.moved(face, 0.0, 0.0, 2.0)
    rows = np.argwhere(larger[:, 20, 0] > 127).ravel()
    assert rows.mean() == 20
    assert len(rows) == pytest.approx(10, abs=1)  # an edge may fall half way


def test_borders_are_filled_by_the_picture() -> None:
    face = np.full((32, 32, 3), 90, np.uint8)
    assert np.array_equal(augment.moved(face, 0.2, -0.2, 0.8), face)


def test_light_and_colour() -> None:
    face = np.full((4, 4, 3), 100, np.uint8)
    assert (augment.relit(face, 20.0, 1.0, (1.0, 1.0, 1.0)) == 120).all()
    assert augment.relit(face, 0.0, 1.0, (1.1, 1.0, 0.9))[0, 0].tolist() == [110, 100, 90]
    face[:2] = 60
    assert np.unique(augment.relit(face, 0.0, 1.5, (1.0, 1.0, 1.0))).tolist() == [50, 110]


def test_light_is_clipped_and_does_not_wrap() -> None:
    face = np.full((4, 4, 3), 250, np.uint8)
    assert (augment.relit(face, 20.0, 1.0, (1.0, 1.0, 1.0)) == 255).all()
    assert (augment.relit(255 - face, -20.0, 1.0, (1.0, 1.0, 1.0)) == 0).all()


def test_recompression_loses_more_at_lower_quality_and_keeps_colours() -> None:
    face = real_face(0).astype(int)
    loss = [np.abs(augment.recompressed(real_face(0), q) - face).mean() for q in (40, 70, 100)]
    assert loss[0] > loss[1] > loss[2] > 0
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert augment.recompressed(red, 95)[8, 8, 0] > 240
    assert augment.recompressed(red, 95)[8, 8, 2] < 15


def test_same_seed_same_picture() -> None:
    face = real_face(0)
    pictures = [
        apply(face, draw(sample_rng(*identity)))
        for identity in ((1, 0, 7, 3), (1, 0, 7, 3), (1, 1, 7, 3), (1, 0, 7, 4), (2, 0, 7, 3))
    ]
    assert np.array_equal(pictures[0], pictures[1])
    for other in pictures[2:]:
        assert not np.array_equal(pictures[0], other)


@pytest.mark.parametrize("shape", [(32, 32, 3), (33, 47, 3)])
def test_drawn_changes_stay_in_range(shape: tuple[int, int, int]) -> None:
    face = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    before = face.copy()
    drawn = [draw(np.random.default_rng(seed)) for seed in range(200)]
    for change in drawn:
        out = apply(face, change)
        assert out.shape == shape
        assert out.dtype == np.uint8
        assert abs(change.shift_x) <= 0.05
        assert abs(change.shift_y) <= 0.05
        assert 0.95 <= change.scale <= 1.05
        assert change.jpeg_quality is None or 40 <= change.jpeg_quality <= 100
    assert np.array_equal(face, before)
    assert 70 < sum(change.flip for change in drawn) < 130
    assert 70 < sum(change.jpeg_quality is not None for change in drawn) < 130
