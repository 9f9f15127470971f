"""Fakes laid over their originals by the job itself: which of them only sound different."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from framejury.jobs import index_videos, label_modalities
from framejury.warehouse import Warehouse
from tests.builders.clips import face_frames, write_text
from tests.builders.talkies import voice, with_other_face, write_talkie

FRAMES = 50


@pytest.fixture
def session(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The job uses the tests' session; the list says for which it was asked."""
    asked: list[str] = []

    @contextmanager
    def same(app: str) -> Iterator[SparkSession]:
        asked.append(app)
        yield spark

    monkeypatch.setattr(label_modalities, "spark_session", same)
    return asked


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One original; fakes by sound, by picture, by both, by neither; two that cannot be told."""
    place = tmp_path_factory.mktemp("archive")
    frames = face_frames(FRAMES)
    other = [with_other_face(frame) for frame in frames]
    same, changed = voice(2, seed=1), voice(2, seed=2)
    write_talkie(place / "real.mp4", frames, same)
    write_talkie(place / "sound.mp4", frames, changed, options={"crf": "30"})
    write_talkie(place / "picture.mp4", other, same)
    write_talkie(place / "both.mp4", other, changed)
    write_talkie(place / "copy.mp4", frames, same, options={"crf": "30"})
    write_text(place / "broken.mp4")
    write_text(place / "broken_real.mp4")
    write_talkie(place / "orphan.mp4", other[:10], None)
    write_talkie(place / "of_broken.mp4", other[:10], None)
    fakes = ["sound", "picture", "both", "copy", "broken"]
    (place / "labels.csv").write_text(
        "file,label,original\nreal.mp4,REAL,\nbroken_real.mp4,REAL,\n"
        + "".join(f"{name}.mp4,FAKE,real.mp4\n" for name in fakes)
        + "orphan.mp4,FAKE,elsewhere.mp4\nof_broken.mp4,FAKE,broken_real.mp4\n",
        "utf-8",
    )
    return place


def indexed(archive: Path, warehouse: Path) -> None:
    assert index_videos.main([str(archive), "--warehouse", str(warehouse)]) == 0


def told(warehouse: Path) -> dict[str, tuple[str, str, str]]:
    """Of each fake by name: modality, name of its original, run."""
    opened = Warehouse.open(str(warehouse))
    names = {row["video_id"]: row["path"] for row in opened.read_snapshot("videos").to_pylist()}
    return {
        names[row["video_id"]]: (row["modality"], names[row["original_id"]], row["run_id"])
        for row in opened.read_snapshot("modalities").to_pylist()
    }


def reasons(warehouse: Path) -> dict[str, str]:
    opened = Warehouse.open(str(warehouse))
    names = {row["video_id"]: row["path"] for row in opened.read_snapshot("videos").to_pylist()}
    rows = opened.read_snapshot("modalities").to_pylist()
    return {names[row["video_id"]]: row["reason"] for row in rows}


@pytest.mark.long
def test_what_was_changed_of_each_fake_is_told_once(
    session: list[str], made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = tmp_path / "w"
    indexed(made, warehouse)
    argv = ["--warehouse", str(warehouse)]
    assert label_modalities.main(argv) == 0
    found = told(warehouse)
    assert {name: row[:2] for name, row in found.items()} == {
        "sound.mp4": ("audio", "real.mp4"),
        "picture.mp4": ("video", "real.mp4"),
        "both.mp4": ("both", "real.mp4"),
        "copy.mp4": ("none", "real.mp4"),
        "broken.mp4": ("unknown", "real.mp4"),
        "of_broken.mp4": ("unknown", "broken_real.mp4"),
    }
    why = reasons(warehouse)
    assert why["broken.mp4"].startswith("the fake cannot be read (not_video): ")
    assert why["of_broken.mp4"].startswith("the original cannot be read (not_video): ")
    assert "picture: " in why["sound.mp4"] and "; sound: " in why["sound.mp4"]
    out, err = capsys.readouterr()
    assert "1 fake without an original here" in err
    assert "6 of 6 fakes (100%)" in err
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[:5]] == [
        ["1", "video"],
        ["1", "audio"],
        ["1", "both"],
        ["1", "none"],
        ["2", "unknown"],
    ]
    assert lines[5:] == ["", "only the sound was changed:", "  sound.mp4"]

    # Nothing has changed: no work, no Spark, no commit.
    assert session == ["modality"]
    commits = len(Warehouse.open(str(warehouse)).commits())
    assert label_modalities.main(argv) == 0
    assert session == ["modality"]
    assert len(Warehouse.open(str(warehouse)).commits()) == commits
    assert "only the sound was changed:\n  sound.mp4" in capsys.readouterr().out
    assert label_modalities.main([*argv, "--all"]) == 0
    assert session == ["modality"] * 2
    again = told(warehouse)
    assert {name: row[:2] for name, row in again.items()} == {
        name: row[:2] for name, row in found.items()
    }


@pytest.mark.long
def test_a_second_run_compares_what_is_new_or_changed(
    session: list[str], made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, warehouse = tmp_path / "archive", tmp_path / "w"
    archive.mkdir()
    for name in ("real", "sound", "picture", "both"):
        os.link(made / f"{name}.mp4", archive / f"{name}.mp4")
    rows = "file,label,original\nreal.mp4,REAL,\nsound.mp4,FAKE,real.mp4\npicture.mp4,FAKE,real\n"
    (archive / "labels.csv").write_text(rows, "utf-8")
    argv = ["--warehouse", str(warehouse)]
    indexed(archive, warehouse)
    assert label_modalities.main(argv) == 0
    first = told(warehouse)
    assert {name: row[0] for name, row in first.items()} == {
        "sound.mp4": "audio",
        "picture.mp4": "video",
    }
    # One file is another now, one is gone, one is new; the order of the rows is another.
    (archive / "sound.mp4").unlink()
    os.link(made / "copy.mp4", archive / "sound.mp4")
    (archive / "labels.csv").write_text(rows + "both.mp4,FAKE,real.mp4\n", "utf-8")
    capsys.readouterr()
    indexed(archive, warehouse)
    assert label_modalities.main(argv) == 0
    assert "2 of 2 fakes (100%)" in capsys.readouterr().err
    second = told(warehouse)
    assert {name: row[0] for name, row in second.items()} == {
        "sound.mp4": "none",
        "picture.mp4": "video",
        "both.mp4": "both",
    }
    assert len({row[2] for row in second.values()} - {row[2] for row in first.values()}) == 1
    capsys.readouterr()
    assert label_modalities.main(argv) == 0
    assert "nothing new to compare" in capsys.readouterr().err
    # A changed original makes all of its fakes anew; a fake that is gone is told of no more.
    os.utime(archive / "real.mp4", ns=(0, 10**18))
    (archive / "picture.mp4").unlink()
    indexed(archive, warehouse)
    capsys.readouterr()
    assert label_modalities.main(argv) == 0
    assert "2 of 2 fakes (100%)" in capsys.readouterr().err
    assert set(told(warehouse)) == {"sound.mp4", "both.mp4"}


def test_without_originals_nothing_is_written(
    session: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, warehouse = tmp_path / "archive", tmp_path / "w"
    archive.mkdir()
    write_text(archive / "a.mp4")
    (archive / "labels.csv").write_text("file,label,original\na.mp4,FAKE,gone.mp4\n", "utf-8")
    indexed(archive, warehouse)
    assert label_modalities.main(["--warehouse", str(warehouse)]) == 0
    assert "1 fake without an original here" in capsys.readouterr().err
    assert session == []
    assert Warehouse.open(str(warehouse)).with_table("modalities") == []
