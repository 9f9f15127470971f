"""Both targets show what the warehouse holds, each row once, whatever went wrong meanwhile."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from framejury.decisions.decided import Decided
from framejury.errors import SetupError
from framejury.publishing.publication import Publication
from framejury.publishing.publish_tables import publish_to, targets_of
from framejury.publishing.target import PublishError, Target
from framejury.schemas.published_tables import PUBLISHED
from framejury.schemas.statuses import Decision
from framejury.settings import PublishSettings
from framejury.warehouse import Warehouse
from framejury.warehouse.deciding import record_decisions
from framejury.warehouse.forgetting import allow, forget
from tests.builders.judged import NOW, merge, night, video_row, write
from tests.builders.postgres import PASSWORD, Server, programs
from tests.builders.published import Reader, delta_rows, postgres_rows

NAMES = [
    "a'b.mp4",
    'q"u,o;te.mp4',
    "zw\n\\.\ni.mp4",
    "tab\tulé 視频 🎬.mp4",
    "\\N",
    "NULL",
    "back\\slash\r.mp4",
    "' ; drop schema framejury cascade; --.mp4",
]


@dataclass
class Place:
    """A target, how to read it, and how to take it away and bring it back."""

    settings: PublishSettings
    read: Reader
    hide: Callable[[], None]
    show: Callable[[], None]
    versions: Callable[[], Any]

    @property
    def target(self) -> Target:
        (target,) = targets_of(self.settings)
        return target


@pytest.fixture(params=["delta", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "delta":
        folder = tmp_path / "delta" / "tables"
        folder.mkdir(parents=True)
        away = tmp_path / "away"

        def hide() -> None:
            (tmp_path / "delta").rename(away)
            (tmp_path / "delta").write_text("no folder: a share that is not mounted")

        def show() -> None:
            (tmp_path / "delta").unlink()
            away.rename(tmp_path / "delta")

        return Place(
            PublishSettings(delta=str(folder)),
            lambda name: delta_rows(folder, name),
            hide,
            show,
            lambda: sorted(str(path) for path in folder.rglob("_delta_log/*.json")),
        )
    server: Server = request.getfixturevalue("server")
    database: str = request.getfixturevalue("database")
    return Place(
        PublishSettings(database=database),
        lambda name: postgres_rows(server, database, name),
        server.stop,
        server.start,
        lambda: (
            server.query(
                database,
                "select relname, n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables, "
                "lateral (select pg_stat_force_next_flush()) f order by 1",
            )
            and [
                server.query(database, f"select xmin, * from framejury.{one}") for one in PUBLISHED
            ]
        ),
    )


def publish(place: Place, warehouse: Warehouse) -> int:
    return len(place.target.publish(Publication(warehouse)))


def verdicts(place: Place) -> dict[str, tuple[str, float | None]]:
    rows = place.read("verdicts")
    assert len({row["video_id"] for row in rows}) == len(rows)
    return {row["path"]: (row["verdict"], row["p_fake"]) for row in rows}


def history(place: Place) -> list[tuple[int, str, str]]:
    rows = place.read("run_verdicts")
    return sorted((row["commit_sequence"], row["path"], row["verdict"]) for row in rows)


def same_as_current(place: Place, warehouse: Warehouse) -> None:
    """Check the table `verdicts` against `current/`, which another part of framejury writes."""
    file = Path(warehouse.location.path, "current", "verdicts.parquet")
    names = [name for name in PUBLISHED["verdicts"].names if name in pq.read_schema(file).names]
    current = pq.read_table(file, columns=names).to_pylist()
    rows = [{name: row[name] for name in names} for row in place.read("verdicts")]
    assert len(names) == len(PUBLISHED["verdicts"].names) - 3
    assert sorted(rows, key=str) == sorted(current, key=str)


def test_every_name_and_null_arrives(place: Place, warehouse: Warehouse) -> None:
    scores = {name: [0.1 + 0.1 * at] for at, name in enumerate(NAMES)}
    night(warehouse, {**scores, "no face.mp4": []})
    assert publish(place, warehouse) == 1
    assert verdicts(place) == {
        **{name: ("fake" if p >= 0.5 else "real", p) for name, (p,) in scores.items()},
        "no face.mp4": ("inconclusive", None),
    }
    same_as_current(place, warehouse)
    (run,) = place.read("runs")
    assert (run["commit_sequence"], run["videos"], run["committed_at"]) == (1, 9, NOW)


def test_publishing_again_changes_nothing(place: Place, warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.1], "b": [0.9]})
    assert publish(place, warehouse) == 1
    before = {name: place.read(name) for name in PUBLISHED}, place.versions()
    assert publish(place, warehouse) == 0
    assert ({name: place.read(name) for name in PUBLISHED}, place.versions()) == before


def test_runs_follow_each_other(place: Place, warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.1], "b": [0.9], "c": [0.2]})
    publish(place, warehouse)
    night(warehouse, {"a": [0.8]}, listed=["a", "c"], gone=["b"])
    merge(warehouse, "verdicts", "face_scores")
    assert publish(place, warehouse) == 1
    assert verdicts(place) == {"a": ("fake", 0.8), "c": ("real", 0.2)}
    assert history(place) == [
        *((1, "a", "real"), (1, "b", "fake"), (1, "c", "real")),
        *((2, "a", "fake"), (2, "b", "inconclusive")),
    ]
    same_as_current(place, warehouse)


def test_an_outage_is_made_up_for_in_order(place: Place, warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.1]})
    publish(place, warehouse)
    place.hide()
    try:
        for score in (0.9, 0.2):
            night(warehouse, {"a": [score]})
            (ended,) = publish_to([place.target], warehouse)
            assert ended.error and not ended.run_ids
    finally:
        place.show()
    last = night(warehouse, {"a": [0.7]})
    (ended,) = publish_to([place.target], warehouse)
    assert ended.error is None and len(ended.run_ids) == 3 and ended.run_ids[-1] == last.run_id
    assert history(place) == [
        (1, "a", "real"),
        (2, "a", "fake"),
        (3, "a", "real"),
        (4, "a", "fake"),
    ]
    assert [row["commit_sequence"] for row in place.read("runs")] == [1, 2, 3, 4]
    assert verdicts(place) == {"a": ("fake", 0.7)}


def test_an_older_state_never_replaces_a_newer_one(place: Place, warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.1], "b": [0.3]})
    stale = Publication(warehouse)
    night(warehouse, {"a": [0.9]}, listed=["a", "b"])
    publish(place, warehouse)
    before = {name: place.read(name) for name in PUBLISHED}
    # A process that listed the commits before the second run, and comes late.
    assert place.target.publish(stale) == []
    assert {name: place.read(name) for name in PUBLISHED} == before


def test_another_warehouse_is_refused(place: Place, warehouse: Warehouse, tmp_path: Path) -> None:
    night(warehouse, {"a": [0.1]})
    publish(place, warehouse)
    before = place.read("verdicts")
    other = Warehouse.open_or_plan(str(tmp_path / "other"))
    for _ in range(2):  # as many commits as the first, and more
        night(other, {"a": [0.9]})
        with pytest.raises(PublishError):
            publish(place, other)
    (ended,) = publish_to([place.target], other)
    assert ended.error is not None
    assert place.read("verdicts") == before


def test_decisions_arrive_without_the_name_of_the_reviewer(
    place: Place, warehouse: Warehouse
) -> None:
    night(warehouse, {"a": [0.9], "b": [0.1]})
    publish(place, warehouse)
    rows = {row["path"]: row for row in place.read("verdicts")}
    decided = Decided(
        decision=Decision.REAL,
        reviewer="Jane Roe",
        decided_at=datetime(2026, 6, 1, tzinfo=UTC),
        note="by hand",
        content_id=None,
        source="command",
        seen_verdict="fake",
        seen_p_fake=0.9,
        seen_model_id=rows["a"]["model_id"],
        seen_run_id=rows["a"]["run_id"],
    )
    record_decisions(warehouse, [(rows["a"]["video_id"], decided)], NOW)
    assert publish(place, warehouse) == 1
    found = {row["path"]: row["decision"] for row in place.read("verdicts")}
    assert found == {"a": "real", "b": None}
    assert "Jane" not in str([place.read(name) for name in PUBLISHED])
    same_as_current(place, warehouse)


def test_a_forgotten_video_leaves_every_table(place: Place, warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.9], "b": [0.1]})
    publish(place, warehouse)
    night(warehouse, {"a": [0.8], "b": [0.2]})  # not published before it is forgotten
    (row,) = [row for row in place.read("verdicts") if row["path"] == "a"]
    forget(warehouse, [row], NOW)
    publish(place, warehouse)
    assert verdicts(place) == {"b": ("real", 0.2)}
    assert history(place) == [(1, "b", "real"), (2, "b", "real")]
    allow(warehouse, [row], NOW)
    night(warehouse, {"a": [0.7]}, listed=["a", "b"])
    publish(place, warehouse)
    assert verdicts(place) == {"a": ("fake", 0.7), "b": ("real", 0.2)}
    assert history(place)[-1] == (5, "a", "fake")


def test_an_idle_night_writes_its_row_of_runs_only(place: Place, warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.9]})
    publish(place, warehouse)
    before = place.read("verdicts"), place.read("run_verdicts")
    many = len(place.versions())
    with warehouse.running("nightly", NOW) as run:
        write(warehouse, run, "videos", [video_row("a")])
        warehouse.commit(run, NOW)
    assert publish(place, warehouse) == 1
    assert (place.read("verdicts"), place.read("run_verdicts")) == before
    assert len(place.read("runs")) == 2
    if place.settings.delta:
        assert len(place.versions()) == many + 1


def test_a_label_that_changed_arrives(place: Place, warehouse: Warehouse) -> None:
    night(warehouse, {"a": [0.9]})
    publish(place, warehouse)
    with warehouse.running("index", NOW) as run:
        write(warehouse, run, "videos", [video_row("a") | {"label": "REAL"}])
        warehouse.commit(run, NOW)
    publish(place, warehouse)
    assert [row["label"] for row in place.read("verdicts")] == ["REAL"]


SCHEMA = "framejury"
VERDICTS = f"{SCHEMA}.verdicts"
KILLED = """
    import os, signal, sys
    from framejury.publishing import {module}
    from framejury.publishing.publication import Publication
    from framejury.publishing.publish_tables import targets_of
    from framejury.settings import PublishSettings
    from framejury.warehouse import Warehouse

    writes = 0
    write = {module}.{kind}.{method}

    def counted(*args, **kwargs):
        global writes
        found = write(*args, **kwargs)
        writes += 1
        if writes == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    {module}.{kind}.{method} = counted
    (target,) = targets_of(PublishSettings.model_validate_json(sys.argv[3]))
    target.publish(Publication(Warehouse.open(sys.argv[1])))
