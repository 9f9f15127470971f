"""Crop regions, cutting, and the image codec on a real face."""

import math

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury.faces.crop import (
    Cut,
    crop_region,
    cropped_face,
    decode_crop,
    encode_crop,
    landmarks_in_crop,
    limited,
    limited_together,
    region_of,
)
from framejury.faces.header import crop_size
from framejury.records import Box, Point, Region, Size
from framejury.settings import CropSettings

FRAME = Size(height=480, width=640)


@pytest.fixture(scope="module")
def face():
    """The astronaut's face with margin, uint8 (172, 172, 3) RGB."""
    return skimage.data.astronaut()[31:203, 137:309].copy()


def _psnr_db(one, other):
    return 10 * math.log10(255**2 / np.mean((one.astype(float) - other) ** 2))


# --- crop_region ---


@pytest.mark.parametrize(
    ("box", "margin_ratio", "shape", "expected"),
    [
        (Box(100, 100, 50, 50), 0.0, "square", Region(100, 100, 50, 50)),
        (Box(100, 100, 40, 60), 0.0, "square", Region(90, 100, 60, 60)),
        (Box(100, 100, 40, 60), 0.5, "square", Region(60, 70, 120, 120)),
        (Box(100, 100, 40, 60), 0.0, "box", Region(100, 100, 40, 60)),
        (Box(100, 100, 40, 60), 0.5, "box", Region(80, 70, 80, 120)),
        (Box(100.4, 99.6, 50.3, 50.2), 0.0, "square", Region(101, 100, 50, 50)),
        (Box(-30, -20, 50, 50), 0.0, "square", Region(0, 0, 20, 30)),
        (Box(620, 460, 50, 50), 0.0, "box", Region(620, 460, 20, 20)),
        (Box(-100, -100, 1000, 1000), 0.3, "square", Region(0, 0, 640, 480)),
        (Box(-50, 100, 50, 50), 0.0, "square", Region(0, 100, 1, 50)),
        (Box(640, 480, 0, 0), 0.0, "box", Region(639, 479, 1, 1)),
        (Box(10.2, 10.2, 0.3, 0.1), 0.0, "box", Region(10, 10, 1, 1)),
    ],
)
def test_crop_region(box, margin_ratio, shape, expected):
    assert crop_region(box, FRAME, margin_ratio, shape) == expected


@pytest.mark.parametrize(
    ("margin_ratio", "shift_ratio", "expected"),
    [
        (0.0, 0.1, Region(100, 110, 100, 100)),
        (0.0, -0.1, Region(100, 90, 100, 100)),
        (-0.1, 0.0, Region(110, 110, 80, 80)),
        (-0.1, 0.1, Region(110, 120, 80, 80)),
        (0.5, 0.5, Region(50, 100, 200, 200)),
    ],
)
def test_a_crop_may_cut_into_its_box_and_lie_lower(margin_ratio, shift_ratio, expected):
    box = Box(110, 100, 80, 100)
    assert crop_region(box, FRAME, margin_ratio, "square", shift_ratio) == expected


def test_a_shift_that_leaves_the_frame_keeps_a_pixel_of_it():
    region = crop_region(Box(0, 470, 10, 10), FRAME, 0.0, "square", 0.5)
    assert region == Region(0, 475, 10, 5)


@pytest.mark.parametrize(
    "box",
    [
        Box(641, 0, 10, 10),
        Box(-11, 0, 10, 10),
        Box(0, 481, 10, 10),
        Box(0, -10.5, 10, 10),
        Box(math.nan, 0, 10, 10),
        Box(0, 0, math.inf, 10),
        Box(10, 10, -1, 5),
    ],
)
def test_a_box_that_shows_nothing_of_the_frame_is_refused(box):
    with pytest.raises(ValueError, match="Box"):
        crop_region(box, FRAME, 0.3, "square")


