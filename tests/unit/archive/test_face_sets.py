"""Face sets in Parquet: what their rows become, and what is refused."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import skimage.data

from framejury.archive.face_sets import pictures_of, read_face_sets
from framejury.cli.main import main
from framejury.errors import ArchiveError
from framejury.examine.face_images import FaceImage, extract_face_image
from framejury.examine.messages import VideoJob, settings_id
from framejury.faces.crop import crop_region, decode_crop, encode_crop
from framejury.faces.detect import Detector, make_detector
from framejury.faces.portrait import find_portrait, portrait_region
from framejury.records import Box, DetectedFace, Image, Region, Size
from framejury.schemas.statuses import Label
from framejury.settings import CropSettings, DetectionSettings, Settings
from framejury.warehouse import Warehouse

TRAINING = Path(__file__).resolve().parents[3].parent / "shared" / "training"
DETECTION = DetectionSettings(threshold=0.8)
FRAMING = CropSettings(margin_ratio=-0.07, shift_ratio=0.07)
FACE = (63, 181, 84, 107)
"""Of the astronaut: y, x, width and height of the detector's box, pixels."""


@cache
def detector() -> Detector:
    return make_detector(DETECTION, threads=1)


def photograph() -> Image:
    return np.ascontiguousarray(skimage.data.astronaut()[:300, 60:360])


def tight(moved_px: int = 0) -> Image:
    """The astronaut's face cut so close that its box reaches beyond: uint8 (92, 92, 3)."""
    y, x = 80 + moved_px, 178 + moved_px
    return np.ascontiguousarray(skimage.data.astronaut()[y : y + 92, x : x + 92])


def jpeg(image: Image, quality: int = 75) -> bytes:
    """As DFDC's crops are kept: 4:2:0."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1])


def frame(video: str, original: str | None = None, **changes: Any) -> dict[str, Any]:
    """A row of paired frames: a real, or a fake of `original`."""
    row = {
        "video": video,
        "label": "REAL" if original is None else "FAKE",
        "original": original or video,
        "part": 7,
        "face_width": 92,
        "image": jpeg(tight(sum(video.encode()) % 5)),
    }
    return row | changes


def still(number: str, **changes: Any) -> dict[str, Any]:
    return {"id": number, "source": "nasa", "image": encode_crop(photograph(), "png")} | changes


def sampled(video: str, pts_s: float | None = None, **changes: Any) -> dict[str, Any]:
    """A row of sampled faces."""
    row = {
        "video": video,
        "label": "FAKE" if video.startswith("fake") else "REAL",
        "group": "g1",
        "dataset": "Demo clips/1.5",
        "method": "Swapper" if video.startswith("fake") else None,
        "source": "somebody/somewhere",
        "image": jpeg(tight(sum(video.encode()) % 5 + int(pts_s or 0))),
    }
    return row | ({} if pts_s is None else {"pts_s": pts_s}) | changes


def write_set(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two parts of paired frames and a file of stills."""
    root = tmp_path / "sets"
    write_set(root / "faces" / "part-07.parquet", [frame("a.mp4"), frame("b.mp4", "a.mp4")])
    write_set(root / "faces" / "part-08.parquet", [frame("c.mp4", "z.mp4", part=8)])
    write_set(root / "people" / "some.parquet", [still("1"), still("2")])
    return root


# ---------------------------------------------------------------- rows


def test_rows_are_described_as_videos_are(folder: Path) -> None:
    rows = read_face_sets(folder)
    assert [row.entry.file.path for row in rows] == [
        "faces/part-07/a.mp4",
        "faces/part-07/b.mp4",
        "faces/part-08/c.mp4",
        "people/nasa/1",
        "people/nasa/2",
    ]
    real, fake, other, photo, _ = (row.entry for row in rows)
    assert (real.layout, real.label, real.original) == ("face_set", Label.REAL, None)
    assert (fake.layout, fake.label, fake.original) == ("face_set", Label.FAKE, "a.mp4")
    assert (photo.layout, photo.label, photo.method) == ("still", Label.REAL, None)
    assert real.group_keys == ("part:dfdc:07", "dfdc:a.mp4")
    assert fake.group_keys == ("part:dfdc:07", "dfdc:b.mp4", "dfdc:a.mp4")
    assert other.group_keys == ("part:dfdc:08", "dfdc:c.mp4", "dfdc:z.mp4")
    assert photo.group_keys == ("still:people/nasa/1",)
    assert real.file.size_bytes == len(frame("a.mp4")["image"])
    assert fake.file.uri == f"{folder}/faces/part-07.parquet#row=1"
    assert rows[1].place == f"{folder}/faces/part-07.parquet row 1"


