"""Which faces and frames are kept as evidence."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.examine.kept_pictures import Flicker, PictureKeeper, ScoredFace, shown_face
from framejury.faces.crop import decode_crop
from framejury.model.bundle import write_bundle
from framejury.model.input_contract import PixelContract
from framejury.model.occlusion import Occlusion
from framejury.model.runtime import Floats, Scorer
from framejury.records import CroppedFace, Image
from framejury.settings import EvidenceSettings, Resize, Signal
from framejury.signals.network_input import picture_of
from framejury.signals.ssim import grey_square
from tests.builders.bundles import MANIFEST, brightness_network


def crop(level: int = 100, side: int = 40) -> Image:
    return np.full((side, side, 3), level, np.uint8)


def kept(scores: Sequence[float], settings: EvidenceSettings) -> list[dict[str, object]]:
    keeper = PictureKeeper(settings, lambda face: face.crop)
    for index, score in enumerate(scores):
        keeper.offer(
            ScoredFace(index, index / 25, 0, score, CroppedFace(crop()), crop(side=60), None)
        )
    return keeper.rows()


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), max_size=12),
    st.integers(0, 4),
)
def test_the_most_and_the_least_suspicious(scores: list[float], count: int) -> None:
    rows = kept(scores, EvidenceSettings(faces=count))
    faces = [row["frame_index"] for row in rows if row["kind"] == "face"]
    falling = sorted(range(len(scores)), key=lambda at: (-scores[at], at))
    rising = sorted(range(len(scores)), key=lambda at: (scores[at], at))
    assert faces == sorted({*falling[:count], *rising[:count]})
    frames = [row["frame_index"] for row in rows if row["kind"] == "frame"]
    assert frames == (falling[:1] if count else [])


def test_a_frame_comes_before_its_faces() -> None:
    rows = kept([0.1, 0.9, 0.2], EvidenceSettings(faces=1))
    assert [(row["frame_index"], row["kind"]) for row in rows] == [
        (0, "face"),
        (1, "frame"),
        (1, "face"),
    ]


@pytest.mark.parametrize("side", [200, 20])
def test_pictures_are_not_larger_than_asked_for(side: int) -> None:
    keeper = PictureKeeper(
        EvidenceSettings(faces=1, face_px=32, frame_px=50), lambda face: face.crop
    )
    keeper.offer(ScoredFace(0, 0.0, 0, 0.5, CroppedFace(crop(side=side)), crop(side=side), None))
    frame, face = keeper.rows()
    assert decode_crop(face["picture"]).shape == (min(side, 32), min(side, 32), 3)
    assert decode_crop(frame["picture"]).shape == (min(side, 50), min(side, 50), 3)


def test_no_frame_where_none_is_wanted() -> None:
    rows = kept([0.1, 0.9], EvidenceSettings(faces=1, frame_px=0))
    assert {row["kind"] for row in rows} == {"face"}


def test_each_heat_map_stays_with_its_face() -> None:
    keeper = PictureKeeper(EvidenceSettings(faces=2), lambda face: face.crop)
    for index, level in enumerate([200, 10, 90, 150, 100]):
        heat = np.full((3, 3), level / 255, np.float32)
        keeper.offer(ScoredFace(index, 0.0, 0, level / 255, CroppedFace(crop(level)), crop(), heat))
    rows = keeper.rows()
    faces = [row for row in rows if row["kind"] == "face"]
    assert [row["frame_index"] for row in faces] == [0, 1, 2, 3]
    for row in faces:
        assert row["heat"] == pytest.approx([row["score"]] * 9)
    assert [row["heat"] for row in rows if row["kind"] == "frame"] == [None]


def test_faces_without_a_map_get_one_by_occlusion_while_there_is_time(tmp_path: Path) -> None:
    """The most suspicious first, none below the threshold; the network's own stay as they are."""
    network = brightness_network(tmp_path / "b.onnx")
    scorer = Scorer(write_bundle(tmp_path / "bundle", replace(MANIFEST, threshold=0.2), network))
    rng = np.random.default_rng(0)
    faces = [rng.integers(0, 60 * level, (40, 40, 3)).astype(np.uint8) for level in (1, 2, 3, 4)]

    def rows(occlusion_s: float, heat: Floats | None = None) -> list[dict[str, Any]]:
        keeper = PictureKeeper(EvidenceSettings(faces=2), lambda face: face.crop, scorer)
        for index, face in enumerate(faces):
            score = float(scorer.score([face])[0])
            keeper.offer(ScoredFace(index, 0.0, 0, score, CroppedFace(face), None, heat))
        return keeper.rows(occlusion_s)

    assert [(row["heat"], row["heat_by"]) for row in rows(0)] == [(None, None)] * 4
    assert [row["score"] >= 0.2 for row in rows(60)] == [False, True, True, True]
    assert [row["heat_by"] for row in rows(60)] == [None, *["occlusion"] * 3]
    assert [len(row["heat"] or ()) for row in rows(60)] == [0, 36, 36, 36]
    started_s = time.perf_counter()
    Occlusion(scorer, math.inf).heat(faces[0])
    one_s = time.perf_counter() - started_s
    found = [row["heat"] is not None for row in rows(2.5 * one_s)]
    assert found == sorted(found)  # rows by time: the last faces are the most suspicious
    own = rows(60, np.full((3, 3), 0.5, np.float32))
    assert all(row["heat"] == [0.5] * 9 for row in own)


