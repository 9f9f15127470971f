"""Kept faces as class folders and as a folder a video, by the job itself."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from framejury.archive.assignment import FaceDraw, balance_draw
from framejury.archive.balance import DROPPED
from framejury.archive.video_rows import video_id_of
from framejury.faces.crop import decode_crop, encode_crop
from framejury.jobs import export_faces
from framejury.recipes.export_plan import TRUTH, ExportPlan
from framejury.schemas.statuses import Side
from framejury.schemas.tables import TABLES
from framejury.settings import Settings, SplitSettings
from framejury.signals.flow_fusion import flow_fusion
from framejury.signals.rgb import stretched
from framejury.tables import face_export
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts
from tests.builders.faces import Video, face_rows

NOW = datetime(2026, 5, 17, 2, 30, tzinfo=UTC)
FACES = 3
PATHS = {
    "a/r0.mp4": ("REAL", "train"),
    "a/f0.mp4": ("FAKE", "train"),
    "b/r0.mp4": ("REAL", "val"),  # the same name once more
    "b/f1.mp4": ("FAKE", "val"),
    "c/r2,x.mp4": ("REAL", "test"),
    "c/../f2.mp4": ("FAKE", "test"),
    "d/dropped.mp4": ("FAKE", "excluded"),
    "e/unknown.mp4": (None, None),
    "f/silent.mp4": ("FAKE", "excluded"),
}


UNMIXED = ("c/r2,x.mp4", "d/dropped.mp4", "f/silent.mp4")
"""They keep their side where the others are mixed."""


@pytest.fixture(autouse=True)
def session(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def same(app: str) -> Iterator[SparkSession]:
        yield spark

    monkeypatch.setattr(export_faces, "spark_session", same)


def warehouse_of(
    place: Path,
    *,
    mixed: bool = False,
    detector: str = "mtcnn",
    jpeg: bool = False,
    landmarks: bool = False,
    chunk_videos: int = 101,
    keep_below: Mapping[str, float] | None = None,
    pairs: bool = False,
) -> Warehouse:
    """Nine videos of three faces each, split; of one fake only the sound was changed."""
    warehouse = Warehouse.open_or_plan(str(place))
    settings = Settings(
        split=SplitSettings(seed=3, unit="face" if mixed else "group", chunk_videos=chunk_videos)
    )
    why = {"d/dropped.mp4": DROPPED, "f/silent.mp4": "only the sound was changed"}

    def write(run: Any, table: str, rows: list[dict[str, Any]]) -> None:
        table_rows = [row | {"run_id": run.run_id} for row in rows]
        warehouse.write(run, table, pa.Table.from_pylist(table_rows, schema=TABLES[table]))

    ids = {path: video_id_of(path) for path in PATHS}
    with warehouse.running("index", NOW) as run:
        videos = [
            {"video_id": ids[path], "path": path, "uri": f"/archive/{path}", "bytes": 1}
            | {"layout": "plain", "label": label, "group_keys": [path], "group": path}
            for path, (label, _) in PATHS.items()
        ]
        write(run, "videos", videos)
        warehouse.commit(run, NOW, archive="/archive", settings=settings.model_dump(mode="json"))
    for number in range(2):  # the second extraction is the one that counts
        with warehouse.running("extract", NOW) as run:
            counts = ("frames_decoded", "frames_sampled", "faces_found", "faces_kept")
            extraction = {"status": "extracted", "settings_id": "s"} | dict.fromkeys(counts, FACES)
            rows = [extraction | {"video_id": key, "content_id": key} for key in ids.values()]
            write(run, "extractions", rows)
            faces = [
                face
                | {"detector": detector}
                | {"landmarks": [{"x": 24.0, "y": 12.0}] * 5 if landmarks else None}
                for path, key in ids.items()
                for face in face_rows(
                    Video(key, int(PATHS[path][0] == "FAKE"), Side.TRAIN, FACES), seed=number
                )
            ]
            if pairs:
                for face in faces:
                    turned = np.ascontiguousarray(decode_crop(face["crop"])[::-1])  # type: ignore[arg-type]
                    face["next_crop"] = encode_crop(turned, "png")
            if jpeg:
                for face in faces:
                    face["crop"] = encode_crop(decode_crop(face["crop"]))  # type: ignore[arg-type]
            write(run, "faces", faces)
            facts = CommitFacts(keeps_crops=True)
            warehouse.commit(run, NOW, settings=settings.model_dump(mode="json"), facts=facts)
    with warehouse.running("modality", NOW) as run:
        row = {"video_id": ids["f/silent.mp4"], "original_id": ids["a/r0.mp4"]}
        write(run, "modalities", [row | {"modality": "audio", "reason": None}])
        warehouse.commit(run, NOW)
    with warehouse.running("split", NOW) as run:
        rows = [
            {"video_id": ids[path], "group": path, "label": label, "reason": why.get(path)}
            | {"keep_below": (keep_below or {}).get(path)}
            | {"side": "mixed" if mixed and path not in UNMIXED else side}
            | {"unit": "face" if mixed else None}
            for path, (label, side) in PATHS.items()
            if side is not None
        ]
        write(run, "splits", rows)
        warehouse.commit(run, NOW, settings=settings.model_dump(mode="json"))
    return warehouse


def exported(place: Path, output: Path, *more: str) -> int:
    return export_faces.main(["--warehouse", str(place), "--output", str(output), *more])


def files(output: Path) -> dict[str, bytes]:
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file()
    }


def stored(warehouse: Warehouse) -> dict[tuple[str, int], bytes]:
    run_id = warehouse.with_table("faces")[-1].run_id
    rows = warehouse.read_run(run_id, "faces", ["video_id", "frame_index", "crop"]).to_pylist()
    return {(row["video_id"], row["frame_index"]): row["crop"] for row in rows}


def test_class_folders_hold_the_crops_of_each_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = warehouse_of(tmp_path / "w")
    assert exported(tmp_path / "w", tmp_path / "out") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "w"]
    found = files(tmp_path / "out")
    folder = {"train": "MIX_1", "val": "MIX_2", "test": "MIX_3"}
    expected = {
        f"{folder[side]}/{int(label == 'FAKE')}/{video_id_of(path)}_{frame}_0.png": stored(
            warehouse
        )[video_id_of(path), frame]
        for path, (label, side) in PATHS.items()
        if side in folder
        for frame in (0, 10, 20)
    }
    assert found == expected
    err = capsys.readouterr().err
    assert "18 of 18 faces (100%)" in err
    assert "18 pictures of 6 videos" in err
    assert "note: left out: 2 videos that the split excludes" in err
    assert "note: left out: 1 fake (only the sound was changed)" in err
    counted = [line.split() for line in err.splitlines() if line.startswith("  MIX_")]
    assert counted == [[f"MIX_{n}", "3", "real", "3", "fake"] for n in (1, 2, 3)]


def test_resized_renamed_and_with_the_classes_the_other_way(tmp_path: Path) -> None:
    warehouse = warehouse_of(tmp_path / "w")
    names = ("--side-names", "learn,choose,judge", "--fake-is", "0", "--size-px", "252")
    assert exported(tmp_path / "w", tmp_path / "out", *names) == 0
    found = files(tmp_path / "out")
    fake, real = video_id_of("a/f0.mp4"), video_id_of("a/r0.mp4")
    assert len([name for name in found if name.startswith(("learn/", "choose/", "judge/"))]) == 18
    picture = found[f"learn/0/{fake}_10_0.png"]
    assert f"learn/1/{real}_0_0.png" in found
    crop = decode_crop(stored(warehouse)[fake, 10])
    expected = cv2.resize(crop, (252, 252), interpolation=cv2.INTER_AREA)
    assert np.array_equal(decode_crop(picture), expected)


def test_fused_pictures_lie_in_the_folders_of_their_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is what Pillow writes of the fused picture by default, numbered in order of time."""
    warehouse = warehouse_of(tmp_path / "w", pairs=True)
    assert exported(tmp_path / "w", tmp_path / "out", "--as", "optical_fusion") == 0
    found = files(tmp_path / "out")
    crops = stored(warehouse)
    folder = {"train": "training", "val": "validation", "test": "test"}
    names = {path: f"r0-{video_id_of(path)}" for path in ("a/r0.mp4", "b/r0.mp4")}
    names |= {"a/f0.mp4": "f0", "b/f1.mp4": "f1", "c/r2,x.mp4": "r2_x", "c/../f2.mp4": "f2"}
    expected = set()
    for path, (label, side) in PATHS.items():
        for number, frame in enumerate((0, 10, 20)) if side in folder else ():
            place = f"{folder[side]}/{'altered' if label == 'FAKE' else 'original'}"
            name = f"optical_fusion/{place}/{names[path]}-{number}.jpg"
            expected.add(name)
            first = decode_crop(crops[video_id_of(path), frame])
            pair = [stretched(one, 224) for one in (first, np.ascontiguousarray(first[::-1]))]
            saved = io.BytesIO()
            PIL.Image.fromarray(flow_fusion(*pair)).save(saved, "JPEG")
            assert found[name] == saved.getvalue()
    assert set(found) == expected
    counted = [line.split() for line in capsys.readouterr().err.splitlines() if "real" in line]
    assert ["optical_fusion/validation", "3", "real", "3", "fake"] in counted


