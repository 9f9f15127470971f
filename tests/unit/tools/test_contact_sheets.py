"""The contact sheets of the docs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tools.contact_sheets import (
    augmentation_sheet,
    blending_sheet,
    main,
    portraits,
    steps_sheet,
)


def test_portraits_have_their_landmarks_in_the_picture() -> None:
    faces = portraits()
    assert len(faces) == 2
    for portrait in faces:
        assert portrait.face.shape == (160, 160, 3)
        assert ((portrait.landmarks > 20) & (portrait.landmarks < 140)).all()
        left_eye, right_eye, nose, mouth_left, mouth_right = portrait.landmarks
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_eye[1] < nose[1] < mouth_left[1]
        assert mouth_left[0] < mouth_right[0]


def test_sheets_show_every_face_and_repeat(tmp_path: Path) -> None:
    faces = portraits()
    for sheet in (blending_sheet, augmentation_sheet, steps_sheet):
        picture = sheet(faces)
        assert picture.dtype == np.uint8
        assert np.array_equal(picture, sheet(faces))
        assert np.array_equal(picture[24 : 24 + 160, :160], faces[0].face)
    assert main([str(tmp_path)]) == 0
    for name in ("self-blending.jpg", "augmentation.jpg", "post-processing.jpg"):
        assert cv2.imread(str(tmp_path / name)).shape[1] == 7 * 164
