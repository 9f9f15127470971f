"""Degradations as the protocol applies them to the faces of one video."""

from __future__ import annotations

import numpy as np
import pytest

from framejury.augmentation import perturb
from framejury.protocol.robustness import (
    CONDITIONS,
    FAMILIES,
    UNTOUCHED,
    Condition,
    perturbed,
    perturbed_faces,
)
from framejury.records import CroppedFace, Image, Size
from tests.builders import clips


def crops() -> list[Image]:
    """Faces of two people in turn, of different sizes, each marked by its number."""
    sizes = [Size(120, 160), Size(200, 240), Size(130, 162), Size(180, 222)]
    return [
        clips.face_frames(number + 1, size)[number].copy()
        for number, size in enumerate([*sizes, *sizes])
    ]


PERSONS = [0, 1, 0, 1, 0, 1, 0, 1]


def test_every_strength_is_measured_once_and_mild_comes_first() -> None:
    assert len(set(CONDITIONS)) == len(CONDITIONS) == 1 + sum(map(len, FAMILIES.values()))
    assert CONDITIONS[0] == UNTOUCHED
    assert FAMILIES["jpeg"] == (90, 70, 50, 30)
    assert FAMILIES["h264"] == (18, 23, 30, 40)
    assert FAMILIES["scale"] == (0.75, 0.5, 0.25)
    assert FAMILIES["blur"] == (1, 2, 3)


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_as_many_pictures_come_back_in_order(condition: Condition) -> None:
    out = perturbed(crops(), PERSONS, condition)
    assert len(out) == len(PERSONS)
    assert all(picture.dtype == np.uint8 and picture.ndim == 3 for picture in out)
    if condition not in (Condition("h264", 40), Condition("blur", 3), Condition("scale", 0.25)):
        assert [clips.read_frame_number(picture) for picture in out] == list(range(8))


def test_each_family_does_what_it_is_called() -> None:
    pictures = crops()
    for family, function in (
        ("jpeg", lambda image: perturb.jpeg(image, 50)),
        ("scale", lambda image: perturb.rescaled(image, 0.5)),
        ("blur", lambda image: perturb.blurred(image, 2)),
    ):
        strength = {"jpeg": 50, "scale": 0.5, "blur": 2}[family]
        out = perturbed(pictures, PERSONS, Condition(family, strength))
        assert all(
            np.array_equal(one, function(crop)) for one, crop in zip(out, pictures, strict=True)
        )
    same = perturbed(pictures, PERSONS, UNTOUCHED)
    assert all(one is crop for one, crop in zip(same, pictures, strict=True))
    with pytest.raises(ValueError, match="known are jpeg, h264"):
        perturbed(pictures, PERSONS, Condition("rain", 1))


def test_a_person_is_a_clip_of_one_even_size() -> None:
    out = perturbed(crops(), PERSONS, Condition("h264", 30))
    # Medians of (120 x 160, 130 x 162) and (200 x 240, 180 x 222), rounded up to even.
    assert {out[index].shape for index in (0, 2, 4, 6)} == {(126, 162, 3)}
    assert {out[index].shape for index in (1, 3, 5, 7)} == {(190, 232, 3)}
    alone = perturbed(crops()[::2], [0] * 4, Condition("h264", 30))
    assert all(np.array_equal(one, other) for one, other in zip(out[::2], alone, strict=True))


def pairs_of(pictures: list[Image]) -> list[CroppedFace]:
    return [
        CroppedFace(one, None, (other,))
        for one, other in zip(pictures[::2], pictures[1::2], strict=True)
    ]


def test_both_frames_of_a_pair_are_perturbed_alike() -> None:
    pictures = crops()
    faces = pairs_of(pictures)
    for condition in (Condition("jpeg", 30), Condition("blur", 2), UNTOUCHED):
        found = perturbed_faces(faces, [0] * 4, condition)
        flat = perturbed(pictures, [0] * 8, condition)
        for face, one, other in zip(found, flat[::2], flat[1::2], strict=True):
            assert np.array_equal(face.crop, one)
            assert face.next_crop is not None and np.array_equal(face.next_crop, other)


def test_a_clip_of_pairs_is_in_order_of_time() -> None:
    pictures = crops()
    faces = pairs_of(pictures)
    persons = [0, 1, 0, 1]
    found = perturbed_faces(faces, persons, Condition("h264", 18))
    flat = perturbed(pictures, [0, 0, 1, 1, 0, 0, 1, 1], Condition("h264", 18))
    shown = [picture for face in found for picture in (face.crop, face.next_crop)]
    assert all(np.array_equal(a, b) for a, b in zip(shown, flat, strict=True) if a is not None)
    assert [clips.read_frame_number(p) for p in shown if p is not None] == list(range(8))


def test_landmarks_follow_a_crop_that_changes_its_size() -> None:
    faces = [
        CroppedFace(picture, np.array([[picture.shape[1] / 4, picture.shape[0] / 2]], np.float32))
        for picture in crops()
    ]
    for condition in (Condition("h264", 23), Condition("jpeg", 50)):
        for face, before in zip(perturbed_faces(faces, PERSONS, condition), faces, strict=True):
            height, width = face.crop.shape[:2]
            assert face.landmarks is not None and face.next_crop is None
            assert face.landmarks.tolist() == [pytest.approx([width / 4, height / 2])]
            assert (face.crop.shape == before.crop.shape) == (condition.family == "jpeg")