def test_flicker_compares_each_person_with_their_own_last_face() -> None:
    rng = np.random.default_rng(0)
    one, two = (grey_square(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)) for _ in "ab")
    flicker = Flicker()
    assert flicker.ssim(0, one) is None and flicker.ssim(1, two) is None
    assert flicker.ssim(0, one) == pytest.approx(1) and flicker.ssim(1, two) == pytest.approx(1)
    other = flicker.ssim(0, two)
    assert other is not None and other < 0.2
    assert flicker.ssim(0, two) == pytest.approx(1)


def test_flicker_forgets_who_was_away_for_long() -> None:
    flicker = Flicker()
    flicker.ssim(0, grey_square(crop()))
    for person in itertools.islice(itertools.count(1), 64):
        flicker.ssim(person, grey_square(crop()))
    assert flicker.ssim(0, grey_square(crop())) is None
    assert flicker.ssim(64, grey_square(crop())) is not None


def test_the_order_in_which_faces_are_offered_does_not_matter() -> None:
    faces = [
        ScoredFace(index, index / 25, 0, score, CroppedFace(crop(index)), crop(index, 60), None)
        for index, score in enumerate([0.5, 0.9, 0.1, 0.9, 0.1, 0.9, 0.5])
    ]

    def rows(order: Sequence[int]) -> list[dict[str, object]]:
        keeper = PictureKeeper(EvidenceSettings(faces=2), lambda face: face.crop)
        for index in order:
            keeper.offer(faces[index])
        return keeper.rows()

    by_time = rows(range(7))
    assert [(row["kind"], row["frame_index"]) for row in by_time] == [
        *(("frame", 1), ("face", 1), ("face", 2), ("face", 3), ("face", 4))
    ]
    for order in ((5, 3, 1, 6, 4, 2, 0), (3, 0, 6, 1, 2, 4, 5)):
        assert rows(order) == by_time


def test_what_is_shown_of_a_face_is_what_the_network_saw(tmp_path: Path) -> None:
    """A crop in its own size where the network saw that; else the square it saw."""
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 255, (60, 40, 3)).astype(np.uint8) for _ in range(2))
    face = CroppedFace(first, np.full((5, 2), 20, np.float32), (second,))
    assert shown_face(face, None) is first
    for number, (signal, resize) in enumerate(
        itertools.product(get_args(Signal), get_args(Resize))
    ):
        pixels = PixelContract(input_px=32, resize=resize)
        manifest = replace(MANIFEST, signal=signal, pixels=pixels)
        network = brightness_network(tmp_path / f"{number}.onnx")
        scorer = Scorer(write_bundle(tmp_path / str(number), manifest, network))
        shown = shown_face(face, scorer)
        if (signal, resize) == ("rgb", "letterbox"):
            assert shown is first
        else:
            assert np.array_equal(shown, picture_of(face, signal, 32, resize))
