"""Mixtures: how often sets, families and videos are drawn, and what follows a real face."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from framejury.augmentation.made_fakes import made_fake
from framejury.errors import ConfigError
from framejury.records import CroppedFace
from framejury.schemas.statuses import Side
from framejury.settings import TrainingSettings
from framejury.training.mixture import FacePool, require_mixture
from framejury.training.source import FaceRow, FaceSource, VideoTruth
from tests.builders.faces import Video, face_rows, real_face, source_of, write_rows

LANDMARKS = [
    {"x": x, "y": y} for x, y in ((22.0, 25), (42.0, 25), (32.0, 36), (24.0, 46), (40.0, 46))
]
REGION = {"x": 0, "y": 0, "width": 64, "height": 64}
Pair = tuple[FaceRow, FaceRow | None]


@dataclass(frozen=True)
class Member:
    """Videos of one family of a set."""

    dataset: str
    family: str
    label: Literal[0, 1]
    videos: int = 1
    faces: int = 2
    still: bool = False
    side: Side = Side.TRAIN
    landmarks: bool = True


SETS = (
    # A set with many videos beside a small one, and in that a person with many clips.
    *(Member("large", f"l{n}", 0) for n in range(12)),
    *(Member("large", f"l{n}", 1) for n in range(6)),
    Member("small", "busy", 0, videos=9, faces=1),
    Member("small", "rare", 0, videos=1, faces=4),
    Member("small", "maker", 1),
    *(Member("photographs", f"p{n}", 0, faces=1, still=True) for n in range(3)),
    Member("reals", "alone", 0),
    Member("large", "kept", 0, side=Side.VAL),
)


def built(folder: Path, members: Sequence[Member] = SETS) -> FaceSource:
    rows, truths, videos = [], {}, []
    for member in members:
        for number in range(member.videos):
            name = f"{member.dataset}-{member.family}-{member.label}-{number}"
            video = Video(name, member.label, member.side, member.faces)
            videos.append(video)
            points = {"landmarks": LANDMARKS, "crop_region": REGION} if member.landmarks else {}
            rows += [row | points for row in face_rows(video)]
            truths[name] = VideoTruth(
                video.run_id,
                member.label,
                member.side,
                still=member.still,
                dataset=member.dataset,
                family=member.family,
            )
    return replace(source_of([write_rows(folder / "faces.parquet", rows)], videos), videos=truths)


def settings(mixture: Mapping[str, float], **changes: object) -> TrainingSettings:
    return TrainingSettings.model_validate(
        {"weights": "none", "mixture": mixture, "epoch_faces": 2000, **changes}
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FaceSource:
    return built(tmp_path_factory.mktemp("mixture"))


def drawn(source: FaceSource, chosen: TrainingSettings, epoch: int = 0) -> list[Pair]:
    return list(FacePool.of(source, chosen).pairs(epoch))


def set_of(face: FaceRow) -> str:
    return face.video_id.split("-")[0]


def family_of(face: FaceRow) -> str:
    return face.video_id.split("-")[1]


def shares(names: Sequence[str]) -> dict[str, float]:
    return {name: count / len(names) for name, count in Counter(names).items()}


def test_a_large_set_does_not_drown_a_small_one(source: FaceSource) -> None:
    pairs = drawn(source, settings({"large": 1, "small": 3}))
    assert len(pairs) == 1000
    assert shares([set_of(real) for real, _ in pairs]) == pytest.approx(
        {"large": 0.25, "small": 0.75}, abs=0.05
    )
    assert all(real.label == 0 for real, _ in pairs)


def test_a_family_with_many_videos_counts_once_and_all_of_them_are_drawn(
    source: FaceSource,
) -> None:
    reals = [real for real, _ in drawn(source, settings({"small": 1}))]
    assert shares([family_of(real) for real in reals]) == pytest.approx(
        {"busy": 0.5, "rare": 0.5}, abs=0.06
    )
    busy = Counter(real.video_id for real in reals if family_of(real) == "busy")
    assert len(busy) == 9
    assert min(busy.values()) > 25
    rare = Counter(real.frame_index for real in reals if family_of(real) == "rare")
    assert len(rare) == 4


def test_a_fake_of_the_same_source_follows_where_there_is_one(source: FaceSource) -> None:
    pairs = drawn(source, settings({"large": 1, "small": 1}, real_fake_ratio=1))
    own = {f"l{n}" for n in range(6)}
    for real, fake in pairs:
        assert fake is not None and fake.label == 1
        assert set_of(fake) == set_of(real)  # else of the same set
        if family_of(real) in own:
            assert family_of(fake) == family_of(real)
    others = {family_of(f) for r, f in pairs if f and family_of(r) in {"l6", "l7", "l8"}}
    assert len(others) == 6


def test_a_set_without_fakes_takes_them_from_the_others(source: FaceSource) -> None:
    pairs = drawn(source, settings({"reals": 1, "small": 1}, real_fake_ratio=1))
    assert {set_of(f) for r, f in pairs if f and set_of(r) == "reals"} == {"small"}


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_real_fakes_follow_as_often_as_asked(source: FaceSource, ratio: float) -> None:
    pairs = drawn(source, settings({"large": 1}, real_fake_ratio=ratio))
    assert np.mean([fake is not None for _, fake in pairs]) == pytest.approx(ratio, abs=0.05)


def test_stills_are_followed_by_a_fake_made_from_them(source: FaceSource) -> None:
    pairs = drawn(source, settings({"photographs": 1, "small": 1}, real_fake_ratio=1))
    followers = [fake for real, fake in pairs if real.still]
    assert len(followers) > 300
    assert set(followers) == {None}


def test_what_is_read_back_is_what_was_stored(source: FaceSource, tmp_path: Path) -> None:
    stored = {
        (face.video_id, face.frame_index): face
        for face in FacePool.of(source, settings({"large": 1}))._faces
    }
    for real, fake in drawn(source, settings({"large": 1}))[:100]:
        for face in (real, fake):
            if face is not None:
                assert face.decoded().shape == (64, 64, 3)
                assert face.video_id in source.videos
                assert stored[face.video_id, face.frame_index].landmarks is not None
                number = sum(face.video_id.encode())
                expected = real_face(100 * number + face.frame_index // 10)
                if face.label == 0:
                    assert np.array_equal(face.decoded(), expected)


def test_epochs_differ_and_repeat_with_the_seed_alone(source: FaceSource) -> None:
    def names(seed: int, epoch: int) -> list[tuple[str, int, str]]:
        chosen = settings({"large": 1, "small": 1, "photographs": 0.5}, seed=seed)
        return [
            (real.video_id, real.frame_index, fake.video_id if fake else "")
            for real, fake in drawn(source, chosen, epoch)
        ]

    assert names(0, 0) == names(0, 0)
    assert names(0, 0) != names(0, 1)
    assert names(0, 0) != names(1, 0)


def test_videos_of_other_splits_are_never_drawn(source: FaceSource) -> None:
    pairs = drawn(source, settings({"large": 1}))
    assert "kept" not in {family_of(real) for real, _ in pairs}


def test_names_are_checked_and_odds_of_0_leave_a_set_out(source: FaceSource) -> None:
    with pytest.raises(ConfigError, match="'larg', which has no training videos; did you mean"):
        require_mixture(source, {"larg": 1})
    left = require_mixture(source, {"small": 1, "gone": 0})
    assert {t.dataset for t in left.videos.values() if t.side is Side.TRAIN} == {"small"}
    assert any(truth.side is Side.VAL for truth in left.videos.values())
    assert require_mixture(source, {}) is source


def test_a_set_that_cannot_begin_a_pair_is_refused(tmp_path: Path) -> None:
    fakes = built(tmp_path, [Member("a", "x", 0), Member("b", "y", 1)])
    with pytest.raises(ConfigError, match="real faces of b, which has none"):
        FacePool.of(fakes, settings({"a": 1, "b": 1}))
    (tmp_path / "plain").mkdir()
    plain = built(tmp_path / "plain", [Member("a", "x", 0, landmarks=False)])
    with pytest.raises(ConfigError, match="without landmarks"):
        FacePool.of(plain, settings({"a": 1}))


def test_faces_without_landmarks_are_followed_by_fakes_of_the_data(tmp_path: Path) -> None:
    plain = built(tmp_path, [Member("a", "x", 0, landmarks=False), Member("a", "y", 1)])
    pairs = drawn(plain, settings({"a": 1}, real_fake_ratio=0))
    assert all(fake is not None for _, fake in pairs)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch_size": 33}, "set an even one"),
        ({"mixture": {"large": 0}}, "odds of 0 to everything"),
        ({"mixture": {"large": -1}}, "greater than or equal to 0"),
        ({"made_fakes": {"self_blend": 0}}, "odds of 0 to everything"),
        ({"made_fakes": {}}, "odds of 0 to everything"),
        ({"made_fakes": {"morph": 1}}, "self_blend"),
        ({"epoch_faces": 3}, "multiple of 2"),
        ({"signal": "delta", "self_blend_ratio": 0}, "training.real_fake_ratio=1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**{"mixture": {"large": 1}, **changes})  # type: ignore[arg-type]


def test_a_made_fake_repeats_with_its_generator_and_changes_the_face() -> None:
    points = np.array([[p["x"], p["y"]] for p in LANDMARKS], np.float32)
    face = CroppedFace(real_face(3), points)
    one, again, other = (
        made_fake(face, np.random.default_rng(seed), {"self_blend": 1.0}).crop for seed in (5, 5, 6)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, face.crop)
    plain = CroppedFace(real_face(3))
    assert made_fake(plain, np.random.default_rng(0), {"self_blend": 1.0}) is plain
