"""Self-blending: what is changed lies inside the mask, and the mask lies on the face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.augmentation.selfblend import (
    Blend,
    Part,
    Points,
    blend_mask,
    draw_blend,
    self_blended,
)
from framejury.faces.mtcnn import MtcnnDetector
from framejury.records import Image
from tests.builders.faces import real_face

PARTS: tuple[Part, ...] = ("face", "inner", "lower", "mouth", "eyes")
STILL = Blend(
    part="face",
    inner_changes=True,
    gains=(1.0, 1.0, 1.0),
    brightness=0.0,
    contrast=1.0,
    sharpness=0.0,
    shift_x=0.0,
    shift_y=0.0,
    scale_x=1.0,
    scale_y=1.0,
    turn_deg=0.0,
    strength=1.0,
    softness_ratio=0.02,
    growth_ratio=0.0,
    bend_ratio=0.0,
    seed=0,
)


@pytest.fixture(scope="module")
def portrait() -> tuple[Image, Points]:
    """A real face and where the detector sees its landmarks."""
    face = real_face(0, side_px=192)
    (found,) = MtcnnDetector(threads=1).detect([face])
    assert len(found) == 1
    assert found[0].landmarks is not None
    points = np.array([[point.x, point.y] for point in found[0].landmarks], np.float32)
    return face, points


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("seed", range(4))
def test_a_blend_differs_from_its_source_inside_the_mask_only(
    portrait: tuple[Image, Points], part: Part, seed: int
) -> None:
    face, points = portrait
    blend = replace(draw_blend(np.random.default_rng(seed)), part=part, inner_changes=True)
    blended = self_blended(face, points, blend)
    mask = blend_mask(face.shape, points, blend)
    differs = (blended != face).any(axis=2)
    assert differs.any()
    assert not differs[mask == 0].any()
    assert (mask == 0).any()


def test_when_the_outer_copy_changes_the_middle_of_the_mask_is_the_source(
    portrait: tuple[Image, Points],
) -> None:
    face, points = portrait
    blend = replace(STILL, inner_changes=False, brightness=15.0)
    blended = self_blended(face, points, blend)
    mask = blend_mask(face.shape, points, blend)
    assert np.array_equal(blended[mask == 1], face[mask == 1])
    lighter = blended[mask == 0].astype(int) - face[mask == 0]
    assert np.median(lighter) == 15


def test_a_blend_that_changes_nothing_gives_the_face_back(portrait: tuple[Image, Points]) -> None:
    face, points = portrait
    assert np.array_equal(self_blended(face, points, STILL), face)


def test_masks_lie_on_the_parts_they_are_named_after(portrait: tuple[Image, Points]) -> None:
    face, points = portrait
    covered = {
        part: [
            bool(
                blend_mask(face.shape, points, replace(STILL, part=part))[round(y), round(x)] > 0.5
            )
            for x, y in points
        ]
        for part in PARTS
    }
    assert covered["face"] == covered["inner"] == [True] * 5
    assert covered["lower"] == [False, False, True, True, True]
    assert covered["mouth"] == [False, False, False, True, True]
    assert covered["eyes"][:2] == [True, True]
    assert covered["eyes"][3:] == [False, False]
    corners = blend_mask(face.shape, points, STILL)[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert not corners.any()


@given(st.integers(0, 2**31))
def test_masks_are_shares_and_repeat(seed: int) -> None:
    points = np.array([[60, 70], [110, 68], [86, 100], [66, 126], [106, 125]], np.float32)
    blend = draw_blend(np.random.default_rng(seed))
    mask = blend_mask((160, 160), points, blend)
    assert mask.dtype == np.float32
    assert mask.shape == (160, 160)
    assert mask.min() >= 0
    assert mask.max() <= blend.strength + 1e-6
    assert np.array_equal(mask, blend_mask((160, 160), points, blend))


def test_the_same_seed_draws_the_same_blend_and_others_differ(
    portrait: tuple[Image, Points],
) -> None:
    face, points = portrait
    made = [self_blended(face, points, draw_blend(np.random.default_rng(n))) for n in (3, 3, 4)]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert made[0].dtype == np.uint8
    assert made[0].shape == face.shape


@pytest.mark.parametrize(
    "points",
    [
        np.full((5, 2), 30.0, np.float32),  # all in one place
        np.array([[-400, 9], [900, 3], [2, 5], [-7, 800], [12, 900]], np.float32),  # far outside
    ],
)
def test_odd_landmarks_do_no_harm(points: Points) -> None:
    face = real_face(0)
    blended = self_blended(face, points, draw_blend(np.random.default_rng(0)))
    assert blended.shape == face.shape
