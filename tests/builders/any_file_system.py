"""What commits and locks do on any file system; a suite with these has a fixture `place`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import fs

from framejury.errors import CommitError, LockError
from framejury.schemas.tables import TABLES
from framejury.storage import Location, create_json, read_json, write_json, write_whole
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts
from framejury.warehouse.lock import read_lock

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)


def test_created_once(place: Location) -> None:
    record = place.child("00000001.json")
    create_json(record, {"by": "a", "number": 1})
    assert read_json(record) == {"by": "a", "number": 1}
    with pytest.raises(FileExistsError):
        create_json(record, {"by": "b"})
    assert read_json(record) == {"by": "a", "number": 1}
    names = [i.base_name for i in place.filesystem.get_file_info(fs.FileSelector(place.path))]
    assert names == ["00000001.json"]  # no draft is left
    write_json(record, {"by": "a", "number": 2})
    assert read_json(record) == {"by": "a", "number": 2}


def test_a_page_is_written_as_a_whole(place: Location) -> None:
    page = place.child("new folder", "page.html")
    for content in (b"first", b"second" * 1000):
        write_whole(page, content)
        with page.filesystem.open_input_stream(page.path) as stream:
            assert stream.read() == content
    folder = fs.FileSelector(place.child("new folder").path)
    assert [i.base_name for i in place.filesystem.get_file_info(folder)] == ["page.html"]


def test_of_many_writers_one_wins(place: Location) -> None:
    for number in range(5):
        record = place.child(f"{number:08d}.json")

        def write(writer: int, record: Location = record) -> bool:
            try:
                create_json(record, {"writer": writer})
            except FileExistsError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(write, range(8)))
        assert sum(won) == 1
        assert read_json(record) == {"writer": won.index(True)}


def verdict(video: str, run_id: str) -> dict[str, Any]:
    return {
        "video_id": video,
        "run_id": run_id,
        "model_id": "m",
        "status": "scored",
        "verdict": "real",
        "p_fake": 0.25,
        "faces_scored": 1,
        "frames_scored": 1,
        "persons": 1,
        "threshold": 0.5,
        "reducer": "mean",
    }


def write_verdict(warehouse: Warehouse, run: Any, video: str) -> None:
    rows = pa.Table.from_pylist([verdict(video, run.run_id)], schema=TABLES["verdicts"])
    warehouse.write(run, "verdicts", rows)


def test_runs_on_any_file_system(place: Location) -> None:
    warehouse = Warehouse(place.child("warehouse"))
    for video in ("a", "b"):
        with warehouse.running("nightly", NOW) as run:
            with pytest.raises(LockError), Warehouse(warehouse.location).running("extract", NOW):
                pass
            write_verdict(warehouse, run, video)
            assert video not in seen(warehouse)
            warehouse.commit(run, NOW, facts=CommitFacts(videos_run=video))
        assert video in seen(warehouse)
    state = read_lock(warehouse.location)
    assert state is not None
    assert (state.number, state.released) == (2, True)
    assert [commit.facts.videos_run for commit in warehouse.commits()] == ["a", "b"]


def seen(warehouse: Warehouse) -> set[str]:
    """Videos whose verdicts a reader that comes now finds."""
    reader = Warehouse(warehouse.location)
    if not reader.with_table("verdicts"):
        return set()
    return set(reader.read_latest("verdicts")["video_id"].to_pylist())


def test_a_run_that_was_overtaken_cannot_commit(place: Location) -> None:
    """As of a driver that slept while another took its lock over: nothing is published twice."""
    warehouse = Warehouse(place.child("warehouse"))
    slept = warehouse.begin("nightly", NOW)
    write_verdict(warehouse, slept, "a")
    with Warehouse(warehouse.location).running("nightly", NOW) as faster:
        write_verdict(warehouse, faster, "a")
        Warehouse(warehouse.location).commit(faster, NOW)
    with pytest.raises(CommitError, match="another run was committed"):
        warehouse.commit(slept, NOW)
    assert [commit.run_id for commit in warehouse.commits()] == [faster.run_id]


def test_a_run_whose_lock_was_taken_over_commits_nothing(place: Location) -> None:
    """Before the one that took it has committed anything."""
    warehouse = Warehouse(place.child("warehouse"))
    with pytest.raises(LockError, match="took over this warehouse"):  # noqa: SIM117
        with warehouse.running("nightly", NOW) as run:
            write_verdict(warehouse, run, "a")
            create_json(warehouse.location.child("lock", "00000002.json"), {"by": "another"})
            warehouse.commit(run, NOW)
    assert Warehouse(warehouse.location).commits() == []


def test_what_a_killed_run_left_goes_with_the_next(place: Location) -> None:
    warehouse = Warehouse(place.child("warehouse"))
    killed = warehouse.begin("nightly", NOW)
    write_verdict(warehouse, killed, "a")
    assert [left.path for left in warehouse.abandoned()] == [killed.location.path]
    with warehouse.running("nightly", NOW) as run:
        assert [left.path for left in warehouse.abandoned()] == [run.location.path]
        write_verdict(warehouse, run, "b")
        warehouse.commit(run, NOW)
    assert warehouse.abandoned() == []
    assert seen(warehouse) == {"b"}
