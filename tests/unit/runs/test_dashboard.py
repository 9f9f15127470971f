"""The dashboard that ships asks for figures and labels that framejury writes, and all of them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest

from framejury.runs.drift import Drift, RunDrift
from framejury.runs.prometheus import registry_of
from framejury.runs.run_metrics import RunCounts, RunMetrics

PLACE = Path(__file__).resolve().parents[3] / "conf" / "grafana" / "framejury_dashboard.json"
AT = datetime(2026, 11, 20, tzinfo=UTC)


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PLACE.read_text(encoding="utf-8"))
    return found


def written() -> dict[str, set[str]]:
    """Figure -> its labels, from the file that node_exporter reads."""
    drift = Drift(3, 60, 600, 0.3, 0.1, 0.2, 0.15, 0.25)
    counts = RunCounts(
        videos_in_archive=3, left_out={".txt": 1}, statuses={"scored": 3}, drift=RunDrift(drift)
    )
    published = {"target": "PostgreSQL", "runs": 0, "seconds": 1.0, "error": "no route to host"}
    ended = datetime(2026, 11, 20, 1, tzinfo=UTC)
    metrics = RunMetrics(
        *("nightly", 0, AT, ended, "/w"),
        run_ids=("r",),
        phase_s={"index": 1.0},
        counts=counts,
        published=(published,),
    )
    text = generate_latest(registry_of(metrics)).decode()
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"(?m)^(framejury_\w+)\{(.*)\} \S+$", text):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def test_every_panel_asks_for_what_is_written() -> None:
    known = written()
    panels = dashboard()["panels"]
    assert len(panels) >= 10
    for panel in panels:
        for target in panel["targets"]:
            expression, legend = target["expr"], target["legendFormat"]
            names = re.findall(r"framejury_\w+", expression)
            assert names and set(names) <= set(known), panel["title"]
            asked = set(re.findall(r"[{,]\s*(\w+)=", expression))
            asked |= set(re.findall(r"\{\{(\w+)\}\}", legend))
            assert asked <= set.intersection(*(known[name] for name in names)), panel["title"]
    (variable,) = [one for one in dashboard()["templating"]["list"] if one["type"] == "query"]
    name, label = re.findall(r"label_values\((\w+), (\w+)\)", variable["query"])[0]
    assert label in known[name]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
