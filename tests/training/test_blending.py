"""Self-blended faces in the stream of a training: which, how many, and beside what."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framejury.schemas.statuses import Side
from framejury.settings import TrainingSettings
from framejury.training.source import FaceSource
from framejury.training.source_counts import count_faces
from tests.builders.faces import face_rows, small_videos, source_of, write_rows

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

from framejury.training.dataset import FaceDatasets
from framejury.training.epoch import class_weights, shown_faces

PX = 48
SETTINGS = TrainingSettings(
    weights="none", input_px=PX, batch_size=8, augment="none", self_blend_ratio=0.5
)
# Where the eyes, the nose and the mouth are in crops of 64 pixels of the astronaut's face.
LANDMARKS = [(22, 25), (42, 25), (32, 36), (24, 46), (40, 46)]
POINTS = [{"x": float(x), "y": float(y)} for x, y in LANDMARKS]
REGION = {"x": 0, "y": 0, "width": 64, "height": 64}
STILLS = 3


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FaceSource:
    """Six real and six fake videos to learn from, three stills and one on val, with landmarks."""
    folder = tmp_path_factory.mktemp("blends")
    videos = small_videos(train_each=6, val_each=3)
    real = {
        side: sorted(v.video_id for v in videos if v.label == 0 and v.side is side)
        for side in (Side.TRAIN, Side.VAL)
    }
    still_names = {*real[Side.TRAIN][:STILLS], real[Side.VAL][0]}
    rows = [
        {**row, "landmarks": POINTS, "crop_region": REGION}
        for video in videos
        for row in face_rows(video)[: 1 if video.video_id in still_names else None]
    ]
    made = source_of([write_rows(folder / "faces.parquet", rows)], videos)
    truths = {key: replace(truth, still=key in still_names) for key, truth in made.videos.items()}
    return replace(made, videos=truths)


def epoch_of(
    source: FaceSource, settings: TrainingSettings, epoch: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    faces = FaceDatasets(settings, source, count_faces(source), settings.batch_size)
    batches = [tuple(part.numpy() for part in batch) for batch in faces.training(epoch)]
    pixels, labels, weights = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return pixels, labels[:, 0], weights


def is_blend_of_previous(pixels: np.ndarray) -> np.ndarray:
    """Whether each face shows the same border as the one before it, and another middle."""
    same_corner = (pixels[1:, :3, :3] == pixels[:-1, :3, :3]).all(axis=(1, 2, 3))
    other = (pixels[1:] != pixels[:-1]).any(axis=(1, 2, 3))
    return np.concatenate([[False], same_corner & other])


def test_counts_know_what_can_be_blended(source: FaceSource) -> None:
    counts = count_faces(source)
    plain_real = counts.faces(Side.TRAIN, 0)
    assert counts.stills == STILLS
    assert counts.blendable == plain_real > 0
    assert sum(truth.still for truth in source.videos.values()) == STILLS + 1


@pytest.mark.parametrize("ratio", [0.0, 0.5, 0.7, 1.0])
def test_an_epoch_shows_what_was_counted(source: FaceSource, ratio: float) -> None:
    settings = SETTINGS.model_copy(update={"self_blend_ratio": ratio})
    counts = count_faces(source)
    _, labels, _ = epoch_of(source, settings)
    real, fake = shown_faces(counts, settings)
    assert (int((labels == 0).sum()), int((labels == 1).sum())) == (real, fake)
    assert fake == counts.faces(Side.TRAIN, 1) + int(counts.blendable * ratio + 1e-9) + STILLS


def test_classes_weigh_the_same_with_blends(source: FaceSource) -> None:
    _, labels, weights = epoch_of(source, SETTINGS)
    real, fake = (float(weights[labels == label].sum()) for label in (0, 1))
    assert real == pytest.approx(fake, rel=1e-5)
    counts = count_faces(source)
    real, fake = (counts.faces(Side.VAL, label) for label in (0, 1))
    weight = class_weights(counts, Side.VAL, SETTINGS)
    assert weight[0] * real == pytest.approx(weight[1] * fake)


def test_a_blend_follows_its_source_and_only_its_middle_differs(source: FaceSource) -> None:
    settings = SETTINGS.model_copy(update={"self_blend_ratio": 1.0})
    pixels, labels, _ = epoch_of(source, settings)
    blends = is_blend_of_previous(pixels) & (labels == 1) & (np.roll(labels, 1) == 0)
    counts = count_faces(source)
    # A blend whose outer copy was changed differs at the border too.
    assert 0.3 * (counts.blendable + STILLS) < blends.sum() <= counts.blendable + STILLS
    changed = np.abs(pixels[1:] - pixels[:-1]).mean(axis=3)[blends[1:]]
    assert changed[:, 16:32, 16:32].mean() > 4 * changed[:, :3, :3].mean()


def test_a_pair_is_augmented_alike(source: FaceSource) -> None:
    settings = SETTINGS.model_copy(update={"self_blend_ratio": 1.0, "augment": "full"})
    pixels, labels, _ = epoch_of(source, settings)
    follows = np.flatnonzero((labels[1:] == 1) & (labels[:-1] == 0)) + 1
    near = np.abs(pixels[follows] - pixels[follows - 1]).mean(axis=(1, 2, 3))
    far = np.abs(pixels[follows] - np.roll(pixels[follows - 1], 1, axis=0)).mean(axis=(1, 2, 3))
    assert np.median(near) < np.median(far) / 2


def test_blends_are_new_in_each_epoch_and_repeat_with_the_seed(source: FaceSource) -> None:
    def blends(epoch: int, seed: int) -> np.ndarray:
        settings = SETTINGS.model_copy(update={"seed": seed})
        pixels, labels, _ = epoch_of(source, settings, epoch)
        return pixels[labels == 1]

    assert np.array_equal(blends(0, 0), blends(0, 0))
    assert not np.array_equal(blends(0, 0), blends(1, 0))
    assert not np.array_equal(blends(0, 0), blends(0, 1))


def test_validation_shows_no_blend_and_no_still(source: FaceSource) -> None:
    faces = FaceDatasets(SETTINGS, source, count_faces(source), 8)
    labels = np.concatenate([batch[1].numpy() for batch in faces.validation()])
    counts = count_faces(source)
    assert len(labels) == counts.faces(Side.VAL)


def test_faces_without_landmarks_are_shown_without_a_blend(tmp_path: Path) -> None:
    videos = small_videos(2, 1)
    rows = [row for video in videos for row in face_rows(video)]  # landmarks null
    source = source_of([write_rows(tmp_path / "faces.parquet", rows)], videos)
    counts = count_faces(source)
    assert (counts.blendable, counts.stills) == (0, 0)
    assert shown_faces(counts, SETTINGS) == (counts.faces(Side.TRAIN, 0),) * 2
