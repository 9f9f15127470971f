"""Files, commits and the lock on a real HDFS: two data nodes, one of which dies."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from pyarrow import fs

from framejury.hdfs import Hdfs
from framejury.media.fetch import local_copy
from framejury.storage import Location, create_json, locate, read_json, write_json, write_whole
from framejury.warehouse import Warehouse
from framejury.warehouse.lock import hold, read_lock
from tests.builders import any_file_system
from tests.builders.cluster.yarn import Hadoop

pytestmark = pytest.mark.long

NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)
NAMES = ("a b", "50%20off", "%", "ü✓", "two\nlines", "~odd", "a#b", "who?", "[x]*", "back\\slash")


@pytest.fixture
def place(hadoop: Hadoop) -> Location:
    """An empty folder of its own; its name is no plain word."""
    place = locate(f"{hadoop.hdfs}/test {secrets.token_hex(4)}, 100%25#x")
    place.filesystem.create_dir(place.path, recursive=True)
    return place


# What holds on a local disk and on S3 holds here.
test_created_once = any_file_system.test_created_once
test_a_page_is_written_as_a_whole = any_file_system.test_a_page_is_written_as_a_whole
test_of_many_writers_one_wins = any_file_system.test_of_many_writers_one_wins
test_runs_on_any_file_system = any_file_system.test_runs_on_any_file_system
test_a_run_that_was_overtaken = any_file_system.test_a_run_that_was_overtaken_cannot_commit
test_a_lock_that_was_taken_over = (
    any_file_system.test_a_run_whose_lock_was_taken_over_commits_nothing
)
test_what_a_killed_run_left_goes = any_file_system.test_what_a_killed_run_left_goes_with_the_next


def test_a_rename_whose_answer_was_lost_is_not_a_lost_race(place: Location) -> None:
    record = place.child("00000001.json")
    create_json(record, {"run_id": "mine"})
    create_json(record, {"run_id": "mine"})
    with pytest.raises(FileExistsError):
        create_json(record, {"run_id": "another's"})


def test_a_reader_of_the_lock_never_sees_half_of_it(place: Location) -> None:
    """While its owner renews it as fast as it can."""
    record = place.child("00000001.json")
    write_json(record, {"beat": 0, "filler": "x" * 20_000})
    stop: list[bool] = []

    def renew() -> int:
        beat = 0
        while not stop:
            beat += 1
            write_json(record, {"beat": beat, "filler": "x" * 20_000})
        return beat

    with ThreadPoolExecutor(1) as pool:
        beats = pool.submit(renew)
        try:
            seen = [read_json(record)["beat"] for _ in range(60)]
        finally:
            stop.append(True)
    assert seen == sorted(seen)
    assert 1 < len(set(seen)) <= beats.result() + 1


def test_names_of_any_kind(place: Location) -> None:
    for name in NAMES:
        write_whole(place.child(name), name.encode())
        with local_copy(place.child(name).uri, 1000) as copy:
            assert copy.path.read_bytes() == name.encode()
    infos = place.filesystem.get_file_info(fs.FileSelector(place.path))
    assert sorted(info.base_name for info in infos) == sorted(NAMES)


def test_what_is_not_there(place: Location) -> None:
    filesystem = place.filesystem
    gone = place.child("gone")
    assert filesystem.get_file_info(gone.path).type == fs.FileType.NotFound
    assert filesystem.get_file_info(fs.FileSelector(gone.path, allow_not_found=True)) == []
    for ask in (
        lambda: filesystem.open_input_stream(gone.path),
        lambda: filesystem.delete_file(gone.path),
        lambda: filesystem.delete_dir(gone.path),
        lambda: filesystem.get_file_info(fs.FileSelector(gone.path)),
    ):
        with pytest.raises(FileNotFoundError) as caught:
            ask()
        assert "\tat " not in str(caught.value)  # the name node sends stack traces
    write_whole(place.child("file"), b"x")
    with pytest.raises(OSError, match="directory"):
        filesystem.create_dir(place.child("file", "below").path, recursive=True)


def test_names_of_one_file_system(
    hadoop: Hadoop, place: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(place.child("file"), b"x")
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hadoop.conf))
    for uri in (f"hdfs://{place.path}/file", f"hdfs:{place.path}/file"):
        there = locate(uri)
        assert there.path == f"{place.path}/file"
        assert there.filesystem.get_file_info(there.path).size == 1
    again = locate(hadoop.hdfs).filesystem
    assert again.equals(place.filesystem)
    assert again.handler == Hdfs(None, f"{hadoop.hdfs}/")  # type: ignore[arg-type]


def test_the_lock_is_held_and_taken_over(place: Location) -> None:
    with hold(place, "nightly", NOW, lease_s=0.4):
        state = read_lock(place)
        assert state is not None
        assert not state.released
    with hold(place, "retry", NOW, lease_s=0.4):
        pass
    state = read_lock(place)
    assert state is not None
    assert (state.number, state.job, state.released) == (2, "retry", True)


def test_a_commit_survives_the_loss_of_a_data_node(hadoop: Hadoop, place: Location) -> None:
    warehouse = Warehouse(place.child("warehouse"))
    try:
        for video, dies in (("a", False), ("b", True)):
            with warehouse.running("nightly", NOW) as run:
                any_file_system.write_verdict(warehouse, run, video)
                if dies:
                    hadoop.kill_data_node(0)
                warehouse.commit(run, NOW)
        assert any_file_system.seen(warehouse) == {"a", "b"}
    finally:
        hadoop.settle()
    assert any_file_system.seen(warehouse) == {"a", "b"}
