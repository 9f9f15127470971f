"""Faces tables of tests/builders/faces.py: crops survive, fakes differ where they should."""

from __future__ import annotations

import numpy as np

from framejury.faces.crop import decode_crop
from framejury.schemas.statuses import Side
from tests.builders.faces import Video, face_rows, fake_face, real_face


def test_fakes_differ_from_reals_in_the_middle_only() -> None:
    real, fake = real_face(3), fake_face(3)
    assert real.shape == fake.shape == (64, 64, 3)
    assert np.array_equal(real[:16], fake[:16])
    assert np.abs(real[16:48, 16:48].astype(int) - fake[16:48, 16:48]).mean() > 20


def test_crops_come_back_as_they_were() -> None:
    row = face_rows(Video("v", 1, Side.TRAIN, faces=1), seed=2)[0]
    expected = fake_face(2000 + 100 * ord("v"))
    assert np.array_equal(decode_crop(row["crop"]), expected)
