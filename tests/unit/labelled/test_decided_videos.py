"""Decisions of people as labels: where there is no label, never for training, and gated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framejury.archive.leakage import check_leakage
from framejury.archive.video_rows import video_id_of
from framejury.cli.main import main
from framejury.decisions.decided import Decided
from framejury.labelled.committed_split import read_split, training_source
from framejury.labelled.decided_videos import decided_placements
from framejury.labelled.videos import describe_data, labelled_videos
from framejury.model.bundle import load_bundle
from framejury.protocol.selection import labelled_videos_of
from framejury.schemas.statuses import Decision, Label, Side
from framejury.settings import IndexSettings, SplitSettings
from framejury.warehouse import Warehouse
from framejury.warehouse.deciding import record_decisions
from tests.builders.bundles import brightness_bundle
from tests.builders.warehouse import NOW, pairs, relit, split_by, video, warehouse_of

Capture = pytest.CaptureFixture[str]


def decide(warehouse: Warehouse, words: dict[str, Decision]) -> None:
    rows = []
    for video_id, decision in words.items():
        values: dict[str, Any] = dict.fromkeys(("content_id", "note", "seen_verdict"), None)
        values |= dict.fromkeys(("seen_p_fake", "seen_model_id", "seen_run_id"), None)
        values |= {"reviewer": "Ann", "source": "command", "decided_at": NOW}
        rows.append((video_id, Decided(decision=decision, **values)))
    record_decisions(warehouse, rows, NOW)


def unlabelled(count: int) -> list[dict[str, Any]]:
    return [video(f"new/{n}.mp4", None, f"new:{n}") for n in range(count)]


def decided_on(count: int) -> dict[str, Decision]:
    """Every other video is decided to be fake."""
    words = (Decision.FAKE, Decision.REAL)
    return {f"new/{n}.mp4": words[n % 2] for n in range(count)}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """70 labelled sources with a split, and 20 videos that only people know about."""
    place = tmp_path_factory.mktemp("decided") / "w"
    found = split_by(
        relit(warehouse_of(place, [*pairs("w", 70), *unlabelled(22)]), 0), unit="group"
    )
    decide(found, decided_on(20) | {"new/20.mp4": Decision.UNCLEAR, "w/real0.mp4": Decision.FAKE})
    return found


def test_decisions_count_where_there_is_no_label(warehouse: Warehouse) -> None:
    without = {one.row["path"] for one in labelled_videos(warehouse)}
    videos = {one.row["path"]: one for one in labelled_videos(warehouse, decided=True)}
    assert videos.keys() - without == set(decided_on(20)), "unclear is no label"
    assert videos["new/0.mp4"].row["label"] == "FAKE" and videos["new/0.mp4"].decided
    assert videos["new/1.mp4"].row["label"] == "REAL"
    assert videos["w/real0.mp4"].row["label"] == "REAL", "the label wins"
    said = describe_data([warehouse], list(videos.values()))
    assert "160 labelled videos (20 by decisions of people)" in said


def test_they_are_never_trained_on(warehouse: Warehouse) -> None:
    plain = training_source(warehouse)
    source = training_source(warehouse, decided=True)
    added = {key: truth.side for key, truth in source.videos.items() if key not in plain.videos}
    assert set(added) == set(decided_on(20))
    assert set(added.values()) == {Side.VAL, Side.TEST}
    assert training_source(warehouse, decided=True).videos == source.videos, "drawn alike"


def test_a_source_stays_on_its_side(warehouse: Warehouse) -> None:
    """A decided video of a source in train is in train, so neither val nor test sees it."""
    rows = read_split(warehouse, labelled_videos(warehouse))
    by_side = {row.side: row for row in rows if row.side in (Side.TRAIN, Side.TEST)}
    one = next(v for v in labelled_videos(warehouse, decided=True) if v.decided)
    tied = {
        side: replace(one, row=one.row | {"group_keys": [row.group], "group": row.group})
        for side, row in by_side.items()
    }
    for side, video_of_side in tied.items():
        (found,) = decided_placements(rows, [video_of_side], SplitSettings())
        assert found.side is side
        assert check_leakage([*rows, found]) is None
    groups = [row.group for row in by_side.values()]
    torn = replace(one, row=one.row | {"group_keys": groups, "group": groups[0]})
    (found,) = decided_placements(rows, [torn], SplitSettings())
    assert (found.side, found.reason) == (Side.EXCLUDED, "its sources are in several splits")


def test_evaluate_tells_how_many(warehouse: Warehouse, tmp_path: Path, capsys: Capture) -> None:
    bundle = brightness_bundle(tmp_path / "bundle").directory
    words = ["evaluate", f"--bundle={bundle}", f"--warehouse={warehouse.location.uri}"]
    assert main([*words, "--side=all", f"--output={tmp_path / 'plain'}"]) == 0
    said = capsys.readouterr()
    assert "people decided on 21 videos; those without a label count with --decisions" in said.err
    assert main([*words, "--side=all", "--decisions", f"--output={tmp_path / 'out'}"]) == 0
    said = capsys.readouterr()
    note = (
        "20 of 160 videos have no label and count by a decision of a person. People decided after"
    )
    assert note in said.err and note in said.out
    assert "160 videos are labelled" in said.out


def test_calibrate_fits_on_them(warehouse: Warehouse, tmp_path: Path, capsys: Capture) -> None:
    bundle = brightness_bundle(tmp_path / "bundle").directory
    words = ["calibrate", f"--bundle={bundle}", f"--warehouse={warehouse.location.uri}"]
    assert main([*words, f"--output={tmp_path / 'plain'}"]) == 0
    assert main([*words, "--decisions", f"--output={tmp_path / 'more'}"]) == 0
    plain, more = (load_bundle(tmp_path / name) for name in ("plain", "more"))
    assert plain.rule_fit is not None and more.rule_fit is not None
    assert "by decisions of people" in more.rule_fit.data
    fitted = [one.rule_fit.real_videos + one.rule_fit.fake_videos for one in (plain, more)]
    assert fitted[1] > fitted[0]
    assert "count by a decision of a person" in capsys.readouterr().err


def test_decisions_alone_suffice(tmp_path: Path, capsys: Capture) -> None:
    """An archive without a single label, and so without a split."""
    place = relit(warehouse_of(tmp_path / "w", unlabelled(80)), 0)
    decide(place, decided_on(80))
    bundle = brightness_bundle(tmp_path / "bundle").directory
    words = ["evaluate", f"--bundle={bundle}", f"--warehouse={place.location.uri}"]
    assert main([*words, f"--output={tmp_path / 'out'}"]) == 2
    assert "has a label" in capsys.readouterr().err
    assert main([*words, "--decisions", f"--output={tmp_path / 'out'}"]) == 0
    sides = [one.side for one in training_source(place, decided=True).videos.values()]
    assert set(sides) == {Side.VAL, Side.TEST}


def test_an_archive_with_decisions(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (archive / name).write_bytes(b"x")
    (archive / "labels.csv").write_text("file,label\na.mp4,REAL\n")
    labels = {video_id_of("a.mp4"): Label.FAKE, video_id_of("b.mp4"): Label.FAKE}
    found = labelled_videos_of(str(archive), IndexSettings(), labels)
    assert {row["path"]: row["label"] for row in found.videos} == {"a.mp4": "REAL", "b.mp4": "FAKE"}
    assert found.decided == {video_id_of("b.mp4")}
