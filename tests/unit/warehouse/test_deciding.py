"""Decisions of people: none is lost, whatever runs meanwhile, and the right one counts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from framejury.archive.video_rows import video_id_of
from framejury.decisions.decided import Decided
from framejury.errors import CommitError
from framejury.schemas.statuses import Decision
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts
from framejury.warehouse.deciding import record_decisions, standing_decisions
from framejury.warehouse.forgetting import allow, forget
from tests.builders.judged import MODEL, NOW, merge, night, rows_of, verdict_of, video_row, write

A, B = "folder/a.mp4", "folder/b.mp4"
NOTE = "the mother of Ann recognised her"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    place = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    night(place, {A: [0.9], B: [0.1]})
    return place


def decided(decision: Decision, at: datetime = NOW, **fields: Any) -> Decided:
    values = {
        "content_id": None,
        "decision": decision,
        "reviewer": "ann",
        "note": None,
        "decided_at": at,
        "source": "command",
        "seen_verdict": "fake",
        "seen_p_fake": 0.9,
        "seen_model_id": MODEL,
        "seen_run_id": "run",
    }
    return Decided(**(values | fields))


def decide(warehouse: Warehouse, path: str, decision: Decision, **fields: Any) -> None:
    """As another process does it: with its own view of the warehouse."""
    other = Warehouse.open(warehouse.location.uri)
    record_decisions(other, [(video_id_of(path), decided(decision, **fields))], NOW)


def current(warehouse: Warehouse, path: str) -> str | None:
    found = standing_decisions(Warehouse.open(warehouse.location.uri)).get(video_id_of(path))
    return None if found is None or found.current is None else found.current.decision.value


def extracted(warehouse: Warehouse, path: str, content_id: str) -> None:
    """Commit that the file now has this content."""
    with warehouse.running("extract", NOW) as run:
        (row,) = rows_of(path, [0.9], b"")["extractions"]
        write(warehouse, run, "extractions", [row | {"content_id": content_id}])
        warehouse.commit(run, NOW, facts=CommitFacts(keeps_crops=True))


def test_without_decisions_an_old_warehouse_has_none(warehouse: Warehouse) -> None:
    assert standing_decisions(warehouse) == {}
    assert warehouse.read_decisions().num_rows == 0


def test_the_latest_decision_counts_and_all_are_kept(warehouse: Warehouse) -> None:
    decide(warehouse, A, Decision.FAKE, at=NOW)
    decide(warehouse, A, Decision.REAL, at=NOW + timedelta(hours=1), reviewer="bob", note=NOTE)
    # Read from a file later, but decided earlier: it joins the history and changes nothing.
    decide(warehouse, A, Decision.UNCLEAR, at=NOW - timedelta(days=1))
    found = standing_decisions(warehouse)[video_id_of(A)]
    assert [one.decision for one in found.history] == ["unclear", "fake", "real"]
    assert found.current is not None
    assert (found.current.reviewer, found.current.note) == ("bob", NOTE)
    decide(warehouse, A, Decision.WITHDRAWN, at=NOW + timedelta(hours=2))
    assert current(warehouse, A) is None
    decide(warehouse, A, Decision.FAKE, at=NOW + timedelta(hours=3))
    assert current(warehouse, A) == "fake"


def test_of_two_decisions_at_the_same_time_the_later_commit_counts(warehouse: Warehouse) -> None:
    for decision in (Decision.REAL, Decision.FAKE, Decision.REAL):
        decide(warehouse, A, decision)
    assert current(warehouse, A) == "real"


def test_a_decision_is_about_one_content(warehouse: Warehouse) -> None:
    extracted(warehouse, A, "first")
    decide(warehouse, A, Decision.FAKE, content_id="first")
    extracted(warehouse, A, "second")
    assert current(warehouse, A) is None, "the file was replaced"
    decide(warehouse, A, Decision.REAL, content_id="second", at=NOW + timedelta(hours=1))
    assert current(warehouse, A) == "real"
    extracted(warehouse, A, "first")
    assert current(warehouse, A) == "fake", "the first file is back"


def test_a_decision_during_a_night_costs_neither_its_work(warehouse: Warehouse) -> None:
    """The night began before the decisions and commits after them; both are there."""
    with warehouse.running("nightly", NOW) as run:
        decide(warehouse, A, Decision.FAKE)
        write(warehouse, run, "verdicts", [verdict_of(B, [0.7])])
        decide(warehouse, B, Decision.REAL)
        commit = warehouse.commit(run, NOW, model_id=MODEL)
    assert [one.job for one in warehouse.commits()] == ["nightly", "decide", "decide", "nightly"]
    assert commit.sequence == 4
    assert (current(warehouse, A), current(warehouse, B)) == ("fake", "real")
    latest = {
        row["video_id"]: row["verdict"] for row in warehouse.read_latest("verdicts").to_pylist()
    }
    assert latest[video_id_of(B)] == "fake"


def test_an_overtaken_run_still_cannot_commit(warehouse: Warehouse) -> None:
    """Decisions are let through; another run is not."""
    slow = warehouse.begin("nightly", NOW)
    decide(warehouse, A, Decision.FAKE)
    quick = warehouse.begin("nightly", NOW)
    warehouse.commit(quick, NOW)
    decide(warehouse, A, Decision.REAL)
    with pytest.raises(CommitError, match="another run was committed"):
        warehouse.commit(slow, NOW)


def test_a_night_that_starts_spares_a_decision_under_way(warehouse: Warehouse) -> None:
    """It removes what dead runs left, and a decision holds no lock."""
    under_way = warehouse.begin("decide", NOW)
    (warehouse.location.child("runs", "20200101T000000Z-000000-decide")).filesystem.create_dir(
        warehouse.location.child("runs", "20200101T000000Z-000000-decide").path
    )
    dead = warehouse.begin("nightly", NOW)
    with warehouse.locked("nightly", NOW):
        left = {path.name for path in Path(warehouse.location.path, "runs").iterdir()}
    assert under_way.run_id in left
    assert dead.run_id not in left
    assert "20200101T000000Z-000000-decide" not in left, "killed long ago"


REVIEWER = """
import sys
from datetime import timedelta
from framejury.schemas.statuses import Decision
from framejury.warehouse import Warehouse
from tests.unit.warehouse.test_deciding import A, B, NOW, decide
warehouse = Warehouse.open(sys.argv[1])
for number in range(int(sys.argv[3])):
    decide(warehouse, (A, B)[number % 2], Decision.FAKE, reviewer=sys.argv[2], note=str(number))
