"""What is left of a difference when re-encoding is taken out."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from framejury.inspection.difference import (
    CHANGED_RATIO,
    MOST_FLOOR,
    noise_floor,
    picture_difference,
)
from tests.builders.talkies import with_other_face

Images = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def original() -> Images:
    """Twelve views of a photograph, 240 x 320."""
    photo = np.asarray(skimage.data.astronaut(), np.uint8)
    views = [photo[at : at + 240, 60 + 2 * at : 380 + 2 * at] for at in range(0, 36, 3)]
    return np.stack(views)


def encoded(pictures: Images, quality: int) -> Images:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    files = [cv2.imencode(".jpg", one[..., ::-1], options)[1] for one in pictures]
    return np.stack([cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1] for file in files])


def swapped(pictures: Images) -> Images:
    return np.stack([with_other_face(one) for one in pictures])


@pytest.mark.parametrize("quality", [12, 30, 60, 95])
def test_compression_alone_is_no_change(original: Images, quality: int) -> None:
    found = picture_difference(encoded(original, quality), original)
    assert found.outcome == "unchanged", found.why
    assert found.mean_levels.min() > 0


@pytest.mark.parametrize("quality", [12, 30, 60, 95])
def test_a_changed_face_is_a_change_under_any_compression(original: Images, quality: int) -> None:
    found = picture_difference(encoded(swapped(original), quality), original)
    assert found.outcome == "changed" and found.ratio > CHANGED_RATIO
    row, column = np.unravel_index(int(found.heat.argmax()), found.heat.shape)
    assert 8 < row < 22 and 14 < column < 26
    assert found.heats.shape == (12, *found.heat.shape) == (12, 30, 40)


def test_colours_taken_for_those_of_another_standard_are_no_change(original: Images) -> None:
    """Coded by ITU-R BT.601, decoded by BT.709 and a little darker, as when tags are lost."""
    coded = np.array([[0.299, 0.587, 0.114], [0.5, -0.419, -0.081], [-0.169, -0.331, 0.5]])
    decoded = np.array([[1, 1.5748, 0], [1, -0.4681, -0.1873], [1, 0, 1.8556]])
    mixed = original @ (decoded @ coded).T * 0.92 + 4
    found = picture_difference(encoded(np.clip(mixed, 0, 255).astype(np.uint8), 75), original)
    assert found.outcome == "unchanged", found.why
    assert found.mean_levels.min() > 4


def test_a_range_taken_for_another_is_no_change(original: Images) -> None:
    stretched = (original.astype(np.float32) - 16) * 255 / 219  # clips what is bright and dark
    found = picture_difference(np.clip(stretched, 0, 255).astype(np.uint8), original)
    assert found.outcome == "unchanged", found.why


@pytest.mark.parametrize("changed", [False, True])
def test_a_picture_that_was_cropped_a_little_is_registered(original: Images, changed: bool) -> None:
    fakes = swapped(original) if changed else original
    cut = np.stack([cv2.resize(one[3:-3, 4:-4], (320, 240)) for one in fakes])
    found = picture_difference(encoded(cut, 70), original)
    assert found.moved
    assert found.outcome == ("changed" if changed else "unchanged"), found.why


def test_a_change_for_some_of_the_time_is_seen_when(original: Images) -> None:
    half = np.concatenate([original[:6], swapped(original[6:])])
    found = picture_difference(encoded(half, 60), original)
    assert found.outcome == "changed"
    assert found.over_time[6:].min() > 2 * found.over_time[:6].max()


def test_pictures_that_do_not_match_at_all_are_unknown(original: Images) -> None:
    other = np.asarray(skimage.data.coffee(), np.uint8)[:240, :320]
    found = picture_difference(np.repeat(other[None], 12, axis=0), original)
    assert found.outcome == "unknown" and found.floor_levels > MOST_FLOOR


def test_the_same_pictures_differ_nowhere(original: Images) -> None:
    found = picture_difference(original.copy(), original)
    assert found.outcome == "unchanged" and max(found.ratio, found.levels) < 1e-6
    assert not found.mean_levels.any()


def test_the_floor_is_the_median_for_as_much_texture() -> None:
    rng = np.random.default_rng(0)
    texture = np.repeat(np.linspace(1, 8, 8), 400).reshape(4, 20, 40).astype(np.float32)
    levels = (2 * texture + rng.normal(0, 0.1, texture.shape)).astype(np.float32)
    levels[0, :2, :2] = 90  # a few that differ do not move it
    everything = np.ones(texture.shape, np.bool_)
    floor = noise_floor(levels, texture, everything)
    assert np.abs(floor - 2 * texture).max() < 0.1
    unseen = everything.copy()
    unseen[1:] = False
    assert noise_floor(levels, texture, unseen)[3, -1, -1] < 5


def test_the_floor_never_falls_with_texture() -> None:
    texture = np.repeat(np.linspace(1, 8, 8), 400).reshape(4, 20, 40).astype(np.float32)
    floor = noise_floor(10 - texture, texture, np.ones(texture.shape, np.bool_))
    assert (np.diff(floor.ravel()[np.argsort(texture.ravel(), kind="stable")]) >= 0).all()
