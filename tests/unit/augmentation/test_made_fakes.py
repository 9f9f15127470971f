"""Fakes made from real faces: animation, and what is drawn anew put into place."""

from __future__ import annotations

import numpy as np
import pytest

from framejury.augmentation.elastic import displaced
from framejury.augmentation.made_fakes import made_fake
from framejury.augmentation.selfblend import blend_mask, draw_blend, self_blended
from framejury.records import CroppedFace, Image
from tests.builders.faces import real_face

POINTS = np.array([[22, 25], [42, 25], [32, 36], [24, 46], [40, 46]], np.float32)


class Inverted:
    """Draws the negative of a face; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def drawn_anew(self, face: Image, _: np.random.Generator) -> Image:
        self.asked += 1
        return np.asarray(255 - face, np.uint8)


@pytest.fixture(scope="module")
def face() -> CroppedFace:
    return CroppedFace(real_face(0), POINTS)


def test_displacement_moves_pixels_and_draws_none(face: CroppedFace) -> None:
    grid = np.mgrid[0:64, 0:64].astype(np.uint8)
    places = np.dstack([grid[0] * 3, grid[1] * 3, np.zeros((64, 64), np.uint8)])
    for seed in range(20):
        moved = displaced(places, POINTS, np.random.default_rng(seed)).astype(float) / 3
        shift = moved[:, :, :2] - np.moveaxis(grid, 0, 2)
        length = np.hypot(shift[..., 0], shift[..., 1])
        assert 0.3 < length.max() < 14
        # Smooth: neighbours move alike.
        assert np.abs(np.diff(shift[4:-4, 4:-4], axis=0)).max() < 1.6
    same = [displaced(face.crop, POINTS, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])


def test_the_mouth_moves_most_often() -> None:
    flat = np.zeros((64, 64, 3), np.uint8)
    flat[:, :, 0], flat[:, :, 1] = np.arange(64) * 3, (np.arange(64) * 3)[:, None]
    changed = np.zeros((64, 64))
    for seed in range(60):
        moved = displaced(flat, POINTS, np.random.default_rng(seed))
        changed += np.abs(moved.astype(int) - flat)[:, :, :2].max(axis=2)
    # Both are where displacements may begin at random.
    mouth, brow = changed[42:50, 24:42].mean(), changed[14:22, 24:42].mean()
    assert mouth > 2 * brow


def test_another_picture_is_blended_in_inside_the_mask(face: CroppedFace) -> None:
    rng = np.random.default_rng(3)
    tried = 0
    for _ in range(40):
        blend = draw_blend(rng)
        fake = self_blended(face.crop, POINTS, blend, inner=Inverted().drawn_anew(face.crop, rng))
        if not blend.inner_changes:
            continue
        mask = blend_mask((64, 64), POINTS, blend)
        assert np.array_equal(fake[mask == 0], face.crop[mask == 0])
        inside = mask > 0.9
        if inside.sum() < 200:
            continue
        # The negative is blended in, not the face.
        tried += 1
        assert np.corrcoef(fake[inside].ravel(), face.crop[inside].ravel())[0, 1] < 0
    assert tried >= 3


def test_resynthesis_takes_all_or_a_part(face: CroppedFace) -> None:
    networks = Inverted()
    whole = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        fake = made_fake(face, rng, {"resynthesis": 1.0, "self_blend": 0.0}, networks).crop
        assert fake.shape == face.crop.shape
        assert fake.dtype == np.uint8
        assert not np.array_equal(fake, face.crop)
        whole += not (fake == face.crop).all(axis=2).mean() > 0.05
    assert networks.asked == 60
    assert 20 <= whole <= 50


def test_each_way_is_drawn_by_its_odds(face: CroppedFace) -> None:
    networks = Inverted()
    odds = {"self_blend": 2.0, "animation": 1.0, "resynthesis": 1.0}
    for seed in range(400):
        made_fake(face, np.random.default_rng(seed), odds, networks)
    assert 75 <= networks.asked <= 125


def test_resynthesis_without_networks_is_an_error(face: CroppedFace) -> None:
    with pytest.raises(ValueError, match="needs its networks"):
        made_fake(face, np.random.default_rng(0), {"resynthesis": 1.0})
