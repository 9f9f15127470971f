"""Names of exported pictures: safe, and unlike each other; contents: as stored, or resized."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.faces.crop import decode_crop, encode_crop
from framejury.recipes.export_plan import FUSION_FOLDERS
from framejury.recipes.face_files import (
    LABELS_CSV,
    exported_picture,
    folder_names,
    frame_file,
    fusion_file,
    is_jpeg,
    signal_picture,
)
from framejury.signals.flow_fusion import flow_fusion
from framejury.signals.marked import marked
from framejury.signals.rgb import stretched
from tests.builders.faces import real_face


def test_folders_are_called_like_their_videos() -> None:
    paths = {"1": "dfdc/aagfhgtpmv.mp4", "2": "b/Ünïcode +1.mp4", "3": "c/two.dots.mkv"}
    assert folder_names(paths) == {"1": "aagfhgtpmv", "2": "Ünïcode_+1", "3": "two.dots"}


def test_two_of_a_name_are_told_apart_also_but_for_case() -> None:
    paths = {"1": "a/000_003.mp4", "2": "b/000_003.mp4", "3": "c/Clip.mp4", "4": "d/clip.avi"}
    paths |= {"5": "e/000_003-1.mp4"}  # what the first would be called
    names = folder_names(paths)
    assert names == {
        "1": "000_003-1_",
        "2": "000_003-2",
        "3": "Clip-3",
        "4": "clip-4",
        "5": "000_003-1",
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("..mp4", "_"),
        ("x/...mp4", "_"),
        ("x/.hidden.mp4", "hidden"),
        ("a\nb,c\"d'.mp4", "a_b_c_d_"),
        ("a\\..\\b.mp4", "a_.._b"),
        (f"{LABELS_CSV}.mp4", f"{LABELS_CSV}-id"),
        ("Labels.CSV.mp4", "Labels.CSV-id"),
        ("\u202egpj.mp4", "_gpj"),
    ],
)
def test_hostile_names_become_plain_ones(path: str, name: str) -> None:
    assert folder_names({"id": path}) == {"id": name}


def test_long_names_are_cut_between_characters() -> None:
    paths = {"1": "a" * 250 + ".mp4", "2": "a" + "ü" * 120 + ".mp4", "3": "b" * 99 + ".c.mp4"}
    assert folder_names(paths) == {"1": "a" * 100, "2": "a" + "ü" * 49, "3": "b" * 99}


@given(st.dictionaries(st.text("0123456789abcdef", min_size=1, max_size=20), st.text(max_size=300)))
def test_any_names_are_safe_and_unlike_each_other(paths: dict[str, str]) -> None:
    names = folder_names(paths)
    assert names.keys() == paths.keys()
    assert len({name.casefold() for name in names.values()}) == len(names)
    for name in names.values():
        assert name and not name.startswith(".") and not name.endswith(".")
        assert not set(name) & set("/\\,\"'\0\r\n:*?<>|")
        assert len(frame_file(name, 10**6, 99, "jpeg").rpartition("/")[2].encode()) < 255
        assert name.casefold() != LABELS_CSV


def test_frames_are_numbered_as_the_recipe_does() -> None:
    """From 1 on: the first frame is -001."""
    assert frame_file("abc", 0, None, "jpeg") == "abc/abc-001.jpeg"
    assert frame_file("abc", 7, None, "jpeg") == "abc/abc-008.jpeg"
    assert frame_file("abc", 1234, 2, "png") == "abc/abc-1235-2.png"


def test_fused_pictures_are_named_as_the_recipe_names_them() -> None:
    folder = FUSION_FOLDERS["val"]
    assert fusion_file(folder, 1, "abc", 0) == "optical_fusion/validation/altered/abc-0.jpg"
    assert fusion_file(folder, 0, "abc", 12) == "optical_fusion/validation/original/abc-12.jpg"


@pytest.mark.parametrize("size_px", [None, 96])
def test_a_picture_of_a_signal_is_what_the_network_sees(size_px: int | None) -> None:
    face = real_face(1)
    following = np.ascontiguousarray(np.roll(face, 2, axis=1))
    points = [{"x": 10.0 + n, "y": 12.0 + 3 * n} for n in range(5)]
    row = {
        "crop": encode_crop(face, "png"),
        "next_crop": encode_crop(following, "png"),
        "landmarks": points,
        "crop_region": {"x": 0, "y": 0, "width": face.shape[1], "height": face.shape[0]},
    }
    fused = signal_picture(row, "flow_fusion", size_px)
    one, two = (stretched(crop, size_px or 224) for crop in (face, following))
    assert np.array_equal(fused, flow_fusion(one, two))
    at = np.array([[point["x"], point["y"]] for point in points], np.float32)
    drawn = marked(face, at)
    expected = drawn if size_px is None else stretched(drawn, size_px)
    assert np.array_equal(signal_picture(row, "marked", size_px), expected)
    with pytest.raises(ValueError, match="needs landmarks"):
        signal_picture(row | {"landmarks": None}, "marked", size_px)


@pytest.mark.parametrize("form", ["jpeg", "png"])
def test_a_crop_goes_out_as_it_is_stored(form: str) -> None:
    crop = encode_crop(real_face(1), form)  # type: ignore[arg-type]
    assert exported_picture(crop, None, "png") == crop
    assert is_jpeg(crop) is (form == "jpeg")


def test_a_resized_crop_is_that_of_opencv() -> None:
    face = real_face(1)[:50]
    expected = cv2.resize(face, (252, 252), interpolation=cv2.INTER_AREA)
    small = cv2.resize(face, (20, 20), interpolation=cv2.INTER_AREA)
    crop = encode_crop(face, "png")
    png = exported_picture(crop, 252, "png")
    assert not is_jpeg(png) and np.array_equal(decode_crop(png), expected)
    assert np.array_equal(decode_crop(exported_picture(crop, 20, "png")), small)
    jpeg = exported_picture(crop, 252, "jpeg")
    assert is_jpeg(jpeg)
    assert np.abs(decode_crop(jpeg).astype(int) - expected).mean() < 3


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="no JPEG or PNG"):
        exported_picture(b"GIF89a", None, "png")
    with pytest.raises(ValueError, match="cut short"):
        exported_picture(encode_crop(real_face(1))[:200], 32, "png")
