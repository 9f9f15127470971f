"""The eight ways to lay a frame, and where a part of the shown frame is in the coded one."""

from __future__ import annotations

import gc
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from framejury.media.decode import VideoFile
from framejury.media.orientation import Orientation
from framejury.records import Region, Size
from framejury.settings import LimitSettings
from tests.builders import clips

ALL = [Orientation(*flags) for flags in product((False, True), repeat=3)]


def _coded() -> np.ndarray:
    return np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def test_all_eight_differ() -> None:
    shown = {one.applied(_coded()).tobytes() + bytes(one.applied(_coded()).shape) for one in ALL}
    assert len(shown) == 8


@pytest.mark.parametrize("turn", ALL, ids=str)
def test_the_size_is_that_of_the_shown_frame(turn: Orientation) -> None:
    height, width, _ = turn.applied(_coded()).shape
    assert turn.size(Size(4, 6)) == Size(height, width)
    assert turn.size(turn.size(Size(4, 6))) == Size(4, 6)


@pytest.mark.parametrize("turn", ALL, ids=str)
def test_a_part_is_cut_where_it_is_shown(turn: Orientation) -> None:
    shown = turn.applied(_coded())
    size = Size(*shown.shape[:2])
    for y, x, height, width in ((0, 0, 2, 3), (1, 2, 3, 1), (size.height - 1, 0, 1, size.width)):
        part = shown[y : y + height, x : x + width]
        coded = turn.undone(Region(x, y, part.shape[1], part.shape[0]), size)
        rows = slice(coded.y, coded.y + coded.height)
        cut = _coded()[rows, coded.x : coded.x + coded.width]
        assert np.array_equal(turn.applied(cut), part)


def test_frames_are_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    """It does not know how large frames are: 300 of them, of 460 KB each, would wait for it."""
    path = clips.write_rotated(tmp_path / "a.mp4", clips.plain_frames(1, Size(480, 640)) * 300)
    with VideoFile(path, LimitSettings()) as video:
        gc.collect()
        gc.disable()
        try:
            sizes = [frame.picture.size for frame in video.frames(np.arange(300))]
            left = gc.collect()
        finally:
            gc.enable()
    assert sizes == [Size(480, 640)] * 300
    assert left < 300
