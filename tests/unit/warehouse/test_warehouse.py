"""Runs and commits: what is seen, by whom, from when on."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from framejury.errors import CommitError, WarehouseError
from framejury.schemas.tables import TABLES
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit, CommitFacts, Run

NOW = datetime(2024, 5, 17, 2, 30, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.open_or_plan(str(tmp_path / "warehouse"))


def verdict(video: str, run_id: str, p_fake: float | None) -> dict[str, Any]:
    return {
        "video_id": video,
        "run_id": run_id,
        "model_id": "m",
        "status": "scored",
        "verdict": "real",
        "p_fake": p_fake,
        "faces_scored": 1,
        "frames_scored": 1,
        "persons": 1,
        "threshold": 0.5,
        "reducer": "mean",
    }


def split_row(video: str, run_id: str) -> dict[str, Any]:
    return {"video_id": video, "run_id": run_id, "group": "g", "label": "REAL", "side": "train"}


def write(warehouse: Warehouse, run: Run, table: str, rows: list[dict[str, Any]]) -> None:
    warehouse.write(run, table, pa.Table.from_pylist(rows, schema=TABLES[table]))


def judge(warehouse: Warehouse, **scores: float) -> Commit:
    with warehouse.running("reduce", NOW) as run:
        write(warehouse, run, "verdicts", [verdict(v, run.run_id, p) for v, p in scores.items()])
        return warehouse.commit(run, NOW)


def latest(warehouse: Warehouse) -> dict[str, float]:
    rows = warehouse.read_latest("verdicts").to_pylist()
    assert len(rows) == len({row["video_id"] for row in rows})
    return {row["video_id"]: row["p_fake"] for row in rows}


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# ---------------------------------------------------------------- commits


def test_nothing_is_seen_before_the_commit(warehouse: Warehouse) -> None:
    run = warehouse.begin("reduce", NOW)
    write(warehouse, run, "verdicts", [verdict("a", run.run_id, 0.25)])
    assert warehouse.commits() == []
    with pytest.raises(WarehouseError, match="no verdicts yet"):
        warehouse.read_latest("verdicts")
    assert warehouse.parquet_files("verdicts") == []
    warehouse.commit(run, NOW)
    assert latest(warehouse) == {"a": 0.25}
    assert len(warehouse.parquet_files("verdicts")) == 1


def test_a_commit_is_read_back_as_it_was_made(warehouse: Warehouse) -> None:
    with warehouse.running("nightly", NOW) as run:
        write(warehouse, run, "splits", [split_row(v, run.run_id) for v in "abc"])
        made = warehouse.commit(
            run,
            NOW,
            archive="/data/ü x",
            model_id="m",
            settings={"index": {"extensions": ["mp4"]}},
            facts=CommitFacts(seconds={"index": 1.5}),
        )
    assert warehouse.commits() == [made]
    assert (made.sequence, made.job, made.tables) == (1, "nightly", {"splits": 3})
    assert made.created_at == "2024-05-17T02:30:00+00:00"
    assert made.run_id.startswith("20240517T023000Z-")
    assert Warehouse.open(warehouse.location.uri).commits() == [made]


def test_sequences_count_up(warehouse: Warehouse) -> None:
    commits = [judge(warehouse, a=number / 20) for number in range(12)]
    assert [commit.sequence for commit in commits] == list(range(1, 13))
    assert warehouse.commits() == commits
    assert len({commit.run_id for commit in commits}) == 12  # within one second


def test_a_failed_run_leaves_nothing(warehouse: Warehouse) -> None:
    judge(warehouse, a=0.5)
    before = files_below(Path(warehouse.location.path))
    with pytest.raises(KeyboardInterrupt), warehouse.running("reduce", NOW) as run:
        write(warehouse, run, "verdicts", [verdict("b", run.run_id, 0.1)])
        raise KeyboardInterrupt
    after = files_below(Path(warehouse.location.path))
    assert [name for name in after if not name.startswith("lock/")] == [
        name for name in before if not name.startswith("lock/")
    ]
    assert latest(warehouse) == {"a": 0.5}


def test_a_run_that_fails_after_its_commit_stays(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.running("reduce", NOW) as run:
        write(warehouse, run, "verdicts", [verdict("a", run.run_id, 0.5)])
        warehouse.commit(run, NOW)
        raise ZeroDivisionError
    assert latest(warehouse) == {"a": 0.5}


def test_the_first_fault_is_told_not_that_of_the_clean_up(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.running("reduce", NOW) as run:
        run.location.filesystem.delete_dir(run.location.path)
        raise ZeroDivisionError


@pytest.mark.parametrize("runners", [2, 8])
def test_of_those_who_race_for_one_commit_one_wins(
    warehouse: Warehouse, runners: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the lock, which lets only one begin: the commit itself decides."""
    judge(warehouse, a=0.5)
    together = threading.Barrier(runners)
    rows_written = Warehouse.rows_written

    def wait_for_all(self: Warehouse, run: Run) -> dict[str, int]:
        """Between reading the last sequence and taking the next."""
        counts = rows_written(self, run)
        together.wait(20)
        return counts

    monkeypatch.setattr(Warehouse, "rows_written", wait_for_all)
    outcomes: list[Commit | CommitError] = []

    def work(number: int) -> None:
        run = warehouse.begin("reduce", NOW)
        try:
            write(warehouse, run, "verdicts", [verdict(f"v{number}", run.run_id, 0.5)])
            outcomes.append(warehouse.commit(run, NOW))
        except CommitError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(runners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [one for one in outcomes if isinstance(one, Commit)]
    lost = [one for one in outcomes if isinstance(one, CommitError)]
    assert (len(won), len(lost)) == (1, runners - 1)
    assert won[0].sequence == 2
    assert all("another run was committed" in str(error) for error in lost)
    assert [commit.run_id for commit in warehouse.commits()][1:] == [won[0].run_id]
    root = Path(warehouse.location.path)
    assert sorted(path.name for path in (root / "commits").iterdir()) == [
        "00000001.json",
        "00000002.json",
    ]
    assert len(warehouse.abandoned()) == runners - 1
    with warehouse.locked("reduce", NOW):
        assert len(list((root / "runs").iterdir())) == 2  # the next run takes the losers' away


def test_processes_race_too(warehouse: Warehouse) -> None:
    """Each commits ten times; a lost race is tried again; every commit is there, once."""
    code = """
import sys
from datetime import UTC, datetime
from framejury.errors import CommitError
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts
warehouse = Warehouse.open_or_plan(sys.argv[1])
sys.stdin.readline()
done = 0
while done < 10:
    run = warehouse.begin("race", datetime.now(UTC))
    try:
        facts = CommitFacts(videos_run=sys.argv[2], compared=done)
        warehouse.commit(run, datetime.now(UTC), facts=facts)
        done += 1
    except CommitError:
        pass
"""
    uri = warehouse.location.uri
    racers = [
        subprocess.Popen([sys.executable, "-c", code, uri, name], stdin=subprocess.PIPE)
        for name in "ab"
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(b"\n")
        racer.stdin.flush()
    assert [racer.wait(60) for racer in racers] == [0, 0]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
    commits = warehouse.commits()
    assert [commit.sequence for commit in commits] == list(range(1, 21))
    for name in "ab":
        done = [c.facts.compared for c in commits if c.facts.videos_run == name]
        assert done == list(range(10))


# ---------------------------------------------------------------- reading


def test_latest_is_the_newest_row_of_each_video(warehouse: Warehouse) -> None:
    judge(warehouse, a=0.1, b=0.1, c=0.1)
    judge(warehouse, b=0.2)
    judge(warehouse, c=0.3, d=0.3)
    assert latest(warehouse) == {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.3}
    columns = warehouse.read_latest("verdicts", ["p_fake"]).column_names
    assert columns == ["video_id", "p_fake"]


def test_a_snapshot_is_the_last_run_alone(warehouse: Warehouse) -> None:
    for videos in ("abc", "bd"):
        with warehouse.running("split", NOW) as run:
            write(warehouse, run, "splits", [split_row(v, run.run_id) for v in videos])
            warehouse.commit(run, NOW)
    judge(warehouse, a=0.5)
    assert warehouse.read_snapshot("splits")["video_id"].to_pylist() == ["b", "d"]


def test_an_empty_run_hides_nothing(warehouse: Warehouse) -> None:
    judge(warehouse, a=0.1)
    judge(warehouse)
    assert warehouse.commits()[-1].tables == {"verdicts": 0}
    assert latest(warehouse) == {"a": 0.1}


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_missing_table_says_which_command_makes_it(warehouse: Warehouse, table: str) -> None:
    warehouse.begin("index", NOW)
    with pytest.raises(WarehouseError, match=f"has no {table} yet; run: framejury ") as caught:
        warehouse.read_snapshot(table)
    assert warehouse.location.uri in str(caught.value)


def test_rows_of_the_wrong_type_are_not_written(warehouse: Warehouse) -> None:
    run = warehouse.begin("reduce", NOW)
    with pytest.raises((pa.ArrowInvalid, ValueError, KeyError)):
        warehouse.write(run, "verdicts", pa.table({"video_id": ["a"]}))


def test_what_spark_leaves_beside_its_files_is_not_read(warehouse: Warehouse) -> None:
    with warehouse.running("reduce", NOW) as run:
        write(warehouse, run, "verdicts", [verdict("a", run.run_id, 0.5)])
        folder = Path(warehouse.table_location(run.run_id, "verdicts").path)
        (folder / "_SUCCESS").write_bytes(b"")
        (folder / ".part-0.parquet.crc").write_bytes(b"crc")
        (folder / "_temporary").mkdir()
        (folder / "_temporary" / "part-1.parquet").write_bytes(b"half written")
        commit = warehouse.commit(run, NOW)
    assert commit.tables == {"verdicts": 1}
    assert latest(warehouse) == {"a": 0.5}


# ---------------------------------------------------------------- places


@pytest.mark.parametrize(
    "name", ["with space", "ü ✓", "50%20", "_under", ".hidden", "table=verdicts", "a/b/c", "x#y?z"]
)
def test_any_name(tmp_path: Path, name: str) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / name))
    judge(warehouse, a=0.5)
    again = Warehouse.open(f"file://{tmp_path / name}/")
    assert latest(again) == {"a": 0.5}
    assert (tmp_path / name / "framejury.json").is_file()
    place = again.write_report("r", {"report.txt": b"hello"})
    assert (tmp_path / name / "reports/r/report.txt").read_bytes() == b"hello"
    assert place.path == str(tmp_path / name / "reports/r")


