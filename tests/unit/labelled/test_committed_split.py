"""Splits by video and face from table to figures; fakes of sound; labels set by hand."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framejury.archive.assignment import FaceDraw
from framejury.cli.main import main
from framejury.errors import LeakageError, SplitError, UsageError, WarehouseError
from framejury.labelled.bundling import framing_of
from framejury.labelled.committed_split import (
    labelled_source,
    only_side,
    training_source,
    videos_of,
    with_frame_labels,
)
from framejury.labelled.videos import labelled_videos
from framejury.model.bundle import write_bundle
from framejury.model.manifest import Bundle
from framejury.report.findings import LEAK_BANNER
from framejury.schemas.statuses import Side
from framejury.schemas.tables import TABLES
from framejury.training.source import FaceSource, VideoTruth, iter_faces
from framejury.training.source_counts import count_faces, count_hand_labels, methods_learned
from framejury.warehouse import Warehouse
from tests.builders.bundles import MANIFEST, brightness_network
from tests.builders.warehouse import (
    FACE_LEAK,
    FACES,
    hand_labels,
    pairs,
    relit,
    scored_warehouse,
    split_by,
    video,
    warehouse_of,
)

Capture = pytest.CaptureFixture[str]
NOW = datetime(2026, 5, 19, 2, 30, tzinfo=UTC)
SIDES = (Side.TRAIN, Side.VAL, Side.TEST)
DRAW = FaceDraw(5, 0.6, 0.2, 0.2)
VIDEO_LEAK = "Split by video: "


def bundle_of(place: Path, source: FaceSource) -> Bundle:
    """A bundle that says it has learned from this source."""
    learned = replace(MANIFEST.data, fingerprint=count_faces(source).fingerprint, leak=source.leak)
    network = brightness_network(place.with_suffix(".onnx"))
    return write_bundle(place, replace(MANIFEST, data=learned), network)


Key = tuple[str, int, int]


def keys(source: FaceSource, side: Side | None = None) -> list[Key]:
    faces = iter_faces(source, side)
    return sorted((face.video_id, face.frame_index, face.face_index) for face in faces)


@pytest.fixture(scope="module")
def by_face(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return split_by(scored_warehouse(tmp_path_factory.mktemp("divided") / "w"), unit="face")


# ---------------------------------------------------------------- by face


def test_every_face_stands_on_the_side_drawn_for_it(by_face: Warehouse) -> None:
    source = training_source(by_face)
    everything = keys(source)
    assert len(everything) == 40 * FACES
    for side in SIDES:
        mine = [key for key in everything if DRAW.side_of(*key) is side]
        assert keys(source, side) == mine != []
        part = only_side(source, side)
        assert keys(part) == keys(part, side) == mine
        assert not any(keys(part, other) for other in SIDES if other is not side)
        assert set(part.videos) == {video_id for video_id, _, _ in mine}
        judged = videos_of(only_side(source, side), labelled_videos(by_face))
        assert {one.row["video_id"] for one in judged} == set(part.videos)
    assert len(only_side(source, Side.TEST).videos) < 40  # the drawing leaves some none


def test_faces_are_counted_where_they_stand(by_face: Warehouse) -> None:
    source = training_source(by_face)
    found = {(c.side, c.label): (c.videos, c.faces) for c in count_faces(source).per_split}
    for side in SIDES:
        for label in ("REAL", "FAKE"):
            mine = [k for k in keys(source, side) if source.videos[k[0]].label == (label == "FAKE")]
            assert found[side, label] == (len({key[0] for key in mine}), len(mine))
    assert sum(faces for _, faces in found.values()) == 40 * FACES
    part = count_faces(only_side(source, Side.VAL))
    assert {count.side for count in part.per_split} == {Side.VAL}


def test_another_draw_is_other_data(by_face: Warehouse) -> None:
    source = training_source(by_face)
    prints = {count_faces(source).fingerprint}
    for draw in (replace(DRAW, seed=6), replace(DRAW, train=0.7, val=0.1)):
        others = {key: replace(truth, draw=draw) for key, truth in source.videos.items()}
        prints.add(count_faces(replace(source, videos=others)).fingerprint)
    assert len(prints) == 3


def test_a_draw_goes_with_mixed_videos_only() -> None:
    for side, draw in ((Side.MIXED, None), (Side.TRAIN, DRAW)):
        with pytest.raises(ValueError, match="a draw belongs to split mixed"):
            VideoTruth("run", 0, side, draw=draw)


def test_each_warehouse_draws_under_its_own_seed(by_face: Warehouse, tmp_path: Path) -> None:
    other = split_by(scored_warehouse(tmp_path / "other", 4), "split.seed=9", unit="face")
    both = training_source(by_face, other)
    seeds = {key.split("/")[0]: truth.draw.seed for key, truth in both.videos.items() if truth.draw}
    assert seeds == {"w": 5, "other": 9}
    assert both.leak is not None
    assert "(48 videos)" in both.leak


def test_the_split_says_what_leaks(by_face: Warehouse, tmp_path: Path, capsys: Capture) -> None:
    rows = by_face.read_snapshot("splits").to_pylist()
    assert {(row["side"], row["unit"]) for row in rows} == {("mixed", "face")}
    assert str(training_source(by_face).leak).startswith(FACE_LEAK)
    split_by(by_face, unit="face")
    said = capsys.readouterr().err
    assert f"warning: {FACE_LEAK}" in said
    assert "  mixed         20 real      20 fake videos in 20 groups" in said
    assert "  train " not in said
    split_by(warehouse_of(tmp_path / "g", pairs("g", 8)), unit="group")
    said = capsys.readouterr().err
    assert "warning" not in said
    assert "mixed" not in said
    assert "  train " in said


def test_test_faces_judge_a_mixed_video(
    by_face: Warehouse, tmp_path: Path, capsys: Capture
) -> None:
    source = training_source(by_face)
    bundle = bundle_of(tmp_path / "bundle", source)
    place = tmp_path / "report"
    options = [f"--warehouse={by_face.location.uri}", f"--bundle={bundle.directory}"]
    assert main(["evaluate", *options, f"--output={place}", "--set=verdict.min_faces=1"]) == 0
    said = capsys.readouterr()
    assert f"learned from a split that leaks. {FACE_LEAK}" in said.err
    rows = {row["path"]: row for row in json.loads((place / "predictions.json").read_text())}
    wanted = Counter(key[0] for key in keys(source, Side.TEST))
    assert {path: row["faces_scored"] for path, row in rows.items()} == wanted
    assert {row["status"] for row in rows.values()} == {"scored"}
    document = json.loads((place / "report.json").read_text())
    assert document["leak"].startswith(FACE_LEAK)
    unrecorded, *_ = document["notes"]
    assert unrecorded.startswith("It is not recorded which videos")
    assert any(note.startswith(f"Not held out. {FACE_LEAK}") for note in document["notes"])
    assert sum(document["faces"]["labelled"]["confusion"].values()) == wanted.total()
    for name in ("report.txt", "report.html"):
        assert LEAK_BANNER in (place / name).read_text()
    assert LEAK_BANNER in said.out


def test_a_leak_is_said_to_whoever_calibrates(
    by_face: Warehouse, tmp_path: Path, capsys: Capture
) -> None:
    source = training_source(by_face)
    bundle = bundle_of(tmp_path / "bundle", source)
    options = [f"--warehouse={by_face.location.uri}", f"--bundle={bundle.directory}"]
    options += [f"--output={tmp_path / 'made'}", "--set=verdict.min_faces=1", "--side=train"]
    assert main(["calibrate", *options]) == 0
    assert f"warning: {FACE_LEAK}" in capsys.readouterr().err
    made = json.loads((tmp_path / "made" / "bundle.json").read_text())
    assert made["data"]["leak"] == source.leak


# ---------------------------------------------------------------- by video


@pytest.mark.long
def test_a_split_by_video_leaks_through_sources(tmp_path: Path, capsys: Capture) -> None:
    warehouse = split_by(scored_warehouse(tmp_path / "w"), unit="video")
    assert f"warning: {VIDEO_LEAK}" in capsys.readouterr().err
    source = training_source(warehouse)
    sides = {key: truth.side for key, truth in source.videos.items()}
    torn = sum(sides[f"w/real{n}.mp4"] is not sides[f"w/fake{n}.mp4"] for n in range(20))
    assert f"{torn} sources are" in str(source.leak)
    for label in ("real", "fake"):
        counts = Counter(side for key, side in sides.items() if label in key)
        assert counts == {Side.TRAIN: 12, Side.VAL: 4, Side.TEST: 4}
    bundle = bundle_of(tmp_path / "bundle", replace(source, leak=None))
    options = [f"--warehouse={warehouse.location.uri}", f"--bundle={bundle.directory}"]
    assert main(["evaluate", *options, f"--output={tmp_path / 'r'}"]) == 0
    text = (tmp_path / "r" / "report.txt").read_text()
    assert f"Note: Not held out. {VIDEO_LEAK}" in text
    assert LEAK_BANNER not in text  # of a bundle that says nothing of a leak
    other = bundle_of(tmp_path / "other", replace(source, videos={}, leak=None))
    options[1] = f"--bundle={other.directory}"
    assert main(["evaluate", *options, f"--output={tmp_path / 'o'}"]) == 0
    assert f"Note: {VIDEO_LEAK}" in (tmp_path / "o" / "report.txt").read_text()


def test_a_held_out_method_is_tested_and_not_learned(tmp_path: Path, capsys: Capture) -> None:
    """From the split to the report of a bundle that has learned the other method."""
    videos = [
        video(f"w/{kind}{n}.mp4", label, f"w:{n}") | {"method": method}
        for n in range(20)
        for kind, label, method in (
            ("real", "REAL", None),
            ("old", "FAKE", "FaceSwap"),
            ("new", "FAKE", "NeuralTextures"),
        )
    ]
    warehouse = relit(warehouse_of(tmp_path / "w", videos), 0)
    split_by(warehouse, "split.hold_out_methods=[NeuralTextures]", unit="group")
    said = capsys.readouterr().err
    assert "held out NeuralTextures: 4 fakes in test, 16 in no split" in said
    source = training_source(warehouse)
    learned = methods_learned(source)
    assert learned == {"FaceSwap": 16}
    data = replace(MANIFEST.data, methods=learned)
    network = brightness_network(tmp_path / "n.onnx")
    bundle = write_bundle(tmp_path / "bundle", replace(MANIFEST, data=data), network)
    options = [f"--warehouse={warehouse.location.uri}", f"--bundle={bundle.directory}"]
    assert main(["evaluate", *options, f"--output={tmp_path / 'r'}"]) == 0
    found = json.loads((tmp_path / "r" / "report.json").read_text())["known_methods"]
    assert found["known"]["methods"] == ["FaceSwap"]
    assert found["unknown"]["methods"] == ["NeuralTextures"]
    assert found["known"]["scored"] == found["unknown"]["scored"] == {"reals": 4, "fakes": 4}
    assert main(["split", options[0], "--set=split.hold_out_methods=[neural]"]) == 2
    assert "FaceSwap, NeuralTextures" in capsys.readouterr().err


def test_a_group_split_is_refused_as_ever(tmp_path: Path) -> None:
    """Also one of before units were written, in a file without the column."""
    warehouse = warehouse_of(tmp_path / "w", pairs("w", 6))
    sides = ["test", *["train"] * 9, "val", "val"]
    rows = [
        {"video_id": v["path"], "group": v["group"], "label": v["label"], "side": side}
        for v, side in zip(pairs("w", 6), sides, strict=True)
    ]
    for unit in ("group", None):
        with warehouse.running("split", NOW) as run:
            written = [row | {"run_id": run.run_id, "unit": unit} for row in rows]
            warehouse.write(run, "splits", pa.Table.from_pylist(written, schema=TABLES["splits"]))
            warehouse.commit(run, NOW)
        if unit is None:
            folder = Path(warehouse.table_location(run.run_id, "splits").path)
            (file,) = folder.glob("*.parquet")
            pq.write_table(pq.read_table(file).drop_columns(["unit"]), file)
        with pytest.raises(LeakageError, match="in two splits"):
            training_source(warehouse)


# ---------------------------------------------------------------- what only sounds fake


def modalities(warehouse: Warehouse, **kinds: str) -> None:
    rows = [
        {"video_id": f"w/{name}.mp4", "original_id": "o", "modality": kind, "reason": None}
        for name, kind in kinds.items()
    ]
    with warehouse.running("modalities", NOW) as run:
        written = [row | {"run_id": run.run_id} for row in rows]
        table = pa.Table.from_pylist(written, schema=TABLES["modalities"])
        warehouse.write(run, "modalities", table)
        warehouse.commit(run, NOW)


def test_fakes_of_sound_are_no_fakes_to_learn_from(tmp_path: Path, capsys: Capture) -> None:
    warehouse = scored_warehouse(tmp_path / "w", 12)
    split_by(warehouse, unit="group")
    kinds = {
        "fake0": "audio",
        "fake1": "none",
        "fake2": "both",
        "fake3": "video",
        "fake4": "unknown",
    }
    modalities(warehouse, **kinds)
    with pytest.raises(
        SplitError, match=r"w/fake0\.mp4 is in split .*, but only the sound was changed"
    ):
        training_source(warehouse)
    split_by(warehouse, unit="group")
    rows = {row["video_id"]: row for row in warehouse.read_snapshot("splits").to_pylist()}
    out = {key: row["reason"] for key, row in rows.items() if row["side"] == "excluded"}
    assert out == {
        "w/fake0.mp4": "only the sound was changed",
        "w/fake1.mp4": "the pictures do not differ from the original's",
    }
    assert "excluded 1: only the sound was changed" in capsys.readouterr().err
    learned = {
        face.video_id for side in SIDES for face in iter_faces(training_source(warehouse), side)
    }
    assert learned == set(rows) - set(out)


@pytest.mark.long
def test_figures_on_all_videos_name_fakes_of_sound(tmp_path: Path) -> None:
    warehouse = scored_warehouse(tmp_path / "w", 6)
    bundle = bundle_of(tmp_path / "bundle", labelled_source(warehouse))
    options = [f"--warehouse={warehouse.location.uri}", f"--bundle={bundle.directory}"]
    for count in (0, 2):
        if count:
            modalities(warehouse, fake0="audio", fake1="none", fake2="both")
        assert main(["evaluate", *options, f"--output={tmp_path / str(count)}"]) == 0
        notes = json.loads((tmp_path / str(count) / "report.json").read_text())["notes"]
        assert any("The pictures of 2 fakes are unchanged" in note for note in notes) is (
            count == 2
        )


# ---------------------------------------------------------------- hand labels


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Warehouse, FaceSource, FaceSource]:
    """Frames 0, 10, ... 40 have a face each; of a fake on train two are real by hand."""
    warehouse = split_by(scored_warehouse(tmp_path / "w", 10), unit="group")
    plain = training_source(warehouse)
    fake = next(k for k, t in sorted(plain.videos.items()) if t.label and t.side is Side.TRAIN)
    lines = [f"{fake},0,REAL", f"{fake},30,REAL", f"{fake},40,FAKE", f"{fake},41,REAL"]
    source = with_frame_labels(plain, [warehouse], hand_labels(tmp_path, lines))
    return warehouse, plain, source


def test_faces_of_a_frame_are_what_was_said_by_hand(
    labelled: tuple[Warehouse, FaceSource, FaceSource],
) -> None:
    _, plain, source = labelled
    (fake,) = {video_id for video_id, _ in source.frame_labels}
    by_hand = {(f.video_id, f.frame_index): f.label for f in iter_faces(source)}
    before = {(f.video_id, f.frame_index): f.label for f in iter_faces(plain)}
    changed = {key for key in before if by_hand[key] != before[key]}
    assert changed == {(fake, 0), (fake, 30)}
    assert by_hand[fake, 0] == by_hand[fake, 30] == 0


def test_hand_labels_count(labelled: tuple[Warehouse, FaceSource, FaceSource]) -> None:
    _, plain, source = labelled
    counts = [count_faces(one) for one in (plain, source)]
    for label, change in ((0, 2), (1, -2)):
        assert counts[1].faces(Side.TRAIN, label) == counts[0].faces(Side.TRAIN, label) + change
        assert counts[1].faces(Side.VAL, label) == counts[0].faces(Side.VAL, label)
    assert counts[0].fingerprint != counts[1].fingerprint
    assert count_faces(replace(source, frame_labels={})).fingerprint == counts[0].fingerprint
    found = count_hand_labels(source)
    assert (found.frames, found.faces, found.videos) == (3, 3, 1)
    assert count_hand_labels(plain).frames == 0
    gone = {k: replace(t, side=Side.EXCLUDED) for k, t in source.videos.items()}
    assert count_hand_labels(replace(source, videos=gone)).frames == 0


@pytest.mark.long
def test_faces_are_judged_against_labels_set_by_hand(
    labelled: tuple[Warehouse, FaceSource, FaceSource], tmp_path: Path, capsys: Capture
) -> None:
    warehouse, _, source = labelled
    bundle = bundle_of(tmp_path / "bundle", source)
    place = tmp_path / "report"
    options = [f"--warehouse={warehouse.location.uri}", f"--bundle={bundle.directory}"]
    options += ["--side=train", f"--output={place}"]
    by_hand = f"--frame-labels={tmp_path / 'frames.csv'}"

    def told(*more: str) -> tuple[str, dict[str, int]]:
        assert main(["evaluate", *options, *more]) == 0
        document = json.loads((place / "report.json").read_text())
        return document["notes"][-1], document["faces"]["labelled"]["confusion"]

    note, counts = told(by_hand)
    assert note.startswith("The bundle was trained on these videos")
    plain_note, plain_counts = told()
    assert plain_note.startswith("The bundle was trained on other data")
    assert "--frame-labels" in plain_note
    fakes = [sum(one[name] for name in ("fn", "tp")) for one in (counts, plain_counts)]
    assert fakes[0] == fakes[1] - 2
    assert main(["evaluate", f"--archive={tmp_path}", f"--bundle={bundle.directory}", by_hand]) == 2
    assert "--frame-labels cannot be used with --archive" in capsys.readouterr().err


def test_crops_cut_in_two_ways_do_not_teach_one_network(tmp_path: Path) -> None:
    parts = [
        split_by(scored_warehouse(tmp_path / name, 6), unit="group") for name in ("one", "two")
    ]
    assert framing_of(parts, training_source(*parts)).margin_px is None
    relit(parts[1], 0, margin_px=40)
    with pytest.raises(WarehouseError, match=r"crops\.margin_px=null .*crops\.margin_px=40 "):
        framing_of(parts, training_source(*parts))


def test_hand_labels_of_unknown_videos_are_refused(
    labelled: tuple[Warehouse, FaceSource, FaceSource], tmp_path: Path
) -> None:
    warehouse, plain, _ = labelled
    path = hand_labels(tmp_path, ["w/real0.mp4,0,FAKE", "w/none.mp4,0,FAKE"])
    with pytest.raises(UsageError, match=r"line 3: the archive has no video 'w/none\.mp4'"):
        with_frame_labels(plain, [warehouse], path)


def test_hand_labels_of_several_warehouses(tmp_path: Path) -> None:
    parts = [
        split_by(scored_warehouse(tmp_path / name, 6), unit="group") for name in ("one", "two")
    ]
    path = hand_labels(tmp_path, ["one/real0.mp4,0,FAKE", "two/real1.mp4,10,FAKE"])
    source = with_frame_labels(training_source(*parts), parts, path)
    faces: list[Any] = [f for f in iter_faces(source) if f.label and "real" in f.video_id]
    assert {(f.video_id, f.frame_index) for f in faces} == set(source.frame_labels)


def test_an_unlabelled_video_may_be_named_and_changes_nothing(tmp_path: Path) -> None:
    videos = [*pairs("w", 6), video("w/unknown.mp4", None, "w:u")]
    warehouse = split_by(warehouse_of(tmp_path / "w", videos), unit="group")
    plain = training_source(warehouse)
    source = with_frame_labels(plain, [warehouse], hand_labels(tmp_path, ["w/unknown.mp4,0,FAKE"]))
    assert keys(source) == keys(plain)
    assert count_hand_labels(source).frames == 0


def test_single_faces_are_left_out_for_balance(tmp_path: Path, capsys: Capture) -> None:
    """From the command to the faces that a network learns from: exact, and in every reader."""
    rows = pairs("w", 12)
    rows += [video(f"w/more{n}.mp4", "FAKE", f"more:{n}") for n in range(24)]
    warehouse = relit(warehouse_of(tmp_path / "w", rows), 0)
    changes = ("split.balance_over=archive", "split.balance=random", "split.balance_unit=face")
    split_by(warehouse, *changes, unit="face")
    assert "only some faces are kept" in capsys.readouterr().err
    source = training_source(warehouse)
    faces = [face for side in SIDES for face in iter_faces(source, side)]
    assert Counter(face.label for face in faces) == {0: 12 * FACES, 1: 12 * FACES}
    assert 12 < len({face.video_id for face in faces if face.label}) <= 36
    counts = count_faces(source)
    assert [sum(counts.faces(side, label) for side in SIDES) for label in (0, 1)] == [60, 60]
    parts = [list(iter_faces(only_side(source, side))) for side in SIDES]
    assert sum(map(len, parts)) == 24 * FACES
    uncut = {key: replace(truth, cut=None) for key, truth in source.videos.items()}
    assert count_faces(replace(source, videos=uncut)).fingerprint != counts.fingerprint