def test_sampled_faces_are_pictures_of_videos(tmp_path: Path) -> None:
    root = tmp_path / "sets"
    write_set(
        root / "wild" / "some.parquet",
        [sampled("real_a", 0.5), sampled("fake_b", 1.0), sampled("real_a", 2.5)],
    )
    write_set(root / "plain" / "x.parquet", [sampled("real_a"), sampled("real_a")])
    rows = read_face_sets(root)
    path = "wild/Demo clips_1.5/g1/real_a"
    assert [(row.entry.file.path, row.rank, row.pts_s) for row in rows[2:]] == [
        (path, 0, 0.5),
        ("wild/Demo clips_1.5/g1/fake_b", 0, 1.0),
        (path, 1, 2.5),
    ]
    assert [(row.rank, row.pts_s) for row in rows[:2]] == [(0, 0.0), (1, 1.0)]  # no times
    real, fake, again = (row.entry for row in rows[2:])
    assert again == real
    assert (real.layout, real.label, real.method) == ("sampled_faces", Label.REAL, None)
    assert (fake.label, fake.method) == (Label.FAKE, "Swapper")
    assert real.group_keys == fake.group_keys == ("faces:wild/g1",)
    pictures = [sampled("real_a", 0.5)["image"], sampled("real_a", 2.5)["image"]]
    assert real.file.size_bytes == sum(map(len, pictures))


@pytest.mark.parametrize(
    ("group", "dataset", "keys"),
    [
        ("ff_012_026", "FF++", ("ffpp-youtube:012", "ffpp-youtube:026")),
        ("celebdf_id0", "Celeb-DF v2", ("celebdf:id0",)),
        ("dfdc_aayrffkzxn", "DFDC train part 0", ("dfdc:aayrffkzxn.mp4", "part:dfdc:00")),
        ("ff_other", "clips", ()),
    ],
)
def test_groups_named_after_known_videos_share_their_keys(
    tmp_path: Path, group: str, dataset: str, keys: tuple[str, ...]
) -> None:
    write_set(tmp_path / "s" / "a.parquet", [sampled("v", 0.0, group=group, dataset=dataset)])
    (row,) = read_face_sets(tmp_path)
    assert row.entry.group_keys == (f"faces:s/{group}", *keys)


def test_a_file_directly_in_the_folder_has_paths_without_a_dot(tmp_path: Path) -> None:
    write_set(tmp_path / "a.parquet", [sampled("real_a", dataset="D")])
    (row,) = read_face_sets(tmp_path)
    assert row.entry.file.path == "D/g1/real_a"
    assert row.entry.group_keys == ("faces:g1",)


@pytest.mark.parametrize("change", [{"label": "FAKE"}, {"method": "Other"}])
def test_a_video_cannot_be_two_things(tmp_path: Path, change: dict[str, str]) -> None:
    rows = [sampled("real_a", 0.0), sampled("real_a", 1.0, **change)]
    write_set(tmp_path / "a.parquet", rows)
    with pytest.raises(ArchiveError, match=r"row 1: video .*real_a is .* in .*row 0; pictures"):
        read_face_sets(tmp_path)


