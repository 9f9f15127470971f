"""The scores of single faces behind the latest verdicts."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from framejury.errors import WarehouseError
from framejury.runs.chosen_verdicts import chosen_verdicts
from framejury.schemas.tables import TABLES
from framejury.warehouse import Warehouse
from framejury.warehouse.frame_scores import FRAME_SCORES, frame_scores

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BOX = {"x": 1.0, "y": 2.0, "width": 30.0, "height": 40.0}


def commit(warehouse: Warehouse, day: int, **tables: Sequence[dict[str, Any]]) -> None:
    now = NOW + timedelta(days=day)
    with warehouse.running("nightly", now) as run:
        for table, rows in tables.items():
            own = [{"run_id": run.run_id} | row for row in rows]
            warehouse.write(run, table, pa.Table.from_pylist(own, schema=TABLES[table]))
        warehouse.commit(run, now)


def video(name: str) -> dict[str, Any]:
    row = {"video_id": name, "path": name, "uri": f"/a/{name}", "bytes": 1, "layout": "plain"}
    return row | {"group_keys": [name], "group": name, "label": "REAL"}


def verdict(name: str, faces: int, model: str = "m") -> dict[str, Any]:
    row = {"video_id": name, "model_id": model, "verdict": "real", "threshold": 0.5}
    counts = dict.fromkeys(("faces_scored", "frames_scored", "persons"), faces)
    return row | counts | {"reducer": "mean", "status": "scored" if faces else "missing"}


def faces(name: str, scores: Sequence[float], model: str = "m") -> list[dict[str, Any]]:
    return [
        {"video_id": name, "model_id": model, "frame_index": 2 * n, "pts_s": n / 2}
        | {"face_index": 0, "person": 1, "score": score, "box": BOX}
        for n, score in enumerate(scores)
    ]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.open_or_plan(str(tmp_path / "w"))


def found(warehouse: Warehouse) -> dict[str, list[float]]:
    rows = [
        row
        for table in frame_scores(warehouse, chosen_verdicts(warehouse))
        for row in table.to_pylist()
    ]
    return {
        uri: [row["score"] for row in rows if row["uri"] == uri]
        for uri in sorted({row["uri"] for row in rows})
    }


def test_the_columns_of_a_face(warehouse: Warehouse) -> None:
    shuffled = faces("v", [0.25, 0.5, 0.75])[::-1]
    commit(warehouse, 0, videos=[video("v")], verdicts=[verdict("v", 3)], face_scores=shuffled)
    (table,) = frame_scores(warehouse, chosen_verdicts(warehouse))
    assert table.schema == FRAME_SCORES
    assert table.to_pylist()[1] == {
        "uri": "/a/v",
        "label": "REAL",
        "video_id": "v",
        "model_id": "m",
        "frame_index": 2,
        "time_s": 0.5,
        "person": 1,
        "score": 0.5,
        "box": BOX,
    }
    assert table["score"].to_pylist() == [0.25, 0.5, 0.75]


def test_only_the_scores_behind_the_latest_verdict_count(warehouse: Warehouse) -> None:
    old = [*faces("again", [0.25]), *faces("kept", [0.5]), *faces("gone", [0.5])]
    judged = [verdict("again", 1), verdict("kept", 1), verdict("gone", 1)]
    listed = [video("again"), video("kept"), video("gone")]
    commit(warehouse, 0, videos=listed, face_scores=old, verdicts=judged)
    commit(
        warehouse,
        1,
        videos=listed,
        face_scores=[*faces("again", [0.75, 1.0]), *faces("kept", [0.0], model="other")],
        verdicts=[verdict("again", 2), verdict("gone", 0)],
    )
    commit(warehouse, 2, face_scores=faces("kept", [1.0]))  # scored, and not judged since
    assert found(warehouse) == {"/a/again": [0.75, 1.0], "/a/kept": [0.5]}


def test_a_video_that_left_the_listing_is_left_out(warehouse: Warehouse) -> None:
    both = [*faces("a", [0.25]), *faces("b", [0.5])]
    judged = [verdict("a", 1), verdict("b", 1)]
    commit(warehouse, 0, videos=[video("a"), video("b")], face_scores=both, verdicts=judged)
    commit(warehouse, 1, videos=[video("b")])
    assert found(warehouse) == {"/a/b": [0.5]}


def test_nothing_judged_is_an_error_that_says_what_to_do(warehouse: Warehouse) -> None:
    commit(warehouse, 0, videos=[video("a")])
    with pytest.raises(WarehouseError, match="framejury reduce"):
        next(frame_scores(warehouse, chosen_verdicts(warehouse)))


def test_old_files_have_their_scores_under_the_name_of_now(tmp_path: Path) -> None:
    stored = Path(__file__).resolve().parents[2] / "data" / "old_warehouse"
    warehouse = Warehouse.open(str(shutil.copytree(stored, tmp_path / "w")))
    counts = {uri: len(scores) for uri, scores in found(warehouse).items()}
    verdicts = warehouse.read_latest("verdicts").to_pylist()
    assert sorted(counts.values()) == sorted(r["faces_scored"] for r in verdicts)[1:]
    assert all(0 < score < 1 for scores in found(warehouse).values() for score in scores)


def test_memory_does_not_grow_with_the_faces(warehouse: Warehouse) -> None:
    """Eight files take as much as one: neither Arrow nor Python holds their rows together."""
    names = [f"v{number}" for number in range(8)]
    count = 40_000

    def judge(name: str) -> None:
        (face,) = faces(name, [0.5])
        rows = [face | {"frame_index": at} for at in range(count)]
        listed = [video(one) for one in names]
        commit(
            warehouse,
            names.index(name),
            videos=listed,
            verdicts=[verdict(name, count)],
            face_scores=rows,
        )

    def peak() -> tuple[int, int]:
        """Bytes and rows."""
        before, most, rows = pa.total_allocated_bytes(), 0, 0
        tracemalloc.start()
        for table in frame_scores(warehouse, chosen_verdicts(warehouse)):
            most, rows = max(most, pa.total_allocated_bytes() - before), rows + table.num_rows
        _, python = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most + python, rows

    judge(names[0])
    one, rows = peak()
    assert rows == count
    for name in names[1:]:
        judge(name)
    all_, rows = peak()
    assert rows == 8 * count
    assert all_ < 2 * one