@st.composite
def _touching(draw):
    """A frame and a box that touches it, fractional and often beyond the border."""
    size = Size(draw(st.integers(1, 2000)), draw(st.integers(1, 2000)))
    width, height = draw(st.floats(0, 3000)), draw(st.floats(0, 3000))
    x = draw(st.floats(-width, size.width))
    y = draw(st.floats(-height, size.height))
    return size, Box(x, y, width, height)


@settings(max_examples=400, deadline=None)
@given(_touching(), st.floats(0, 3), st.sampled_from(["square", "box"]))
def test_a_region_lies_in_the_frame_and_holds_the_box(case, margin_ratio, shape):
    size, box = case
    region = crop_region(box, size, margin_ratio, shape)
    right, bottom = region.x + region.width, region.y + region.height
    assert 0 <= region.x < right <= size.width
    assert 0 <= region.y < bottom <= size.height
    # Whole pixels: within one of the part of the box inside the frame.
    assert region.x <= max(box.x, 0) + 1
    assert region.y <= max(box.y, 0) + 1
    assert right >= min(box.x + box.width, size.width) - 1
    assert bottom >= min(box.y + box.height, size.height) - 1


@settings(max_examples=200, deadline=None)
@given(
    st.floats(300, 400), st.floats(300, 400), st.floats(1, 80), st.floats(1, 80), st.floats(0, 1)
)
def test_a_square_away_from_the_border_is_square_and_centred(x, y, width, height, margin_ratio):
    box = Box(x, y, width, height)
    region = crop_region(box, Size(1000, 1000), margin_ratio, "square")
    assert region.width == region.height
    assert abs(region.width - max(width, height) * (1 + 2 * margin_ratio)) <= 0.5
    assert abs(region.x + region.width / 2 - box.center[0]) <= 0.5
    assert abs(region.y + region.height / 2 - box.center[1]) <= 0.5


# --- limited ---


def test_a_small_crop_stays_as_it_is():
    crop = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    assert np.array_equal(limited(crop, max_side_px=6), crop)


def test_large_crops_are_reduced_by_area():
    crop = np.zeros((64, 128, 3), np.uint8)
    crop[:, ::4] = 200  # a quarter of the columns: averages to 50, sampling would not
    small = limited(crop, max_side_px=32)
    assert small.shape == (16, 32, 3) and small.dtype == np.uint8
    assert np.unique(small).tolist() == [50]
    assert limited(crop[:1], max_side_px=32).shape == (1, 32, 3)


# --- the codec ---


def test_jpeg_of_a_face_is_near_lossless(face):
    assert _psnr_db(face, decode_crop(encode_crop(face, "jpeg", 98))) > 43.5  # measured 44.1
    assert _psnr_db(face, decode_crop(encode_crop(face, "jpeg", 100))) > 50.0  # measured 50.4


def test_jpeg_keeps_chroma_at_full_resolution(face):
    data = encode_crop(face, "jpeg", 98)
    start = data.index(b"\xff\xc0")  # frame header: precision, height, width, count, components
    components = [data[start + 10 + 3 * k : start + 13 + 3 * k] for k in range(data[start + 9])]
    assert [component[1] for component in components] == [0x11, 0x11, 0x11]
    # One-pixel columns of equal brightness: halved chroma would average them away.
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (220, 60, 60), (40, 130, 130)
    decoded = decode_crop(encode_crop(stripes, "jpeg", 98)).astype(int)
    assert np.abs(decoded - stripes).mean() < 5


def test_colours_are_not_swapped_and_the_file_is_right_for_others(face):
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 200
    for kind in ("jpeg", "png"):
        data = encode_crop(red, kind)
        assert decode_crop(data)[20, 20, 0] > 190
        assert decode_crop(data)[20, 20, 2] < 10
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert bgr[20, 20, 2] > 190  # another reader sees red as well
    assert np.array_equal(decode_crop(encode_crop(face, "png")), face)


