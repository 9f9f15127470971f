"""Faces in pairs: how they are read, and what is said where a signal lacks something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framejury.errors import WarehouseError
from framejury.faces.crop import decode_crop
from framejury.schemas.statuses import Side
from framejury.schemas.tables import FACES
from framejury.settings import Signal
from framejury.training import needs
from framejury.training.needs import require_signal
from framejury.training.source import FaceRow, FaceSource, iter_faces, shuffled
from tests.builders.faces import Video, face_rows, source_of, write_rows

POINTS = [{"x": float(n), "y": float(n)} for n in range(5)]
VIDEOS = [Video("a", 0, Side.TRAIN), Video("b", 1, Side.VAL), Video("c", 1, Side.EXCLUDED)]


def whole_rows() -> list[dict[str, object]]:
    """Four faces of each video, each with landmarks and with its next one's crop."""
    made = []
    for video in VIDEOS:
        rows = face_rows(video)
        for row, following in zip(rows, rows[1:] + rows[:1], strict=True):
            made.append({**row, "landmarks": POINTS, "next_crop": following["crop"]})
    return made


def source_with(tmp_path: Path, rows: list[dict[str, object]]) -> FaceSource:
    return source_of([write_rows(tmp_path / "faces.parquet", rows)], VIDEOS)


def without(rows: list[dict[str, object]], column: str, video: str, frame: int) -> None:
    for row in rows:
        if (row["video_id"], row["frame_index"]) == (video, frame):
            row[column] = None


def old_source(tmp_path: Path) -> FaceSource:
    """A file from before there were pairs."""
    schema = FACES.remove(FACES.get_field_index("next_crop"))
    rows = [row for video in VIDEOS for row in face_rows(video)]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "old.parquet")
    return source_of([str(tmp_path / "old.parquet")], VIDEOS)


def test_the_second_crop_comes_with_its_face(tmp_path: Path) -> None:
    rows = whole_rows()
    without(rows, "next_crop", "b", 10)
    for face in iter_faces(source_with(tmp_path, rows)):
        (row,) = (
            r for r in rows
            if (r["video_id"], r["frame_index"]) == (face.video_id, face.frame_index)
        )  # fmt: skip
        assert face.further == (() if row["next_crop"] is None else (row["next_crop"],))
        shown = face.cropped()
        assert np.array_equal(shown.crop, face.decoded())
        if not face.further:
            assert shown.next_crop is None
        else:
            assert shown.next_crop is not None
            assert np.array_equal(shown.next_crop, decode_crop(face.further[0]))


def test_a_file_from_before_there_were_pairs_is_read(tmp_path: Path) -> None:
    faces = list(iter_faces(old_source(tmp_path)))
    assert len(faces) == 12
    assert {face.further for face in faces} == {()}


def test_a_damaged_second_crop_names_its_face(tmp_path: Path) -> None:
    rows = whole_rows()
    rows[1]["next_crop"] = b"\x89PNG nothing"
    face = list(iter_faces(source_with(tmp_path, rows)))[1]
    assert face.decoded().shape == (64, 64, 3)
    with pytest.raises(WarehouseError, match="video a, frame 10, face 0 is damaged"):
        face.cropped()


def test_a_shuffle_holds_both_crops_within_its_budget() -> None:
    held = most = 0

    def watched() -> object:
        nonlocal held, most
        for number in range(100):
            held += 1
            most = max(most, held)
            yield FaceRow("v", number, 0.0, 0, 0, 0, bytes(60), further=(bytes(40),))

    out = []
    for face in shuffled(watched(), np.random.default_rng(0), budget_bytes=1000):  # type: ignore[arg-type]
        held -= 1
        out.append(face.frame_index)
    assert sorted(out) == list(range(100))
    assert 9 <= most <= 11


@pytest.mark.parametrize("signal", ["rgb", "marked", "delta", "flow_fusion"])
def test_whole_faces_have_all_that_signals_need(tmp_path: Path, signal: Signal) -> None:
    require_signal(source_with(tmp_path, whole_rows()), signal)


@pytest.mark.parametrize(
    ("signal", "column", "said"),
    [
        ("delta", "next_crop", r"two frames. Extract again with --set sampling\.pairs=true"),
        ("flow_fusion", "next_crop", r"--set sampling\.pairs=true"),
        ("marked", "landmarks", r"landmarks. Extract again with --set detection\.detector=mtcnn"),
    ],
)
def test_one_face_that_lacks_it_is_named(
    tmp_path: Path, signal: Signal, column: str, said: str
) -> None:
    rows = whole_rows()
    without(rows, column, "b", 20)
    source = source_with(tmp_path, rows)
    with pytest.raises(WarehouseError, match=rf"video b, frame 20 in .*signal {signal} .*{said}"):
        require_signal(source, signal)
    require_signal(source, signal, Side.TRAIN)
    require_signal(source, "rgb")


def test_old_files_lack_the_second_frame(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"video a, frame 0 .*sampling\.pairs=true"):
        require_signal(old_source(tmp_path), "delta")


def test_rows_that_do_not_count_may_lack_it(tmp_path: Path) -> None:
    """Of other runs, of excluded videos, of videos that nobody knows, and of stills."""
    rows = whole_rows()
    for frame in (0, 10, 20, 30):
        without(rows, "next_crop", "c", frame)
    rows += face_rows(Video("a", 0, Side.TRAIN, run_id="run-0"))
    rows += face_rows(Video("unknown", 0, Side.TRAIN))
    rows += face_rows(Video("photo", 0, Side.TRAIN))
    source = source_with(tmp_path, rows)
    require_signal(source, "delta")
    still = replace(source.videos["a"], still=True)
    known = replace(source, videos={**source.videos, "photo": still})
    require_signal(known, "delta")
    with pytest.raises(WarehouseError, match="video photo"):
        require_signal(known, "marked")
    plain = replace(source, videos={**source.videos, "photo": source.videos["a"]})
    with pytest.raises(WarehouseError, match="video photo"):
        require_signal(plain, "delta")


def test_no_crop_is_read_where_the_statistics_say_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = whole_rows()
    without(rows, "next_crop", "b", 30)
    source = source_with(tmp_path, rows)  # six rows a group: a, a; b, b; c, c
    asked: list[object] = []
    original = needs.read_batches

    def noting(*args: object) -> object:
        asked.append(args[3])
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(needs, "read_batches", noting)
    require_signal(source, "delta", Side.TRAIN)
    assert asked == [[1]]