"""


def reviewers(warehouse: Warehouse, names: Sequence[str], each: int) -> list[subprocess.Popen[str]]:
    """Processes that decide at the same time."""
    command = [sys.executable, "-c", REVIEWER, warehouse.location.uri]
    return [
        subprocess.Popen([*command, name, str(each)], stderr=subprocess.PIPE, text=True)
        for name in names
    ]


def test_reviewers_at_once_while_nights_run(warehouse: Warehouse) -> None:
    """Three processes record 15 decisions each; meanwhile nights are committed. All are kept."""
    processes = reviewers(warehouse, ["ann", "bob", "eve"], 15)
    nights = 0
    while any(process.poll() is None for process in processes) or nights < 2:
        night(warehouse, {A: [0.9], B: [0.2]})
        nights += 1
    for process in processes:
        assert process.returncode == 0, process.communicate()[1]
    rows = Warehouse.open(warehouse.location.uri).read_decisions().to_pylist()
    expected = {(name, str(number)) for name in ("ann", "bob", "eve") for number in range(15)}
    assert sorted((row["reviewer"], row["note"]) for row in rows) == sorted(expected)
    sequences = [commit.sequence for commit in warehouse.commits()]
    assert sequences == list(range(1, 1 + nights + 45 + 1))
    shown = pq.read_metadata(Path(warehouse.location.path, "current", "verdicts.parquet"))
    last = max(c.sequence for c in warehouse.commits())
    assert shown.metadata[b"framejury_sequence"] == str(last).encode(), "the latest state is shown"


def test_current_shows_the_decision(warehouse: Warehouse) -> None:
    root = Path(warehouse.location.path, "current")
    faces = (root / "faces.parquet").stat().st_mtime_ns
    decide(warehouse, A, Decision.REAL, reviewer="bob")
    table = pd.read_parquet(root / "verdicts.parquet").set_index("path")
    assert table.loc[A, ["verdict", "decision", "reviewer"]].tolist() == ["fake", "real", "bob"]
    assert table.loc[B, "decision"] is None
    assert (root / "faces.parquet").stat().st_mtime_ns == faces, "large, and not concerned"


def test_merged_decisions_are_the_same(warehouse: Warehouse) -> None:
    for decision in (Decision.REAL, Decision.FAKE):
        decide(warehouse, A, decision)
    before = standing_decisions(warehouse)
    merge(warehouse, "decisions")
    decide(warehouse, B, Decision.UNCLEAR)
    after = standing_decisions(warehouse)
    assert after[video_id_of(A)] == before[video_id_of(A)]
    assert current(warehouse, B) == "unclear"


def notes(warehouse: Warehouse) -> list[str]:
    """Every note in any file of rows, whether it counts or not."""
    return [
        row["note"]
        for path in Path(warehouse.location.path).rglob("table=decisions/*.parquet")
        for row in pq.read_table(path).to_pylist()
        if row["note"] is not None
    ]


def test_forget_ends_decisions_and_erases_notes(warehouse: Warehouse) -> None:
    decide(warehouse, A, Decision.FAKE, note=NOTE)
    decide(warehouse, B, Decision.REAL, note="kept")
    merge(warehouse, "decisions")
    assert notes(warehouse).count(NOTE) == 2, "in the old file, and in the merged one"
    erased = forget(warehouse, [video_row(A)], NOW)
    assert erased.rows["decisions"] == 2
    assert set(notes(warehouse)) == {"kept"}
    assert current(warehouse, A) is None and current(warehouse, B) == "real"
    rows = [
        row
        for commit in warehouse.with_table("decisions")
        for row in warehouse.read_run(commit.run_id, "decisions").to_pylist()
    ]
    assert [row["decision"] for row in rows if row["video_id"] == video_id_of(A)] == ["fake"]
    again = forget(warehouse, [video_row(A)], NOW)
    assert again.rows["decisions"] == 0, "nothing is left to erase"
    allow(warehouse, [video_row(A)], NOW)
    assert current(warehouse, A) is None, "a decision from before does not come back"


def test_no_decision_follows_a_tombstone_it_did_not_see(warehouse: Warehouse) -> None:
    run = warehouse.begin("decide", NOW)
    forget(warehouse, [video_row(A)], NOW)
    with pytest.raises(CommitError, match="forgotten meanwhile"):
        warehouse.commit(run, NOW)