def test_pictures_of_a_signal_need_what_it_is_made_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse_of(tmp_path / "w")
    assert exported(tmp_path / "w", tmp_path / "out", "--as", "optical_fusion") == 2
    assert "without next_crop, but signal flow_fusion needs" in capsys.readouterr().err
    assert exported(tmp_path / "w", tmp_path / "out", "--signal", "marked") == 2
    assert "without landmarks, but signal marked needs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_faces_of_a_mixed_video_go_to_their_own_sides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse_of(tmp_path / "w", mixed=True)
    assert exported(tmp_path / "w", tmp_path / "out") == 0
    split = SplitSettings(seed=3)
    draw = FaceDraw(split.seed, split.train, split.val, split.test)
    folder = {Side.TRAIN: "MIX_1", Side.VAL: "MIX_2", Side.TEST: "MIX_3"}
    expected = set()
    for path, (label, side) in PATHS.items():
        for frame in (0, 10, 20) if side in folder else ():
            drawn = draw.side_of(video_id_of(path), frame, 0)
            own = Side(side) if path in UNMIXED else drawn
            name = f"{video_id_of(path)}_{frame}_0.png"
            expected.add(f"{folder[own]}/{int(label == 'FAKE')}/{name}")
    found = set(files(tmp_path / "out"))
    assert found == expected
    assert len({name.partition("/")[0] for name in found}) > 1
    assert "note: Split by face: faces of the same video are in several splits" in (
        capsys.readouterr().err
    )


