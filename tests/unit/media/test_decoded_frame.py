"""A part of a frame is, to the last bit, what converting all of it shows there."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury.media.decode import VideoFile
from framejury.media.decoded_frame import DecodedFrame
from framejury.records import Image, Region, Size
from framejury.settings import LimitSettings
from tests.builders import clips

FORMATS = [
    *("yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv410p", "yuva420p"),
    *("yuv420p10le", "yuv422p10le", "nv12", "gray", "rgb24", "gbrp", "yuyv422", "bgra"),
]


def frame_of(layout: str, width: int = 151, height: int = 118) -> av.VideoFrame:
    photo = np.ascontiguousarray(skimage.data.astronaut()[60 : 60 + height, 150 : 150 + width])
    return av.VideoFrame.from_ndarray(photo, format="rgb24").reformat(format=layout)


def regions(height: int, width: int) -> st.SearchStrategy[Region]:
    def spans(length: int) -> st.SearchStrategy[tuple[int, int]]:
        return st.tuples(st.integers(0, length - 1), st.integers(1, length)).map(
            lambda pair: (pair[0], min(pair[1], length - pair[0]))
        )

    return st.tuples(spans(width), spans(height)).map(
        lambda pair: Region(pair[0][0], pair[1][0], pair[0][1], pair[1][1])
    )


@pytest.mark.parametrize("layout", FORMATS)
@settings(max_examples=60, deadline=None)
@given(region=regions(118, 150))
def test_a_part_is_what_the_whole_shows_there(layout: str, region: Region) -> None:
    frame = frame_of(layout, width=150)
    whole = frame.to_ndarray(format="rgb24")
    shown = whole[region.y : region.y + region.height, region.x : region.x + region.width]
    part = DecodedFrame(frame).part(region)
    assert part.dtype == np.uint8 and part.flags.c_contiguous
    assert np.array_equal(part, shown)


@pytest.mark.parametrize("size", [(151, 118), (150, 117), (151, 117)])
def test_odd_sides(size: tuple[int, int]) -> None:
    frame = frame_of("yuv420p", *size)
    whole = frame.to_ndarray(format="rgb24")
    region = Region(61, 43, size[0] - 61, size[1] - 43)
    assert np.array_equal(DecodedFrame(frame).part(region), whole[43:, 61:])


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
def test_regions_are_of_the_picture_as_shown(tmp_path: Path, rotation_deg: int) -> None:
    frames = clips.plain_frames(3, Size(96, 128))
    path = clips.write_rotated(tmp_path / "a.mp4", frames, rotation_deg)
    with VideoFile(path, LimitSettings()) as video:
        (sampled,) = video.frames(np.array([1]))
    picture = sampled.picture
    size = picture.size
    assert size == Size(96, 128)
    whole = picture.part(Region(0, 0, size.width, size.height))
    assert clips.read_frame_number(whole) == 1  # upright
    region = Region(10, 33, 41, 20)
    assert np.array_equal(picture.part(region), whole[33:53, 10:51])
    small = picture.reduced(Size(size.height // 2, size.width // 2))
    assert small.shape == (size.height // 2, size.width // 2, 3)
    assert mean_difference(small, area_averaged(whole, small.shape)) < 3


def test_reducing_averages_areas() -> None:
    frame = frame_of("yuv420p", 480, 400)
    whole = frame.to_ndarray(format="rgb24")
    small = DecodedFrame(frame).reduced(Size(150, 180))
    assert small.dtype == np.uint8 and small.flags.c_contiguous
    assert mean_difference(small, area_averaged(whole, (150, 180, 3))) < 1.5


def test_its_own_size_is_the_picture_itself() -> None:
    frame = frame_of("yuv420p", 150, 118)
    assert np.array_equal(
        DecodedFrame(frame).reduced(Size(118, 150)), frame.to_ndarray(format="rgb24")
    )


@pytest.mark.parametrize(
    "region", [Region(0, 0, 0, 5), Region(-1, 0, 5, 5), Region(0, 100, 5, 19), Region(146, 0, 6, 1)]
)
def test_a_region_outside_is_refused(region: Region) -> None:
    with pytest.raises(ValueError, match="outside"):
        DecodedFrame(frame_of("yuv420p")).part(region)


def area_averaged(image: Image, shape: tuple[int, ...]) -> Image:
    small = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def mean_difference(one: Image, other: Image) -> float:
    return float(np.abs(one.astype(int) - other).mean())
