"""`framejury verdicts --output`: the same rows in every format, and never half a file."""

from __future__ import annotations

import codecs
import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from framejury import storage
from framejury.commands import verdicts
from framejury.schemas.tables import VERDICTS, VIDEOS
from framejury.warehouse import Warehouse

NOW = datetime(2026, 3, 1, tzinfo=UTC)


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
            keys[2] | common | some | {"status": "scored", "p_fake": 0.7},
        ]
        for table, rows, schema in (("videos", videos, VIDEOS), ("verdicts", judged, VERDICTS)):
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
        (["--output", "no/such/folder/v.csv"], "cannot write no/such/folder/v.csv"),
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
