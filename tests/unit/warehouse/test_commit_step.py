"""The step that publishes: exclusive creation on a local disk and an object store.

tests/cluster/test_hdfs.py runs those of any file system on HDFS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from framejury.errors import UsageError, WarehouseError
from framejury.schemas.tables import TABLES
from framejury.storage import Location, create_json, locate, write_whole
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Merged
from tests.builders import any_file_system
from tests.builders.any_file_system import NOW, seen, verdict, write_verdict

test_created_once = any_file_system.test_created_once
test_a_page_is_written_as_a_whole = any_file_system.test_a_page_is_written_as_a_whole
test_of_many_writers_one_wins = any_file_system.test_of_many_writers_one_wins
test_runs_on_any_file_system = any_file_system.test_runs_on_any_file_system
test_a_run_that_was_overtaken = any_file_system.test_a_run_that_was_overtaken_cannot_commit
test_a_lock_that_was_taken_over = (
    any_file_system.test_a_run_whose_lock_was_taken_over_commits_nothing
)
test_what_a_killed_run_left_goes = any_file_system.test_what_a_killed_run_left_goes_with_the_next

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