def test_pictures_come_in_order_of_rows(tmp_path: Path) -> None:
    rows = [frame(f"{n:03d}.mp4", image=None if n == 3 else bytes([n])) for n in range(7)]
    file = write_set(tmp_path / "a.parquet", rows)
    assert list(pictures_of(file, rows_at_once=2)) == [row["image"] for row in rows]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([frame("a.mp4"), frame("b.mp4", "a.mp4", label="fake")], r"row 1: label must be .*'fake'"),
        ([frame("a.mp4"), frame("b.mp4", label=None)], r"row 1 has no label"),
        ([frame("")], r"row 0 has no video and no original"),
        ([frame("a.mp4", part=None), frame("b.mp4")], r"row 0 has no part"),
        ([frame("a.mp4"), frame("a.mp4", "b.mp4")], r"row 1: video a\.mp4 is already in .* row 0"),
        ([frame("a.mp4", label="FAKE")], r"row 0: a\.mp4 is FAKE and its original is a\.mp4"),
        ([frame("b.mp4", "a.mp4", label="REAL")], r"row 0: b\.mp4 is REAL and its original is a"),
        ([frame("b.mp4", "a.mp4"), frame("c.mp4", "b.mp4")], r"row 1: its original b\.mp4 is FAKE"),
        ([still("1"), still("1")], r"row 1: still some/nasa/1 is already in"),
        ([{"image": b"x", "label": "REAL"}], r"not a face set; it has the columns image, label"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, rows: list[dict[str, Any]], said: str) -> None:
    write_set(tmp_path / "some" / "part-00.parquet", rows)
    with pytest.raises(ArchiveError, match=rf"part-00\.parquet.*{said}|{said}") as caught:
        read_face_sets(tmp_path)
    assert "part-00.parquet" in str(caught.value)


def test_a_video_in_two_parts_is_refused(folder: Path) -> None:
    write_set(folder / "faces" / "part-09.parquet", [frame("a.mp4")])
    with pytest.raises(ArchiveError, match=r"part-09\.parquet row 0: video a\.mp4 .*part-07"):
        read_face_sets(folder)


def test_no_face_sets(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no folder"):
        read_face_sets(tmp_path / "none")
    with pytest.raises(ArchiveError, match="no face set"):
        read_face_sets(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ArchiveError, match=r"a\.parquet"):
        read_face_sets(tmp_path)


# ---------------------------------------------------------------- the face of a picture


def test_the_face_of_a_tight_picture_is_found_where_the_photograph_has_it() -> None:
    y, x, width, height = FACE
    found = find_portrait(tight(), detector(), DETECTION)
    assert found.found == 1
    assert found.face is not None
    box = found.face.box
    assert (box.x + 178, box.y + 80) == pytest.approx((x, y), abs=10)
    assert (box.width, box.height) == pytest.approx((width, height), abs=14)
    assert box.y < 0  # it reaches beyond the picture
    assert box.height > 92
    assert found.face.landmarks is not None
    (whole,) = detector().detect([photograph()])[0]
    for point, true in zip(found.face.landmarks, whole.landmarks or (), strict=True):
        assert (point.x + 118, point.y + 80) == pytest.approx((true.x, true.y), abs=3)


def test_a_large_picture_gives_its_own_pixels() -> None:
    large = cv2.resize(photograph(), (1500, 1500), interpolation=cv2.INTER_CUBIC)
    small_face = find_portrait(photograph(), detector(), DETECTION).face
    large_face = find_portrait(np.asarray(large, np.uint8), detector(), DETECTION).face
    assert small_face is not None and large_face is not None
    assert large_face.box.x / 5 == pytest.approx(small_face.box.x, abs=4)
    assert large_face.box.height / 5 == pytest.approx(small_face.box.height, abs=6)


def test_a_face_beside_the_middle_is_not_what_the_picture_is_of() -> None:
    beside = np.full((300, 500, 3), 120, np.uint8)
    beside[:, :200] = photograph()[:, 50:250]
    found = find_portrait(beside, detector(), DETECTION)
    assert (found.face, found.found) == (None, 1)


def test_of_two_faces_the_one_over_the_middle_counts() -> None:
    both = np.full((300, 500, 3), 120, np.uint8)
    both[60:160, 20:120] = cv2.resize(tight(), (100, 100))
    both[50:250, 150:350] = cv2.resize(tight(), (200, 200))
    found = find_portrait(both, detector(), DETECTION)
    assert found.found == 2
    assert found.face is not None and found.face.box.width > 120


class Boxes:
    """A detector that finds the same boxes in whatever it is shown."""

    name = "mtcnn"

    def __init__(self, *boxes: Box) -> None:
        self.boxes = boxes

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        return [[DetectedFace(box, 0.99, None) for box in self.boxes] for _ in images]


@pytest.mark.parametrize("reverse", [False, True])
def test_of_two_faces_over_the_middle_the_nearest_counts(reverse: bool) -> None:
    """Beside each other, both reaching over it, as cheek to cheek; the border is 50 pixels."""
    boxes = [Box(50, 60, 52, 60), Box(90, 60, 48, 60)]
    found = find_portrait(
        np.zeros((100, 100, 3), np.uint8),
        Boxes(*(boxes[::-1] if reverse else boxes)),
        DETECTION,
    )
    assert found.found == 2
    assert found.face is not None
    assert found.face.box == Box(40, 10, 48, 60)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (20, 20)])
