"""`framejury forget`: what it says, what it refuses, and what other commands make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.archive.video_rows import video_id_of
from framejury.cli.main import main
from framejury.warehouse import Warehouse
from tests.builders.judged import NOW, night

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    place = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    night(place, {"a.mp4": [0.9, 0.8], "b.mp4": [0.1]})
    night(place, {}, listed=["a.mp4", "b.mp4"], gone=["c.mp4"])
    return place


def forget(warehouse: Warehouse, *words: str) -> int:
    return main(["forget", *words, "--warehouse", warehouse.location.uri])


def test_it_says_what_it_removed_and_what_it_cannot_reach(
    warehouse: Warehouse, capsys: Capture
) -> None:
    assert forget(warehouse, "a.mp4", "--reason", "asked to") == 0
    told = capsys.readouterr().err
    assert f"forgotten: a.mp4 ({video_id_of('a.mp4')})" in told
    assert "2 rows of face_scores, 2 rows of faces, 2 rows of pictures;" in told
    assert "not reached" in told and "backups" in told
    assert warehouse.forgotten()[video_id_of("a.mp4")].reason == "asked to"
    assert forget(warehouse, video_id_of("a.mp4")) == 0
    assert "nothing was left" in capsys.readouterr().err


def test_an_unknown_video_is_a_mistake(warehouse: Warehouse, capsys: Capture) -> None:
    assert forget(warehouse, "a.mp3") == 2
    assert "did you mean a.mp4" in capsys.readouterr().err
    assert not warehouse.forgotten()


def test_only_what_was_forgotten_is_undone(warehouse: Warehouse, capsys: Capture) -> None:
    assert forget(warehouse, "a.mp4", "--undo") == 2
    assert "a.mp4 was not forgotten" in capsys.readouterr().err
    assert forget(warehouse, "a.mp4") == forget(warehouse, "a.mp4", "--undo") == 0
    assert "may be judged again: a.mp4" in capsys.readouterr().err
    assert not warehouse.forgotten()


def test_a_run_in_progress_is_not_disturbed(warehouse: Warehouse, capsys: Capture) -> None:
    with warehouse.running("nightly", NOW):
        assert forget(warehouse, "a.mp4") == 1
    assert "is in use by" in capsys.readouterr().err
    assert not warehouse.forgotten()


def test_verdicts_leave_it_out_and_say_so(warehouse: Warehouse, capsys: Capture) -> None:
    assert forget(warehouse, "a.mp4") == 0
    capsys.readouterr()
    assert main(["verdicts", "--warehouse", warehouse.location.uri]) == 0
    printed = capsys.readouterr()
    assert "b.mp4" in printed.out and "a.mp4" not in printed.out and "c.mp4" not in printed.out
    assert "1 video was deleted from the archive since" in printed.err
    assert "1 video was forgotten" in printed.err


def test_an_evidence_page_is_refused(warehouse: Warehouse, capsys: Capture) -> None:
    assert forget(warehouse, "a.mp4", "--reason", "asked to") == 0
    capsys.readouterr()
    assert main(["evidence", "a.mp4", "--warehouse", warehouse.location.uri]) == 2
    assert "a.mp4 was forgotten on 2" in capsys.readouterr().err


def test_an_import_cannot_bring_it_back(warehouse: Warehouse, capsys: Capture) -> None:
    """An import fills only a new warehouse, so none can meet a tombstone."""
    assert forget(warehouse, "a.mp4") == 0
    here = str(Path(__file__).parent)
    assert main(["import", here, "--warehouse", warehouse.location.uri]) == 2
    assert "already has runs" in capsys.readouterr().err


def test_a_forgotten_video_is_not_learned(warehouse: Warehouse) -> None:
    from framejury.labelled.videos import labelled_videos

    assert forget(warehouse, "a.mp4") == 0
    usable = {video.row["path"]: video.candidate.usable for video in labelled_videos(warehouse)}
    assert usable == {"a.mp4": False, "b.mp4": True, "c.mp4": False}