def test_frames_lie_in_a_folder_a_video_beside_their_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse_of(tmp_path / "w", detector="frame", jpeg=True)
    assert exported(tmp_path / "w", tmp_path / "out", "--as", "frames") == 0
    found = files(tmp_path / "out")
    text = found.pop("labels.csv").decode()
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["name", "label"]
    labels = dict(rows[1:])
    assert [row[0] for row in rows[1:]] == sorted(found)
    one, two = (f"r0-{video_id_of(path)}" for path in ("a/r0.mp4", "b/r0.mp4"))
    folders = {one: "0", two: "0", "f0": "1", "f1": "1", "f2": "1", "r2_x": "0", "dropped": "1"}
    assert labels == {
        f"{name}/{name}-{frame:03d}.jpeg": label
        for name, label in folders.items()
        for frame in (1, 11, 21)
    }
    err = capsys.readouterr().err
    assert "note: left out: 1 video without a label" in err
    assert "note: left out: 1 fake (only the sound was changed)" in err
    assert "21 pictures of 7 videos" in err


def test_faces_of_a_frame_are_told_apart(tmp_path: Path) -> None:
    warehouse_of(tmp_path / "w")
    assert exported(tmp_path / "w", tmp_path / "out", "--as", "frames", "--fake-is", "0") == 0
    rows = list(csv.reader((tmp_path / "out" / "labels.csv").read_text().splitlines()))
    labels = dict(rows[1:])
    assert labels["f0/f0-011-0.png"] == "0" and labels["r2_x/r2_x-001-0.png"] == "1"
    assert Counter(labels.values()) == {"0": 12, "1": 9}


def test_frames_labelled_by_hand_go_where_they_belong(tmp_path: Path) -> None:
    warehouse_of(tmp_path / "w")
    labels = tmp_path / "labels.csv"
    labels.write_text("video,frame,label\na/f0.mp4,10,REAL\nb/r0.mp4,0,FAKE\n", "utf-8")
    options = ("--frame-labels", str(labels))
    assert exported(tmp_path / "w", tmp_path / "out", *options) == 0
    fake, real = video_id_of("a/f0.mp4"), video_id_of("b/r0.mp4")
    assert {name for name in files(tmp_path / "out") if fake in name or real in name} == {
        *(f"MIX_1/1/{fake}_0_0.png", f"MIX_1/0/{fake}_10_0.png", f"MIX_1/1/{fake}_20_0.png"),
        *(f"MIX_2/1/{real}_0_0.png", f"MIX_2/0/{real}_10_0.png", f"MIX_2/0/{real}_20_0.png"),
    }
    frames = ("--as", "frames", *options)
    assert exported(tmp_path / "w", tmp_path / "frames", *frames) == 0
    rows = list(csv.reader((tmp_path / "frames" / "labels.csv").read_text().splitlines()))
    table = dict(rows[1:])
    assert [table[f"f0/f0-0{frame}-0.png"] for frame in ("01", "11", "21")] == ["1", "0", "1"]


