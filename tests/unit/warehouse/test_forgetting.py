"""A forgotten video: nothing below the warehouse shows it, and nothing else is touched."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framejury.archive.video_rows import video_id_of
from framejury.errors import LockError
from framejury.schemas.tables import FACE_TABLES, TABLES
from framejury.warehouse import Warehouse, forgetting
from framejury.warehouse.forgetting import allow, erase, forget
from tests.builders.judged import NOW, merge, night, rows_of, video_row, write

ME, OTHER = "folder/me & you.mp4", "folder/other.mp4"
MY_ID = video_id_of(ME)
FACE, OTHERS = b"the bytes of my face", b"the bytes of another face"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """Two nights judged me, their small files were merged, and a third night judged me again."""
    place = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    night(place, {ME: [0.9, 0.8], OTHER: [0.1]}, crop=FACE)
    night(place, {ME: [0.7]}, listed=[ME, OTHER], crop=FACE)
    merge(place, "face_scores", "pictures", "extractions")
    night(place, {ME: [0.6], OTHER: [0.2]}, crop=FACE)
    pages(place)
    return place


def pages(warehouse: Warehouse) -> None:
    """Write evidence pages, a report that lists both videos, one without me, an inspection."""
    picture = '<img src="data:image/jpeg;base64,AAAA" alt="face">'
    mine = f'<tr data-video="{MY_ID}">{picture}<bdi>folder/me &amp; you.mp4</bdi></tr>'
    other = f'<tr data-video="{video_id_of(OTHER)}">{picture}<bdi>{OTHER}</bdi></tr>'
    root = Path(warehouse.location.path)
    for name, text in {
        f"evidence/run/{MY_ID}.html": picture,
        f"evidence/run/{video_id_of(OTHER)}.html": picture,
        "reports/run/report.html": mine + other,
        "reports/old/report.html": f"<p><bdi>folder/me &amp; you.mp4</bdi></p>{picture}",
        "reports/run/verdicts-0002.html": other,
        "inspections/then/inspect.html": "<bdi>folder/me &amp; you.mp4</bdi>",
        "inspections/then/contact-sheet.jpg": "my face",
        "inspections/else/inspect.html": f"<bdi>{OTHER}</bdi>",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")


def shown(warehouse: Warehouse) -> dict[str, Counter[str]]:
    """Table -> rows by video, of every Parquet file below the warehouse that shows faces."""
    found: dict[str, Counter[str]] = {}
    for path in Path(warehouse.location.path).rglob("*.parquet"):
        table = "faces" if path.parent.name == "current" else path.parent.name[6:]
        if table in FACE_TABLES and path.name not in ("videos.parquet", "verdicts.parquet"):
            ids = pq.read_table(path)["video_id"].to_pylist()
            found.setdefault(str(path.parent.name), Counter()).update(ids)
    return found


def bytes_of(warehouse: Warehouse) -> bytes:
    """Every column of bytes in every Parquet file, decompressed."""
    parts = []
    for path in Path(warehouse.location.path).rglob("*.parquet"):
        for column in pq.read_table(path).columns:
            if pa.types.is_binary(column.type):
                parts += [value or b"" for value in column.to_pylist()]
    return b"\n".join(parts)


def kept(warehouse: Warehouse, video_id: str) -> dict[str, list[dict[str, Any]]]:
    """Every committed row of a video, by table."""
    return {
        table: [
            row
            for commit in warehouse.with_table(table)
            for row in warehouse.read_run(commit.run_id, table).to_pylist()
            if row["video_id"] == video_id and row["run_id"] == commit.run_id
        ]
        for table in sorted(set(TABLES) - {"forgotten"})
    }


def test_nothing_shows_the_video_any_more(warehouse: Warehouse) -> None:
    other = kept(warehouse, video_id_of(OTHER))
    assert all(MY_ID in rows for rows in shown(warehouse).values()) and FACE in bytes_of(warehouse)
    erased = forget(warehouse, [video_row(ME)], NOW, "asked to")
    assert all(MY_ID not in rows for rows in shown(warehouse).values())
    # Two nights' rows lie in the old files and in the merged ones; the third night's in one place.
    assert erased.rows == {"faces": 4, "face_scores": 3 + 4, "pictures": 3 + 4}
    assert erased.size_bytes > 0
    assert kept(warehouse, video_id_of(OTHER)) == other
    verdicts = kept(warehouse, MY_ID)["verdicts"]
    assert [row["verdict"] for row in verdicts] == ["fake"] * 3, "verdicts stay on record"


def test_its_bytes_are_gone(tmp_path: Path) -> None:
    place = Warehouse.open_or_plan(str(tmp_path / "w"))
    night(place, {ME: [0.9]}, crop=FACE)
    night(place, {OTHER: [0.9]}, listed=[ME, OTHER], crop=OTHERS)
    forget(place, [video_row(ME)], NOW)
    assert FACE not in bytes_of(place) and OTHERS in bytes_of(place)


def test_pages_lose_it(warehouse: Warehouse) -> None:
    root = Path(warehouse.location.path)
    erased = forget(warehouse, [video_row(ME)], NOW)
    assert (erased.pages, erased.reports) == (3, 2)
    left = {
        str(path.relative_to(root))
        for name in ("evidence", "inspections")
        for path in (root / name).rglob("*.*")
    }
    assert left == {f"evidence/run/{video_id_of(OTHER)}.html", "inspections/else/inspect.html"}
    for name in ("run", "old"):
        page = (root / f"reports/{name}/report.html").read_text("utf-8")
        assert "base64" not in page and "me &amp; you" in page
    assert "base64" in (root / "reports/run/verdicts-0002.html").read_text("utf-8")


def test_readers_know_only_what_came_later(warehouse: Warehouse) -> None:
    forget(warehouse, [video_row(ME)], NOW, "asked to")
    for table in ("verdicts", "extractions"):
        assert warehouse.read_latest(table)["video_id"].to_pylist() == [video_id_of(OTHER)]
    current = Path(warehouse.location.path, "current")
    assert pq.read_table(current / "verdicts.parquet")["path"].to_pylist() == [OTHER]
    (stone,) = warehouse.forgotten().values()
    assert (stone.video_id, stone.path, stone.reason, stone.at) == (MY_ID, ME, "asked to", NOW)
    assert " on " in stone.by


def test_a_second_time_removes_nothing(warehouse: Warehouse) -> None:
    forget(warehouse, [video_row(ME)], NOW, "first")
    commits = len(warehouse.commits())
    again = forget(warehouse, [video_row(ME)], NOW, "second")
    assert (again.rows, again.pages, again.reports, again.size_bytes) == ({}, 0, 0, 0)
    assert len(warehouse.commits()) == commits
    assert warehouse.forgotten()[MY_ID].reason == "first"


@pytest.mark.parametrize("files", [0, 1, 8, 12])
def test_killed_between_two_files_it_goes_on(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    """Readers see nothing of the video from the first step on, whatever is left on the disk."""
    other = kept(warehouse, video_id_of(OTHER))
    replace: Callable[..., None] = forgetting.write_whole
    left = [files]

    def killed(place: Any, content: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        replace(place, content)

    with monkeypatch.context() as patched:
        patched.setattr(forgetting, "write_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            forget(warehouse, [video_row(ME)], NOW)
    assert MY_ID in warehouse.forgotten()
    assert warehouse.read_latest("verdicts")["video_id"].to_pylist() == [video_id_of(OTHER)]
    # Another day; a night may have run in between.
    later = Warehouse.open(warehouse.location.uri)
    forget(later, [video_row(ME)], NOW)
    assert all(MY_ID not in rows for rows in shown(later).values())
    assert not list(Path(later.location.path, "evidence").rglob(f"{MY_ID}*"))
    assert kept(later, video_id_of(OTHER)) == other


def test_killed_for_real_while_a_file_is_written(warehouse: Warehouse) -> None:
    """SIGKILL leaves a draft; it is not read, and it is gone after the next call."""
    program = (
        "import os, sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from framejury.warehouse import Warehouse, forgetting\n"
        "def die(place, content):\n"
        "    folder, _, name = place.path.rpartition('/')\n"
        "    Path(folder, f'.{name}.0123').write_bytes(content.read()[:99])\n"
        "    os.kill(os.getpid(), 9)\n"
        "forgetting.write_whole = die\n"
        "video = {'video_id': sys.argv[2], 'path': sys.argv[3]}\n"
        "forgetting.forget(Warehouse.open(sys.argv[1]), [video], datetime.now(UTC))\n"
    )
    command = [sys.executable, "-c", program, warehouse.location.path, MY_ID, ME]
    assert subprocess.run(command, check=False).returncode == -9
    root = Path(warehouse.location.path)
    assert len(list(root.glob("runs/**/.*.parquet.0123"))) == 1
    forget(warehouse, [video_row(ME)], NOW)  # takes over the lock of the dead process
    assert not list(root.glob("runs/**/.*.parquet.0123"))
    assert all(MY_ID not in rows for rows in shown(warehouse).values())


def test_a_run_in_progress_is_left_alone(warehouse: Warehouse) -> None:
    before = shown(warehouse)
    other = Warehouse.open(warehouse.location.uri)
    with warehouse.running("nightly", NOW), pytest.raises(LockError, match="is in use by"):
        forget(other, [video_row(ME)], NOW)
    assert shown(warehouse) == before and not warehouse.forgotten()


def test_what_is_allowed_again_counts_from_then_on(warehouse: Warehouse) -> None:
    forget(warehouse, [video_row(ME)], NOW)
    allow(warehouse, [video_row(ME)], NOW)
    assert not warehouse.forgotten()
    assert MY_ID not in warehouse.read_latest("verdicts")["video_id"].to_pylist()
    night(warehouse, {ME: [0.3]}, listed=[ME, OTHER])
    assert MY_ID in warehouse.read_latest("verdicts")["video_id"].to_pylist()
    erased = forget(warehouse, [video_row(OTHER)], NOW)
    assert erased.rows and shown(warehouse)["table=faces"] == {MY_ID: 1}, "judged again, so kept"


def test_an_interrupted_removal_is_finished_before_it_is_undone(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(forgetting, "erase", lambda warehouse: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            forget(warehouse, [video_row(ME)], NOW)
    assert FACE in bytes_of(warehouse)
    allow(warehouse, [video_row(ME)], NOW)
    assert all(MY_ID not in rows for rows in shown(warehouse).values())


def test_a_stale_checksum_goes_with_the_old_file(warehouse: Warehouse) -> None:
    """Spark's local files have one beside them, and Spark refuses a file that does not fit it."""
    for path in Path(warehouse.location.path, "runs").rglob("*.parquet"):
        path.with_name(f".{path.name}.crc").write_bytes(b"crc")
    forget(warehouse, [video_row(ME)], NOW)
    sums = {path.parent.name for path in Path(warehouse.location.path).rglob(".*.crc")}
    assert "table=verdicts" in sums and not sums & {f"table={table}" for table in FACE_TABLES}


