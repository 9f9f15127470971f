"""The step that publishes: exclusive creation on a local disk and an object store.

tests/cluster/test_hdfs.py runs those of any file system on HDFS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from framejury.errors import CommitError, LockError, UsageError, WarehouseError
from framejury.schemas.tables import TABLES
from framejury.storage import Location, create_json, locate, read_json, write_json, write_whole
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts, Merged
from framejury.warehouse.lock import read_lock

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
BUCKET = "archive-of-tests"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A real HTTP server that speaks S3, with conditional puts."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    given = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in given}
    os.environ |= given
    try:
        boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket=BUCKET)
        yield f"s3a://{BUCKET}"
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        server.stop()


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """A folder of its own on each kind of file system; its name is no plain word."""
    if request.param == "local":
        place = locate(str(tmp_path / "a folder, 100%25"))
    else:
        place = locate(f"{request.getfixturevalue('s3')}/{tmp_path.name}/a folder, 100%25")
    place.filesystem.create_dir(place.path, recursive=True)
    return place


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


def test_a_page_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    class FullDisk(fs.LocalFileSystem):
        def move(self, src: str, dest: str) -> None:
            raise OSError("no space left on device")

    page = Location(
        FullDisk(), str(tmp_path / "page.html"), f"hdfs://name:8020{tmp_path}/page.html"
    )
    with pytest.raises(OSError, match="no space"):
        write_whole(page, b"all of it")
    assert not (tmp_path / "page.html").exists()


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


def test_a_put_whose_answer_was_lost_is_not_a_lost_race(s3: str) -> None:
    """The client library sends it again and then finds its own record."""
    folder = locate(f"{s3}/lost")
    record = folder.child("00000001.json")
    create_json(record, {"run_id": "mine"})
    create_json(record, {"run_id": "mine"})
    with pytest.raises(FileExistsError):
        create_json(record, {"run_id": "another's"})


def test_an_unknown_file_system_is_refused(tmp_path: Path) -> None:
    place = Location(fs.LocalFileSystem(), str(tmp_path / "x"), "ftp://host/x")
    with pytest.raises(UsageError, match="cannot create files atomically"):
        create_json(place, {})
    assert not (tmp_path / "x").exists()


def test_a_bucket_that_is_not_there(s3: str) -> None:
    place = locate("s3://no-such-bucket-here/x.json")
    with pytest.raises(OSError, match="cannot write"):
        create_json(place, {})


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


def test_a_first_run_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    with pytest.raises(ZeroDivisionError), warehouse.locked("nightly", NOW):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_first_run_that_was_killed_does_not_block_the_next(tmp_path: Path) -> None:
    uri = str(tmp_path / "warehouse")
    (tmp_path / "warehouse" / "lock").mkdir(parents=True)
    with Warehouse.open_or_plan(uri).running("nightly", NOW):
        pass
    (tmp_path / "other" / "photos").mkdir(parents=True)
    with pytest.raises(WarehouseError, match="neither empty nor a warehouse"):
        Warehouse.open_or_plan(str(tmp_path / "other"))


def test_merged_rows_are_found_and_the_old_ones_go_a_day_later(tmp_path: Path) -> None:
    warehouse = Warehouse(locate(str(tmp_path / "warehouse")))
    run_ids = []
    for video in ("a", "b", "c"):
        with warehouse.running("nightly", NOW) as run:
            write_verdict(warehouse, run, video)
            warehouse.commit(run, NOW)
            run_ids.append(run.run_id)
    with warehouse.running("merge", NOW) as run:
        rows = [verdict(v, r) for v, r in zip("ab", run_ids[:2], strict=True)]
        folder = Path(run.location.path, "merged", "table=verdicts")
        folder.mkdir(parents=True)
        pa.parquet.write_table(
            pa.Table.from_pylist(rows, schema=TABLES["verdicts"]), folder / "part-0.parquet"
        )
        run.merged["verdicts"] = Merged(
            f"runs/{run.run_id}/merged/table=verdicts", tuple(run_ids[:2])
        )
        warehouse.commit(run, NOW)
    assert seen(warehouse) == {"a", "b", "c"}
    first = warehouse.read_run(run_ids[0], "verdicts")["video_id"].to_pylist()
    assert first == ["a"]  # not its neighbour in the merged file
    assert len(warehouse.parquet_files("verdicts")) == 2
    own = [warehouse.table_location(run_id, "verdicts").path for run_id in run_ids]
    for later, there in ((timedelta(hours=23), [True] * 3), (timedelta(days=2), [False] * 2)):
        with warehouse.locked("nightly", NOW + later):
            pass
        assert [Path(path).exists() for path in own][: len(there)] == there
    assert Path(own[2]).exists()
    assert seen(Warehouse.open(warehouse.location.uri)) == {"a", "b", "c"}
    record = json.loads(Path(tmp_path, "warehouse", "commits", "00000004.json").read_text())
    assert record["tables"] == {}