def test_a_killed_export_goes_on_and_a_finished_one_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse_of(tmp_path / "w")
    out = tmp_path / "out"

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(export_faces, "marker_of", killed)
    assert exported(tmp_path / "w", out) == 130
    monkeypatch.undo()
    monkeypatch.setattr(export_faces, "spark_session", _same_session())
    there = sorted(path for path in out.rglob("*.png"))
    assert len(there) == 18 and (tmp_path / ".out.export").is_file()
    there[0].unlink()
    there[1].write_bytes(b"whole, as far as a next run knows")
    # In another way it is another export.
    assert exported(tmp_path / "w", out, "--fake-is", "0") == 2
    assert "holds another, unfinished export" in capsys.readouterr().err
    assert exported(tmp_path / "w", out) == 0
    assert "resuming an unfinished export" in capsys.readouterr().err
    assert not (tmp_path / ".out.export").exists()
    assert there[0].is_file() and there[1].read_bytes().startswith(b"whole")
    assert exported(tmp_path / "w", out) == 2
    assert "is not an empty folder; give another --output" in capsys.readouterr().err


def _same_session() -> Any:
    @contextmanager
    def same(app: str) -> Iterator[SparkSession]:
        yield SparkSession.active()

    return same


def test_a_file_is_whole_or_not_there(tmp_path: Path, spark: SparkSession) -> None:
    """A damaged crop ends the job with its name; what was written is readable to the last."""
    place = tmp_path / "out"
    rows = face_rows(Video("v1", 1, Side.TRAIN, 4))
    rows[2]["crop"] = b"no picture"
    faces = spark.createDataFrame(
        pa.Table.from_pylist([row | {"run_id": "r"} for row in rows], schema=TABLES["faces"])
    )
    truth = pa.Table.from_pylist(
        [{"video_id": "v1", "fake": 1, "side": "train", "folder": "v1", "rank": 0}], schema=TRUTH
    )
    plan = ExportPlan(str(place), "frames")
    done = spark.sparkContext.accumulator(0)
    with pytest.raises(Exception, match=r"crop of video v1, frame 20: .*no JPEG or PNG"):
        face_export.write_faces(face_export.chosen_faces(faces, truth), plan, done).collect()
    for path in place.rglob("*.png"):
        decode_crop(path.read_bytes())


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--side-names", "a,b", "three different plain names"),
        ("--side-names", "a,b,A", "three different plain names"),
        ("--side-names", "a,b,../c", "three different plain names"),
        ("--side-names", "a,b,..", "three different plain names"),
        ("--size-px", "0", "--size-px must be 1 to 4096"),
    ],
)
def test_what_cannot_be_is_refused(
    option: str, value: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exported(tmp_path / "none", tmp_path / "out", option, value) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse_of(tmp_path / "w")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    assert exported(tmp_path / "w", tmp_path / "out") == 2
    assert "is not an empty folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_keras_reads_the_folders(tmp_path: Path) -> None:
    """Its rule: a folder a class in name order, pictures by their endings."""
    warehouse_of(tmp_path / "w", jpeg=True)
    assert exported(tmp_path / "w", tmp_path / "out") == 0
    allowed = (".bmp", ".gif", ".jpeg", ".jpg", ".png")  # of image_dataset_from_directory
    for side in ("MIX_1", "MIX_2", "MIX_3"):
        classes = sorted(path.name for path in (tmp_path / "out" / side).iterdir())
        assert classes == ["0", "1"]
        for path in (tmp_path / "out" / side).rglob("*.*"):
            assert path.suffix in allowed and cv2.imread(str(path)) is not None


def test_the_folders_of_recipe_face_frames(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """faces of every labelled video, and the sets of those that the split keeps."""
    warehouse = warehouse_of(tmp_path / "w", landmarks=True)
    assert exported(tmp_path / "w", tmp_path / "out", "--as", "sets") == 0
    found = files(tmp_path / "out")
    crops = stored(warehouse)
    one, two = (f"r0-{video_id_of(path)}" for path in ("a/r0.mp4", "b/r0.mp4"))
    folder = {"a/r0.mp4": one, "b/r0.mp4": two, "c/r2,x.mp4": "r2_x"}
    folder |= {"a/f0.mp4": "f0", "b/f1.mp4": "f1", "c/../f2.mp4": "f2", "d/dropped.mp4": "dropped"}
    expected = {}
    for path, name in folder.items():
        label, side = PATHS[path]
        for frame in (0, 10, 20):
            crop, own = crops[video_id_of(path), frame], f"{name}-{frame + 1:03d}-0.png"
            expected[f"{name}/faces/{own}"] = crop
            if side != "excluded":
                expected[f"prepared_dataset/{str(label).lower()}/{own}"] = crop
                expected[f"split_dataset/{side}/{str(label).lower()}/{own}"] = crop
    marked = {name: found.pop(name) for name in list(found) if "/marked_faces/" in name}
    assert found == expected
    assert {name.replace("marked_faces", "faces") for name in marked} == {
        name for name in expected if "/faces/" in name
    }
    crop = decode_crop(crops[video_id_of("a/f0.mp4"), 10])
    plain = crop.copy()
    cv2.circle(plain, (32, 16), 1, (255, 0, 0), -1)  # five points at one place
    assert np.array_equal(decode_crop(marked["f0/marked_faces/f0-011-0.png"]), plain)
    err = capsys.readouterr().err
    assert "note: left out: 1 video without a label" in err
    assert "78 pictures of 7 videos" in err  # 21 faces, 21 marked, 18 in each set
    assert [line.split() for line in err.splitlines() if line.startswith("  train")] == [
        ["train", "3", "real", "3", "fake"]
    ]


def test_the_arrays_of_recipe_random_frames(tmp_path: Path) -> None:
    """Chunks of two videos: all faces, then those that balancing kept."""
    cut = video_id_of("a/f0.mp4")
    draws = sorted(balance_draw(3, cut, frame, 0) for frame in (0, 10, 20))
    warehouse = warehouse_of(
        tmp_path / "w", mixed=True, chunk_videos=2, keep_below={"a/f0.mp4": draws[1]}
    )
    arrays = ("--as", "arrays", "--size-px", "40", "--part", "7")
    assert exported(tmp_path / "w", tmp_path / "out", *arrays) == 0
    found = {path.name: np.load(path) for path in (tmp_path / "out").iterdir()}
    assert set(found) == {
        f"{name}_7_{chunk}.npy"
        for name in ("train_images", "train_labels", "tr_faces", "tr_labs")
        for chunk in (0, 1, 2, 3)
    }
    crops = stored(warehouse)

    def plain(path: str, frame: int) -> Any:
        """As a notebook has it: OpenCV's order, INTER_AREA, divided by 255."""
        bgr = cv2.imdecode(np.frombuffer(crops[video_id_of(path), frame], np.uint8), 1)
        return (cv2.resize(bgr, (40, 40), interpolation=cv2.INTER_AREA) / 255).astype(np.float32)

    # By path: a/f0 and a/r0; b/f1 and b/r0; c/../f2 and c/r2; d/dropped.
    everything = [plain(path, f) for path in ("a/f0.mp4", "a/r0.mp4") for f in (0, 10, 20)]
    assert np.array_equal(found["train_images_7_0.npy"], np.stack(everything))
    assert found["train_labels_7_0.npy"].tolist() == [1, 1, 1, 0, 0, 0]
    (lowest,) = (f for f in (0, 10, 20) if balance_draw(3, cut, f, 0) == draws[0])
    left = [plain("a/f0.mp4", lowest), *everything[3:]]
    assert np.array_equal(found["tr_faces_7_0.npy"], np.stack(left))
    assert found["tr_labs_7_0.npy"].tolist() == [1, 0, 0, 0]
    assert found["train_labels_7_1.npy"].tolist() == found["tr_labs_7_1.npy"].tolist()
    # Dropped as a whole: intermediate, but not among what was kept.
    assert found["train_images_7_3.npy"].shape == (3, 40, 40, 3)
    assert found["tr_faces_7_3.npy"].shape == (0, 40, 40, 3)


def test_faces_left_out_for_balance_are_in_no_class_folder(tmp_path: Path) -> None:
    cut = video_id_of("a/f0.mp4")
    draws = sorted(balance_draw(3, cut, frame, 0) for frame in (0, 10, 20))
    warehouse_of(tmp_path / "w", mixed=True, keep_below={"a/f0.mp4": draws[2]})
    assert exported(tmp_path / "w", tmp_path / "out") == 0
    names = {path.name for path in (tmp_path / "out").rglob(f"{cut}_*.png")}
    kept = [f for f in (0, 10, 20) if balance_draw(3, cut, f, 0) < draws[2]]
    assert names == {f"{cut}_{frame}_0.png" for frame in kept} and len(names) == 2
