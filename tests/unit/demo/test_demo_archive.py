"""The demo archive: labels that hold, the same bytes every time, fakes changed at the face."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from framejury.demo.__main__ import main
from framejury.demo.demo_archive import LABELS_FILE, NOTE_FILE, write_archive
from framejury.demo.forgery import face_mask, forge, plan_forgery
from framejury.demo.people import Footage, load_people
from framejury.demo.scenes import film, plan_scene
from framejury.errors import ArchiveError

SECONDS = 0.3


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "archive"
    write_archive(folder, seed=3, seconds=SECONDS)
    return folder


@pytest.fixture(scope="module")
def people() -> dict[str, Footage]:
    return load_people()


def rows_of(archive: Path) -> list[dict[str, str]]:
    with (archive / LABELS_FILE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir()}


@pytest.mark.long
def test_labels_name_every_clip_once(archive: Path) -> None:
    rows = rows_of(archive)
    assert list(rows[0]) == ["file", "label", "original", "method", "group"]
    clips = sorted(file.name for file in archive.glob("*.mp4"))
    assert sorted(row["file"] for row in rows) == clips
    labels = [row["label"] for row in rows]
    assert 20 <= len(rows) <= 24
    assert abs(labels.count("REAL") - labels.count("FAKE")) <= 1


def test_a_fake_carries_the_group_of_its_original(archive: Path) -> None:
    rows = {row["file"]: row for row in rows_of(archive)}
    fakes = [row for row in rows.values() if row["label"] == "FAKE"]
    for fake in fakes:
        original = rows[fake["original"]]
        assert original["label"] == "REAL"
        assert original["group"] == fake["group"]
        assert fake["method"] in ("face_swap", "self_blend")
    reals = [row for row in rows.values() if row["label"] == "REAL"]
    assert len({row["group"] for row in reals}) == len(reals) >= 8
    assert {row["method"] for row in fakes} == {"face_swap", "self_blend"}


def test_only_the_cut_file_cannot_be_opened(archive: Path) -> None:
    broken = []
    for clip in sorted(archive.glob("*.mp4")):
        try:
            with av.open(str(clip)) as source:
                assert sum(1 for _ in source.decode(video=0)) == source.streams.video[0].frames > 0
        except av.error.InvalidDataError:
            broken.append(clip.name)
    assert broken == ["carphone-3-face_swap.mp4"]
    assert b"ftyp" in (archive / broken[0]).read_bytes()[:16]


@pytest.mark.long
def test_seed_decides_the_bytes(archive: Path, tmp_path: Path) -> None:
    write_archive(tmp_path / "same", seed=3, seconds=SECONDS)
    write_archive(tmp_path / "other", seed=4, seconds=SECONDS)
    first, same, other = digests(archive), digests(tmp_path / "same"), digests(tmp_path / "other")
    assert first == same
    assert [name for name in first if first[name] == other[name]] == ["README.txt", "labels.csv"]


def test_a_face_is_where_the_landmarks_say(people: dict[str, Footage]) -> None:
    cascade = cv2.CascadeClassifier(
        cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml"  # type: ignore[attr-defined]
    )
    for footage in people.values():
        for number in (1, 2):
            filmed = next(film(plan_scene(footage, number, SECONDS, seed=0), footage))
            assert filmed.landmarks is not None
            left_eye, right_eye = filmed.landmarks[:2]
            assert left_eye[0] < right_eye[0]
            grey = cv2.cvtColor(filmed.image, cv2.COLOR_RGB2GRAY)
            faces = cascade.detectMultiScale(grey, 1.1, 3)
            x, y = filmed.landmarks.mean(axis=0)
            assert any(fx < x < fx + w and fy < y < fy + h for fx, fy, w, h in faces), footage.name


@pytest.mark.parametrize("method", ["face_swap", "self_blend"])
def test_a_forgery_changes_the_face_and_nothing_else(
    people: dict[str, Footage], method: str
) -> None:
    scene = plan_scene(people["collins"], 1, SECONDS, seed=0)
    real = list(film(scene, people["collins"]))
    donor = people["hopper"]
    rng = np.random.default_rng(0)
    forgery = plan_forgery(method, rng, donor.images[0], donor.landmarks[0])  # type: ignore[arg-type]
    fake = list(forge(real, forgery))
    assert len(fake) == len(real) > 1
    for old, new in zip(real, fake, strict=True):
        assert old.landmarks is not None
        inside = face_mask(old.image.shape[:2], old.landmarks)[..., 0]
        change = np.abs(old.image.astype(int) - new.image.astype(int)).mean(axis=2)
        assert change[inside > 0.9].mean() > 4
        assert change[inside == 0].max() == 0
        assert 0.02 < (inside > 0.5).mean() < 0.3


def test_swap_without_donor_is_refused() -> None:
    forgery = plan_forgery("face_swap", np.random.default_rng(0))
    with pytest.raises(ValueError, match="donor"):
        next(forge([], forgery))


def test_foreign_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "holiday.mp4").write_bytes(b"mine")
    with pytest.raises(ArchiveError, match=r"holiday\.mp4"):
        write_archive(tmp_path)
    assert main([str(tmp_path)]) == 2
    assert "holiday.mp4" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["holiday.mp4"]


@pytest.mark.long
def test_earlier_demo_is_replaced(tmp_path: Path) -> None:
    write_archive(tmp_path, seconds=SECONDS)
    before = digests(tmp_path)
    (tmp_path / "labels.csv").unlink()
    (tmp_path / "half.mp4").write_bytes(b"")
    write_archive(tmp_path, seconds=SECONDS)
    assert digests(tmp_path) == before
    assert "does not carry over" in (tmp_path / NOTE_FILE).read_text(encoding="utf-8")
