"""The alerts that ship speak of figures that framejury writes."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from framejury.runs.drift import Drift, RunDrift
from framejury.runs.prometheus import samples_of
from framejury.runs.run_metrics import RunCounts, RunMetrics

RULES = Path(__file__).resolve().parents[3] / "conf" / "prometheus" / "framejury_alerts.yml"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool (Debian: prometheus)"
)
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


@needs_promtool
def test_prometheus_takes_the_rules() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


COMMON = {"warehouse": "/w", "verb": "nightly", "instance": "driver:9100"}
LABELS = {
    "framejury_run_videos": {"status": "scored"},
    "framejury_score_drift_psi": {"of": "videos"},
    "framejury_score_drift_psi_chance": {"of": "videos"},
    "framejury_run_publish_failed": {"target": "PostgreSQL"},
}
"""Labels besides the common ones."""
HEALTHY = {
    "framejury_run_end_timestamp_seconds": "0+3600x72",  # a run that ends every hour
    "framejury_run_exit_code": "0x72",
    "framejury_run_videos": "100x72",
    "framejury_run_scored_faces": "900x72",
    "framejury_archive_videos": "1000x72",
    "framejury_score_drift_psi": "0.05x72",
    "framejury_score_drift_psi_chance": "0.1x72",
    "framejury_run_wall_seconds": "3600x72",
    "framejury_run_publish_failed": "0x72",
    "node_textfile_scrape_error": "0x72",
}
"""Values hour by hour."""
TROUBLES: dict[str, dict[str, str]] = {
    "FramejuryDidNotRun": {"framejury_run_end_timestamp_seconds": "3600x72"},
    "FramejuryFailed": {"framejury_run_exit_code": "1x72"},
    "FramejuryManyFailures": {"framejury_run_exit_code": "3x72"},
    "FramejuryNothingScored": {"framejury_run_scored_faces": "0x72"},
    "FramejuryArchiveShrank": {"framejury_archive_videos": "1000x30 800x40"},
    "FramejuryScoresDrift": {"framejury_score_drift_psi": "0.3x72"},
    "FramejuryNightTooLong": {"framejury_run_wall_seconds": "80000x72"},
    "FramejuryNotPublished": {"framejury_run_publish_failed": "1x72"},
    "FramejuryFileNotRead": {"node_textfile_scrape_error": "1x72"},
}
"""What makes each alert fire, and no other."""
NO_TROUBLE = {
    "drift that chance explains": {
        "framejury_score_drift_psi": "0.3x72",
        "framejury_score_drift_psi_chance": "0.4x72",
    },
    "an archive that lost a few": {"framejury_archive_videos": "1000x30 950x40"},
    "one night that could not publish": {"framejury_run_publish_failed": "0x20 1x20 0x30"},
    "a small night without faces": {
        "framejury_run_videos": "20x72",
        "framejury_run_scored_faces": "0x72",
    },
}


def fired(name: str, trouble: dict[str, str], alert: str | None) -> dict[str, Any]:
    """Return a test for promtool: after two days `alert` fires, and no other."""
    labels = {figure: COMMON | LABELS.get(figure, {}) for figure in HEALTHY}
    written = [
        {
            "series": figure
            + "{"
            + ",".join(f'{k}="{v}"' for k, v in labels[figure].items())
            + "}",
            "values": trouble.get(figure, values),
        }
        for figure, values in HEALTHY.items()
    ]
    figure = next(iter(trouble))
    # A sum over statuses has no status.
    shown = {key: value for key, value in labels[figure].items() if key != "status"}
    expected = [
        {
            "eval_time": "48h",
            "alertname": rule["alert"],
            "exp_alerts": [{"exp_labels": shown}] if rule["alert"] == alert else [],
        }
        for rule in rules()
    ]
    return {"name": name, "interval": "1h", "input_series": written, "alert_rule_test": expected}


def test_every_alert_has_a_trouble() -> None:
    assert set(TROUBLES) == {rule["alert"] for rule in rules()}


@needs_promtool
def test_each_alert_fires_for_its_trouble_and_no_other(tmp_path: Path) -> None:
    tests = [fired(alert, trouble, alert) for alert, trouble in TROUBLES.items()]
    tests += [fired(name, trouble, None) for name, trouble in NO_TROUBLE.items()]
    file = tmp_path / "alerts.yml"
    whole = {"rule_files": [str(RULES)], "evaluation_interval": "1h", "tests": tests}
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    tried = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
