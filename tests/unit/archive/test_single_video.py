"""The label of one video is the one that a listing of its archive gives it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framejury.archive.single_video import label_of
from framejury.errors import ArchiveError
from framejury.schemas.statuses import Label
from framejury.settings import IndexSettings

AUTO = IndexSettings()


def written(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"video")
    return place


def test_dfdc_names_it_beside_it(tmp_path: Path) -> None:
    video, other = written(tmp_path / "part" / "a.mp4"), written(tmp_path / "part" / "b.mp4")
    entries = {"a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"}}
    (tmp_path / "part" / "metadata.json").write_text(json.dumps(entries))
    assert label_of(video, AUTO) is Label.FAKE
    assert label_of(other, AUTO) is None


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("original_sequences/youtube/c23/videos/519.mp4", Label.REAL),
        ("manipulated_sequences/Deepfakes/c23/videos/519_515.mp4", Label.FAKE),
        ("Celeb-real/id1_0001.mp4", Label.REAL),
        ("Celeb-synthesis/id1_id2_0001.mp4", Label.FAKE),
        ("somewhere/else.mp4", None),
    ],
)
def test_folders_tell_it(name: str, label: Label | None, tmp_path: Path) -> None:
    assert label_of(written(tmp_path / name), AUTO) is label


def test_the_nearer_of_two_files_applies(tmp_path: Path) -> None:
    video = written(tmp_path / "near" / "a.mp4")
    (tmp_path / "labels.csv").write_text("file,label\nnear/a.mp4,REAL\n")
    assert label_of(video, AUTO) is Label.REAL
    (tmp_path / "near" / "labels.csv").write_text("file,label\na.mp4,FAKE\n")
    assert label_of(video, AUTO) is Label.FAKE
    assert label_of(video, IndexSettings(layout="plain")) is None


def test_an_unusual_ending_and_hidden_folders_above(tmp_path: Path) -> None:
    hidden = tmp_path / ".cache"
    video = written(hidden / "set" / "a.film")
    (hidden / "set" / "labels.csv").write_text("file,label\na.film,REAL\n")
    assert label_of(video, AUTO) is Label.REAL
    assert label_of(written(hidden / "b.mp4"), AUTO) is None
    assert label_of(written(hidden / "set" / ".c.mp4"), AUTO) is None


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    video = written(tmp_path / "a.mp4")
    (tmp_path / "labels.csv").write_text("name,truth\n")
    with pytest.raises(ArchiveError, match="needs the columns file,label"):
        label_of(video, AUTO)
