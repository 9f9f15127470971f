"""`framejury publish`: what it brings up to date, where to, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from framejury.cli.main import main
from framejury.settings import PublishSettings, Settings
from framejury.warehouse import Warehouse
from tests.builders.judged import NOW, night, video_row, write

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    place = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    night(place, {"a.mp4": [0.9], "b.mp4": [0.1]})
    return place


def publish(warehouse: Warehouse, *words: str) -> int:
    return main(["publish", "--warehouse", warehouse.location.uri, *words])


def test_it_publishes_what_is_missing(
    warehouse: Warehouse, tmp_path: Path, capsys: Capture
) -> None:
    to = f"--set=publish.delta={tmp_path / 'delta'}"
    assert publish(warehouse, to) == 0
    assert "Delta Lake" in (told := capsys.readouterr().err) and "1 run published" in told
    night(warehouse, {"a.mp4": [0.2]}, listed=["a.mp4", "b.mp4"])
    night(warehouse, {"b.mp4": [0.3]}, listed=["a.mp4", "b.mp4"])
    assert publish(warehouse, to) == 0
    assert "2 runs published" in capsys.readouterr().err
    assert publish(warehouse, to) == 0
    assert "0 runs published" in capsys.readouterr().err
    assert len(DeltaTable(str(tmp_path / "delta" / "run_verdicts")).to_pyarrow_table()) == 4


def test_without_settings_it_takes_those_of_the_runs(
    warehouse: Warehouse, tmp_path: Path, capsys: Capture
) -> None:
    assert publish(warehouse) == 2
    assert "--set publish.delta=FOLDER" in capsys.readouterr().err
    used = Settings(publish=PublishSettings(delta=str(tmp_path / "nightly")))
    with warehouse.running("nightly", NOW) as run:
        write(warehouse, run, "videos", [video_row("a.mp4")])
        warehouse.commit(run, NOW, settings=used.model_dump(mode="json"))
    assert publish(warehouse) == 0
    assert len(DeltaTable(str(tmp_path / "nightly" / "runs")).to_pyarrow_table()) == 2


def test_a_target_that_fails_is_an_error_here(
    warehouse: Warehouse, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "file").write_text("no folder")
    assert publish(warehouse, f"--set=publish.delta={tmp_path / 'file' / 'delta'}") == 1
    assert "Delta Lake could not be brought up to date" in capsys.readouterr().err


def test_a_run_in_progress_is_not_disturbed(
    warehouse: Warehouse, tmp_path: Path, capsys: Capture
) -> None:
    with warehouse.running("nightly", NOW):
        assert publish(warehouse, f"--set=publish.delta={tmp_path / 'delta'}") == 1
    assert "is in use by" in capsys.readouterr().err
    assert not (tmp_path / "delta").exists()
