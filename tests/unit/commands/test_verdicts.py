"""`framejury verdicts --output`: the same rows in every format, and never half a file."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from framejury import storage
from framejury.commands import verdicts
from framejury.schemas.tables import FACE_SCORES, VERDICTS, VIDEOS
from framejury.warehouse import Warehouse
from framejury.warehouse.frame_scores import FRAME_SCORES

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PART = {"start_s": 1.0, "end_s": 2.5, "person": 0, "mean_score": 0.75}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos: a fake, one that failed, and one whose name is a formula."""
    place = tmp_path_factory.mktemp("warehouse") / "w"
    store = Warehouse.open_or_plan(str(place))
    with store.running("nightly", NOW) as run:
        keys = [{"video_id": f"{at:020x}", "run_id": run.run_id} for at in range(3)]
        videos: list[dict[str, Any]] = [
            key
            | {"path": name, "uri": name, "bytes": 1, "modified_at": NOW, "layout": "plain"}
            | {"group_keys": [name], "group": name, "label": label}
            for key, name, label in zip(
                keys, ["=1+1.mp4", "b.mp4", "ü.mp4"], [None, "FAKE", "REAL"], strict=True
            )
        ]
        common = {"model_id": "b0", "threshold": 0.5, "reducer": "mean"}
        none = {"faces_scored": 0, "frames_scored": 0, "persons": 0, "verdict": "inconclusive"}
        some = {"faces_scored": 11, "frames_scored": 11, "persons": 1, "verdict": "fake"}
        judged = [
            keys[0] | common | none | {"status": "crashed", "error": "two\nlines"},
            keys[1] | common | some | {"status": "scored", "p_fake": 0.9},
            keys[2] | common | some | {"status": "scored", "p_fake": 0.7, "stretches": [PART]},
        ]
        box = {"x": 1.5, "y": 2.0, "width": 30.0, "height": 40.0}
        scores = [
            key
            | {"model_id": "b0", "frame_index": frame, "pts_s": frame / 25, "face_index": 0}
            | {"person": 0, "score": 0.5 + frame / 64, "box": box if frame else None}
            for key in keys[1:]
            for frame in range(11)
        ]
        tables = (
            *(("videos", videos, VIDEOS), ("verdicts", judged, VERDICTS)),
            ("face_scores", scores, FACE_SCORES),
        )
        for table, rows, schema in tables:
            store.write(run, table, pa.Table.from_pylist(rows, schema=schema))
        store.commit(run, NOW)
    return place


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with nothing in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def export(warehouse: Path, *options: str) -> int:
    return verdicts.main(["--warehouse", str(warehouse), *options])


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return rows
    text = path.read_text("utf-8-sig")
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    if path.suffix == ".json":
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "ndjson", "json"])
def test_the_ending_is_the_format(warehouse: Path, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"v.{ending}"
    assert export(warehouse, "--output", str(target)) == 0
    rows = read(target)
    assert [list(row) for row in rows] == [list(verdicts.COLUMNS)] * 3
    names = ["=1+1.mp4", "b.mp4", "ü.mp4"]
    if ending == "csv":
        names[0] = "'=1+1.mp4"
    assert [row["uri"] for row in rows] == names
    assert rows[0]["error"] == "two\nlines"
    nothing = "" if ending == "csv" else None
    assert rows[0]["p_fake"] == nothing
    assert [float(row["p_fake"]) for row in rows[1:]] == [0.9, 0.7]
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "json"])
def test_suspicious_stretches_are_in_every_format(
    warehouse: Path, tmp_path: Path, ending: str
) -> None:
    target = tmp_path / f"v.{ending}"
    assert export(warehouse, "--output", str(target)) == 0
    found = [row["stretches"] for row in read(target)]
    assert found == (["", "", json.dumps([PART])] if ending == "csv" else [None, None, [PART]])


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "json"])
def test_frames_give_a_row_per_face(warehouse: Path, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"f.{ending}"
    assert export(warehouse, "--frames", "--output", str(target)) == 0
    rows = read(target)
    assert [row["uri"] for row in rows] == ["b.mp4"] * 11 + ["ü.mp4"] * 11
    assert [int(row["frame_index"]) for row in rows] == [*range(11), *range(11)]
    assert [float(row["score"]) for row in rows[:11]] == [0.5 + n / 64 for n in range(11)]
    assert float(rows[10]["time_s"]) == 0.4 and int(rows[10]["person"]) == 0
    if ending == "csv":
        assert (rows[0]["box_x"], rows[1]["box_x"], rows[1]["box_height"]) == ("", "1.5", "40")
    else:
        assert list(rows[0]) == FRAME_SCORES.names
        assert rows[0]["box"] is None and rows[1]["box"]["height"] == 40


def test_frames_for_people(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(warehouse, "--frames") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["path", "frame", "time_s", "track", "score", "box,", "pixels"]
    assert len(lines) == 1 + 22 and lines[1].split() == ["b.mp4", "0", "0.00", "0", "0.500", "-"]
    assert lines[2].endswith("30 x 40 at 2, 2")


def test_frames_are_written_while_they_are_read(tmp_path: Path) -> None:
    """Each batch is in the file before the next is asked for, and there is one header."""
    row = dict.fromkeys(FRAME_SCORES.names) | {"uri": "a.mp4", "score": 0.5}
    table = pa.Table.from_pylist([row], schema=FRAME_SCORES)
    asked = []

    def endless() -> Iterator[pa.Table]:
        for number in range(10**9):
            asked.append(number)
            yield table

    parts = verdicts.exported(endless(), "csv", csv_mark=True)
    first, second = next(parts), next(parts)
    assert first.startswith(codecs.BOM_UTF8 + b'"uri"') and first.endswith(second)
    assert second.startswith(b'"a.mp4"') and asked == [0, 1]


def test_frames_of_an_archive_without_faces(
    warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Warehouse.open_or_plan(str(tmp_path / "w"))
    with store.running("nightly", NOW) as run:
        for table in ("videos", "verdicts"):
            rows = Warehouse.open(str(warehouse)).read_latest(table).slice(0, 1)
            at = rows.column_names.index("run_id")
            store.write(run, table, rows.set_column(at, "run_id", [[run.run_id]]))
        store.commit(run, NOW)
    for form, text in (("json", "[]\n"), ("jsonl", "")):
        assert export(tmp_path / "w", "--frames", "--format", form) == 0
        assert capsys.readouterr().out == text
    assert export(tmp_path / "w", "--frames", "--format", "csv") == 0
    assert capsys.readouterr().out.startswith('"uri","label"')
    assert export(tmp_path / "w", "--frames", "--output", str(tmp_path / "f.parquet")) == 0
    assert parquet.read_schema(tmp_path / "f.parquet").names == FRAME_SCORES.names


def test_types_survive_in_parquet(warehouse: Path, tmp_path: Path) -> None:
    assert export(warehouse, "--output", str(tmp_path / "v.parquet")) == 0
    schema = parquet.read_schema(tmp_path / "v.parquet")
    for field in VERDICTS:
        assert schema.field(field.name).type == field.type


def test_a_format_wins_over_the_ending(warehouse: Path, tmp_path: Path) -> None:
    target = tmp_path / "v.txt"
    assert export(warehouse, "--output", str(target), "--format", "jsonl") == 0
    assert [json.loads(line)["label"] for line in target.read_text("utf-8").splitlines()] == [
        *(None, "FAKE", "REAL")
    ]


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_what_is_printed_is_what_is_written(
    warehouse: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(warehouse, "--format", form) == 0
    printed = capsys.readouterr().out
    assert export(warehouse, "--output", str(tmp_path / f"v.{form}")) == 0
    assert (tmp_path / f"v.{form}").read_bytes().decode("utf-8-sig") == printed


@pytest.mark.parametrize("mark", ["true", "false"])
def test_a_setting_decides_on_the_mark_that_excel_needs(
    warehouse: Path, tmp_path: Path, mark: str
) -> None:
    target = tmp_path / "v.csv"
    assert export(warehouse, "--output", str(target), "--set", f"report.csv_mark={mark}") == 0
    assert target.read_bytes().startswith(codecs.BOM_UTF8) == (mark == "true")


def test_jsonl_has_one_object_a_line(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(warehouse, "--format", "jsonl") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.startswith("{") for line in lines)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--output", "v.xlsx"], "v.xlsx does not end with .csv or .parquet or .jsonl"),
        (["--output", "verdicts"], "add --format"),
        (["--format", "parquet"], "add --output FILE"),
        (["--output", "t.txt", "--format", "table"], "--format table only prints"),
        (["--output", "s3://bucket/v.csv"], "is not a local file"),
        (["--output", "no/such/folder/v.csv"], "cannot write --output no/such/folder/v.csv"),
    ],
)
def test_mistakes_are_told(
    warehouse: Path,
    empty: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    assert export(warehouse, *options) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1
    assert list(empty.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "v.csv"
    target.write_text("old", "utf-8")

    def full(number: int) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        storage.replace_file(target, b"new")
    assert target.read_text("utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["v.csv"]


def test_an_old_file_is_replaced_whole(warehouse: Path, tmp_path: Path) -> None:
    target = tmp_path / "v.csv"
    target.write_text("former\n" * 10_000, "utf-8")
    inode = target.stat().st_ino
    assert export(warehouse, "--output", str(target)) == 0
    assert "former" not in target.read_text("utf-8") and target.stat().st_ino != inode
