"""Structural similarity, against scikit-image's own."""

import cv2
import numpy as np
import pytest
import skimage.data
from skimage.metrics import structural_similarity

from framejury.records import Image
from framejury.signals.ssim import face_ssim, grey_square, ssim

PHOTO: Image = np.asarray(skimage.data.astronaut(), np.uint8)
GREY = np.asarray(cv2.cvtColor(PHOTO, cv2.COLOR_RGB2GRAY), np.uint8)


def reference(first: Image, second: Image) -> float:
    return float(
        structural_similarity(
            first,
            second,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            channel_axis=-1 if first.ndim == 3 else None,
        )
    )


def changed(picture: Image) -> dict[str, Image]:
    noise = np.random.default_rng(0).normal(0, 20, picture.shape)
    jpeg = cv2.imdecode(
        cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_UNCHANGED
    )
    return {
        "shifted": np.roll(picture, 3, axis=1),
        "brighter": cv2.add(picture, np.full_like(picture, 40)),
        "blurred": cv2.GaussianBlur(picture, (0, 0), 2),
        "noisy": np.clip(picture + noise, 0, 255).astype(np.uint8),
        "jpeg": np.asarray(jpeg, np.uint8),
        "inverted": 255 - picture,
        "black": np.zeros_like(picture),
    }


@pytest.mark.parametrize("kind", list(changed(GREY)))
@pytest.mark.parametrize("picture", [GREY, PHOTO, GREY[100:111, 50:70], PHOTO[:37, :11]])
def test_it_is_that_of_scikit_image(picture: Image, kind: str) -> None:
    other = changed(picture)[kind]
    assert ssim(picture, other) == pytest.approx(reference(picture, other), abs=1e-4)


def test_the_same_picture_is_1_and_an_inverted_one_far_from_it() -> None:
    assert ssim(PHOTO, PHOTO) == pytest.approx(1, abs=1e-6)
    assert ssim(GREY, 255 - GREY) < 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (GREY, GREY[1:]),
        (GREY[:10], GREY[:10]),
        (GREY, GREY.astype(np.float32)),
        (GREY[0], GREY[0]),
        (PHOTO, GREY),
    ],
)
def test_other_arrays_are_refused(first: Image, second: Image) -> None:
    with pytest.raises(ValueError, match="images must"):
        ssim(first, second)


def test_faces_of_two_sizes_are_compared_as_grey_squares() -> None:
    face = PHOTO[60:200, 150:290]
    larger = np.asarray(cv2.resize(face, (301, 280), interpolation=cv2.INTER_CUBIC), np.uint8)
    squares = [
        cv2.resize(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), (128, 128), interpolation=cv2.INTER_AREA)
        for one in (face, larger)
    ]
    assert face_ssim(face, larger) == pytest.approx(reference(*squares), abs=1e-4)
    assert 0.9 < face_ssim(face, larger) < 1
    assert face_ssim(face, PHOTO[300:440, 150:290]) < 0.5


def test_grey_is_as_bright_as_eyes_see_it() -> None:
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 255
    assert np.unique(grey_square(red)).tolist() == [76]  # ITU-R BT.601


def test_the_side_can_be_chosen() -> None:
    face, other = PHOTO[60:200, 150:290], PHOTO[64:204, 150:290]
    assert grey_square(face, 32).shape == (32, 32)
    assert face_ssim(face, other, 32) == pytest.approx(
        reference(grey_square(face, 32), grey_square(other, 32)), abs=1e-4
    )
