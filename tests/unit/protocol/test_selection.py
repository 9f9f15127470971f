"""Which videos the protocol measures: labels as in index, sides by file, names of data sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.archive.csv_files import read_pins
from framejury.errors import ArchiveError, LeakageError, UsageError
from framejury.protocol.selection import (
    Selection,
    data_sets_of,
    labelled_videos_of,
    on_pinned_side,
)
from framejury.schemas.statuses import Side
from framejury.settings import IndexSettings

LABELS = """file,label,method,group
a/real1.mp4,REAL,,one
a/fake1.mp4,FAKE,swap,one
a/real2.mp4,REAL,,two
b/real3.mp4,REAL,,three
b/fake3.mp4,FAKE,swap,three
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Empty files: indexing opens no video."""
    root = tmp_path / "archive"
    for name in (
        *(line.partition(",")[0] for line in LABELS.splitlines()[1:]),
        "a/unknown.mp4",
        "ffpp/original_sequences/youtube/c23/videos/183.mp4",
        "ffpp/manipulated_sequences/Deepfakes/c40/videos/183_253.mp4",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "labels.csv").write_text(LABELS)
    return root


@pytest.fixture
def selection(archive: Path) -> Selection:
    return labelled_videos_of(str(archive), IndexSettings())


def sides(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "sides.csv"
    path.write_text("pattern,side\n" + "\n".join(lines) + "\n")
    return path


def paths(selection: Selection) -> list[str]:
    return [video["path"] for video in selection.videos]


def test_labelled_videos_by_path_with_a_note_on_the_others(selection: Selection) -> None:
    assert paths(selection) == [
        "a/fake1.mp4",
        "a/real1.mp4",
        "a/real2.mp4",
        "b/fake3.mp4",
        "b/real3.mp4",
        "ffpp/manipulated_sequences/Deepfakes/c40/videos/183_253.mp4",
        "ffpp/original_sequences/youtube/c23/videos/183.mp4",
    ]
    assert any("Without a label, and left out: 1 of" in note for note in selection.notes)
    by_path = {video["path"]: video for video in selection.videos}
    assert by_path["a/fake1.mp4"]["group"] == by_path["a/real1.mp4"]["group"]
    assert by_path["a/fake1.mp4"]["group"] != by_path["a/real2.mp4"]["group"]
    assert by_path["a/fake1.mp4"]["method"] == "swap"


def test_data_sets(selection: Selection) -> None:
    found = {video["path"]: data_sets_of(video) for video in selection.videos}
    assert found["a/fake1.mp4"] == ("a",)
    assert found["b/real3.mp4"] == ("b",)
    assert found["ffpp/original_sequences/youtube/c23/videos/183.mp4"] == ("ffpp", "ffpp c23")
    assert found["ffpp/manipulated_sequences/Deepfakes/c40/videos/183_253.mp4"] == (
        "ffpp",
        "ffpp c40",
    )
    flat = {"path": "x.mp4", "layout": "labels_csv"}
    assert data_sets_of(flat) == ("labels_csv",)
    celeb = {"path": "Celeb-real/id1_0000.mp4", "layout": "celebdf"}
    assert data_sets_of(celeb) == ("celebdf",)


def test_an_archive_that_cannot_be_measured(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "x.mp4").touch()
    with pytest.raises(ArchiveError, match="none of the 1 videos"):
        labelled_videos_of(str(tmp_path / "plain"), IndexSettings())
    with pytest.raises(ArchiveError, match="no archive at"):
        labelled_videos_of(str(tmp_path / "gone"), IndexSettings())
    with pytest.raises(ArchiveError, match="not a local folder"):
        labelled_videos_of("s3a://bucket/archive", IndexSettings())


def test_only_the_pinned_side_is_measured(selection: Selection, tmp_path: Path) -> None:
    pins = read_pins(sides(tmp_path, "a/*1.mp4,test", "a/*,train", "b/*,val"))
    tested = on_pinned_side(selection, pins, Side.TEST)
    assert paths(tested) == ["a/fake1.mp4", "a/real1.mp4"]
    assert paths(on_pinned_side(selection, pins, Side.VAL)) == ["b/fake3.mp4", "b/real3.mp4"]
    note = tested.notes[-1]
    assert "split test by sides.csv" in note
    assert "2 in no split, 2 in test, 1 in train, 2 in val" in note
    assert tested.notes[:-1] == selection.notes


def test_an_unpinned_video_stands_with_its_group(selection: Selection, tmp_path: Path) -> None:
    pins = read_pins(sides(tmp_path, "a/real1.mp4,train", "b/real3.mp4,test"))
    assert paths(on_pinned_side(selection, pins, Side.TEST)) == ["b/fake3.mp4", "b/real3.mp4"]
    # a/fake1 is made of a/real1, which the bundle learned from.
    rest = paths(on_pinned_side(selection, pins, None))
    assert "a/fake1.mp4" not in rest and "a/real1.mp4" not in rest
    assert "a/real2.mp4" in rest and "b/fake3.mp4" in rest


def test_what_was_trained_on_or_excluded_is_never_measured(
    selection: Selection, tmp_path: Path
) -> None:
    pins = read_pins(sides(tmp_path, "a/*,train", "b/*,excluded"))
    with pytest.raises(UsageError, match="may have been trained on"):
        on_pinned_side(selection, pins, Side.TRAIN)
    assert all(path.startswith("ffpp/") for path in paths(on_pinned_side(selection, pins, None)))
    with pytest.raises(UsageError, match=r"leaves no labelled video.*3 in train"):
        on_pinned_side(selection, pins, Side.TEST)


def test_a_group_on_two_sides_is_refused(selection: Selection, tmp_path: Path) -> None:
    pins = read_pins(sides(tmp_path, "a/real1.mp4,train", "a/fake1.mp4,test"))
    with pytest.raises(LeakageError, match=r"a/fake1.mp4 in test, a/real1.mp4 in train"):
        on_pinned_side(selection, pins, Side.TEST)
