"""`framejury verdicts` of an archive whose names and errors attack who reads them."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from framejury.commands import scan, verdicts
from framejury.schemas.tables import VERDICTS, VIDEOS
from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOSTILE = ["=1+1.mp4", "\x1b[2J\x1b]0;t\x07.mp4", "two\nlines.mp4", "\u202egpm.mp4", 'a",b.mp4']


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """One run; names as above, relative as an import may give them, and errors alike."""
    place = tmp_path / "warehouse"
    store = Warehouse.open_or_plan(str(place))
    with store.running("nightly", NOW) as run:
        videos: list[dict[str, Any]] = []
        judged: list[dict[str, Any]] = []
        for number, name in enumerate(HOSTILE):
            key = {"video_id": f"{number:020x}", "run_id": run.run_id}
            videos.append(
                key
                | {"path": name, "uri": name, "bytes": 1, "modified_at": NOW, "layout": "plain"}
                | {"group_keys": [name], "group": name}
            )
            judged.append(
                key
                | {"model_id": "b0-000000000000", "status": "crashed", "error": name}
                | {"verdict": "inconclusive", "faces_scored": 0, "frames_scored": 0, "persons": 0}
                | {"threshold": 0.5, "reducer": "mean"}
            )
        for table, rows, schema in (("videos", videos, VIDEOS), ("verdicts", judged, VERDICTS)):
            store.write(run, table, pa.Table.from_pylist(rows, schema=schema))
        store.commit(run, NOW)
    return place


def printed(warehouse: Path, form: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert verdicts.main(["--warehouse", str(warehouse), "--format", form]) == 0
    return capsys.readouterr().out


def test_the_table_cannot_steer_a_terminal(
    warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(warehouse, "table", capsys)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text.splitlines()) == 1 + len(HOSTILE)
    assert "\\x1b[2J" in text and "two\\nlines" in text


def test_the_csv_runs_no_formula_and_loses_nothing(
    warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(warehouse, "csv", capsys)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == list(verdicts.COLUMNS)
    for column in ("uri", "error"):
        assert sorted(row[column] for row in rows) == sorted(["'" + HOSTILE[0], *HOSTILE[1:]])
    assert {(row["status"], row["p_fake"], row["threshold"]) for row in rows} == {
        ("crashed", "", "0.5")
    }


def test_json_has_every_text_unchanged(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(warehouse, "json", capsys)
    assert "\x1b" not in text and "\u202e" not in text
    assert sorted(row["uri"] for row in json.loads(text)) == sorted(HOSTILE)


def test_scan_cannot_be_steered_either(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = brightness_bundle(tmp_path / "bundle")
    names = ["\x1b[2J\n\u202egpm.mp4", "two\nlines.mp4"]
    for name in names:
        (tmp_path / name).write_bytes(b"garbage")
    files = [str(tmp_path / name) for name in names]
    assert scan.main([*files, "--bundle", str(bundle.directory)]) == scan.NOT_ALL_JUDGED
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(names) and all(line.isprintable() for line in lines)
    assert r"\x1b[2J\n\u202egpm.mp4: inconclusive  (not_video)" in lines[0]


def test_scan_names_the_file_that_no_row_can_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert scan.main(["a.mp4", "caf\udce9.mp4"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert r"caf\udce9.mp4 is not UTF-8" in err