def test_planning_writes_nothing(tmp_path: Path) -> None:
    Warehouse.open_or_plan(str(tmp_path / "deep" / "warehouse"))
    assert files_below(tmp_path) == []
    (tmp_path / "empty").mkdir()
    Warehouse.open_or_plan(str(tmp_path / "empty"))
    assert files_below(tmp_path) == ["empty"]


def test_a_folder_of_something_else_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WarehouseError, match="neither empty nor a warehouse"):
        Warehouse.open_or_plan(str(tmp_path))
    assert files_below(tmp_path) == ["thesis.txt"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for place in (taken, taken / "below", taken / "deep" / "below"):
        with pytest.raises(WarehouseError, match="taken"):
            Warehouse.open_or_plan(str(place))
        with pytest.raises(WarehouseError, match="no warehouse"):
            Warehouse.open(str(place))
    assert taken.read_text() == "mine"


def test_a_folder_we_may_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framejury.warehouse.marker.os.access", lambda place, mode: False)
    with pytest.raises(WarehouseError, match="cannot write below"):
        Warehouse.open_or_plan(str(tmp_path / "new"))
    assert files_below(tmp_path) == []


def test_a_disk_that_fails_is_a_warehouse_error(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(place: object, content: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("framejury.warehouse.marker.write_json", full)
    with pytest.raises(WarehouseError, match="No space left"):
        warehouse.begin("index", NOW)


def test_open_needs_a_warehouse(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="framejury nightly ARCHIVE --warehouse"):
        Warehouse.open(str(tmp_path))
    with pytest.raises(WarehouseError, match="nosuch"):
        Warehouse.open("nosuch://host/x")
    assert files_below(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format_version": 2, "framejury": "9"}', "format 2"),
        ("{}", "format None"),
        ("[1]", "not a JSON object"),
        ('{"format_ver', "cannot read"),
        ("", "cannot read"),
    ],
)
def test_another_format_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "framejury.json").write_text(text)
    for opening in (Warehouse.open, Warehouse.open_or_plan):
        with pytest.raises(WarehouseError, match=words):
            opening(str(tmp_path))


@pytest.mark.parametrize("text", ["{half", '{"sequence": 1}', '{"color": "red"}', "null"])
def test_a_damaged_commit_record_is_named(warehouse: Warehouse, text: str) -> None:
    judge(warehouse, a=0.5)
    (Path(warehouse.location.path) / "commits" / "00000002.json").write_text(text)
    with pytest.raises(WarehouseError, match=r"00000002\.json"):
        warehouse.commits()


def test_a_commit_record_is_plain_json(warehouse: Warehouse) -> None:
    judge(warehouse, a=0.5)
    record = json.loads((Path(warehouse.location.path) / "commits/00000001.json").read_text())
    assert record["tables"] == {"verdicts": 1}


def test_a_warehouse_that_another_run_is_making_is_no_strangers_folder(tmp_path: Path) -> None:
    """The marker's draft, and what a run makes before it."""
    for name in ("lock", "commits", "runs"):
        (tmp_path / name).mkdir()
    (tmp_path / ".framejury.json.0a1b2c3d").write_text("{}")
    Warehouse.open_or_plan(str(tmp_path))
    (tmp_path / ".framejury.jsonx").write_text("{}")
    with pytest.raises(WarehouseError, match="neither empty"):
        Warehouse.open_or_plan(str(tmp_path))
