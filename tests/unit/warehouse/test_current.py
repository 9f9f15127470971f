"""`current/`: what other programs read is the truth, each row once; and so is the documentation."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from framejury.archive.video_rows import video_id_of
from framejury.schemas.exports import CURRENT
from framejury.schemas.tables import TABLES
from framejury.warehouse import Warehouse, current
from tests.builders.documented_warehouse import documented_rows
from tests.builders.judged import MODEL, NOW, merge, night, rows_of, verdict_of, video_row, write

OLD = Path(__file__).resolve().parents[2] / "data" / "old_warehouse"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.open_or_plan(str(tmp_path / "warehouse"))


def files(warehouse: Warehouse) -> Path:
    return Path(warehouse.location.path, "current")


def verdicts(warehouse: Warehouse) -> dict[str, Any]:
    """Path -> score, by pandas."""
    table = pd.read_parquet(files(warehouse) / "verdicts.parquet")
    assert table["path"].is_unique
    return dict(zip(table["path"], table["p_fake"], strict=True))


def faces(warehouse: Warehouse) -> Counter[tuple[str, float]]:
    """(path, score) of each face, by pandas."""
    table = pd.read_parquet(files(warehouse) / "faces.parquet")
    return Counter(zip(table["path"], table["score"].astype(float).round(3), strict=True))


def test_the_files_show_the_latest_verdicts_and_the_faces_behind_them(warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.1, 0.3], "b": [0.8], "c": []})
    night(warehouse, {"a": [0.9]}, listed=["a", "b", "c"])
    assert verdicts(warehouse) == {
        "a": 0.9,
        "b": 0.8,
        "c": pytest.approx(float("nan"), nan_ok=True),
    }
    assert faces(warehouse) == {("a", 0.9): 1, ("b", 0.8): 1}
    for name, schema in CURRENT.items():
        assert pq.read_schema(files(warehouse) / f"{name}.parquet").names == schema.names
    table = pd.read_parquet(files(warehouse) / "faces.parquet").set_index("path")
    assert table.loc["b", ["label", "verdict"]].tolist() == ["FAKE", "fake"]


def test_a_deleted_video_is_in_videos_only(warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.1], "b": [0.8]})
    night(warehouse, {}, listed=["a"], gone=["b"])
    assert verdicts(warehouse) == {"a": 0.1}
    assert faces(warehouse) == {("a", 0.1): 1}
    videos = pd.read_parquet(files(warehouse) / "videos.parquet")
    assert dict(zip(videos["path"], videos["missing_since"].isna(), strict=True)) == {
        **{"a": True, "b": False}
    }


def test_scores_of_another_run_than_the_verdicts_are_found(warehouse: Warehouse) -> None:
    """`score` and `reduce` are two runs; scores of another model and later ones do not count."""
    night(warehouse, {"a": [0.2]})
    scored = rows_of("a", [0.6, 0.7], b"")["face_scores"]
    others = [row | {"model_id": "other", "score": 0.99} for row in scored]
    with warehouse.running("score", NOW) as run:
        write(warehouse, run, "face_scores", [*scored, *others])
        warehouse.commit(run, NOW)
    with warehouse.running("reduce", NOW) as run:
        write(warehouse, run, "verdicts", [verdict_of("a", [0.6, 0.7])])
        warehouse.commit(run, NOW, model_id=MODEL)
    with warehouse.running("score", NOW) as run:
        write(warehouse, run, "face_scores", rows_of("a", [0.4], b"")["face_scores"])
        warehouse.commit(run, NOW)
    assert faces(warehouse) == {("a", 0.6): 1, ("a", 0.7): 1}


def test_scores_before_the_first_verdict_are_in_no_file(warehouse: Warehouse) -> None:
    with warehouse.running("index", NOW) as run:
        write(warehouse, run, "videos", [video_row("a")])
        warehouse.commit(run, NOW)
    with warehouse.running("score", NOW) as run:
        write(warehouse, run, "face_scores", rows_of("a", [0.6], b"")["face_scores"])
        warehouse.commit(run, NOW)
    assert verdicts(warehouse) == {} and faces(warehouse) == {}


def test_merged_files_change_nothing(warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.1], "b": [0.8, 0.9]})
    night(warehouse, {"a": [0.2]}, listed=["a", "b"])
    merge(warehouse, "face_scores", "verdicts")
    before = verdicts(warehouse), faces(warehouse)
    shutil.rmtree(files(warehouse))
    warehouse.refresh_current()
    assert (verdicts(warehouse), faces(warehouse)) == before


@pytest.mark.parametrize("dies_at", ["faces", "videos", "verdicts"])
def test_a_crash_after_the_commit_is_healed(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    night(warehouse, {"a": [0.1]})
    replace = current.write_whole

    def killed(place: Any, content: Any) -> None:
        if place.path.endswith(f"{dies_at}.parquet"):
            raise KeyboardInterrupt
        replace(place, content)

    with monkeypatch.context() as patched:
        patched.setattr(current, "write_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            night(warehouse, {"a": [0.9]})
    assert warehouse.read_latest("verdicts", ["p_fake"])["p_fake"].to_pylist() == [0.9]
    assert verdicts(warehouse) == {"a": 0.1}, "the file was replaced in one step or not at all"
    Warehouse.open(warehouse.location.uri).refresh_current()
    assert (verdicts(warehouse), faces(warehouse)) == ({"a": 0.9}, {("a", 0.9): 1})


def test_a_full_disk_does_not_fail_the_run(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(place: Any, content: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(current, "write_whole", full)
        night(warehouse, {"a": [0.1]})
    assert "No space left" in capsys.readouterr().err
    with warehouse.running("split", NOW) as run:  # any next commit
        warehouse.commit(run, NOW)
    assert verdicts(warehouse) == {"a": 0.1}


def test_what_is_up_to_date_is_not_written_again(warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.1]})
    inode = (files(warehouse) / "faces.parquet").stat().st_ino
    merge(warehouse, "face_scores")
    assert (files(warehouse) / "faces.parquet").stat().st_ino == inode
    (files(warehouse) / "verdicts.parquet").write_bytes(b"torn")
    warehouse.refresh_current()
    assert verdicts(warehouse) == {"a": 0.1}


def test_too_many_faces_are_told(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    night(warehouse, {"a": [0.1, 0.2]})
    shutil.copy(files(warehouse) / "faces.parquet", files(warehouse) / "old")
    (files(warehouse) / "verdicts.parquet").unlink()
    capsys.readouterr()
    current.refresh_current(warehouse, faces_limit=1)
    assert "2 faces are more than one file should hold (1)" in capsys.readouterr().err
    assert not (files(warehouse) / "faces.parquet").exists(), "no old faces beside new verdicts"
    assert verdicts(warehouse) == {"a": pytest.approx(0.15)}


def test_faces_are_read_a_portion_at_a_time(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current, "_PORTION_ROWS", 2)
    night(warehouse, {"a": [0.1, 0.2, 0.3], "b": [0.4]})
    night(warehouse, {"c": [0.5, 0.6]}, listed=["a", "b", "c"])
    assert sorted(faces(warehouse).elements()) == [
        *[("a", 0.1), ("a", 0.2), ("a", 0.3), ("b", 0.4), ("c", 0.5), ("c", 0.6)]
    ]


# ---------------------------------------------------------------- by the documentation alone


def test_the_documentation_alone_gets_every_row_once(warehouse: Warehouse) -> None:
    """Rows of a killed run, of merged files and of files that were merged away are there too."""
    night(warehouse, {"a": [0.1], "b": [0.8, 0.9]})
    night(warehouse, {"a": [0.2]}, listed=["a", "b"])
    merge(warehouse, "face_scores", "verdicts")
    night(warehouse, {"c": [0.5]}, listed=["a", "b", "c"])
    killed = warehouse.begin("nightly", NOW)
    write(warehouse, killed, "face_scores", rows_of("a", [0.7], b"")["face_scores"])
    place = Path(warehouse.location.path)
    ids = {video_id_of(name): name for name in "abc"}
    scores = Counter(
        (ids[row["video_id"]], round(row["score"], 3))
        for row in documented_rows(place, "face_scores")
    )
    assert scores == dict.fromkeys([("a", 0.1), ("b", 0.8), ("b", 0.9), ("a", 0.2), ("c", 0.5)], 1)
    judged = Counter(ids[row["video_id"]] for row in documented_rows(place, "verdicts"))
    assert judged == {"a": 2, "b": 1, "c": 1}


def test_the_documentation_fits_an_old_warehouse(tmp_path: Path) -> None:
    old = Warehouse.open(str(shutil.copytree(OLD, tmp_path / "w")))
    for table in ("videos", "verdicts", "face_scores"):
        rows = documented_rows(Path(old.location.path), table)
        assert len(rows) == sum(commit.tables[table] for commit in old.with_table(table))
        assert set(TABLES[table].names) & set(rows[0])
    old.refresh_current()
    latest = old.read_latest("verdicts", ["p_fake"])["p_fake"].drop_null()
    shown = pd.read_parquet(files(old) / "verdicts.parquet")["p_fake"].dropna()
    assert sorted(shown) == sorted(latest.to_pylist()) != []
    assert len(pd.read_parquet(files(old) / "faces.parquet")) == sum(
        pd.read_parquet(files(old) / "verdicts.parquet")["faces_scored"]
    )
