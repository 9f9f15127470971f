"""Two videos aligned in time, on arrays with a known answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from framejury.inspection.align import align, correlate, nearest_alike, overlapping


def moving(count: int, seed: int = 0, scene: int | None = None) -> npt.NDArray[np.uint8]:
    """A bright spot that wanders over a textured background: uint8 (count, 36, 64)."""
    rng = np.random.default_rng(seed)
    background = rng.uniform(60, 120, (36, 64))
    if scene is not None:
        background = np.random.default_rng(scene).uniform(0, 140, (36, 64))
    rows, columns = np.mgrid[0:36, 0:64]
    place = np.cumsum(rng.normal(0, 1.5, (count, 2)), axis=0)
    frames = []
    for y, x in place:
        centre = 18 + 12 * np.sin(y / 5), 32 + 24 * np.sin(x / 5)
        spot = 110 * np.exp(-((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / 40)
        frames.append(background + spot)
    return np.clip(np.stack(frames), 0, 255).astype(np.uint8)


def times(count: int, fps: float = 25) -> npt.NDArray[np.float64]:
    return np.arange(count) / fps


@pytest.mark.parametrize("offset", [-30, -1, 0, 1, 17, 60])
def test_the_offset_is_found_to_the_frame(offset: int) -> None:
    whole = moving(200)
    first, second = max(offset, 0), max(-offset, 0)
    fake, original = whole[first : first + 120], whole[second : second + 120]
    found = align(times(120), fake, times(120), original)
    assert found.by == "motion"
    assert found.offset_s == pytest.approx(offset / 25, abs=1e-9)
    assert found.motion is not None and found.motion > 0.95
    assert found.overlap_s == pytest.approx((120 - abs(offset)) / 25, abs=0.041)


def test_another_frame_rate_is_no_matter() -> None:
    whole = moving(240)
    fake = whole[20:200:2]  # 12.5 frames a second of the same
    found = align(times(90, 12.5), fake, times(240), whole)
    assert found.by == "motion"
    assert found.offset_s == pytest.approx(20 / 25, abs=0.041)


def test_what_moves_otherwise_is_not_the_same() -> None:
    found = align(times(120), moving(120, seed=1), times(120), moving(120, seed=2))
    assert found.by == "none"


def test_other_motion_in_the_same_scene_is_not_the_same() -> None:
    fake, original = moving(120, seed=1, scene=9), moving(120, seed=2, scene=9)
    found = align(times(120), fake, times(120), original)
    assert found.by == "none" and found.scene > 0.8


def test_the_same_motion_in_another_scene_is_not_the_same() -> None:
    fake = moving(120)
    original = 255 - fake
    original = np.clip(original.astype(int) + (fake.astype(int) - fake.mean(axis=0)) * 2, 0, 255)
    found = align(times(120), fake, times(120), original.astype(np.uint8))
    assert found.by == "none" and found.scene < 0.8


def test_a_still_picture_is_taken_to_start_together() -> None:
    still = np.repeat(moving(1), 50, axis=0)
    found = align(times(50), still, times(50), still)
    assert (found.by, found.offset_s, found.motion) == ("time", 0.0, None)
    other = np.repeat(moving(1, seed=5), 50, axis=0)
    assert align(times(50), still, times(50), other).by == "none"


def test_correlation_is_that_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(20, 3)), rng.normal(size=(13, 3))
    found = correlate(one, two, 4)
    assert found.shape == (32,)
    for index in range(32):
        lag = index - 19
        begin, end = max(0, -lag), min(20, 13 - lag)
        if end - begin < 4:
            assert found[index] == -2
            continue
        a, b = one[begin:end], two[begin + lag : end + lag]
        wanted = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
        assert found[index] == pytest.approx(wanted, abs=1e-9)


def test_frames_without_a_partner_have_none() -> None:
    here, there = overlapping(times(10), times(30), 0.2)
    assert here.tolist() == list(range(10)) and there.tolist() == list(range(5, 15))
    here, there = overlapping(times(10), times(4), 0.0)
    assert here.tolist() == there.tolist() == [0, 1, 2, 3]
    here, there = overlapping(times(10), times(10), 9.0)
    assert len(here) == len(there) == 0


def test_no_frame_has_two_partners() -> None:
    here, there = overlapping(times(20, 50), times(10), 0.0)
    assert len(set(there.tolist())) == len(there) == len(here)


def test_a_dropped_frame_is_made_up_for() -> None:
    whole = moving(60)
    dropped = np.delete(whole, 20, axis=0)
    here = np.arange(59)
    partners = nearest_alike(dropped, whole, here, here)
    assert partners[:20].tolist() == list(range(20))
    assert partners[20:].tolist() == list(range(21, 60))


def test_partners_stay_where_others_are_hardly_better() -> None:
    frames = np.repeat(moving(1), 9, axis=0)
    noisy = frames.astype(int) + np.random.default_rng(0).integers(-3, 4, frames.shape)
    here = np.arange(9)
    found = nearest_alike(frames, np.clip(noisy, 0, 255).astype(np.uint8), here, here)
    assert found.tolist() == here.tolist()
