"""Which run `framejury report` writes again."""

from __future__ import annotations

from pathlib import Path

from framejury.commands.report import _reported
from framejury.warehouse import Warehouse
from tests.builders.judged import NOW, night, video_row, write


def test_the_run_with_the_newest_report(tmp_path: Path) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    judged = night(warehouse, {"a.mp4": [0.9]})
    assert _reported(warehouse) == judged, "no run has a report yet"
    warehouse.write_report(judged.run_id, {"report.html": b"1"})
    later = []
    for _ in range(2):  # nightly runs that judged nothing
        with warehouse.running("nightly", NOW) as run:
            write(warehouse, run, "videos", [video_row("a.mp4")])
            later.append(warehouse.commit(run, NOW))
    assert _reported(warehouse) == judged, "idle runs keep the report"
    warehouse.write_report(later[0].run_id, {"report.html": b"2"})
    assert _reported(warehouse) == later[0]
    newest = night(warehouse, {"a.mp4": [0.8]})
    assert _reported(warehouse) == newest, "its report was never written"