def test_row_groups_keep_their_size(tmp_path: Path) -> None:
    """Training and Spark read a row group at a time."""
    place = Warehouse.open_or_plan(str(tmp_path / "w"))
    commit = night(place, {ME: [0.9] * 4, OTHER: [0.1] * 4})
    (path,) = Path(place.location.path, "runs", commit.run_id, "table=faces").glob("*.parquet")
    pq.write_table(pq.read_table(path), path, row_group_size=3)
    forget(place, [video_row(ME)], NOW)
    groups = pq.read_metadata(path)
    assert [groups.row_group(at).num_rows for at in range(groups.num_row_groups)] == [2, 2]


def test_tables_that_show_faces_are_found_by_their_columns() -> None:
    assert set(FACE_TABLES) == {"faces", "face_scores", "pictures"} <= set(TABLES)


def test_an_unknown_folder_of_rows_is_searched(warehouse: Warehouse) -> None:
    """Rows may be left by a newer framejury, or be staged for several tables."""
    with warehouse.running("later", NOW) as run:
        write(warehouse, run, "splits", [])
        place = Path(run.location.path, "table=frame_scores")
        place.mkdir()
        rows = pa.Table.from_pylist(rows_of(ME, [0.5], b"")["face_scores"])
        pq.write_table(rows, place / "part-0.parquet")
        warehouse.commit(run, NOW)
    forget(warehouse, [video_row(ME)], NOW)
    assert pq.read_table(place / "part-0.parquet").num_rows == 0


def test_erasing_without_a_tombstone_does_nothing(warehouse: Warehouse) -> None:
    before = shown(warehouse)
    assert erase(warehouse).rows == {} and shown(warehouse) == before