"""


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_publisher_that_is_killed_is_continued(
    place: Place, warehouse: Warehouse, after: int
) -> None:
    """SIGKILL after each of the three writes, as `kill -9` or a lost machine would."""
    night(warehouse, {"a": [0.1], "b": [0.9]})
    publish(place, warehouse)
    night(warehouse, {"a": [0.8]}, listed=["a"], gone=["b"])
    names = ("delta_tables", "DeltaTables", "_write")
    if place.settings.database:
        names = ("postgres_tables", "PostgresTables", "_upsert")
    module, kind, method = names
    text = textwrap.dedent(KILLED).format(module=module, kind=kind, method=method)
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            text,
            warehouse.location.path,
            str(after),
            place.settings.model_dump_json(),
        ],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert killed.returncode == -signal.SIGKILL
    if after == 3:  # at once, as framejury publish does; else with the next night
        assert publish(place, warehouse) == (0 if place.settings.delta else 1)
    night(warehouse, {"c": [0.6]}, listed=["a", "c"], gone=["b"])
    publish(place, warehouse)
    assert verdicts(place) == {"a": ("fake", 0.8), "c": ("fake", 0.6)}
    assert history(place) == [
        *((1, "a", "real"), (1, "b", "fake"), (2, "a", "fake"), (2, "b", "inconclusive")),
        *((3, "b", "inconclusive"), (3, "c", "fake")),
    ]
    assert [row["commit_sequence"] for row in place.read("runs")] == [1, 2, 3]


def test_a_missing_package_is_an_error_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name in ("deltalake", "psycopg") else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    for settings in (PublishSettings(delta="d"), PublishSettings(database="service=x")):
        with pytest.raises(SetupError, match="framejury\\[publish\\]"):
            targets_of(settings)
    assert targets_of(PublishSettings()) == []


@pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed (Debian: postgresql)")
def test_one_target_that_fails_does_not_stop_the_other(
    warehouse: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    night(warehouse, {"a": [0.1]})
    settings = PublishSettings(
        delta=str(tmp_path / "delta"),
        database="postgresql://joe@127.0.0.1:1/none?connect_timeout=2",
    )
    delta, database = publish_to(targets_of(settings), warehouse)
    assert delta.error is None and database.error is not None
    assert "PostgreSQL" in capsys.readouterr().err
    assert len(delta_rows(tmp_path / "delta", "verdicts")) == 1


def test_the_password_comes_from_the_environment(
    server: Server,
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    night(warehouse, {"a": [0.1]})
    database = server.database()
    name = database.partition("///")[2].partition("?")[0]
    server.query(database, f"create role clerk login password '{PASSWORD}'")
    server.query(database, "create schema framejury authorization clerk")
    settings = PublishSettings(database=f"postgresql://clerk@127.0.0.1:{server.port}/{name}")
    monkeypatch.setenv("PGPASSWORD", "another one")
    (ended,) = publish_to(targets_of(settings), warehouse)
    assert ended.error is not None and "password authentication failed" in ended.error
    told = capsys.readouterr().err
    assert "another one" not in told and "clerk@" not in told
    # The role may make tables in its own schema only.
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    (ended,) = publish_to(targets_of(settings), warehouse)
    assert ended.error is None and len(ended.run_ids) == 1
    assert len(postgres_rows(server, database, "verdicts")) == 1
    server.query(database, "drop owned by clerk; drop role clerk")


def test_a_column_of_a_newer_version_is_added(
    server: Server, database: str, warehouse: Warehouse
) -> None:
    (target,) = targets_of(PublishSettings(database=database))
    night(warehouse, {"a": [0.1]})
    target.publish(Publication(warehouse))
    server.query(database, f"alter table {VERDICTS} drop column notes")
    night(warehouse, {"a": [0.9]})
    target.publish(Publication(warehouse))
    (row,) = postgres_rows(server, database, "verdicts")
    assert (row["notes"], row["verdict"]) == (None, "fake")


def test_a_row_of_a_later_commit_stays(server: Server, database: str, warehouse: Warehouse) -> None:
    """Whatever wrote it: the upsert itself never goes back in time."""
    (target,) = targets_of(PublishSettings(database=database))
    night(warehouse, {"a": [0.1], "b": [0.1]})
    target.publish(Publication(warehouse))
    server.query(
        database,
        f"update {VERDICTS} set commit_sequence = 99, p_fake = 0.75 where path = 'a'",
    )
    night(warehouse, {"a": [0.2], "b": [0.2]})
    target.publish(Publication(warehouse))
    rows = postgres_rows(server, database, "verdicts")
    assert {row["path"]: row["p_fake"] for row in rows} == {"a": 0.75, "b": 0.2}