def test_pictures_of_one_pixel_survive():
    pixel = np.full((1, 1, 3), (10, 120, 250), np.uint8)
    assert np.array_equal(decode_crop(encode_crop(pixel, "png")), pixel)
    assert np.abs(decode_crop(encode_crop(pixel, "jpeg", 100)).astype(int) - pixel).max() <= 3


@pytest.mark.parametrize("kind", ["jpeg", "png"])
@pytest.mark.parametrize("lost", [1, 2, 20, 1000, 10_000])
def test_a_crop_that_was_cut_short_is_refused(face, kind, lost):
    with pytest.raises(ValueError, match="crop of"):
        decode_crop(encode_crop(face, kind)[:-lost])


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_crop_with_an_altered_byte_is_refused(face, kind):
    data = encode_crop(face, kind)
    for at in range(60, len(data), 997):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        with pytest.raises(ValueError, match="crop of"):
            decode_crop(bytes(damaged))


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xd9", b"no picture", bytes(100)])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(ValueError, match="is not an image"):
        decode_crop(data)


def test_a_jpeg_of_another_program_is_read(face):
    written = bytes(cv2.imencode(".jpg", face[..., ::-1])[1])
    assert _psnr_db(face, decode_crop(written)) > 35
    with pytest.raises(ValueError, match="cut short"):  # although libjpeg would fill in grey
        decode_crop(written[: len(written) // 2])


def test_wrong_input_to_encode_is_refused(face):
    with pytest.raises(ValueError, match="jpeg or png"):
        encode_crop(face, "webp")
    for wrong in (face[..., 0], face.astype(np.float32), face[:0]):
        with pytest.raises(ValueError, match="uint8"):
            encode_crop(wrong)


# ---------------------------------------------------------------- size and landmarks of a crop


@pytest.mark.parametrize("size", [(1, 1), (40, 64), (300, 257)])
@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_the_header_tells_the_size(size: tuple[int, int], extension: str) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    plain = bytes(cv2.imencode(extension, picture)[1])
    progressive = bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1])
    ours = encode_crop(picture, "jpeg" if extension == ".jpg" else "png")
    filled = progressive[:2] + b"\xff\xff" + progressive[2:]  # fill bytes are allowed
    tables_first = progressive[:2] + b"\xff\xc4\x00\x08\x00\x01\x00\x02\x00\x03" + progressive[2:]
    for data in (plain, progressive, ours, filled, tables_first):
        assert crop_size(data) == Size(*size)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"RIFF", b"\x89PNG\r\n\x1a\n\0\0"])
def test_no_header_no_size(data: bytes) -> None:
    with pytest.raises(ValueError, match="crop of"):
        crop_size(data)


@given(cut=st.integers(0, 400))
def test_a_jpeg_cut_short_has_its_size_or_an_error(cut: int) -> None:
    data = encode_crop(np.zeros((24, 32, 3), np.uint8))[:cut]
    try:
        assert crop_size(data) == Size(24, 32)
    except ValueError:
        assert cut < 200


@given(
    x=st.integers(-20, 700),
    y=st.integers(-20, 500),
    side=st.integers(20, 400),
    limit=st.integers(32, 400),
)
def test_a_landmark_stays_on_its_pixel(x: int, y: int, side: int, limit: int) -> None:
    """Whatever part of the frame is cut out and however it is reduced."""
    region = crop_region(Box(x, y, side, side), Size(500, 700), 0.0)
    stored = limited(np.zeros((region.height, region.width, 3), np.uint8), limit)
    corners = [
        Point(region.x, region.y),
        Point(region.x + region.width, region.y + region.height),
        Point(region.x + region.width / 4, region.y + region.height / 2),
    ]
    found = landmarks_in_crop(corners, Cut(region), Size(*stored.shape[:2]))
    height, width = stored.shape[:2]
    assert found.dtype == np.float32
    assert np.allclose(found, [[0, 0], [width, height], [width / 4, height / 2]], atol=1e-3)


