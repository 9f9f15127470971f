"""The alerts that ship speak of figures that framejury writes."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from framejury.runs.drift import Drift, RunDrift
from framejury.runs.prometheus import samples_of
from framejury.runs.run_metrics import RunCounts, RunMetrics

RULES = Path(__file__).resolve().parents[3] / "conf" / "prometheus" / "framejury_alerts.yml"
AT = datetime(2026, 11, 20, tzinfo=UTC)


def rules() -> list[dict[str, str]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, str]] = group["rules"]
    return found


def test_every_figure_of_the_alerts_is_written() -> None:
    drift = Drift(3, 60, 600, 0.3, 0.1, 0.2, 0.15, 0.25)
    counts = RunCounts(videos_in_archive=3, statuses={"scored": 3}, drift=RunDrift(videos=drift))
    published = {"target": "PostgreSQL", "runs": 0, "seconds": 1.0, "error": "no route to host"}
    metrics = RunMetrics("nightly", 0, AT, AT, "/w", counts=counts, published=(published,))
    written = {f"framejury_{sample.name}" for sample in samples_of(metrics)}
    asked = {name for rule in rules() for name in re.findall(r"\bframejury_\w+", rule["expr"])}
    assert len(asked) >= 6
    assert asked <= written


def test_each_alert_has_a_name_of_its_own() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) >= 8


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (package prometheus)")
def test_prometheus_takes_the_rules() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
