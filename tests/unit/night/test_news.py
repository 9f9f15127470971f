"""New fakes and the verdicts of an archive, from committed rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.archive.video_rows import video_id_of
from framejury.night.news import archive_verdicts, new_fakes, not_scored, waiting
from framejury.runs.run_metrics import NewFake, NotScored
from framejury.schemas.tables import TABLES
from framejury.warehouse import Warehouse
from tests.builders.judged import NOW, merge, night, video_row, write


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.open_or_plan(str(tmp_path / "warehouse"))


def paths(fakes: tuple[NewFake, ...]) -> list[str]:
    return [one.path for one in fakes]


def test_only_what_was_not_fake_before_is_new(warehouse: Warehouse) -> None:
    first = night(warehouse, {"a.mp4": [0.9], "b.mp4": [0.1], "c.mp4": []})
    assert new_fakes(warehouse, [first]) == (NewFake("a.mp4", pytest.approx(0.9)),)
    everything = ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    judged = {"a.mp4": [0.8], "b.mp4": [0.7], "d.mp4": [0.95]}
    second = night(warehouse, judged, listed=everything)
    # Highest first; a.mp4 was called fake before. Over both nights, all three are new.
    assert [one.path for one in new_fakes(warehouse, [second])] == ["d.mp4", "b.mp4"]
    assert [one.path for one in new_fakes(warehouse, [first, second])] == [
        "d.mp4",
        "a.mp4",
        "b.mp4",
    ]
    merge(warehouse, "verdicts")
    assert [one.path for one in new_fakes(warehouse, [second])] == ["d.mp4", "b.mp4"]


def test_a_night_that_judged_nothing_has_none(warehouse: Warehouse) -> None:
    night(warehouse, {"a.mp4": [0.9]})
    idle = night(warehouse, {}, listed=["a.mp4"])
    assert new_fakes(warehouse, [idle]) == ()


def test_the_archive_is_what_is_there(warehouse: Warehouse) -> None:
    assert archive_verdicts(warehouse) == {}
    night(warehouse, {"a.mp4": [0.9], "b.mp4": [0.1], "c.mp4": []})
    assert archive_verdicts(warehouse) == {"fake": 1, "real": 1, "not_scored": 1}
    night(warehouse, {}, gone=["a.mp4"], listed=["b.mp4", "c.mp4"])
    assert archive_verdicts(warehouse) == {"real": 1, "not_scored": 1}
    with warehouse.running("forget", NOW) as run:
        row = dict.fromkeys(TABLES["forgotten"].names) | {
            "video_id": video_id_of("b.mp4"),
            "path": "b.mp4",
            "forgotten": True,
            "at": NOW,
            "by": "somebody",
        }
        write(warehouse, run, "forgotten", [row])
        warehouse.commit(run, NOW)
    assert archive_verdicts(warehouse) == {"not_scored": 1}


def test_what_could_not_be_scored_and_what_waits(warehouse: Warehouse) -> None:
    assert waiting(warehouse) == 0
    first = night(warehouse, {"a.mp4": [0.9], "b.mp4": [0.1], "c.mp4": []})
    (lone,) = not_scored(warehouse, [first])
    assert isinstance(lone, NotScored) and lone.path == "c.mp4"
    assert waiting(warehouse) == 0, "all have labels"
    with warehouse.running("index", NOW) as run:
        names = ("a.mp4", "b.mp4", "c.mp4")
        write(warehouse, run, "videos", [video_row(name) | {"label": None} for name in names])
        warehouse.commit(run, NOW)
    assert waiting(warehouse) == 1, "the fake; neither the real one nor the one without a score"
    idle = night(warehouse, {}, listed=["a.mp4", "b.mp4", "c.mp4"])
    assert not_scored(warehouse, [idle]) == ()
    last = night(warehouse, {}, gone=["a.mp4"], listed=["b.mp4", "c.mp4"])
    assert not_scored(warehouse, [last]) == (), "a deleted file"
    assert waiting(warehouse) == 0