# --- margins in pixels, pairs, rows ---


@settings(max_examples=400, deadline=None)
@given(_touching(), st.integers(0, 300), st.sampled_from(["square", "box"]))
def test_a_margin_in_pixels_lies_in_the_frame_and_holds_the_box(case, margin_px, shape):
    size, box = case
    region = crop_region(box, size, 0.3, shape, margin_px=margin_px)
    right, bottom = region.x + region.width, region.y + region.height
    assert 0 <= region.x < right <= size.width and 0 <= region.y < bottom <= size.height
    assert region.x <= max(box.x, 0) + 1 and region.y <= max(box.y, 0) + 1
    assert right >= min(box.x + box.width, size.width) - 1
    assert bottom >= min(box.y + box.height, size.height) - 1


@settings(max_examples=300, deadline=None)
@given(
    st.tuples(*(st.integers(0, 400) for _ in range(2)), *(st.integers(1, 300) for _ in range(2))),
    st.integers(0, 500),
    st.floats(-0.2, 3),
)
def test_a_margin_in_pixels_is_exact_and_clipped(sides, margin_px, margin_ratio):
    x, y, width, height = sides
    box, size = Box(x, y, width, height), Size(480, 640)
    region = crop_region(box, size, margin_ratio, "box", margin_px=margin_px)
    left, top = max(x - margin_px, 0), max(y - margin_px, 0)
    right, bottom = min(x + width + margin_px, 640), min(y + height + margin_px, 480)
    assert region == Region(left, top, right - left, bottom - top)
    square = crop_region(box, Size(5000, 5000), 0.3, "square", margin_px=margin_px)
    free = crop_region(
        Box(x + 2000, y + 2000, width, height), Size(5000, 5000), 0.3, "square", margin_px=margin_px
    )
    assert free.width == free.height == max(width, height) + 2 * margin_px
    assert square.width <= free.width


def test_region_of_takes_every_crop_setting():
    box, size = Box(100, 100, 40, 60), Size(480, 640)
    base = CropSettings()
    assert region_of(box, size, base) == crop_region(box, size, 0.3, "square")
    changed = [
        {"margin_ratio": 0.1},
        {"margin_px": 7},
        {"shape": "box"},
        {"shift_ratio": 0.2},
    ]
    regions = [region_of(box, size, base.model_copy(update=one)) for one in changed]
    assert regions[1] == Region(83, 93, 74, 74)
    assert len({*regions, region_of(box, size, base)}) == 5


def test_crops_of_a_pair_are_reduced_alike():
    large, larger = (np.zeros((side, side // 2, 3), np.uint8) for side in (100, 200))
    assert [crop.shape for crop in limited_together([large, larger], 50)] == [
        (25, 12, 3),
        (50, 25, 3),
    ]
    assert [crop.shape for crop in limited_together([larger, large], 200)] == [
        (200, 100, 3),
        (100, 50, 3),
    ]


def test_a_row_of_faces_becomes_a_face():
    rng = np.random.default_rng(0)
    crop, following = (rng.integers(0, 255, (20, 10, 3)).astype(np.uint8) for _ in range(2))
    row = {
        "crop": encode_crop(crop, "png"),
        "next_crop": encode_crop(following, "png"),
        "landmarks": [{"x": 110.0, "y": 60.0}],
        "crop_region": {"x": 100, "y": 50, "width": 20, "height": 40},
    }
    face = cropped_face(row)
    assert np.array_equal(face.crop, crop) and np.array_equal(face.next_crop, following)
    assert face.landmarks.tolist() == [[5.0, 5.0]]
    plain = cropped_face(row | {"next_crop": None, "landmarks": None})
    assert plain.landmarks is None and plain.next_crop is None
    for damaged in ({"crop": None}, {"next_crop": b"no picture"}):
        with pytest.raises(ValueError, match="is not an image"):
            cropped_face(row | damaged)
