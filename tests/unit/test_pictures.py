"""Which faces and frames are kept as evidence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.faces.crop import decode_crop
from framejury.media.picture import Picture
from framejury.pictures import Flicker, PictureKeeper, ScoredFace
from framejury.records import Image
from framejury.settings import EvidenceSettings


def crop(level: int = 100, side: int = 40) -> Image:
    return np.full((side, side, 3), level, np.uint8)


def no_heat(crops: Sequence[Image]) -> None:
    return None


def kept(scores: Sequence[float], settings: EvidenceSettings) -> list[dict[str, object]]:
    keeper = PictureKeeper(settings)
    for index, p_fake in enumerate(scores):
        keeper.offer(ScoredFace(index, index / 25, 0, p_fake, crop(), crop(side=60)))
    return keeper.rows(no_heat)


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


def test_pictures_are_not_larger_than_asked_for() -> None:
    keeper = PictureKeeper(EvidenceSettings(faces=1, face_px=32, frame_px=50))
    picture = Picture(av.VideoFrame.from_ndarray(crop(side=200), format="rgb24"))
    whole = keeper.reduced(picture)
    assert whole is not None and whole.shape == (50, 50, 3)
    keeper.offer(ScoredFace(0, 0.0, 0, 0.5, crop(side=80), whole))
    frame, face = keeper.rows(no_heat)
    assert decode_crop(face["picture"]).shape == (32, 32, 3)
    assert decode_crop(frame["picture"]).shape == (50, 50, 3)
    small = Picture(av.VideoFrame.from_ndarray(crop(side=32), format="rgb24"))
    assert keeper.reduced(small).shape == (32, 32, 3)  # never enlarged


@pytest.mark.parametrize("settings", [{"frame_px": 0}, {"faces": 0}])
def test_no_frame_where_none_is_wanted(settings: dict[str, int]) -> None:
    keeper = PictureKeeper(EvidenceSettings(**settings))
    picture = Picture(av.VideoFrame.from_ndarray(crop(side=64), format="rgb24"))
    assert keeper.reduced(picture) is None


def test_each_heat_map_stays_with_its_face() -> None:
    keeper = PictureKeeper(EvidenceSettings(faces=2))
    for index, level in enumerate([200, 10, 90, 150]):
        keeper.offer(ScoredFace(index, 0.0, 0, level / 255, crop(level), None))

    def heat(crops: Sequence[Image]) -> np.ndarray:
        return np.stack([np.full((3, 3), one.mean() / 255, np.float32) for one in crops])

    rows = keeper.rows(heat)
    assert len(rows) == 4
    for row in rows:
        assert row["heat"] == pytest.approx([row["p_fake"]] * 9)


def test_flicker_compares_each_person_with_their_own_last_face() -> None:
    rng = np.random.default_rng(0)
    one, two = (rng.integers(0, 256, (64, 64, 3)).astype(np.uint8) for _ in range(2))
    flicker = Flicker()
    assert flicker.at(0, one) is None and flicker.at(1, two) is None
    assert flicker.at(0, one) == pytest.approx(1) and flicker.at(1, two) == pytest.approx(1)
    other = flicker.at(0, two)
    assert other is not None and other < 0.2
    assert flicker.at(0, two) == pytest.approx(1)


def test_flicker_forgets_who_was_away_for_long() -> None:
    flicker = Flicker()
    flicker.at(0, crop())
    for person in itertools.islice(itertools.count(1), 64):
        flicker.at(person, crop())
    assert flicker.at(0, crop()) is None
    assert flicker.at(64, crop()) is not None
