"""Heat maps by occlusion: where a network looks that is known to look there."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framejury.model.bundle import write_bundle
from framejury.model.input_contract import PixelContract
from framejury.model.occlusion import CELLS, Occlusion, _covered
from framejury.model.runtime import Scorer
from tests.builders.bundles import MANIFEST, headed_network, places_network

SIDE = 48


def looking_at(folder: Path, weights: np.ndarray, sharpness: float = 1.0) -> Scorer:
    network = places_network(folder / "a.onnx", weights * sharpness)
    manifest = replace(MANIFEST, pixels=PixelContract(input_px=SIDE))
    return Scorer(write_bundle(folder / "bundle", manifest, network))


def spot(row: int, column: int) -> np.ndarray:
    """One where a cell of the map is, else 0."""
    cell, found = SIDE // CELLS, np.zeros((SIDE, SIDE))
    found[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = 1
    return found


def face_lit_at(places: np.ndarray) -> np.ndarray:
    """A dark face whose red is bright in some places."""
    face = np.full((SIDE, SIDE, 3), 20, np.uint8)
    face[..., 0] = np.where(places > 0, 220, 20)
    return face


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 3), (5, 1)])
def test_the_map_is_highest_where_the_network_looks(tmp_path: Path, row: int, column: int) -> None:
    places = spot(row, column)
    heat = Occlusion(looking_at(tmp_path, places / places.sum()), math.inf).heat(
        face_lit_at(places)
    )
    assert heat is not None and heat.shape == (CELLS, CELLS) and heat.dtype == np.float32
    assert heat[row, column] == heat.max() == 1 and heat.min() == 0
    near = np.maximum(*np.abs(np.indices(heat.shape) - np.array([row, column])[:, None, None])) <= 1
    assert (heat[~near] == 0).all() and (heat[near] > 0).all()


def test_what_speaks_for_real_has_no_heat(tmp_path: Path) -> None:
    """Where covering raises the score."""
    fake, real = spot(1, 1), spot(4, 4)
    scorer = looking_at(tmp_path, (fake - real) / fake.sum())
    heat = Occlusion(scorer, math.inf).heat(face_lit_at(fake + real))
    assert heat is not None and heat[1, 1] == 1 and heat[4, 4] == 0


@pytest.mark.parametrize("sharpness", [0.01, 1e5])
def test_a_score_that_no_patch_moves_has_no_heat(tmp_path: Path, sharpness: float) -> None:
    """Too little, or certain whatever is covered."""
    everywhere = np.full((SIDE, SIDE), 1 / SIDE**2)
    scorer = looking_at(tmp_path, everywhere, sharpness)
    heat = Occlusion(scorer, math.inf).heat(face_lit_at(spot(1, 1)))
    assert heat is not None and not heat.any()


def test_time_is_counted_per_video(tmp_path: Path) -> None:
    scorer = looking_at(tmp_path, spot(1, 1) / 64)
    face = face_lit_at(spot(1, 1))
    assert Occlusion(scorer, 0).heat(face) is None
    occlusion = Occlusion(scorer, 1e-6)
    occlusion._spent_s["long"] = -60
    assert occlusion.heat(face, "long") is not None and occlusion.heat(face, "new") is None


def test_a_network_with_maps_of_its_own_needs_none(tmp_path: Path) -> None:
    scorer = Scorer(write_bundle(tmp_path / "b", MANIFEST, headed_network(tmp_path / "a.onnx")))
    assert scorer.gives_heat
    assert Occlusion(scorer, math.inf).heat(np.zeros((32, 32, 3), np.uint8)) is None


def test_patches_overlap_and_cover_all_pictures_of_a_clip() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (2, 30, 30, 3)).astype(np.uint8)
    found = _covered(clip)
    assert found.shape == (1 + CELLS**2, *clip.shape)
    np.testing.assert_array_equal(found[0], clip)
    changed = (found[1:] != clip).any(axis=-1)
    assert changed.any(axis=0).all()  # every place of every picture is covered by some patch
    middle = changed[CELLS + 1]  # the second cell of the second row: rows and columns 2 to 12
    assert middle[:, 3:12, 3:12].mean() > 0.98 and not middle[:, 13:].any()
    assert changed.sum(axis=0)[:, 10, 10].min() >= 2
