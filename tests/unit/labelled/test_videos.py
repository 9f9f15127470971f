"""What a training reads, from one warehouse or several: sides, stills, the gate over all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from framejury.cli.main import main
from framejury.errors import LeakageError, SplitError, WarehouseError
from framejury.labelled.committed_split import only_side, training_source, videos_of
from framejury.labelled.videos import describe_data, labelled_videos
from framejury.schemas.statuses import Side
from framejury.training.source import iter_faces
from framejury.warehouse import Warehouse
from tests.builders.warehouse import pairs, split, video, warehouse_of


def run_split(place: Path, sides: str, *more: str) -> int:
    file = place.with_suffix(".csv")
    file.write_text(f"pattern,side\n{sides}", encoding="utf-8")
    return main(["split", "--warehouse", str(place), "--sides", str(file), *more])


def test_several_warehouses_are_read_as_one(tmp_path: Path) -> None:
    parts = [split(warehouse_of(tmp_path / name, pairs(name, 6))) for name in ("one", "two")]
    alone = [training_source(part) for part in parts]
    both = training_source(*parts)
    assert both.videos == alone[0].videos | alone[1].videos
    assert both.files == alone[0].files + alone[1].files
    read = Counter((face.video_id, face.label) for face in iter_faces(both, Side.TRAIN))
    apart = [f for source in alone for f in iter_faces(source, Side.TRAIN)]
    assert read == Counter((face.video_id, face.label) for face in apart)
    assert {key.partition("/")[0] for key, _ in read} == {"one", "two"}
    assert {truth.dataset for truth in both.videos.values()} == {"one", "two"}
    assert len(labelled_videos(*parts)) == 24
    said = describe_data(parts, labelled_videos(*parts))
    assert said == "24 labelled videos of the archives 'one', 'two' (layouts: plain)"


def test_stills_are_read_as_such_and_judged_by_nobody(tmp_path: Path) -> None:
    stills = [video(f"p/{n}", "REAL", f"still:{n}", layout="still") for n in range(20)]
    warehouse = split(warehouse_of(tmp_path / "w", [*pairs("v", 6), *stills]))
    source = training_source(warehouse)
    assert {k for k, truth in source.videos.items() if truth.still} == {s["path"] for s in stills}
    assert {face.video_id for face in iter_faces(source) if face.still} == {
        s["path"] for s in stills
    }
    videos = labelled_videos(warehouse)
    for side in (Side.TRAIN, Side.VAL, Side.TEST):
        judged = {one.row["path"] for one in videos_of(only_side(source, side), videos)}
        assert judged == set(only_side(source, side).videos)
        assert judged
        assert not any(path.startswith("p/") for path in judged)
    assert describe_data([warehouse], videos).startswith("12 labelled videos and 20 stills of the")


def test_the_dataset_of_a_file_without_a_folder_is_its_layout(tmp_path: Path) -> None:
    warehouse = warehouse_of(tmp_path / "w", [video("a.mp4", "REAL", "k"), *pairs("set", 1)])
    names = {one.row["path"]: one.dataset for one in labelled_videos(warehouse)}
    assert names == {"a.mp4": "plain", "set/real0.mp4": "set", "set/fake0.mp4": "set"}


def sides_in(warehouse: Warehouse) -> dict[str, Side]:
    return {key: truth.side for key, truth in training_source(warehouse).videos.items()}


@pytest.mark.parametrize("shared", ["key", "content"])
def test_the_gate_looks_at_all_warehouses_together(tmp_path: Path, shared: str) -> None:
    one = split(warehouse_of(tmp_path / "one", pairs("one", 6)))
    held_out = {path: side for path, side in sides_in(one).items() if side is not Side.TRAIN}
    path, side = min(held_out.items())
    videos, contents = pairs("two", 6), {}
    if shared == "key":
        videos[0]["group_keys"].append(f"one:{path[-5]}")
    else:
        contents[videos[0]["path"]] = f"one{path}"
    two = warehouse_of(tmp_path / "two", videos, contents)
    assert run_split(tmp_path / "two", "two/real0*,train\n") == 0
    with pytest.raises(LeakageError) as caught:
        training_source(one, two)
    said = str(caught.value)
    for words in (f"one: {path} in {side.value}", "two: two/real0.mp4 in train"):
        assert words in said
    assert run_split(tmp_path / "two", f"two/real0*,{side.value}\n") == 0
    assert training_source(one, two).videos


def test_one_video_in_two_warehouses_is_refused(tmp_path: Path) -> None:
    one = split(warehouse_of(tmp_path / "one", pairs("same", 5)))
    two = split(warehouse_of(tmp_path / "two", pairs("same", 5)))
    for other in (two, Warehouse.open(str(tmp_path / "one"))):
        with pytest.raises(WarehouseError, match=r"same/real0\.mp4 is in .*one and in"):
            training_source(one, other)


def test_each_warehouse_needs_its_split(tmp_path: Path) -> None:
    one = split(warehouse_of(tmp_path / "one", pairs("one", 5)))
    two = warehouse_of(tmp_path / "two", pairs("two", 5))
    with pytest.raises(WarehouseError, match="two has no splits yet"):
        training_source(one, two)


def test_training_wants_one_framing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split(warehouse_of(tmp_path / "one", pairs("one", 5)))
    split(warehouse_of(tmp_path / "two", pairs("two", 5), shift_ratio=0.07))
    warehouses = [f"--warehouse={tmp_path / name}" for name in ("one", "two")]
    assert main(["train", *warehouses, f"--output={tmp_path / 'bundle'}"]) == 2
    said = capsys.readouterr().err
    assert "crops.shift_ratio=0.0 " in said
    assert "crops.shift_ratio=0.07 " in said


# ---------------------------------------------------------------- split --sides


def test_split_takes_sides_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warehouse = warehouse_of(tmp_path / "w", pairs("v", 8))
    assert run_split(tmp_path / "w", "v/*0.mp4,val\nv/fake1.mp4,test\nnobody*,train\n") == 0
    assert "line 4 matches no free video: nobody*" in capsys.readouterr().err
    sides = sides_in(warehouse)
    assert sides["v/real0.mp4"] is sides["v/fake0.mp4"] is Side.VAL
    assert sides["v/real1.mp4"] is sides["v/fake1.mp4"] is Side.TEST


def test_split_refuses_wrong_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warehouse = warehouse_of(tmp_path / "w", pairs("v", 8))
    assert run_split(tmp_path / "w", "v/real0.mp4,val\nv/fake0.mp4,train\n") == 2
    assert "v/fake0.mp4 to train (line 3" in capsys.readouterr().err
    assert run_split(tmp_path / "w", "v/*,nowhere\n") == 2
    assert "line 2: unknown side 'nowhere'" in capsys.readouterr().err
    assert warehouse.with_table("splits") == []
    with pytest.raises(SplitError, match="none of the 1 videos has a label"):
        labelled_videos(warehouse_of(tmp_path / "bare", [video("a.mp4", None, "k")]))
