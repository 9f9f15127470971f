"""Reading labelled faces: which rows count, in which order, and what is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSystem, LocalFileSystem, SubTreeFileSystem

from framejury.errors import SplitError, WarehouseError
from framejury.faces.crop import decode_crop, encode_crop
from framejury.schemas.statuses import Side
from framejury.training.source import FaceRow, iter_faces, shuffled
from framejury.training.source_counts import count_faces, sample_faces
from tests.builders.faces import (
    RUN,
    Video,
    face_rows,
    small_videos,
    source_of,
    write_rows,
    write_source,
)


def keys(faces: list[FaceRow]) -> list[tuple[str, int]]:
    return [(face.video_id, face.frame_index) for face in faces]


def fake_stream(count: int, crop_bytes: int) -> list[FaceRow]:
    return [FaceRow("v", n, 0.0, 0, 0, 0, bytes(crop_bytes)) for n in range(count)]


def test_rows_of_other_runs_videos_and_sides_do_not_count(tmp_path: Path) -> None:
    ours = Video("ours", 1, Side.TRAIN, faces=3)
    rows = [
        *face_rows(replace(ours, run_id="run-0", faces=5)),
        *face_rows(ours),
        *face_rows(Video("unknown", 0, Side.TRAIN)),
        *face_rows(Video("other-side", 0, Side.VAL)),
        *face_rows(Video("left-out", 0, Side.EXCLUDED)),
    ]
    known = [ours, Video("other-side", 0, Side.VAL), Video("left-out", 0, Side.EXCLUDED)]
    source = source_of([write_rows(tmp_path / "a.parquet", rows)], known)
    faces = list(iter_faces(source, Side.TRAIN))
    assert keys(faces) == [("ours", 0), ("ours", 10), ("ours", 20)]
    assert {face.label for face in faces} == {1}
    assert Counter(face.video_id for face in iter_faces(source)) == {
        "ours": 3,
        "other-side": 4,
        "left-out": 4,
    }
    counts = count_faces(source)
    assert counts.faces(Side.TRAIN, 1) == 3
    assert counts.faces(Side.TRAIN, 0) == 0
    assert counts.faces(Side.VAL) == 4
    assert {c.side for c in counts.per_split} == {Side.TRAIN, Side.VAL}


def test_counts_of_videos_and_faces(tmp_path: Path) -> None:
    videos = [Video("a", 0, Side.TRAIN, 2), Video("b", 0, Side.TRAIN, 5), Video("c", 1, Side.VAL)]
    counts = count_faces(write_source(tmp_path, videos))
    found = [(c.side, c.label, c.videos, c.faces) for c in counts.per_split]
    assert found == [("train", "REAL", 2, 7), ("val", "FAKE", 1, 4)]


def test_only_frames_labelled_by_hand_count_of_fakes(tmp_path: Path) -> None:
    real, fake, other = Video("real", 0, Side.TRAIN, 3), Video("a", 1, Side.TRAIN, 3), "b"
    videos = [real, fake, Video(other, 1, Side.VAL)]
    by_hand = {("a", 10): 1, ("a", 20): 0, ("real", 0): 1, ("elsewhere", 0): 1}
    source = replace(write_source(tmp_path, videos), frame_labels=by_hand)
    assert len(list(iter_faces(source))) == 10
    only = replace(source, only_labelled=True)
    found = {(face.video_id, face.frame_index): face.label for face in iter_faces(only)}
    assert found == {
        ("real", 0): 1, ("real", 10): 0, ("real", 20): 0, ("a", 10): 1, ("a", 20): 0,
    }  # fmt: skip
    counts = count_faces(only)
    assert counts.faces(Side.TRAIN, 1) == 2 and counts.faces(Side.TRAIN, 0) == 3
    assert counts.faces(Side.VAL) == 0
    assert counts.fingerprint != count_faces(source).fingerprint
    nothing = replace(only, frame_labels={})
    assert count_faces(nothing).faces(Side.TRAIN) == len(list(iter_faces(nothing))) == 3


def test_counting_reads_no_crops(tmp_path: Path) -> None:
    rows = face_rows(Video("v", 0, Side.TRAIN))
    path = Path(write_rows(tmp_path / "a.parquet", rows))
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = [group.column(n) for n in range(group.num_columns)]
    (column,) = [c for c in columns if c.path_in_schema == "crop"]
    content = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    source = source_of([str(path)], [Video("v", 0, Side.TRAIN)])
    assert count_faces(source).faces(Side.TRAIN) == 4
    with pytest.raises(WarehouseError, match=r"a\.parquet"):
        list(iter_faces(source))


def test_fingerprint_follows_labels_sides_runs_and_faces(tmp_path: Path) -> None:
    videos = small_videos(2, 1)
    source = write_source(tmp_path / "a", videos)
    first = count_faces(source).fingerprint
    assert count_faces(write_source(tmp_path / "b", videos[::-1])).fingerprint == first
    for change in ({"label": 1}, {"side": Side.VAL}, {"faces": 3}, {"run_id": "run-2"}):
        changed = [replace(videos[0], **change), *videos[1:]]
        folder = tmp_path / next(iter(change))
        assert count_faces(write_source(folder, changed)).fingerprint != first, change


def test_the_fingerprint_of_a_mixture_follows_data_sets_and_families(tmp_path: Path) -> None:
    source = write_source(tmp_path, small_videos(2, 1))

    def printed(*, mixed: bool, **change: str) -> str:
        (first, truth), *rest = source.videos.items()
        changed = replace(source, videos={first: replace(truth, **change), **dict(rest)})
        return count_faces(changed, mixed=mixed).fingerprint

    for change in ({"dataset": "films"}, {"family": "a film"}):
        assert printed(mixed=False, **change) == printed(mixed=False)
        assert printed(mixed=True, **change) != printed(mixed=True)
    # As written by earlier versions.
    assert (
        printed(mixed=False) == "a5a167cabb42b4cbd89bd3524eba8ea4d8573247d5d5d983a893dde780b6c194"
    )


@pytest.mark.parametrize(
    ("videos", "said"),
    [
        ([Video("a", 0, Side.TRAIN), Video("b", 1, Side.TRAIN)], "val has 0 REAL and 0 FAKE"),
        ([Video("a", 0, Side.TRAIN), *small_videos(0, 1)], "train has 4 REAL and 0 FAKE"),
        ([*small_videos(1, 0), Video("a", 1, Side.VAL)], "val has 0 REAL and 4 FAKE"),
        ([*small_videos(1, 0), Video("a", 1, Side.VAL), Video("b", 0, Side.VAL, 0)], "0 REAL"),
    ],
)
def test_a_side_with_one_class_is_refused(tmp_path: Path, videos: list[Video], said: str) -> None:
    with pytest.raises(SplitError, match=said):
        count_faces(write_source(tmp_path, videos)).require_both_classes()


def test_drawn_order_gives_each_face_once_and_repeats_under_its_seed(tmp_path: Path) -> None:
    source = write_source(tmp_path, small_videos(20, 1))
    in_order = keys(list(iter_faces(source, Side.TRAIN)))
    drawn = [
        keys(list(iter_faces(source, Side.TRAIN, np.random.default_rng(seed))))
        for seed in (1, 1, 2)
    ]
    assert sorted(drawn[0]) == sorted(in_order)
    assert len(in_order) == 160
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0] != in_order


def test_drawn_order_loses_no_row_group_however_many_there_are(tmp_path: Path) -> None:
    videos = small_videos(train_each=20)
    source = write_source(tmp_path, videos)
    assert count_faces(source).faces(Side.TRAIN) == 160
    drawn = list(iter_faces(source, Side.TRAIN, np.random.default_rng(0)))
    assert len({(face.video_id, face.frame_index) for face in drawn}) == len(drawn) == 160


def test_drawn_order_mixes_row_groups(tmp_path: Path) -> None:
    videos = [Video(f"v{n:02d}", n % 2, Side.TRAIN, faces=6) for n in range(16)]
    source = write_source(tmp_path, videos)  # one video a row group
    faces = list(iter_faces(source, Side.TRAIN, np.random.default_rng(0)))
    assert len({face.video_id for face in faces[:8]}) == 8


def test_shuffle_gives_each_face_once_and_holds_its_budget() -> None:
    held = most = 0

    def watched() -> object:
        nonlocal held, most
        for face in fake_stream(200, crop_bytes=100):
            held += 1
            most = max(most, held)
            yield face

    out = []
    for face in shuffled(watched(), np.random.default_rng(0), budget_bytes=2000):
        held -= 1
        out.append(face.frame_index)
    assert sorted(out) == list(range(200))
    assert out != list(range(200))
    assert most <= 21
    # Still mixed over the whole buffer long after it was full.
    assert max(abs(out[at] - at) for at in range(100, 180)) > 10


def test_shuffle_repeats_under_its_seed() -> None:
    orders = [
        [f.frame_index for f in shuffled(fake_stream(50, 10), np.random.default_rng(seed))]
        for seed in (3, 3, 4)
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_a_crop_beyond_the_budget_still_comes_out() -> None:
    out = list(shuffled(fake_stream(3, 5000), np.random.default_rng(0), budget_bytes=10))
    assert len(out) == 3


def test_sample_is_spread_over_the_side(tmp_path: Path) -> None:
    source = write_source(tmp_path, small_videos(2, 5))
    faces = sample_faces(source, Side.VAL, 10)
    assert len(faces) == 10
    assert {face.video_id for face in faces} >= {"val-real-0", "val-fake-4"}
    assert {face.label for face in faces} == {0, 1}
    assert len(sample_faces(source, Side.VAL, 1000)) == 40


def test_damaged_crop_names_video_and_frame(tmp_path: Path) -> None:
    rows = face_rows(Video("v", 0, Side.TRAIN))
    rows[2]["crop"] = rows[2]["crop"][: len(rows[2]["crop"]) // 2]
    source = source_of([write_rows(tmp_path / "a.parquet", rows)], [Video("v", 0, Side.TRAIN)])
    faces = list(iter_faces(source))
    assert faces[1].decoded().shape == (64, 64, 3)
    with pytest.raises(WarehouseError, match="video v, frame 20"):
        faces[2].decoded()


def test_row_without_its_crop_is_refused(tmp_path: Path) -> None:
    rows = face_rows(Video("v", 0, Side.TRAIN))
    rows[1]["crop"] = None
    source = source_of([write_rows(tmp_path / "a.parquet", rows)], [Video("v", 0, Side.TRAIN)])
    with pytest.raises(WarehouseError, match=r"video v, frame 10 .* without its crop"):
        list(iter_faces(source))


def test_missing_file_and_missing_column(tmp_path: Path) -> None:
    video = Video("v", 0, Side.TRAIN)
    with pytest.raises(WarehouseError, match=r"gone\.parquet"):
        count_faces(source_of([str(tmp_path / "gone.parquet")], [video]))
    table = pa.table({"video_id": ["v"], "run_id": [RUN]})
    pq.write_table(table, tmp_path / "thin.parquet")
    with pytest.raises(WarehouseError, match=r"lacks frame_index, pts_s, .*crop"):
        list(iter_faces(source_of([str(tmp_path / "thin.parquet")], [video])))


def test_any_arrow_file_system_will_do(tmp_path: Path) -> None:
    video = Video("v", 0, Side.TRAIN)
    write_rows(tmp_path / "a.parquet", face_rows(video))
    elsewhere: FileSystem = SubTreeFileSystem(str(tmp_path), LocalFileSystem())
    source = replace(source_of(["a.parquet"], [video]), filesystem=elsewhere)
    assert count_faces(source).faces(Side.TRAIN) == len(list(iter_faces(source))) == 4


# ---------------------------------------------------------------- landmarks and stills


def with_landmarks(row: dict[str, object], **changes: object) -> dict[str, object]:
    """A row of MTCNN: landmarks on a diagonal of its region, from one corner to the other."""
    region = {"x": 100, "y": 40, "width": 128, "height": 128}
    points = [{"x": 100.0 + 32 * n, "y": 40.0 + 32 * n} for n in range(5)]
    return row | {"crop_region": region, "landmarks": points, "detector": "mtcnn"} | changes


def test_landmarks_are_in_pixels_of_the_stored_crop(tmp_path: Path) -> None:
    (row,) = face_rows(Video("v", 0, Side.TRAIN, faces=1))  # stored at 64 x 64
    for encoded in (row["crop"], encode_crop(decode_crop(row["crop"]), "jpeg")):
        stored = with_landmarks(row, crop=encoded)
        source = source_of(
            [write_rows(tmp_path / "a.parquet", [stored])], [Video("v", 0, Side.TRAIN)]
        )
        (face,) = iter_faces(source)
        assert face.landmarks is not None
        assert face.landmarks.dtype == np.float32
        assert face.landmarks.tolist() == [[16.0 * n, 16.0 * n] for n in range(5)]
        assert face.decoded().shape == (64, 64, 3)


def test_haar_has_no_landmarks(tmp_path: Path) -> None:
    source = write_source(tmp_path, [Video("v", 0, Side.TRAIN)])
    assert {face.landmarks for face in iter_faces(source)} == {None}


def test_a_crop_without_a_header_is_damaged(tmp_path: Path) -> None:
    (row,) = face_rows(Video("v", 0, Side.TRAIN, faces=1))
    file = write_rows(tmp_path / "a.parquet", [with_landmarks(row, crop=b"nothing")])
    with pytest.raises(WarehouseError, match="crop of video v, frame 0, face 0 is damaged"):
        list(iter_faces(source_of([file], [Video("v", 0, Side.TRAIN)])))


def test_faces_know_whether_they_are_stills(tmp_path: Path) -> None:
    videos = [Video("photo", 0, Side.TRAIN), Video("video", 0, Side.TRAIN)]
    source = write_source(tmp_path, videos)
    truths = source.videos | {"photo": replace(source.videos["photo"], still=True)}
    faces = list(iter_faces(replace(source, videos=truths)))
    assert {(face.video_id, face.still) for face in faces} == {("photo", True), ("video", False)}
