"""A warehouse that earlier code wrote is read as it was meant (`tests/data/old_warehouse`)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framejury.cli.main import main
from framejury.schemas.tables import FACES, FORMER_NAMES, TABLES
from framejury.warehouse import Warehouse

STORED = Path(__file__).resolve().parents[2] / "data" / "old_warehouse"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "warehouse"))


def test_its_files_of_faces_have_columns_of_other_tables() -> None:
    """Or the tests below would not be about old files."""
    (path,) = STORED.glob("runs/*/table=faces/*.parquet")
    later = {"alignment", "clip_crops"}
    assert set(pq.read_schema(path).names) > set(FACES.names) - later


def test_every_commit_is_read(old: Path) -> None:
    commits = Warehouse.open(str(old)).commits()
    assert [commit.job for commit in commits] == ["index", "extract", "score", "nightly", "reduce"]


def test_its_tables_are_read(old: Path) -> None:
    warehouse = Warehouse.open(str(old))
    written = {table for commit in warehouse.commits() for table in commit.tables}
    assert written == set(TABLES) - {"splits", "modalities", "forgotten", "sounds", "decisions"}


def test_its_verdicts_are_the_same(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verdicts", "--warehouse", str(old), "--format", "json"]) == 0
    rows = {row["uri"]: row for row in json.loads(capsys.readouterr().out)}
    assert {uri.removeprefix("/tmp/archive/"): row["p_fake"] for uri, row in rows.items()} == {
        "collins-2-self_blend.mp4": pytest.approx(0.9777996666666666, abs=1e-12),
        "collins-2.mp4": pytest.approx(0.034412333333333336, abs=1e-12),
        "empty.mp4": None,
    }
    assert rows["/tmp/archive/empty.mp4"]["status"] == "empty"


def test_its_runs_are_listed_and_shown(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--warehouse", str(old)]) == 0
    listed = capsys.readouterr().out
    for commit in Warehouse.open(str(old)).commits():
        assert commit.run_id in listed
        assert main(["runs", "show", commit.run_id, "--warehouse", str(old)]) == 0
        assert commit.job in capsys.readouterr().out


@pytest.mark.parametrize("table", FORMER_NAMES)
def test_columns_of_another_name_are_read_under_the_name_of_now(old: Path, table: str) -> None:
    warehouse = Warehouse.open(str(old))
    for commit in warehouse.with_table(table):
        files = STORED.glob(f"runs/{commit.run_id}/table={table}/*.parquet")
        stored = pa.concat_tables(pq.ParquetFile(file).read() for file in sorted(files))
        rows = warehouse.read_run(commit.run_id, table)
        assert rows.schema.equals(TABLES[table])
        for now, then in FORMER_NAMES[table].items():
            values = sorted(rows[now].to_pylist(), key=str)
            assert values == sorted(stored[then].to_pylist(), key=str)
            assert any(value is not None for value in values)
            some = warehouse.read_run(commit.run_id, table, ["video_id", now])
            assert some.column_names == ["video_id", now]
            assert sorted(some[now].to_pylist(), key=str) == values