def test_pictures_too_small_for_a_face(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    assert find_portrait(picture, detector(), DETECTION).face is None


def test_a_tight_picture_stays_whole_and_a_loose_one_is_cut() -> None:
    size = Size(100, 90)
    whole = Region(0, 0, 90, 100)
    assert portrait_region(Box(-5, -20, 90, 120), size, FRAMING) == whole
    assert portrait_region(Box(5, 0, 70, 106), size, FRAMING) == whole  # 0.86 * 106 * 1.1 > 100
    loose = Box(20, 20, 50, 60)
    cut = portrait_region(loose, size, FRAMING)
    assert cut == crop_region(loose, size, -0.07, "square", 0.07)
    assert (cut.width, cut.height) == (52, 52)


# ---------------------------------------------------------------- one picture


def examined(data: bytes | None, **crops: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    settings = Settings(detection=DETECTION, crops=FRAMING.model_copy(update=crops))
    job = VideoJob("id", "uri#row=0", size_bytes=len(data or b""))
    rows = extract_face_image(FaceImage(job, data), detector(), settings, "run")
    return rows.extraction, rows.face


def test_a_tight_picture_keeps_its_bytes() -> None:
    data = jpeg(tight())
    row, face = examined(data)
    assert face is not None
    assert face["crop"] == data
    assert face["crop_region"] == {"x": 0, "y": 0, "width": 92, "height": 92}
    assert (row["status"], row["faces_kept"], row["width_px"], row["height_px"]) == (
        "extracted",
        1,
        92,
        92,
    )
    assert row["content_id"] == hashlib.sha256(data).hexdigest()


def test_a_loose_picture_is_cut_and_hardly_loses_in_quality() -> None:
    row, face = examined(encode_crop(photograph(), "png"))
    assert row["status"] == "extracted"
    assert face is not None
    region = Region(**face["crop_region"])
    assert region.width == region.height < 110
    part = photograph()[region.y : region.y + region.height, region.x : region.x + region.width]
    kept = decode_crop(face["crop"])
    assert kept.shape == part.shape
    assert np.abs(kept.astype(int) - part).mean() < 2


def test_a_crop_over_the_limit_is_reduced() -> None:
    _, face = examined(jpeg(tight()), max_side_px=64)
    assert face is not None
    assert decode_crop(face["crop"]).shape == (64, 64, 3)
    assert face["crop_region"]["width"] == 92


def test_other_formats_are_stored_as_the_table_wants_them() -> None:
    data = bytes(cv2.imencode(".webp", cv2.cvtColor(tight(), cv2.COLOR_RGB2BGR))[1])
    _, face = examined(data)
    assert face is not None
    assert face["crop"].startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (None, "empty", "no bytes"),
        (b"", "empty", "no bytes"),
        (jpeg(tight())[:900], "unreadable", "cut short"),
        (b"\x89PNG nothing", "unreadable", "not an image"),
    ],
)
def test_damaged_pictures_end_with_a_status(data: bytes | None, status: str, said: str) -> None:
    row, face = examined(data)
    assert face is None
    assert row["status"] == status
    assert said in row["error"]


