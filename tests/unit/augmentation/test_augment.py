"""Augmentation: what each change does, and that the same seed does the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from framejury.augmentation import augment
from framejury.augmentation.augment import Augmentation, apply, draw, sample_rng
from framejury.augmentation.post_processing import PostProcessing
from tests.builders.faces import real_face
from tests.builders.lossy_steps import lossy_steps

NOTHING = Augmentation(False, 0.0, 0.0, 1.0, 0.0, 1.0, (1.0, 1.0, 1.0))


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


def test_turning_is_clockwise_about_the_middle() -> None:
    face = np.zeros((41, 41, 3), np.uint8)
    face[20, 30:35] = 255  # right of the middle
    turned = augment.moved(face, 0.0, 0.0, 1.0, turn_deg=90.0)
    rows, columns = np.nonzero(turned[..., 0] > 127)
    assert rows.min() >= 29  # below it
    assert set(columns) == {20}


def test_turning_and_scaling_keep_the_middle() -> None:
    face = np.zeros((61, 61, 3), np.uint8)
    face[28:33, 28:33] = 255
    rows, columns = np.nonzero(augment.moved(face, 0.0, 0.0, 1.2, turn_deg=25.0)[..., 0] > 127)
    assert rows.mean() == pytest.approx(30, abs=0.5)
    assert columns.mean() == pytest.approx(30, abs=0.5)


def test_a_cutout_covers_its_landmark_and_nothing_else() -> None:
    face = real_face(0)
    points = np.array([[20, 24], [44, 24], [32, 36], [24, 46], [40, 46]], np.float32)
    cutout = augment.Cutout(landmark=1, height_ratio=0.25, width_ratio=0.125, colour=(7, 8, 9))
    changed = apply(face, replace(NOTHING, cutouts=(cutout,)), points)
    differs = (changed != face).any(axis=2)
    assert (changed[16:32, 40:48] == (7, 8, 9)).all()
    differs[16:32, 40:48] = False
    assert not differs.any()
    assert np.array_equal(apply(face, replace(NOTHING, cutouts=(cutout,))), face)  # no landmarks


@pytest.mark.parametrize("change", [{"grey": True}, {"post": PostProcessing(jpeg_quality=45)}])
def test_each_loss_changes_the_picture_a_little(change: dict[str, Any]) -> None:
    face = real_face(0)
    changed = apply(face, replace(NOTHING, **change))
    difference = np.abs(changed.astype(int) - face).mean()
    assert 0.3 < difference < 25


def test_same_seed_same_picture() -> None:
    face = real_face(0)
    pictures = [
        apply(face, draw(sample_rng(*identity)))
        for identity in ((1, 0, 7, 3), (1, 0, 7, 3), (1, 1, 7, 3), (1, 0, 7, 4), (2, 0, 7, 3))
    ]
    assert np.array_equal(pictures[0], pictures[1])
    for other in pictures[2:]:
        assert not np.array_equal(pictures[0], other)


@pytest.mark.parametrize(("ratio", "least", "most"), [(0.0, 0, 0), (0.4, 30, 60), (1.0, 90, 125)])
def test_lossy_steps_come_as_often_as_asked(ratio: float, least: int, most: int) -> None:
    drawn = [draw(np.random.default_rng(seed), ratio) for seed in range(200)]
    assert least <= sum(lossy_steps(change.post) > 0 for change in drawn) <= most
    assert sum(change.flip for change in drawn) > 70  # the rest is drawn as ever


@pytest.mark.parametrize("shape", [(32, 32, 3), (33, 47, 3)])
def test_drawn_changes_stay_in_range(shape: tuple[int, int, int]) -> None:
    face = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    before = face.copy()
    drawn = [draw(np.random.default_rng(seed)) for seed in range(200)]
    for change in drawn:
        out = apply(face, change)
        assert out.shape == shape
        assert out.dtype == np.uint8
        assert abs(change.shift_x) <= 0.06
        assert abs(change.shift_y) <= 0.06
        assert 0.9 <= change.scale <= 1.12
    assert np.array_equal(face, before)
    assert 70 < sum(change.flip for change in drawn) < 130
    assert 8 < sum(bool(change.cutouts) for change in drawn) < 35


@pytest.mark.parametrize("seed", range(20))
def test_lower_levels_carry_out_a_part_of_the_same_change(seed: int) -> None:
    full, affine, mirror = (
        draw(sample_rng(seed, 0, 1), level=level) for level in ("full", "affine", "mirror")
    )
    moves = {"shift_x": 0.0, "shift_y": 0.0, "scale": 1.0, "turn_deg": 0.0}
    assert mirror == replace(NOTHING, flip=full.flip)
    assert affine == replace(mirror, **{name: getattr(full, name) for name in moves})
    assert draw(sample_rng(seed, 0, 1)) == full


def test_levels_move_as_often_as_not_and_little() -> None:
    drawn = [draw(sample_rng(0, 0, n), level="affine") for n in range(400)]
    assert 150 < sum(change.flip for change in drawn) < 250
    assert 150 < sum(change.scale != 1 for change in drawn) < 250
    assert max(abs(change.turn_deg) for change in drawn) <= 8
    assert max(abs(change.shift_x) for change in drawn) <= 0.06