def test_no_face_is_a_status() -> None:
    row, face = examined(jpeg(np.full((90, 90, 3), 128, np.uint8)))
    assert face is None
    assert (row["status"], row["faces_found"], row["frames_sampled"]) == ("no_face", 0, 1)


# ---------------------------------------------------------------- the command


def test_import_makes_a_warehouse(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_set(folder / "people" / "more.parquet", [still("3", image=b"\xff\xd8 no picture")])
    target = str(tmp_path / "warehouse")
    assert main(["import", str(folder), "--warehouse", target, "--workers", "1"]) == 0
    said = capsys.readouterr().err
    assert "6 pictures in 4 files" in said
    assert "still              1 unreadable" in said
    warehouse = Warehouse.open(target)
    (commit,) = warehouse.commits()
    assert (commit.job, commit.archive) == ("import", str(folder))
    assert commit.tables == {"videos": 6, "extractions": 6, "faces": 5}
    assert commit.facts.statuses == {"extracted": 5, "unreadable": 1}
    settings = Settings.model_validate(commit.settings)
    assert (settings.crops, settings.detection.threshold) == (FRAMING, 0.8)
    videos = {row["path"]: row for row in warehouse.read_snapshot("videos").to_pylist()}
    assert videos["faces/part-07/a.mp4"]["group"] == videos["faces/part-07/b.mp4"]["group"]
    assert videos["people/nasa/1"]["group"] == "still:people/nasa/1"
    outcomes = {row["video_id"]: row for row in warehouse.read_latest("extractions").to_pylist()}
    assert outcomes.keys() == {row["video_id"] for row in videos.values()}
    assert {row["settings_id"] for row in outcomes.values()} == {settings_id(settings)}
    faces = {row["video_id"]: row for row in warehouse.read_run(commit.run_id, "faces").to_pylist()}
    fake = faces[videos["faces/part-07/b.mp4"]["video_id"]]
    assert fake["crop"] == frame("b.mp4")["image"]
    assert len(fake["landmarks"]) == 5
    assert fake["detector"] == "mtcnn"


def test_import_joins_the_pictures_of_a_video(tmp_path: Path) -> None:
    root = tmp_path / "sets"
    empty = jpeg(np.full((90, 90, 3), 128, np.uint8))
    rows = [
        sampled("real_a", 0.0, image=empty),
        sampled("real_a", 1.0),
        sampled("fake_b", 0.5, image=empty),
        sampled("real_a", 2.5),
    ]
    write_set(root / "wild" / "some.parquet", rows)
    target = str(tmp_path / "warehouse")
    assert main(["import", str(root), "--warehouse", target, "--workers", "1"]) == 0
    warehouse = Warehouse.open(target)
    (commit,) = warehouse.commits()
    assert commit.tables == {"videos": 2, "extractions": 2, "faces": 2}
    assert commit.facts.statuses == {"extracted": 1, "no_face": 1}
    ids = {
        row["path"][-6:]: row["video_id"] for row in warehouse.read_snapshot("videos").to_pylist()
    }
    outcomes = {row["video_id"]: row for row in warehouse.read_latest("extractions").to_pylist()}
    real = outcomes[ids["real_a"]]
    assert (real["status"], real["frames_sampled"], real["faces_kept"]) == ("extracted", 3, 2)
    chain = ""
    for row in (rows[0], rows[1], rows[3]):
        one = hashlib.sha256(row["image"]).hexdigest()
        chain = hashlib.sha256(f"{chain}{one}".encode()).hexdigest() if chain else one
    assert real["content_id"] == chain
    assert outcomes[ids["fake_b"]]["content_id"] == hashlib.sha256(empty).hexdigest()
    faces = warehouse.read_run(commit.run_id, "faces").to_pylist()
    assert [(row["video_id"], row["frame_index"], row["pts_s"]) for row in faces] == [
        (ids["real_a"], 1, 1.0),
        (ids["real_a"], 2, 2.5),
    ]


def test_settings_of_import_can_be_changed(folder: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "warehouse")
    change = ["--set", "crops.margin_ratio=0.3", "--set", "crops.format=png"]
    assert main(["import", str(folder), "--warehouse", target, "--workers", "1", *change]) == 0
    (commit,) = Warehouse.open(target).commits()
    crops = Settings.model_validate(commit.settings).crops
    assert (crops.margin_ratio, crops.shift_ratio, crops.format) == (0.3, 0.07, "png")


def test_several_processes_write_the_same_rows(folder: Path, tmp_path: Path) -> None:
    tables = []
    for workers in ("1", "2"):
        target = str(tmp_path / workers)
        assert main(["import", str(folder), "--warehouse", target, "--workers", workers]) == 0
        warehouse = Warehouse.open(target)
        run_id = warehouse.commits()[0].run_id
        tables.append(warehouse.read_run(run_id, "faces").drop_columns(["run_id"]))
    assert tables[0].num_rows == 5
    assert tables[0].equals(tables[1])


def test_import_refuses(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "warehouse")
    write_set(folder / "bad.parquet", [frame("a.mp4")])
    assert main(["import", str(folder), "--warehouse", target]) == 2
    assert "is already in" in capsys.readouterr().err
    assert not Path(target).exists()
    (folder / "bad.parquet").unlink()
    assert main(["import", str(folder), "--warehouse", target, "--workers", "0"]) == 2
    assert "--workers" in capsys.readouterr().err
    assert main(["import", str(folder), "--warehouse", target, "--workers", "1"]) == 0
    capsys.readouterr()
    assert main(["import", str(folder), "--warehouse", target, "--workers", "1"]) == 2
    assert "already has runs" in capsys.readouterr().err


@pytest.mark.skipif(not TRAINING.is_dir(), reason="no ../shared/training beside this checkout")
def test_faces_of_the_challenge(tmp_path: Path) -> None:
    root = tmp_path / "training"
    (root / "dfdc_faces").mkdir(parents=True)
    shutil.copy(TRAINING / "dfdc_faces" / "part-00.parquet", root / "dfdc_faces")
    rows = read_face_sets(root)
    assert len(rows) == 107
    labels = {row.entry.file.path.rpartition("/")[2]: row.entry.label for row in rows}
    fakes = [row.entry for row in rows if row.entry.label is Label.FAKE]
    assert all(labels[str(entry.original)] is Label.REAL for entry in fakes)
    settings = Settings(detection=DETECTION, crops=FRAMING)
    done = [
        extract_face_image(FaceImage(VideoJob("id", ""), data), detector(), settings, "run")
        for data in islice(pictures_of(rows[0].file), 40)
    ]
    found = [rows.face for rows in done if rows.face is not None]
    assert len(found) >= 36
    sides = [max(face["box"]["width"], face["box"]["height"]) / 224 for face in found]
    assert 1.05 < np.median(sides) < 1.3  # tighter than the detector's box


def test_a_picture_of_no_face_is_kept_whole_where_frames_are_judged() -> None:
    """detection.detector=frame looks for none, and no margin leaves or cuts the picture."""
    picture = np.zeros((40, 60, 3), np.uint8)
    whole = DetectionSettings(detector="frame")
    found = find_portrait(picture, make_detector(whole, 1), whole)
    assert found.found == 1 and found.face is not None
    assert (found.face.box, found.face.confidence) == (Box(0, 0, 60, 40), 1.0)
    region = portrait_region(found.face.box, Size(40, 60), CropSettings(margin_px=5))
    assert region == Region(0, 0, 60, 40)


def test_a_margin_in_pixels_frames_a_portrait() -> None:
    box, size = Box(40, 40, 30, 30), Size(200, 200)
    framed = CropSettings(margin_px=10, shape="box")
    assert portrait_region(box, size, framed) == Region(30, 30, 50, 50)
    wide = CropSettings(margin_px=80, shape="box")
    assert portrait_region(box, size, wide) == Region(0, 0, 200, 200)  # 190 * 1.1 > 200
